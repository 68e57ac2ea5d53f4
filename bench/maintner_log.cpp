// maintner_log DIRECTORY [STEPS]: makes a mutation log of a made-up project, the same one each time, and prints what is
// in it.
//
// The project resembles a large one of ten years: 100,000 steps (if nothing else is said) make 1.4 GB in ten files. In
// each step, 2,000 seconds after the one before, there are three commits of history, a change with its review, and in
// four of five steps an issue with all that becomes of it. Few words, people and projects are frequent, many are rare.
#include <build/base/digest.h>
#include <maintner/mutation.h>
#include <maintner/reclog.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fs = std::filesystem;
using namespace maintner;

namespace {

constexpr std::int64_t kBegin = 1417392000;  // 1 December 2014
constexpr std::int64_t kStepSeconds = 2000;
constexpr int kStepsPerFile = 10'000;
constexpr const char* kServer = "go.googlesource.com";
constexpr const char* kServerId = "62eb7196-b449-3ce5-99f1-c037f21e1705";

/// SplitMix64.
class Random {
 public:
  explicit Random(std::uint64_t stream) : state_(0x676f6275696c64 + stream) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// 0 to n - 1.
  std::size_t one_of(std::size_t n) { return static_cast<std::size_t>(next() % n); }
  bool one_in(std::size_t n) { return one_of(n) == 0; }
  /// As one_of(), small numbers more often.
  std::size_t small_of(std::size_t n) {
    const std::size_t a = one_of(n);
    return a * one_of(n) / n;
  }
  std::size_t between(std::size_t least, std::size_t most) { return least + one_of(most - least + 1); }

  std::string hex(std::size_t digits) {
    std::string text;
    while (text.size() < digits) {
      char piece[17];
      std::snprintf(piece, sizeof piece, "%016llx", static_cast<unsigned long long>(next()));
      text += piece;
    }
    text.resize(digits);
    return text;
  }

 private:
  std::uint64_t state_;
};

/// The made-up world: words, people, files.
class World {
 public:
  World() {
    Random random(1);
    for (int i = 0; i < 8192; ++i) {
      std::string word;
      for (std::size_t size = random.between(2, 10); word.size() < size;)
        word += static_cast<char>('a' + random.one_of(26));
      words_.push_back(word);
    }
    Random names(2);
    for (int i = 0; i < 3000; ++i) {
      const std::string first = capital(word(names)), last = capital(word(names));
      people.push_back(first + " " + last + " <user" + std::to_string(i) + "@example.com>");
      const std::string id = std::to_string(5000 + i);
      accounts.push_back("Gerrit User " + id + " <" + id + "@" + kServerId + ">");
    }
    for (int i = 0; i < 20'000; ++i) logins.push_back(word(names) + std::to_string(i));
    for (int i = 0; i < 40; ++i) {
      std::vector<std::string>& paths = files.emplace_back();
      const std::size_t count = i == 0 ? 8000 : 500;
      while (paths.size() < count)
        paths.push_back("src/" + word(names) + "/" + word(names) + "/" + word(names) + ".go");
    }
  }

  const std::string& word(Random& random) const { return words_[random.small_of(words_.size())]; }

  /// At least so many bytes of words.
  std::string text(Random& random, std::size_t size) const {
    std::string out;
    for (int count = 0; out.size() < size; ++count) {
      if (count > 0) out += count % 12 == 0 ? '\n' : ' ';
      out += word(random);
    }
    return out;
  }
  std::string line(Random& random, std::size_t size) const {
    std::string out = text(random, size);
    std::replace(out.begin(), out.end(), '\n', ' ');
    return out;
  }

  static std::size_t project(Random& random) { return random.one_of(10) < 4 ? 0 : 1 + random.one_of(39); }
  static std::string project_name(std::size_t project) {
    char name[8];
    std::snprintf(name, sizeof name, "p%02zu", project);
    return name;
  }

  std::vector<std::string> people, accounts, logins;
  std::vector<std::vector<std::string>> files;

 private:
  static std::string capital(std::string word) {
    word[0] = static_cast<char>(word[0] - 'a' + 'A');
    return word;
  }

  std::vector<std::string> words_;
};

/// Counts what a corpus of it must have.
struct Counts {
  std::uint64_t records = 0, bytes = 0, commits = 0, project_commits = 0, metas = 0, messages = 0, changes = 0,
                merged = 0, abandoned = 0, issues = 0, not_existing = 0, comments = 0, events = 0, reviews = 0,
                pull_requests = 0, closed = 0, labels = 0;
  std::set<std::int64_t> users;
  std::set<std::string> people;
};

class Log {
 public:
  explicit Log(fs::path directory) : directory_(std::move(directory)) { fs::create_directories(directory_); }

