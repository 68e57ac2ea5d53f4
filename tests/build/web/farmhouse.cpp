#include "farmhouse.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>

namespace build::web {

namespace {

farm::Rules rules() {
  farm::Rules rules;
  rules.builders = {{model::BuilderName{"debug"}, model::HostType{"linux"}},
                    {model::BuilderName{"arm"}, model::HostType{"arm64"}}};
  rules.repositories = {{model::RepositoryName{"zlib"}, {model::BuilderName{"debug"}, model::BuilderName{"arm"}}}};
  return rules;
}

std::filesystem::path made(const std::filesystem::path& path) {
  std::filesystem::create_directories(path);
  return path;
}

io::Task<> write_all(livelog::LogStore& logs, model::RunId run, std::string bytes, bool finish) {
  const std::unique_ptr<livelog::Writer> writer = co_await logs.open_writer(run);
  co_await writer->append(writer->size(), bytes);
  if (finish) co_await writer->finish();
}

io::Task<> exchange(net::ClientConnection& connection, io::RequestHead head, net::SimpleResponse& answer) {
  answer = co_await connection.request(std::move(head), {}, 64 * 1024 * 1024);
}

}  // namespace

Farmhouse::Farmhouse()
    : store(store::open_sqlite(made(directory / "state"))),
      epoch(store->begin_epoch()),
      logs(directory / "logs", loop.executor(), pool),
      farm(rules(), store->load_open()),
      changed(loop.executor()),
      site({.store = *store,
            .logs = logs,
            .pool = pool,
            .clock = clock,
            .farm = *this,
            .changed = changed,
            .control = *this,
            .master_key = "master"},
           {.streams = kStreams}) {
  store->apply(farm.start(clock.wall_now()).changes, epoch);
  site.add_routes(router);
  serve(router);
}

void Farmhouse::serve(net::Handler handler) {
  const auto say = [](const std::string& sentence) { FAIL(sentence); };
  server = std::make_unique<net::Server>(loop.executor(), clock, std::move(handler), net::ServerLimits{}, say);
}

Farmhouse::~Farmhouse() { loop.run_until_done(server->stop()); }

void Farmhouse::feed(const farm::Event& event) {
  store->apply(farm.apply(event, clock.wall_now()).changes, epoch);
  changed.notify_all();
}

void Farmhouse::commits(const std::vector<std::string>& subjects, const std::string& author) {
  farm::CommitsSeen seen{model::RepositoryName{"zlib"}, model::BranchName{"main"}, {}};
  for (const std::string& subject : subjects) {
    model::Commit commit;
    commit.repository = seen.repository;
    char hash[41];
    std::snprintf(hash, sizeof hash, "%08x%032x", ++commits_made_, 0u);
    commit.hash = model::CommitHash{hash};
    commit.author_name = author;
    commit.author_email = "author@example.org";
    commit.subject = subject;
    commit.committed = clock.wall_now();
    seen.commits.push_back(commit);
  }
  feed(seen);
}

void Farmhouse::connect(const std::string& name, const std::string& host_type, std::vector<std::string> features) {
  model::Session session;
  session.id = model::SessionId{"session" + std::to_string(++sessions_made_)};
  session.worker = model::WorkerId{name};
  session.hostname = name;
  session.host_type = model::HostType{host_type};
  session.version = "26";
  session.features = std::move(features);
  session.peer = "192.0.2.1:1";
  session.connected = clock.wall_now();
  feed(farm::WorkerConnected{session});
}

model::Step Farmhouse::step(std::int64_t build, const std::string& name, const std::string& output,
                            model::AttemptOutcome outcome, const std::string& status) {
  const store::BuildDetails details = store->build(model::BuildId{build}).value();
  model::Step step;
  step.build = model::BuildId{build};
  step.attempt = details.build.attempts;
  step.index = static_cast<int>(std::count_if(details.steps.begin(), details.steps.end(),
                                              [&step](const auto& other) { return other.attempt == step.attempt; }));
  step.name = name;
  step.command = "make " + name;
  step.run = model::RunId{"run-" + std::to_string(build) + "-" + std::to_string(step.attempt) + "-" +
                          std::to_string(step.index)};
  step.started = clock.wall_now();
  step.outcome = outcome;
  step.status = status;
  const bool ended = outcome != model::AttemptOutcome::running;
  if (ended) step.ended = clock.wall_now();
  loop.run_until_done(write_all(logs, step.run, output, ended));
  feed(farm::StepChanged{step});
  return step;
}

void Farmhouse::end(std::int64_t build, model::AttemptOutcome outcome, const std::string& why) {
  const model::Attempt attempt = store->build(model::BuildId{build}).value().attempts.back();
  feed(farm::AttemptEnded{attempt.build, attempt.number, attempt.lease, outcome, why});
}

std::unique_ptr<net::ClientConnection> Farmhouse::dial() {
  io::StreamPair pair = io::make_memory_pair(loop.executor());
  io::spawn(loop.executor(), server->serve(std::move(pair.first)), [](std::exception_ptr) {});
  return std::make_unique<net::ClientConnection>(std::move(pair.second), clock);
}

void Farmhouse::settle() {
  while (loop.poll() > 0) {
  }
}

net::SimpleResponse Farmhouse::ask(const std::string& target, io::Fields fields, const std::string& method) {
  const auto connection = dial();
  io::RequestHead head;
  head.method = method;
  head.target = target;
  head.fields = std::move(fields);
  net::SimpleResponse answer;
  loop.run_until_done(exchange(*connection, std::move(head), answer));
  connection->close();
  settle();
  return answer;
}

std::string Farmhouse::page(const std::string& target) { return page_with(target, {}); }

std::string Farmhouse::page_with(const std::string& target, io::Fields fields) {
  const net::SimpleResponse answer = ask(target, std::move(fields));
  CAPTURE(answer.body);
  REQUIRE(answer.head.status == 200);
  return answer.body;
}

rapidjson::Document Farmhouse::json(const std::string& target) {
  const net::SimpleResponse answer = ask(target);
  CAPTURE(target);
  CAPTURE(answer.body);
  REQUIRE(answer.head.status == 200);
  CHECK(answer.head.fields.get("Content-Type") == "application/json");
  rapidjson::Document document;
  document.Parse<rapidjson::kParseValidateEncodingFlag>(answer.body.data(), answer.body.size());
  REQUIRE_FALSE(document.HasParseError());
  return document;
}

namespace {

coordinator::ControlAnswer answer_for(model::BuildId build) {
  using Outcome = coordinator::ControlAnswer::Outcome;
  if (build.value == 1) return {Outcome::done, "It is done."};
  if (build.value == 2) return {Outcome::refused, "There is nothing to do."};
  return {Outcome::unknown, "There is no such build."};
}

}  // namespace

io::Task<coordinator::ControlAnswer> Farmhouse::cancel_build(model::BuildId build, std::string by) {
  wanted.push_back("cancel " + std::to_string(build.value) + " by " + by);
  co_return answer_for(build);
}

io::Task<coordinator::ControlAnswer> Farmhouse::retry_build(model::BuildId build, std::string by) {
  wanted.push_back("retry " + std::to_string(build.value) + " by " + by);
  co_return answer_for(build);
}

io::Task<coordinator::ControlAnswer> Farmhouse::clear_results(model::BuilderName builder, model::CommitHash commit,
                                                              std::string by) {
  wanted.push_back("clear " + builder.value + " " + commit.value + " by " + by);
  co_return coordinator::ControlAnswer{};
}

std::vector<RepositoryView> Farmhouse::repositories() const {
  return {{model::RepositoryName{"zlib"},
           {model::BranchName{"main"}},
           {model::BuilderName{"debug"}, model::BuilderName{"arm"}}}};
}

std::vector<WorkerView> Farmhouse::workers() const {
  std::vector<WorkerView> result;
  for (const model::Session& session : farm.sessions()) result.push_back({session, farm.leased_to(session.id)});
  return result;
}

Load Farmhouse::load() const {
  Load load;
  for (const model::Build& build : farm.unfinished())
    ++(build.state == model::BuildState::running ? load.running : load.waiting);
  load.idle = farm.idle();
  return load;
}

std::string tag_fault(std::string_view html) {
  static const std::vector<std::string> kVoid = {"meta", "link", "br", "input", "!doctype"};
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string_view::npos; at = html.find('<', at + 1)) {
    const std::size_t end = html.find('>', at);
    if (end == std::string_view::npos) return "a tag has no end";
    std::string_view tag = html.substr(at + 1, end - at - 1);
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0) return "odd quotes in <" + std::string(tag) + ">";
    const bool closes = tag.front() == '/', alone = tag.back() == '/';
    if (closes) tag.remove_prefix(1);
    const std::string name(tag.substr(0, tag.find_first_of(" /\n")));
    if (closes) {
      if (open.empty() || open.back() != name) return "</" + name + "> closes " + (open.empty() ? "" : open.back());
      open.pop_back();
    } else if (!alone && std::find(kVoid.begin(), kVoid.end(), name) == kVoid.end()) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> is not closed";
}

}  // namespace build::web
