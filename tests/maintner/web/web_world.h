// A small corpus, and its pages: made by themselves, or asked for over a connection in memory, on a virtual clock.
#pragma once

#include <io/blocking_pool.h>
#include <maintner/corpus.h>
#include <maintner/mutation.h>
#include <maintner/reclog.h>
#include <maintner/web_site.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "build/net/world.h"
#include "page.h"
#include "support/support.h"

namespace testing {

/// What a log is written with: one mutation after the other.
class LogWriter {
 public:
  explicit LogWriter(const std::filesystem::path& directory) : writer_(directory / "maintner-2021-01-01.mutlog") {}

  void issue(std::string_view repo, std::int32_t number, auto fill) {
    maintner::Mutation mutation;
    maintner::GithubIssueMutation& issue = mutation.github_issue.emplace();
    issue.owner = "golang";
    issue.repo = repo;
    issue.number = number;
    fill(issue);
    writer_.append(encode(mutation));
  }

  void gerrit(std::string_view project, auto fill) {
    maintner::Mutation mutation;
    maintner::GerritMutation& gerrit = mutation.gerrit.emplace();
    gerrit.project = project;
    fill(gerrit);
    writer_.append(encode(mutation));
  }

  /// A change of one patch set, with a message by its reviewer.
  void change(std::string_view project, std::int32_t number, std::string_view status, const std::string& message) {
    const std::string patch_set = hash_of(number, 'a'), meta = hash_of(number, 'b');
    const std::string raw = commit("Ann <ann@example.org>", number, message);
    const std::string meta_raw =
        commit("Ann <7@server>", number + 10,
               "Create change\n\nPatch Set 1: Code-Review+2\n\nfine with me\n\nPatch-set: 1\n"
               "Branch: refs/heads/master\nStatus: " +
                   std::string(status) + "\nSubject: x\nCommit: " + patch_set +
                   "\nHashtags: wait, soon\nReviewer: Bob <8@server>\nLabel: Code-Review=+2\n");
    const std::string digits = std::to_string(100 + number % 100).substr(1) + "/" + std::to_string(number);
    const std::string ref = "refs/changes/" + digits + "/1", meta_ref = "refs/changes/" + digits + "/meta";
    gerrit(project, [&](maintner::GerritMutation& gerrit) {
      maintner::GitCommit& first = gerrit.commits.emplace_back();
      first.sha1 = patch_set;
      first.raw = raw;
      first.diff_tree.emplace().file.push_back({"src/<b>.go", 12, 3, false, {}});
      maintner::GitCommit& second = gerrit.commits.emplace_back();
      second.sha1 = meta;
      second.raw = meta_raw;
      gerrit.refs.push_back({ref, patch_set, {}});
      gerrit.refs.push_back({meta_ref, meta, {}});
    });
  }

  static std::string hash_of(std::int32_t number, char kind) {
    std::string hash = std::string(1, kind) + std::to_string(1'000'000 + number);
    return hash + std::string(40 - hash.size(), 'c');
  }

  static std::string commit(const std::string& author, std::int64_t seconds, const std::string& message) {
    const std::string time = std::to_string(1'600'000'000 + seconds);
    return "tree " + std::string(40, 'e') + "\nauthor " + author + " " + time + " +0100\ncommitter " + author + " " +
           time + " +0100\n\n" + message;
  }

 private:
  maintner::RecordWriter writer_;
};

inline maintner::Timestamp at(std::int64_t seconds) { return {1'600'000'000 + seconds, 0, {}}; }

struct WebWorld : ServerWorld {
  WebWorld()
      : ServerWorld([this](build::net::Request& request, build::net::Response& response) {
          return site->handler()(request, response);
        }) {}
  ~WebWorld() {
    if (site) finish(site->stop());
    finish(server.stop());
  }

  /// Makes a corpus of what was written, and counts. Before anything is asked for.
  void load(maintner::WebSiteLimits limits = {}) {
    corpus.emplace(temp.path(), maintner::CorpusOptions{.threads = 1, .compat = false, .snapshot = {}});
    count();
    site.emplace(loop.executor(), clock,
                 maintner::WebSiteSource{.view = [this] { return corpus->view(); }, .queries = queries, .log = {}},
                 limits);
  }
  void count() { catalog.update(corpus->view(), gone); }

  maintner::web::Answer page(std::string_view target) {
    const std::size_t question = std::min(target.find('?'), target.size());
    const maintner::View view = corpus->view();
    const maintner::web::Context context{.view = view,
                                         .catalog = catalog,
                                         .queries = queries,
                                         .sql_time = std::chrono::seconds{5},
                                         .sql_rows = 100,
                                         .gone = gone};
    try {
      return maintner::web::make_page(
          context,
          maintner::web::parse_asked(target.substr(0, question), target.substr(std::min(question + 1, target.size()))));
    } catch (const maintner::web::Refusal& refusal) {
      return maintner::web::error_page(view, refusal.status(), refusal.what());
    }
  }
  std::string body(std::string_view target) {
    const maintner::web::Answer answer = page(target);
    CAPTURE(std::string(target));
    CHECK(answer.status == 200);
    return answer.body;
  }

  /// Until it has ended, well.
  void finish(io::Task<> task) {
    const auto outcome = start(std::move(task));
    CHECK(until([&] { return outcome->done; }));
    CHECK(outcome->error == "");
  }

  TempDir temp;
  LogWriter records{temp.path()};
  std::filesystem::path queries;
  std::optional<maintner::Corpus> corpus;
  maintner::web::Catalog catalog;
  std::atomic<bool> gone = false;
  std::optional<maintner::WebSite> site;
};

/// Whether `parts` stand in `text`, in this order.
inline bool in_order(const std::string& text, std::initializer_list<std::string_view> parts) {
  std::size_t from = 0;
  for (const std::string_view part : parts) {
    const std::size_t found = text.find(part, from);
    if (found == std::string::npos) return false;
    from = found + part.size();
  }
  return true;
}
inline bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace testing