  void begin_file(int number) {
    char name[40];
    std::snprintf(name, sizeof name, "maintner-2021-01-%02d.mutlog", number + 1);
    if (fs::exists(directory_ / name)) throw std::runtime_error((directory_ / name).string() + " is there already");
    writer_ = std::make_unique<RecordWriter>(directory_ / name);
  }

  void write(const Mutation& mutation) {
    const std::uint64_t before = writer_->size();
    writer_->append(encode(mutation));
    counts.bytes += writer_->size() - before;
    ++counts.records;
  }

  Counts counts;

 private:
  fs::path directory_;
  std::unique_ptr<RecordWriter> writer_;
};

Timestamp at(std::int64_t seconds) { return {.seconds = seconds, .nanos = 0, .unknown = {}}; }

/// A git commit, and what its mutation refers to.
struct MadeCommit {
  std::string hash, raw;
  std::optional<GitDiffTree> diff_tree;

  GitCommit mutation() const { return {.sha1 = hash, .raw = raw, .diff_tree = diff_tree, .unknown = {}}; }
};

MadeCommit make_commit(const std::string& tree, const std::vector<std::string>& parents, const std::string& person,
                       std::int64_t seconds, const char* zone, const std::string& message) {
  MadeCommit made;
  made.raw = "tree " + tree + "\n";
  for (const std::string& parent : parents) made.raw += "parent " + parent + "\n";
  for (const char* role : {"author ", "committer "})
    made.raw += role + person + " " + std::to_string(seconds) + " " + zone + "\n";
  made.raw += "\n" + message;
  std::string object = "commit " + std::to_string(made.raw.size());
  object += '\0';
  made.hash = build::base::sha1_hex(object + made.raw);
  return made;
}

const char* zone(Random& random) {
  constexpr std::array<const char*, 6> kZones = {"-0800", "-0700", "+0000", "+0100", "+0530", "+1100"};
  return kZones[random.one_of(kZones.size())];
}

/// The subject and mostly a body.
std::string commit_message(const World& world, Random& random) {
  std::string message =
      world.word(random) + "/" + world.word(random) + ": " + world.line(random, random.between(25, 59)) + "\n";
  if (!random.one_in(5)) message += "\n" + world.text(random, random.between(100, 999)) + "\n";
  return message;
}

GitDiffTree make_diff(const World& world, Random& random, std::size_t project) {
  std::size_t count = 1 + (random.one_of(8) * random.one_of(8)) / 8;
  if (random.one_in(100)) count = random.between(50, 299);
  const std::vector<std::string>& paths = world.files[project];
  std::set<std::string_view> names;
  while (names.size() < count) names.insert(paths[random.one_of(paths.size())]);
  GitDiffTree diff;
  for (const std::string_view name : names) {
    GitDiffTreeFile& file = diff.file.emplace_back();
    file.file = name;
    file.binary = random.one_in(200);
    if (file.binary) continue;
    file.added = static_cast<std::int64_t>(random.one_of(200));
    file.deleted = static_cast<std::int64_t>(random.one_of(100));
  }
  return diff;
}

/// Three commits a step, each of some project.
class History {
 public:
  History(const World& world, Log& log) : world_(world), log_(log), random_(3), tips_(world.files.size()) {}

  void step(std::int64_t now) {
    for (int i = 0; i < 3; ++i) commit(now + i);
  }

