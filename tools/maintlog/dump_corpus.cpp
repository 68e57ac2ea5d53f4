#include "dump_corpus.h"

#include <build/base/digest.h>
#include <build/base/utf8.h>

#include <rapidjson/ostreamwrapper.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <ctime>
#include <ostream>
#include <set>

namespace {

using namespace maintner;

/// How the original writes a time of git's.
std::string git_time(const PersonAndTime& when) {
  const std::time_t local = when.seconds + zone_offset(when.zone);
  std::tm parts{};
  ::gmtime_r(&local, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return text + std::string(when.zone);
}

class Dump {
 public:
  explicit Dump(std::ostream& out) : stream_(out), out_(stream_) {}

  void all(const View& view, const CorpusQuestions& questions) {
    object([&] {
      text("check", view.check().value_or("ok"));
      number("numMutations", view.mutations());
      list("commitLookups", questions.commits, [&](const std::string& hex) {
        object([&] {
          text("query", hex);
          flag("found", view.commit(hex).has_value());
        });
      });
      list("hasAncestor", questions.ancestries, [&](const auto& pair) {
        const auto commit = view.commit(pair.first), ancestor = view.commit(pair.second);
        object([&] {
          text("commit", pair.first);
          text("ancestor", pair.second);
          flag("result", commit && ancestor && commit->has_ancestor(*ancestor));
        });
      });
      key("git");
      git(view);
      key("github");
      github(view.github());
      key("gerrit");
      object([&] { list("projects", view.gerrit().projects(), [&](const Project& each) { project(each); }); });
    });
  }

 private:
  // ---- JSON

  void key(std::string_view name) { out_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size())); }
  void put(std::string_view value) {
    const std::string valid = build::base::valid_utf8(value);
    out_.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
  }
  void text(std::string_view name, std::string_view value) {
    key(name);
    put(value);
  }
  /// Left out if it is empty.
  void some_text(std::string_view name, std::string_view value) {
    if (!value.empty()) text(name, value);
  }
  template <class Number>
  void number(std::string_view name, Number value) {
    key(name);
    if constexpr (std::is_signed_v<Number>)
      out_.Int64(value);
    else
      out_.Uint64(value);
  }
  void flag(std::string_view name, bool value) {
    key(name);
    out_.Bool(value);
  }
  void time(std::string_view name, std::optional<Time> value) {
    if (value) return text(name, to_string(*value));
    key(name);
    out_.Null();
  }
  void digest(std::string_view name, std::string_view value) {
    key(name);
    object([&] {
      number("len", value.size());
      text("sha1", build::base::sha1_hex(value));
    });
  }
  template <class Members>
  void object(const Members& members) {
    out_.StartObject();
    members();
    out_.EndObject();
  }
  template <class Items, class Each>
  void list(std::string_view name, const Items& items, const Each& each) {
    key(name);
    out_.StartArray();
    for (const auto& item : items) each(item);
    out_.EndArray();
  }
  void user(std::string_view name, const std::optional<User>& who) {
    key(name);
    if (!who) {
      out_.Null();
      return;
    }
    user(*who);
  }
  void user(const User& who) {
    object([&] {
      number("id", who.id());
      text("login", who.login());
    });
  }
  void some_user(std::string_view name, const std::optional<User>& who) {
    if (who) user(name, who);
  }

  // ---- git

  void git(const View& view) {
    std::size_t placeholders = 0;
    for (const Commit& each : view.commits()) placeholders += each.is_placeholder() ? 1 : 0;
    object([&] {
      number("numCommits", view.commits().size());
      number("numPeople", view.count_people());
      number("numPlaceholders", placeholders);
      number("numTodo", 0);
      key("gitOfHg");
      object([&] {
        for (const auto& [hg, commit] : view.mercurial_commits()) text(hg, commit.hex());
      });
      std::vector<Commit> commits(view.commits().begin(), view.commits().end());
      std::sort(commits.begin(), commits.end(), [](const Commit& a, const Commit& b) { return a.hash() < b.hash(); });
      list("commits", commits, [&](const Commit& each) { commit(each); });
    });
  }

  void commit(const Commit& commit) {
    const CommitText head = commit.text();
    object([&] {
      text("hash", commit.hex());
      text("tree", head.tree);
      text("author", head.author.person);
      text("authorName", person_name(head.author.person));
      text("authorEmail", person_email(head.author.person));
      text("authorTime", git_time(head.author));
      text("committer", head.committer.person);
      text("commitTime", git_time(head.committer));
      digest("msg", commit.message());
      text("summary", commit.summary());
      some_text("reviewer", commit.reviewer().value_or(""));
      list("parents", commit.parents(), [&](const Commit& parent) { put(parent.hex()); });
      list("files", commit.files(), [&](const File& file) {
        out_.StartArray();
        put(file.name);
        out_.Int64(file.added);
        out_.Int64(file.deleted);
        out_.Bool(file.binary);
        out_.EndArray();
      });
    });
  }

