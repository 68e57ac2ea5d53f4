// The JSON twins of the pages.

#include <algorithm>

#include "commits.h"
#include "farm_json.h"
#include "json.h"
#include "pages.h"

namespace build::web {

namespace {

constexpr std::int64_t kDefaultLimit = 50, kMaxLimit = 500;

std::string_view weight_name(Notice::Weight weight) {
  return weight == Notice::Weight::danger ? "danger" : "information";
}

void write_waiting(Json& json, const std::optional<farm::Waiting>& waiting) {
  json.key("waiting");
  if (!waiting) {
    json.value(std::optional<std::string>());
    return;
  }
  json.open_object().field("sentence", waiting->sentence).field("label", waiting->label);
  json.field("since", waiting->since).field("ahead", static_cast<std::uint64_t>(waiting->ahead)).close_object();
}

/// Leaves the object open.
void open_build(Json& json, const model::Build& build, const FarmView& farm) {
  json.open_object();
  json.field("id", build.id).field("url", "/build/" + std::to_string(build.id.value));
  json.field("repository", build.repository).field("branch", build.branch).field("commit", build.commit);
  json.field("builder", build.builder).field("host_type", build.host_type);
  json.field("state", name_of(build.state)).field("result", name_of(build.result)).field("why", build.why);
  json.field("attempt_count", build.attempts).field("accepted", build.accepted).field("finished", build.finished);
  write_waiting(json, farm.explain(build.id));
  write_away(json, farm.away(build.id));
}

void write_commit(Json& json, const model::Commit& commit) {
  json.open_object().field("repository", commit.repository).field("hash", commit.hash);
  json.field("author_name", commit.author_name).field("author_email", commit.author_email);
  json.field("subject", commit.subject).field("committed", commit.committed).close_object();
}

void write_attempt(Json& json, const model::Attempt& attempt) {
  json.open_object().field("number", attempt.number).field("lease", attempt.lease);
  json.field("worker", attempt.worker).field("session", attempt.session).field("hostname", attempt.hostname);
  json.field("outcome", name_of(attempt.outcome)).field("why", attempt.why).field("resumable", attempt.resumable);
  json.field("started", attempt.started).field("ended", attempt.ended).close_object();
}

void write_step(Json& json, const model::Step& step) {
  json.open_object().field("attempt", step.attempt).field("index", step.index).field("name", step.name);
  json.field("command", step.command).field("run", step.run).field("outcome", name_of(step.outcome));
  json.field("status", step.status).field("started", step.started).field("ended", step.ended).close_object();
}

/// The repository that is asked for, or the one that is configured first.
const RepositoryView& repository_of(const CommitWish& wish, const std::vector<RepositoryView>& repositories) {
  const auto found = std::find_if(repositories.begin(), repositories.end(), [&wish](const RepositoryView& repository) {
    return wish.repository.empty() || repository.name.value == wish.repository;
  });
  if (found == repositories.end()) throw net::HttpError(404, "There is no such repository here.");
  return *found;
}

struct CommitPage {
  bool known = false;
  model::BranchName branch;
  CommitRows commits;
};

/// Of the branch that is asked for, or the one that is configured first, or the first that the store knows. Builds
/// come in the order of the builders. Blocks: runs on the pool.
CommitPage load_page(const store::Store& store, const RepositoryView& repository, const CommitWish& wish,
                     std::size_t limit) {
  CommitPage page;
  page.branch = model::BranchName{wish.branch};
  if (page.branch.empty() && !repository.branches.empty()) page.branch = repository.branches.front();
  for (const auto& [name, branch] : store.branches()) {
    if (name != repository.name) continue;
    if (page.branch.empty()) page.branch = branch;
    page.known = page.known || branch == page.branch;
  }
  if (!page.known) return page;
  page.commits = load_commits(store, repository.name, page.branch, wish, limit);
  const auto column = [&builders = repository.builders](const model::Build& build) {
    return std::find(builders.begin(), builders.end(), build.builder) - builders.begin();
  };
  for (store::CommitBuilds& row : page.commits.rows) {
    std::erase_if(row.builds, [&wish](const model::Build& build) {
      return build.builder.value.find(wish.builder) == std::string::npos;
    });
    std::stable_sort(row.builds.begin(), row.builds.end(),
                     [&column](const model::Build& a, const model::Build& b) { return column(a) < column(b); });
  }
  return page;
}

Answer json_answer(const Json& json, int status = 200) { return {status, kJsonType, json.str()}; }

}  // namespace

io::Task<Answer> status_json(const SiteSources& sources) {
  const Load load = sources.farm.load();
  const std::vector<WorkerView> workers = sources.farm.workers();
  const auto busy = std::count_if(workers.begin(), workers.end(), [](const auto& w) { return w.build.has_value(); });
  Json json;
  json.open_object().field("version", sources.farm.version()).field("time", sources.clock.wall_now());
  json.field("waiting", static_cast<std::uint64_t>(load.waiting));
  json.field("running", static_cast<std::uint64_t>(load.running)).field("idle", load.idle);
  json.key("workers").open_object().field("connected", static_cast<std::uint64_t>(workers.size()));
  json.field("busy", static_cast<std::uint64_t>(busy)).close_object();
  json.key("notices").open_array();
  for (const Notice& notice : sources.farm.notices())
    json.open_object().field("weight", weight_name(notice.weight)).field("sentence", notice.sentence).close_object();
  json.close_array().key("repositories").open_array();
  for (const RepositoryView& repository : sources.farm.repositories()) {
    json.open_object().field("name", repository.name).key("branches").open_array();
    for (const model::BranchName& branch : repository.branches) json.value(branch);
    json.close_array().key("builders").open_array();
    for (const model::BuilderName& builder : repository.builders) json.value(builder);
    json.close_array().close_object();
  }
  json.close_array().close_object();
  co_return json_answer(json);
}

io::Task<Answer> commits_json(const SiteSources& sources, io::Params query) {
  const CommitWish wish = commit_wish_from(query);
  const std::vector<RepositoryView> repositories = sources.farm.repositories();
  const RepositoryView& repository = repository_of(wish, repositories);
  const std::size_t limit = wish.limit.value_or(kDefaultLimit);
  const auto load = [&] { return load_page(sources.store, repository, wish, limit); };
  const CommitPage page = co_await sources.pool.run(load);
  if (!page.known && !wish.branch.empty()) throw net::HttpError(404, "No commits were seen on this branch.");
  const std::vector<store::CommitBuilds>& rows = page.commits.rows;

  Json json;
  json.open_object().field("repository", repository.name).field("branch", page.branch);
  json.key("builders").open_array();
  for (const model::BuilderName& builder : repository.builders) json.value(builder);
  json.close_array().key("commits").open_array();
  for (const store::CommitBuilds& row : rows) {
    json.open_object().field("position", row.place.position).key("commit");
    write_commit(json, row.commit);
    json.key("builds").open_array();
    for (const model::Build& build : row.builds) {
      open_build(json, build, sources.farm);
      json.close_object();
    }
    json.close_array().close_object();
  }
  json.close_array().key("next_before");
  json.value(page.commits.older && !rows.empty() ? std::optional(rows.back().place.position) : std::nullopt);
  json.key("next_after");
  json.value(page.commits.newer && !rows.empty() ? std::optional(rows.front().place.position) : std::nullopt);
  json.close_object();
  co_return json_answer(json);
}

io::Task<Answer> builds_json(const SiteSources& sources, io::Params query) {
  const auto limit = static_cast<std::size_t>(number_from(query, "limit", kDefaultLimit, 1, kMaxLimit));
  const auto load = [&sources, limit] { return sources.store.recent_builds(limit); };
  const std::vector<model::Build> builds = co_await sources.pool.run(load);
  Json json;
  json.open_object().key("builds").open_array();
  for (const model::Build& build : builds) {
    open_build(json, build, sources.farm);
    json.close_object();
  }
  json.close_array().close_object();
  co_return json_answer(json);
}

std::string build_document(const store::BuildDetails& details, const FarmView& farm) {
  Json json;
  open_build(json, details.build, farm);
  json.key("commit_details");
  write_commit(json, details.commit);
  json.key("attempts").open_array();
  for (const model::Attempt& attempt : details.attempts) write_attempt(json, attempt);
  json.close_array().key("steps").open_array();
  for (const model::Step& step : details.steps) write_step(json, step);
  json.close_array().close_object();
  return json.line();
}

io::Task<Answer> build_json(const SiteSources& sources, std::string id) {
  const store::BuildDetails details = co_await find_build(sources, std::move(id));
  co_return Answer{200, kJsonType, build_document(details, sources.farm) + "\n"};
}

io::Task<Answer> workers_json(const SiteSources& sources) {
  Json json;
  json.open_object().key("workers").open_array();
  for (const WorkerView& worker : sources.farm.workers()) {
    const model::Session& session = worker.session;
    json.open_object().field("session", session.id).field("worker", session.worker);
    json.field("hostname", session.hostname).field("host_type", session.host_type);
    json.field("version", session.version).field("dev_key", session.dev_key).field("connected", session.connected);
    json.key("features").open_array();
    for (const std::string& feature : session.features) json.value(feature);
    json.close_array().field("build", worker.build).close_object();
  }
  json.close_array().close_object();
  co_return json_answer(json);
}

Answer error_json(int status, const std::string& sentence) {
  Json json;
  json.open_object().field("error", sentence).close_object();
  return json_answer(json, status);
}

}  // namespace build::web