 private:
  void commit(std::int64_t now) {
    const std::size_t project = World::project(random_);
    const std::string& person = world_.people[random_.small_of(world_.people.size())];
    const std::string& reviewer = world_.people[random_.small_of(world_.people.size())];
    std::string message = commit_message(world_, random_);
    message += "\nChange-Id: I" + random_.hex(40) + "\nReviewed-on: https://go-review.googlesource.com/" +
               std::to_string(random_.one_of(200'000)) + "\nRun-TryBot: " + reviewer +
               "\nTryBot-Result: Gobot Gobot <gobot@golang.org>\nReviewed-by: " + reviewer + "\n";
    std::vector<std::string> parents;
    if (!tips_[project].empty()) parents.push_back(tips_[project]);
    const std::string tree = random_.hex(40);
    MadeCommit made = make_commit(tree, parents, person, now, zone(random_), message);
    made.diff_tree = make_diff(world_, random_, project);
    tips_[project] = made.hash;
    const std::string name = World::project_name(project);
    Mutation mutation;
    mutation.git.emplace().repo.emplace().go_repo = name;
    mutation.git->commit = made.mutation();
    log_.write(mutation);
    ++log_.counts.commits;
    log_.counts.people.insert(person);
  }

  const World& world_;
  Log& log_;
  Random random_;
  std::vector<std::string> tips_;
};

/// A change a step, with its review.
class Changes {
 public:
  Changes(const World& world, Log& log) : world_(world), log_(log), random_(4) {}

  void step(int step, std::int64_t now, std::int64_t issues) {
    number_ = 1000 + step;
    now_ = now;
    issues_ = issues;
    const std::size_t project = World::project(random_);
    project_ = std::string(kServer) + "/" + World::project_name(project);
    owner_ = random_.small_of(world_.people.size());
    patch_set_ = 0;
    meta_.clear();
    refs_.clear();
    change_id_ = random_.hex(40);
    mention_ = mention();
    subject_ = commit_message(world_, random_) + mention_;
    const std::size_t ending = random_.one_of(20);
    ++log_.counts.changes;

    add_patch_set(project);
    add_meta(owner_, "Create change", "Uploaded patch set 1.",
             "Change-id: I" + change_id_ + "\nSubject: " + subject_.substr(0, subject_.find('\n')) +
                 "\nBranch: refs/heads/master\nStatus: new\nTopic:\nCommit: " + commit_ +
                 "\nTag: autogenerated:gerrit:newPatchSet\nGroups: " + commit_ + "\n");
    write_refs();
    for (std::size_t acts = random_.one_of(8); acts > 0; --acts) {
      act(project);
      if (random_.one_of(9) < 5) write_refs();
    }
    end(ending);
    write_refs();
  }

 private:
  /// In one of three.
  std::string mention() {
    if (!random_.one_in(3) || issues_ == 0) return {};
    constexpr std::array<const char*, 3> kHow = {"Fixes", "Updates", "For"};
    const char* how = kHow[random_.one_of(kHow.size())];
    return std::string("\n") + how + " golang/go#" +
           std::to_string(1 + random_.one_of(static_cast<std::size_t>(issues_))) + "\n";
  }

  void act(std::size_t project) {
    now_ += 60;
    const std::size_t what = random_.one_of(10);
    const std::size_t reviewer = random_.small_of(world_.people.size());
    const std::string set = "Patch Set " + std::to_string(patch_set_);
    if (what < 3) {
      add_patch_set(project);
      const std::string number = std::to_string(patch_set_);
      add_meta(owner_, "Create patch set " + number, "Uploaded patch set " + number + ".",
               "Subject: " + subject_.substr(0, subject_.find('\n')) + "\nCommit: " + commit_ +
                   "\nTag: autogenerated:gerrit:newPatchSet\nGroups: " + commit_ + "\n");
    } else if (what < 5) {
      const std::string vote = random_.one_in(4) ? "+1" : "+2";
      say(reviewer, set + ": Code-Review" + vote + "\n\n" + world_.text(random_, random_.between(20, 419)),
          "Label: Code-Review=" + vote + "\n");
    } else if (what < 6) {
      say(reviewer, set + ": Run-TryBot+1", "Label: Run-TryBot=+1\n");
      say(kBot,
          set + ":\n\nTryBots beginning. Status page: https://farmer.golang.org/try?commit=" + commit_.substr(0, 8),
          "Tag: autogenerated:trybots-beginning\n");
      say(kBot, set + ": TryBot-Result+1\n\nTryBots are happy.",
          "Label: TryBot-Result=+1\nTag: autogenerated:trybots-happy\n");
    } else if (what < 7) {
      const std::string tag = world_.word(random_);
      add_meta(reviewer, "Update patch set " + std::to_string(patch_set_), "Hashtag added: " + tag,
               "Hashtags: " + tag + "\nTag: autogenerated:gerrit:setHashtag\n");
    } else {
      say(reviewer, set + ":\n\n(1 comment)\n\n" + world_.text(random_, random_.between(20, 619)), "");
    }
  }

  /// 0 to 19.
  void end(std::size_t how) {
    now_ += 60;
    const std::string attention = "Attention: {\"person_ident\":\"" + world_.accounts[owner_] +
                                  "\",\"operation\":\"REMOVE\",\"reason\":\"Change was submitted\"}\n";
    const std::string update = "Update patch set " + std::to_string(patch_set_);
    if (how < 15) {
      add_meta(owner_, update, "Change has been successfully cherry-picked as " + commit_,
               "Status: merged\nTag: autogenerated:gerrit:merged\n" + attention);
      ++log_.counts.merged;
    } else if (how < 17) {
      add_meta(owner_, update, "Abandoned", "Status: abandoned\nTag: autogenerated:gerrit:abandon\n" + attention);
      ++log_.counts.abandoned;
    }
  }

  void say(std::size_t who, const std::string& text, const std::string& footer) {
    add_meta(who, "Update patch set " + std::to_string(patch_set_), text,
             "Reviewer: " + (who == kBot ? bot_ : world_.accounts[who]) + "\n" + footer);
    ++log_.counts.messages;
  }

  void add_patch_set(std::size_t project) {
    ++patch_set_;
    const std::string& person = world_.people[owner_];
    const std::string message = subject_ + "\nChange-Id: I" + change_id_ + "\n";
    MadeCommit made = make_commit(random_.hex(40), {}, person, now_, zone(random_), message);
    made.diff_tree = make_diff(world_, random_, project);
    commit_ = made.hash;
    log_.counts.people.insert(person);
    write(made);
    refs_.emplace_back(ref(std::to_string(patch_set_)), made.hash);
  }

  void add_meta(std::size_t who, const std::string& subject, const std::string& text, const std::string& footer) {
    const std::string& person = who == kBot ? bot_ : world_.accounts[who];
    const std::string message =
        subject + "\n\n" + text + "\n\nPatch-set: " + std::to_string(patch_set_) + "\n" + footer;
    std::vector<std::string> parents;
    if (!meta_.empty()) parents.push_back(meta_);
    const MadeCommit made = make_commit(random_.hex(40), parents, person, now_, "+0000", message);
    meta_ = made.hash;
    log_.counts.people.insert(person);
    write(made);
    ++log_.counts.metas;
    const std::string name = ref("meta");
    std::erase_if(refs_, [&name](const auto& each) { return each.first == name; });
    refs_.emplace_back(name, made.hash);
  }

  void write(const MadeCommit& made) {
    Mutation mutation;
    mutation.gerrit.emplace().project = project_;
    mutation.gerrit->commits.push_back(made.mutation());
    log_.write(mutation);
    ++log_.counts.commits;
    ++log_.counts.project_commits;
  }

  void write_refs() {
    if (refs_.empty()) return;
    Mutation mutation;
    mutation.gerrit.emplace().project = project_;
    for (const auto& [name, hash] : refs_) mutation.gerrit->refs.push_back({.ref = name, .sha1 = hash, .unknown = {}});
    log_.write(mutation);
    refs_.clear();
  }

  std::string ref(const std::string& last) const {
    char shard[8];
    std::snprintf(shard, sizeof shard, "%02d", number_ % 100);
    return std::string("refs/changes/") + shard + "/" + std::to_string(number_) + "/" + last;
  }

  static constexpr std::size_t kBot = SIZE_MAX;

  const World& world_;
  Log& log_;
  Random random_;
  const std::string bot_ = std::string("Gobot Gobot <5976@") + kServerId + ">";
  int number_ = 0, patch_set_ = 0;
  std::int64_t now_ = 0, issues_ = 0;
  std::size_t owner_ = 0;
  std::string project_, change_id_, mention_, subject_, commit_, meta_;
  std::vector<std::pair<std::string, std::string>> refs_;
};

/// Four issues in five steps, each with all that becomes of it.
class Issues {
 public:
  static constexpr int kLabels = 200, kMilestones = 150, kClosedMilestones = 120;

  Issues(const World& world, Log& log) : world_(world), log_(log), random_(5), rare_(7) {
    for (int i = 0; i < kLabels; ++i) labels_.push_back(world.word(random_) + "-" + std::to_string(i));
    for (int i = 0; i < kMilestones; ++i) milestones_.push_back("Go1." + std::to_string(i));
  }

  std::int64_t count() const { return number_; }

  void write_repository() {
    Mutation mutation;
    auto& repository = mutation.github.emplace();
    repository.owner = "golang";
    repository.repo = "go";
    for (int i = 0; i < kLabels; ++i) repository.labels.push_back(label(i));
    for (int i = 0; i < kMilestones; ++i) {
      GithubMilestone& milestone = repository.milestones.emplace_back();
      milestone.id = milestone_id(i);
      milestone.title = milestones_[static_cast<std::size_t>(i)];
      milestone.number = i + 1;
      milestone.closed.emplace().val = i < kClosedMilestones;
    }
    log_.write(mutation);
  }

  void step(int step, std::int64_t now) {
    if (step % 5 == 4) return;
    ++number_;
    ++log_.counts.issues;
    begin_ = last_ = now;
    events_.clear();
    names_.clear();
    const bool is_pull_request = rare_.one_in(20), is_missing = rare_.one_in(100);
    if (is_missing) {
      Mutation mutation = issue();
      mutation.github_issue->not_exist = true;
      log_.write(mutation);
      ++log_.counts.not_existing;
      return;
    }
    create(is_pull_request);
    sort();
    discuss();
    if (!random_.one_in(4)) close();
    write_events();
  }

 private:
  Mutation issue() const {
    Mutation mutation;
    auto& issue = mutation.github_issue.emplace();
    issue.owner = "golang";
    issue.repo = "go";
    issue.number = static_cast<std::int32_t>(number_);
    return mutation;
  }

  void create(bool is_pull_request) {
    Mutation mutation = issue();
    auto& issue = *mutation.github_issue;
    const std::string title = world_.line(random_, random_.between(20, 69)),
                      body = world_.text(random_, random_.between(100, 1899)),
                      said = world_.text(random_, random_.between(20, 419)), hash = random_.hex(40);
    author_ = user();
    issue.user = author_;
    issue.created = issue.updated = at(begin_);
    issue.title = title;
    issue.body_change.emplace().val = body;
    if (is_pull_request) {
      issue.pull_request = true;
      GithubReview& review = issue.review.emplace_back();
      review.id = next_id_++;
      review.actor_id = user().id;
      review.created = at(begin_ + 30);
      review.body = said;
      review.state = "COMMENTED";
      review.commit_id = hash;
      review.actor_association = "CONTRIBUTOR";
      ++log_.counts.pull_requests;
      ++log_.counts.reviews;
    }
    log_.write(mutation);
  }

  /// Labels and a milestone.
  void sort() {
    Mutation mutation = issue();
    auto& issue = *mutation.github_issue;
    std::set<int> chosen;
    for (std::size_t count = random_.between(1, 3); chosen.size() < count;)
      chosen.insert(static_cast<int>(random_.small_of(kLabels)));
    for (const int number : chosen) {
      issue.add_label.push_back(label(number));
      add_event("labeled").label.emplace().name = labels_[static_cast<std::size_t>(number)];
      ++log_.counts.labels;
    }
    const int milestone = static_cast<int>(random_.one_of(kMilestones));
    const std::string& title = milestones_[static_cast<std::size_t>(milestone)];
    issue.milestone_id = milestone_id(milestone);
    issue.milestone_num = milestone + 1;
    issue.milestone_title = title;
    add_event("milestoned").milestone.emplace().title = title;
    log_.write(mutation);
  }

  void discuss() {
    const std::size_t count = random_.one_of(11);
    std::vector<std::string> bodies;
    bodies.reserve(count);
    Mutation mutation = issue();
    for (std::size_t i = 0; i < count; ++i) {
      last_ += 300;
      GithubIssueCommentMutation& comment = mutation.github_issue->comment.emplace_back();
      bodies.push_back(world_.text(random_, random_.between(40, 1039)));
      comment.id = next_id_++;
      comment.user = user();
      comment.body = bodies.back();
      comment.created = comment.updated = at(last_);
      ++log_.counts.comments;
      if (random_.one_in(3)) add_event(random_.one_in(2) ? "mentioned" : "subscribed");
      if (i + 1 < count && !random_.one_in(5)) continue;
      mutation.github_issue->updated = at(last_);
      mutation.github_issue->comment_status.emplace().server_date = at(last_ + 60);
      log_.write(mutation);
      mutation = issue();
    }
  }

  void close() {
    last_ += 600;
    Mutation mutation = issue();
    auto& issue = *mutation.github_issue;
    issue.closed.emplace().val = true;
    issue.closed_at = issue.updated = at(last_);
    log_.write(mutation);
    GithubCommit commit;
    commit.owner = "golang";
    commit.repo = "go";
    commit.commit_id = kept(random_.hex(40));
    add_event("closed").commit = commit;
    if (random_.one_in(4)) add_event("referenced").commit = commit;
    ++log_.counts.closed;
  }

  void write_events() {
    Mutation mutation = issue();
    mutation.github_issue->event = events_;
    mutation.github_issue->event_status.emplace().server_date = at(last_ + 120);
    log_.write(mutation);
    log_.counts.events += events_.size();
  }

  GithubIssueEvent& add_event(std::string_view type) {
    GithubIssueEvent& event = events_.emplace_back();
    event.id = next_id_++;
    event.event_type = type;
    event.actor_id = type == "labeled" || type == "milestoned" ? author_.id : user().id;
    event.created = at(last_);
    return event;
  }

  GithubUser user() {
    const std::size_t number = random_.small_of(world_.logins.size());
    const auto id = static_cast<std::int64_t>(1000 + number);
    log_.counts.users.insert(id);
    return {.id = id, .login = world_.logins[number], .unknown = {}};
  }

  GithubLabel label(int number) const {
    return {.id = 10'000 + number, .name = labels_[static_cast<std::size_t>(number)], .unknown = {}};
  }
  static std::int64_t milestone_id(int number) { return 20'000 + number; }

  /// Lives as long as this issue is written.
  std::string_view kept(std::string text) { return *names_.insert(std::move(text)).first; }

  const World& world_;
  Log& log_;
  Random random_, rare_;
  std::vector<std::string> labels_, milestones_;
  std::int64_t number_ = 0, begin_ = 0, last_ = 0, next_id_ = 1'000'000;
  GithubUser author_;
  std::vector<GithubIssueEvent> events_;
  std::set<std::string> names_;
};

void print(const Counts& counts) {
  const std::vector<std::pair<const char*, std::uint64_t>> rows = {
      {"records", counts.records},
      {"bytes", counts.bytes},
      {"git commits", counts.commits},
      {"git people", counts.people.size()},
      {"issues", counts.issues},
      {"not existing", counts.not_existing},
      {"comments", counts.comments},
      {"events", counts.events},
      {"reviews", counts.reviews},
      {"pull requests", counts.pull_requests},
      {"closed", counts.closed},
      {"labels on issues", counts.labels},
      {"users", counts.users.size()},
      {"changes", counts.changes},
      {"merged", counts.merged},
      {"abandoned", counts.abandoned},
      {"new", counts.changes - counts.merged - counts.abandoned},
      {"metas", counts.metas},
      {"messages", counts.messages},
      {"commits in projects", counts.project_commits},
  };
  for (const auto& [name, count] : rows) std::printf("%-20s %12llu\n", name, static_cast<unsigned long long>(count));
}

}  // namespace

int main(int argc, char** argv) {
  const int steps = argc == 3 ? std::atoi(argv[2]) : argc == 2 ? 100'000 : 0;
  if (steps <= 0) {
    std::fprintf(stderr, "usage: maintner_log DIRECTORY [STEPS]\n");
    return 2;
  }
  try {
    const World world;
    Log log(argv[1]);
    History history(world, log);
    Changes changes(world, log);
    Issues issues(world, log);
    for (int step = 0; step < steps; ++step) {
      if (step % kStepsPerFile == 0) log.begin_file(step / kStepsPerFile);
      if (step == 0) issues.write_repository();
      const std::int64_t now = kBegin + step * kStepSeconds;
      history.step(now);
      changes.step(step, now, issues.count());
      issues.step(step, now);
    }
    print(log.counts);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "maintner_log: %s\n", error.what());
    return 1;
  }
}