  // ---- GitHub

  void github(const GitHub& github) {
    object([&] {
      number("numTeams", github.teams().size());
      number("numUsers", github.users().size());
      std::vector<User> users(github.users().begin(), github.users().end());
      std::sort(users.begin(), users.end(), [](const User& a, const User& b) { return a.id() < b.id(); });
      list("users", users, [&](const User& each) { user(each); });
      list("repos", github.repos(), [&](const Repo& each) { repo(each); });
    });
  }

  void repo(const Repo& repo) {
    object([&] {
      text("id", repo.id());
      text("owner", repo.owner());
      text("repo", repo.name());
      number("numIssues", repo.issues().size());
      std::vector<std::int32_t> missing;
      std::int32_t next = 1;
      for (const Issue& each : repo.issues())
        for (; next <= each.number(); ++next)
          if (next < each.number()) missing.push_back(next);
      list("missingNumbers", missing, [&](std::int32_t n) { out_.Int(n); });
      const auto by_id = [](const auto& a, const auto& b) { return a.id() < b.id(); };
      std::vector<Label> labels(repo.labels().begin(), repo.labels().end());
      std::sort(labels.begin(), labels.end(), by_id);
      list("labels", labels, [&](const Label& each) { label(each); });
      std::vector<Milestone> milestones(repo.milestones().begin(), repo.milestones().end());
      std::sort(milestones.begin(), milestones.end(), by_id);
      list("milestones", milestones, [&](const Milestone& each) {
        object([&] {
          number("id", each.id());
          number("number", each.number());
          text("title", each.title());
          flag("closed", each.closed());
        });
      });
      list("issues", repo.issues(), [&](const Issue& each) { issue(each); });
    });
  }

  void label(const Label& label) {
    object([&] {
      number("id", label.id());
      text("name", label.name());
    });
  }

