// A log whose events tell what its mutations do: how things were is what a log that ends there says.
#include <maintner/as_of.h>
#include <maintner/corpus.h>
#include <maintner/mutation.h>
#include <maintner/reclog.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "support/support.h"

using namespace maintner;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kBegin = 1'600'000'000;
constexpr std::int32_t kIssues = 12;

/// One issue as its author sees it.
struct Model {
  bool exists = false, closed = false;
  std::string title;
  std::set<std::int64_t> labels, assignees;
  std::int64_t milestone = 0;
};

class History {
 public:
  explicit History(unsigned seed) : random_(seed) {}

  /// What happens at `time`, written to `writer`.
  void step(RecordWriter& writer, std::int64_t time) {
    const std::int32_t number = one_of(kIssues) + 1;
    Model& model = models_[number];
    Mutation mutation;
    GithubIssueMutation& issue = mutation.github_issue.emplace();
    issue.owner = "golang";
    issue.repo = "go";
    issue.number = number;
    issue.updated = Timestamp{time, 0, {}};
    if (!model.exists) {
      model.exists = true;
      model.title = "title " + std::to_string(time);
      issue.created = issue.updated;
      issue.title = kept(model.title);
      issue.user = GithubUser{1, "user1", {}};
      issue.no_milestone = true;
    } else {
      change(model, issue, time);
    }
    issue.event_status.emplace().server_date = Timestamp{time, 0, {}};
    writer.append(encode(mutation));
  }

 private:
  int one_of(int count) { return std::uniform_int_distribution<int>(0, count - 1)(random_); }
  std::string_view kept(const std::string& text) { return texts_.emplace_back(text); }
  std::string_view name(const char* kind, std::int64_t id) { return kept(kind + std::to_string(id)); }

  GithubIssueEvent& event(GithubIssueMutation& issue, std::string_view type, std::int64_t time) {
    GithubIssueEvent& event = issue.event.emplace_back();
    event.id = ++events_;
    event.event_type = type;
    event.actor_id = 1;
    event.created = Timestamp{time, 0, {}};
    return event;
  }

  void change(Model& model, GithubIssueMutation& issue, std::int64_t time) {
    const std::int64_t id = one_of(4) + 1;
    switch (one_of(5)) {
      case 0:
        model.closed = !model.closed;
        issue.closed = BoolChange{model.closed, {}};
        event(issue, model.closed ? "closed" : "reopened", time);
        break;
      case 1: {
        GithubIssueEvent& renamed = event(issue, "renamed", time);
        renamed.rename_from = kept(model.title);
        model.title = "title " + std::to_string(time);
        renamed.rename_to = issue.title = kept(model.title);
        break;
      }
      case 2:
        if (model.labels.erase(id) > 0) {
          issue.remove_label.push_back(id);
          event(issue, "unlabeled", time).label.emplace().name = name("label", id);
        } else {
          model.labels.insert(id);
          issue.add_label.push_back({id, name("label", id), {}});
          event(issue, "labeled", time).label.emplace().name = name("label", id);
        }
        break;
      case 3:
        if (model.milestone != 0)
          event(issue, "demilestoned", time).milestone.emplace().title = name("milestone", model.milestone);
        if (model.milestone == id) {
          model.milestone = 0;
          issue.no_milestone = true;
        } else {
          model.milestone = id;
          issue.milestone_id = id;
          issue.milestone_num = id;
          issue.milestone_title = name("milestone", id);
          event(issue, "milestoned", time).milestone.emplace().title = name("milestone", id);
        }
        break;
      default:
        if (model.assignees.erase(id) > 0) {
          issue.deleted_assignees.push_back(id);
          event(issue, "unassigned", time).assignee_id = id;
        } else {
          model.assignees.insert(id);
          issue.assignees.push_back(GithubUser{id, name("user", id), {}});
          event(issue, "assigned", time).assignee_id = id;
        }
    }
  }

  std::mt19937 random_;
  std::map<std::int32_t, Model> models_;
  std::deque<std::string> texts_;
  std::int64_t events_ = 0;
};

