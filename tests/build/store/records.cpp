#include "records.h"

namespace testing {

using namespace build;

model::Time at(int seconds) { return model::Time(std::chrono::seconds(1767225600 + seconds)); }

model::CommitHash hash(int number) {
  const std::string digits = std::to_string(number);
  return model::CommitHash(std::string(40 - digits.size(), '0') + digits);
}

model::Commit commit(int number) {
  return {.repository = kRepository,
          .hash = hash(number),
          .author_name = "Author " + std::to_string(number),
          .author_email = "author@example.com",
          .subject = "change " + std::to_string(number),
          .committed = at(number)};
}

model::BranchCommit place(int number) {
  return {.repository = kRepository, .branch = kBranch, .position = number, .hash = hash(number)};
}

model::Build waiting_build(int id, int commit, const std::string& builder) {
  return {.id = model::BuildId(id),
          .repository = kRepository,
          .branch = kBranch,
          .commit = hash(commit),
          .builder = model::BuilderName(builder),
          .host_type = model::HostType("host-" + builder),
          .position = commit,
          .accepted = at(id)};
}

model::Attempt running_attempt(int build, int number) {
  return {.build = model::BuildId(build),
          .number = number,
          .lease = model::LeaseNumber(build * 10 + number),
          .session = model::SessionId("5e55"),
          .worker = model::WorkerId("w1"),
          .hostname = "builder.example.com",
          .started = at(number),
          .resumable = number % 2 == 0};
}

model::Step running_step(int build, int attempt, int index) {
  return {.build = model::BuildId(build),
          .attempt = attempt,
          .index = index,
          .name = "test",
          .command = "make test\nmake 'more'",
          .run = model::RunId("run-" + std::to_string(index)),
          .started = at(index)};
}

model::Lease held_lease(int number, int build) {
  return {.number = model::LeaseNumber(number),
          .worker = model::WorkerId("w1"),
          .session = model::SessionId("5e55"),
          .build = model::BuildId(build),
          .attempt = 1,
          .granted = at(number)};
}

model::Session open_session(const std::string& id) {
  return {.id = model::SessionId(id),
          .worker = model::WorkerId("w1"),
          .instance = model::InstanceId("i1"),
          .host_type = model::HostType("host-linux"),
          .hostname = "builder.example.com",
          .version = "23",
          .features = {"runs", "with\nnewline", "back\\slash\\n", ""},
          .peer = "192.0.2.1:4711",
          .dev_key = true,
          .connected = at(1)};
}

}  // namespace testing