  void issue(const Issue& issue) {
    object([&] {
      number("number", issue.number());
      number("id", issue.id());
      flag("notExist", issue.not_exist());
      flag("closed", issue.closed());
      flag("locked", issue.locked());
      flag("pullRequest", issue.pull_request());
      text("title", issue.title());
      digest("body", issue.body());
      user("user", issue.user());
      user("closedBy", issue.closed_by());
      list("assignees", issue.assignees(), [&](const User& each) { user(each); });
      time("created", issue.created());
      time("updated", issue.updated());
      time("closedAt", issue.closed_at());
      time("lastModified", issue.last_modified());
      time("eventMaxTime", issue.last_event());
      time("commentsSyncedAsOf", issue.comments_synced_as_of());
      time("eventsSyncedAsOf", issue.events_synced_as_of());
      time("reviewsSyncedAsOf", issue.reviews_synced_as_of());
      milestone(issue);
      std::vector<Label> labels(issue.labels().begin(), issue.labels().end());
      std::sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.id() < b.id(); });
      list("labels", labels, [&](const Label& each) { label(each); });
      number("numComments", issue.comments().size());
      number("numEvents", issue.events().size());
      number("numReviewsStored", issue.reviews_stored());
      list("comments", issue.comments(), [&](const Comment& each) { comment(each); });
      list("events", issue.events(), [&](const Event& each) { event(each); });
      list("reviews", issue.reviews(), [&](const Review& each) { review(each); });
    });
  }

  void milestone(const Issue& issue) {
    const auto milestone = issue.milestone();
    if (!milestone)
      return text("milestone", issue.milestone_known() == Issue::MilestoneKnown::none ? "none" : "unknown");
    key("milestone");
    object([&] {
      number("id", milestone->id());
      number("number", milestone->number());
      text("title", milestone->title());
    });
  }

  void comment(const Comment& comment) {
    object([&] {
      number("id", comment.id);
      user("user", comment.user);
      time("created", comment.created);
      time("updated", comment.updated);
      digest("body", comment.body);
    });
  }

  void event(const Event& event) {
    object([&] {
      number("id", event.id());
      text("type", event.type());
      time("created", event.created());
      some_user("actor", event.actor());
      some_user("assignee", event.assignee());
      some_user("assigner", event.assigner());
      some_user("reviewer", event.reviewer());
      some_user("reviewRequester", event.review_requester());
      if (const auto team = event.team_reviewer()) {
        key("teamReviewer");
        object([&] {
          number("id", team->id());
          text("slug", team->slug());
        });
      }
      some_text("label", event.label());
      some_text("milestone", event.milestone());
      some_text("commitID", event.commit_id());
      some_text("commitURL", event.commit_url());
      some_text("from", event.from());
      some_text("to", event.to());
      some_text("otherJSON", event.fields().other_json);
      if (const auto& dismissed = event.fields().dismissed_review) {
        key("dismissedReview");
        object([&] {
          number("reviewID", dismissed->review_id);
          text("state", dismissed->state);
          text("message", dismissed->dismissal_message);
        });
      }
    });
  }

  void review(const Review& review) {
    object([&] {
      number("id", review.id());
      some_user("actor", review.actor());
      text("actorAssociation", review.actor_association());
      text("body", review.body());
      text("commitID", review.commit_id());
      time("created", review.created());
      text("state", review.review_state());
      some_text("otherJSON", review.other_json());
    });
  }

  // ---- Gerrit

  void project(const Project& project) {
    object([&] {
      text("name", project.full_name());
      text("server", project.server());
      text("project", project.name());
      const std::vector<Change> changes = project.changes();
      number("numCLs", changes.size());
      number("numCLsIncludingIncomplete", project.changes_seen());
      number("numCommits", project.commits_seen());
      number("numLabelChanges", project.label_changes());
      number("numNeeded", project.commits_needed());
      list("openCLs", project.open_changes(), [&](const Change& each) { out_.Int(each.number()); });
      list("nonChangeRefs", project.refs(), [&](const NamedCommit& ref) {
        out_.StartArray();
        put(ref.name);
        put(ref.commit.hex());
        out_.EndArray();
      });
      list("cls", changes, [&](const Change& each) { change(each); });
    });
  }

  void change(const Change& change) {
    object([&] {
      number("number", change.number());
      number("version", change.version());
      text("commit", change.commit().hex());
      text("meta", change.meta().commit().hex());
      text("branch", change.branch());
      text("changeID", change.change_id());
      text("subject", change.subject());
      text("created", git_time(change.created()));
      text("status", name_of(change.status()));
      flag("private", change.is_private());
      flag("wip", change.work_in_progress());
      number("ownerID", change.owner_id());
      if (const auto owner = change.owner()) {
        text("owner", owner->person);
      } else {
        key("owner");
        out_.Null();
      }
      text("hashtags", change.hashtags());
      number("hashtagsLen", split_hashtags(change.hashtags()).size());
      std::vector<std::int32_t> versions;
      for (std::int32_t version = 1; version <= change.version(); ++version) versions.push_back(version);
      list("commitAtVersion", versions, [&](std::int32_t version) {
        const auto commit = change.commit_at(version);
        if (commit)
          put(commit->hex());
        else
          out_.Null();
      });
      list("githubIssueRefs", change.issues(), [&](const IssueReference& reference) {
        put(reference.owner + "/" + reference.repo + "#" + std::to_string(reference.number));
      });
      list("messages", change.messages(), [&](const Message& message) {
        object([&] {
          text("meta", message.meta.hex());
          number("version", message.patch_set);
          text("message", message.text);
          text("author", message.author.person);
          text("date", git_time(message.author));
        });
      });
      list("metas", change.metas(), [&](const Meta& each) { meta(each); });
    });
  }

  void meta(const Meta& meta) {
    object([&] {
      text("hash", meta.commit().hex());
      text("actionTag", meta.action_tag());
      digest("footer", meta.footer());
      text("hashtags", meta.hashtags());
      some_text("reviewer", meta.commit().reviewer().value_or(""));
      if (const auto edits = meta.hashtag_edits()) {
        text("hashtagsAdded", edits->added);
        text("hashtagsRemoved", edits->removed);
      }
      try {
        const Votes votes = meta.label_votes();
        key("labelVotes");
        object([&] {
          for (const auto& [label, voters] : votes) {
            key(label);
            object([&] {
              for (const auto& [voter, value] : voters) number(voter, static_cast<std::int64_t>(value));
            });
          }
        });
      } catch (const QueryError& error) {
        // The original has the digits of the hash in hexadecimal digits once more.
        std::string why = error.what();
        const std::string hex = meta.commit().hex();
        if (const std::size_t at = why.find(hex); at != why.npos) why.replace(at, hex.size(), hash_to_hex(hex));
        text("labelVotesError", why);
      }
    });
  }

  rapidjson::OStreamWrapper stream_;
  rapidjson::Writer<rapidjson::OStreamWrapper> out_;
};

}  // namespace

void dump_corpus(const View& view, const CorpusQuestions& questions, std::ostream& out) {
  Dump(out).all(view, questions);
  out << "\n";
}
