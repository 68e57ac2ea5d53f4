// The same sum as maintner_load, by what a program without libmaintner would do: each record decoded by libprotobuf,
// kept in the standard library's maps. What lines mean in a meta commit is asked of libmaintner's pure functions.
//
//   maintner_peer DIRECTORY
#include <maintner/commit_text.h>
#include <maintner/meta_text.h>
#include <maintner/reclog.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <sys/resource.h>

#include "fnv.h"
#include "peers/maintpb.pb.h"

namespace {

using Time = std::pair<std::int64_t, std::int32_t>;
Time time_of(const maintpb::Timestamp& time) { return {time.seconds(), time.nanos()}; }

struct Comment {
  Time created;
  std::string body;
};
struct Issue {
  std::string title, body;
  bool pull_request = false;
  std::map<std::int64_t, Comment> comments;
  std::map<std::int64_t, maintpb::GithubIssueEvent> events;
  std::map<std::int64_t, maintpb::GithubReview> reviews;
};
struct Commit {
  std::string message;
  std::vector<std::string> parents, files;
};
struct Change {
  std::string commit, meta;
};

class Peer {
 public:
  void apply(const maintpb::Mutation& mutation) {
    if (mutation.has_github_issue()) apply(mutation.github_issue());
    if (mutation.has_git() && mutation.git().has_commit()) apply(mutation.git().commit());
    if (!mutation.has_gerrit()) return;
    for (const maintpb::GitCommit& commit : mutation.gerrit().commits()) apply(commit);
    for (const maintpb::GitRef& ref : mutation.gerrit().refs()) apply(projects_[mutation.gerrit().project()], ref);
  }

  std::uint64_t sum() const {
    Sum all;
    all.add_value(sum_of_github());
    all.add_value(sum_of_gerrit());
    all.add_value(sum_of_commits());
    return all.value();
  }

 private:
  void apply(const maintpb::GithubIssueMutation& mutation) {
    Issue& issue = repos_[{mutation.owner(), mutation.repo()}][mutation.number()];
    if (mutation.not_exist()) return;
    if (mutation.pull_request()) issue.pull_request = true;
    if (!mutation.body().empty()) issue.body = mutation.body();
    if (mutation.has_body_change()) issue.body = mutation.body_change().val();
    if (!mutation.title().empty()) issue.title = mutation.title();
    for (const maintpb::GithubIssueCommentMutation& each : mutation.comment()) {
      Comment& comment = issue.comments[each.id()];
      if (each.has_created()) comment.created = time_of(each.created());
      if (!each.body().empty()) comment.body = each.body();
    }
    for (const maintpb::GithubIssueEvent& event : mutation.event()) issue.events[event.id()] = event;
    for (const maintpb::GithubReview& review : mutation.review()) issue.reviews[review.id()] = review;
  }

  void see(const std::string& hash) {
    if (commits_.try_emplace(hash).second) in_order_.push_back(hash);
  }
  void apply(const maintpb::GitCommit& mutation) {
    see(mutation.sha1());
    const maintner::CommitText text = maintner::parse_commit(mutation.raw());
    Commit commit;
    commit.message = text.message;
    for (const std::string_view parent : text.parents) {
      commit.parents.emplace_back(parent);
      see(commit.parents.back());
    }
    for (const maintpb::GitDiffTreeFile& file : mutation.diff_tree().file()) commit.files.push_back(file.file());
    std::sort(commit.files.begin(), commit.files.end());
    commits_[mutation.sha1()] = std::move(commit);
  }
  void apply(std::map<int, Change>& changes, const maintpb::GitRef& ref) {
    int number = 0, used = 0;
    char version[16] = "";
    if (std::sscanf(ref.ref().c_str(), "refs/changes/%*2[0-9a-f]/%d/%15s%n", &number, version, &used) != 2) return;
    if (commits_.count(ref.sha1()) == 0) return;
    Change& change = changes[number];
    (std::string_view(version) == "meta" ? change.meta : change.commit) = ref.sha1();
  }

  std::uint64_t sum_of_github() const {
    Sum sum;
    for (const auto& [name, issues] : repos_) {
      for (const auto& [number, issue] : issues) {
        sum.add(issue.title);
        sum.add(issue.body);
        for (const Comment* comment : sorted(issue.comments, [](const Comment& c) { return c.created; }))
          sum.add(comment->body);
        for (const auto* event :
             sorted(issue.events, [](const maintpb::GithubIssueEvent& e) { return time_of(e.created()); })) {
          sum.add(event->event_type());
          sum.add(event->label().name());
          sum.add(event->milestone().title());
          sum.add(event->commit().commit_id());
        }
        if (!issue.pull_request) continue;
        for (const auto* review :
             sorted(issue.reviews, [](const maintpb::GithubReview& r) { return time_of(r.created()); })) {
          sum.add(review->body());
          sum.add(review->state());
        }
      }
    }
    return sum.value();
  }
  template <class Item, class When>
  static std::vector<const Item*> sorted(const std::map<std::int64_t, Item>& items, const When& when) {
    std::vector<const Item*> all;
    for (const auto& [id, item] : items) all.push_back(&item);
    std::stable_sort(all.begin(), all.end(), [&](const Item* a, const Item* b) { return when(*a) < when(*b); });
    return all;
  }

  std::uint64_t sum_of_gerrit() const {
    Sum sum;
    std::set<std::string> values;
    for (const auto& [name, changes] : projects_) {
      for (const auto& [number, change] : changes) {
        std::vector<const std::string*> metas;
        bool one_line = true;
        for (std::string at = change.meta; !at.empty();) {
          const Commit& commit = commits_.at(at);
          metas.push_back(&commit.message);
          one_line = one_line && commit.parents.size() <= 1;
          at = commit.parents.empty() ? "" : commit.parents[0];
        }
        if (metas.empty() || change.commit.empty() || !one_line) continue;
        std::reverse(metas.begin(), metas.end());
        for (const std::string* meta : metas)
          if (const auto said = maintner::review_message_in(*meta)) sum.add(said->text);
        for (const std::string* meta : metas) {
          maintner::for_each_label(*meta, [&](const maintner::LabelLine& line) {
            sum.add(line.label);
            sum.add(*values.insert(std::to_string(line.value)).first);
            sum.add(line.voter);
          });
        }
      }
    }
    return sum.value();
  }

  std::uint64_t sum_of_commits() const {
    Sum sum;
    for (const std::string& hash : in_order_) {
      const Commit& commit = commits_.at(hash);
      sum.add(commit.message);
      for (const std::string& file : commit.files) sum.add(file);
    }
    return sum.value();
  }

  std::map<std::pair<std::string, std::string>, std::map<int, Issue>> repos_;
  std::map<std::string, std::map<int, Change>> projects_;
  std::unordered_map<std::string, Commit> commits_;
  std::vector<std::string> in_order_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto begin = std::chrono::steady_clock::now();
  const auto since = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  Peer peer;
  maintpb::Mutation mutation;
  for (const auto& file : maintner::log_files(argv[1])) {
    maintner::RecordFile records(file);
    while (const auto record = records.next()) {
      if (!mutation.ParseFromArray(record->payload.data(), static_cast<int>(record->payload.size()))) return 1;
      peer.apply(mutation);
    }
  }
  const double loaded = since();
  const std::uint64_t sum = peer.sum();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "libprotobuf and maps: load %.3f s, traversal %.3f s, together %.3f s; peak memory %ld KiB; sum %016llx\n",
      loaded, since() - loaded, since(), usage.ru_maxrss, static_cast<unsigned long long>(sum));
}