/// All issues, as they are in `view` now (no time), or were at a time.
std::string all_of(const View& view, std::optional<Time> time) {
  std::string text;
  const auto repo = view.github().repo("golang", "go");
  if (!repo) return text;
  for (const Issue& issue : repo->issues()) {
    const Time then = time.value_or(Time{std::int64_t{1} << 40, 0});
    const auto was = as_of(issue, then);
    if (!was) continue;
    CHECK(was->complete);
    text += std::to_string(issue.number()) + (was->closed ? " closed " : " open ") + std::string(was->title);
    for (const std::string_view label : was->labels) text += " +" + std::string(label);
    for (const std::int64_t user : was->assignees) text += " @" + std::to_string(user);
    text += was->milestone ? " in " + std::string(*was->milestone) : "";
    if (!time) {  // what the issue itself says
      CHECK(was->closed == issue.closed());
      CHECK(was->title == issue.title());
      CHECK(was->labels.size() == issue.labels().size());
      CHECK(was->assignees.size() == issue.assignees().size());
      CHECK(was->milestone.has_value() == issue.milestone().has_value());
    }
    text += "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("issues at 50 times are what a log that ends there says of them") {
  for (const unsigned seed : {1u, 2u, 3u}) {
    const testing::TempDir temp;
    const fs::path file = temp / "maintner-2021-01-01.mutlog";
    std::vector<std::uint64_t> ends;
    {
      RecordWriter writer(file);
      History history(seed);
      for (int i = 0; i < 1000; ++i) {
        history.step(writer, kBegin + i);
        ends.push_back(writer.size());
      }
    }
    const Corpus corpus(temp.path(), {.threads = 1, .compat = false, .snapshot = {}});
    std::set<std::string> different;
    for (int i = 0; i < 50; ++i) {
      const std::size_t at = static_cast<std::size_t>(i) * 20 + 7;
      const std::vector<LogPart> part{{file, ends[at]}};
      const Corpus then([&] { return part; }, {.threads = 1, .compat = false, .snapshot = {}});
      const std::string expected = all_of(then.view(), std::nullopt);
      CHECK(all_of(corpus.view(), Time{kBegin + static_cast<std::int64_t>(at), 0}) == expected);
      different.insert(expected);
    }
    CHECK(different.size() > 45);
    CHECK(all_of(corpus.view(), Time{kBegin - 1, 0}).empty());
  }
}

TEST_CASE("a change at the times of its metas") {
  const testing::TempDir temp;
  const auto commit = [](const std::string& message, std::int64_t time, const std::string& parent = {}) {
    return "tree " + std::string(40, 'e') + "\n" + (parent.empty() ? "" : "parent " + parent + "\n") +
           "author A <5001@x> " + std::to_string(time) + " +0100\ncommitter B <b@x> " + std::to_string(time) +
           " -0700\n\n" + message;
  };
  const std::string one(40, '1'), two(40, '2'), first(40, 'a'), second(40, 'b'), third(40, 'c');
  const std::vector<std::pair<std::string, std::string>> commits{
      {one, commit("first title\n\nbody\n", 100)},
      {two, commit("second title\n\nbody\n", 200)},
      {first, commit("Create change\n\nUploaded patch set 1.\n\nPatch-set: 1\nBranch: refs/heads/master\nStatus: "
                     "new\nCommit: " +
                         one + "\nPrivate: false\nWork-in-progress: true\n",
                     100)},
      {second, commit("Create patch set 2\n\nUploaded patch set 2.\n\nPatch-set: 2\nCommit: " + two +
                          "\nHashtags: x,y\nWork-in-progress: false\n",
                      200, first)},
      {third, commit("Submit\n\nPatch-set: 2\nStatus: merged\n", 300, second)}};
  Mutation mutation;
  GerritMutation& gerrit = mutation.gerrit.emplace();
  gerrit.project = "go.googlesource.com/go";
  for (const auto& [hash, raw] : commits) {
    GitCommit& added = gerrit.commits.emplace_back();
    added.sha1 = hash;
    added.raw = raw;
  }
  gerrit.refs.push_back({"refs/changes/01/1/1", one, {}});
  gerrit.refs.push_back({"refs/changes/01/1/2", two, {}});
  gerrit.refs.push_back({"refs/changes/01/1/meta", third, {}});
  RecordWriter(temp / "maintner-2021-01-01.mutlog").append(encode(mutation));
  const Corpus corpus(temp.path(), {.threads = 1, .compat = false, .snapshot = {}});
  const View view = corpus.view();
  const Change change = *view.gerrit().projects()[0].change(1);
  CHECK_FALSE(as_of(change, Time{99, 0}));
  const ChangeAsOf at_first = *as_of(change, Time{150, 0}), at_second = *as_of(change, Time{200, 0}),
                   at_last = *as_of(change, Time{1000, 0});
  CHECK(at_first.status == ChangeStatus::new_);
  CHECK(at_first.patch_set == 1);
  CHECK(at_first.title == "first title");
  CHECK(at_first.work_in_progress);
  CHECK(at_first.hashtags == "");
  CHECK(at_second.patch_set == 2);
  CHECK(at_second.title == "second title");
  CHECK(at_second.hashtags == "x,y");
  CHECK(at_second.status == ChangeStatus::new_);
  CHECK_FALSE(at_second.work_in_progress);
  CHECK(at_last.status == change.status());
  CHECK(at_last.status == ChangeStatus::merged);
}
