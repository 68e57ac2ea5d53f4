// What people want of builds. The farm decides; here the row that it needs is read before, and what became of it after,
// so that the answer is what is in the store.

#include <build/coordinator/coordinator.h>

#include <utility>

namespace build::coordinator {

namespace {

using Outcome = ControlAnswer::Outcome;

std::string person(std::string by) {
  if (by.empty()) return "somebody";
  if (by.size() > kMaxPersonName) by.resize(kMaxPersonName);
  return by;
}

std::string named(model::BuildId id) { return "build " + std::to_string(id.value); }

ControlAnswer unknown(model::BuildId id) { return {Outcome::unknown, "There is no " + named(id) + "."}; }

}  // namespace

std::optional<ControlAnswer> Coordinator::cannot_decide() const {
  if (stopping_) return ControlAnswer{Outcome::refused, "The coordinator is about to end."};
  if (const auto& trouble = loop_.store_trouble())
    return ControlAnswer{Outcome::refused,
                         "Nothing can be decided now, because the store cannot be written: " + *trouble};
  return std::nullopt;
}

io::Task<std::optional<model::Build>> Coordinator::read_build(model::BuildId id) {
  const auto read = [this, id]() -> std::optional<model::Build> {
    auto details = store_.build(id);
    if (!details) return std::nullopt;
    return std::move(details->build);
  };
  co_return co_await seams_.pool.run(read);
}

io::Task<ControlAnswer> Coordinator::cancel_build(model::BuildId id, std::string by) {
  if (auto refusal = cannot_decide()) co_return std::move(*refusal);
  const std::optional<model::Build> before = co_await read_build(id);
  if (!before) co_return unknown(id);
  if (before->state != model::BuildState::finished) {
    farm::Event event = farm::CancelBuild{.build = id, .by = person(std::move(by))};
    co_await loop_.submit(std::move(event));
  }
  const std::optional<model::Build> after = co_await read_build(id);
  if (!after) co_return unknown(id);
  if (before->state == model::BuildState::finished || after->result != model::Result::cancelled)
    co_return ControlAnswer{Outcome::refused, "There is nothing to cancel: " + named(id) + " ended as " +
                                                  std::string(name_of(after->result)) + "."};
  seams_.log.info("a build was cancelled", {{"build", std::to_string(id.value)}, {"why", after->why}});
  co_return ControlAnswer{Outcome::done, "Build " + std::to_string(id.value) + " is cancelled."};
}

io::Task<ControlAnswer> Coordinator::retry_build(model::BuildId id, std::string by) {
  if (auto refusal = cannot_decide()) co_return std::move(*refusal);
  const std::optional<model::Build> before = co_await read_build(id);
  if (!before) co_return unknown(id);
  if (before->state != model::BuildState::finished)
    co_return ControlAnswer{Outcome::refused, "There is no result to clear: " + named(id) + " is " +
                                                  std::string(name_of(before->state)) + "."};
  by = person(std::move(by));
  farm::Event event = farm::RetryBuild{.build = *before, .by = by};
  co_await loop_.submit(std::move(event));
  const std::optional<model::Build> after = co_await read_build(id);
  if (!after) co_return unknown(id);
  if (after->retries == before->retries) {
    const std::string why = loop_.farm().unconfigured(*before);
    co_return ControlAnswer{Outcome::refused, "It cannot be built again: " + why + "."};
  }
  seams_.log.info("a build is built again", {{"build", std::to_string(id.value)}, {"by", by}});
  co_return ControlAnswer{Outcome::done, "Build " + std::to_string(id.value) + " is built again; its result was " +
                                             std::string(name_of(before->result)) + "."};
}

io::Task<ControlAnswer> Coordinator::clear_results(model::BuilderName builder, model::CommitHash commit,
                                                   std::string by) {
  if (auto refusal = cannot_decide()) co_return std::move(*refusal);
  const auto read = [this, &builder, &commit] { return store_.builds_by(builder, commit); };
  const std::vector<model::Build> builds = co_await seams_.pool.run(read);
  int cleared = 0;
  for (const model::Build& build : builds) {
    if (build.state != model::BuildState::finished) continue;
    ControlAnswer answer = co_await retry_build(build.id, by);
    if (answer.outcome == Outcome::refused) co_return answer;
    if (answer.outcome == Outcome::done) ++cleared;
  }
  if (cleared == 0) co_return ControlAnswer{Outcome::done, "There was no result to clear."};
  co_return ControlAnswer{Outcome::done, cleared == 1 ? std::string("The result is cleared.")
                                                      : std::to_string(cleared) + " results are cleared."};
}

}  // namespace build::coordinator
