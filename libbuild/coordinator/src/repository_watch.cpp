// How it works: `dirty_` says that a look is due; a change of the refs and the poll alarm set it. One look
// fetches, then compares each watched branch's head with the newest commit that the store knows.

#include <build/coordinator/repository_watch.h>

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <stdexcept>

namespace build::coordinator {

namespace {
constexpr io::Duration kFetchLimit = std::chrono::minutes{10};
constexpr io::Duration kRetry = std::chrono::seconds{10};  ///< after a look that failed; or sooner, by configuration
constexpr std::size_t kMaxNewCommits = 100;  ///< of one branch at one look; a longer gap starts at its newest ones
}  // namespace

RepositoryWatch::RepositoryWatch(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, base::Logger& log,
                                 config::RepositoryConfig config, git::Location location,
                                 std::filesystem::path mirror_directory, const store::Store& store, FarmLoop& farm)
    : executor_(executor),
      clock_(clock),
      pool_(pool),
      log_(log),
      config_(std::move(config)),
      mirror_(executor, clock, config_.name, std::move(location), std::move(mirror_directory)),
      store_(store),
      farm_(farm),
      looking_(executor),
      wake_(executor),
      gate_(executor) {}

void RepositoryWatch::stop() {
  stopping_ = true;
  if (watch_) watch_->close();
  looking_.stop();
  wake_.notify_all();
}

io::Task<> RepositoryWatch::run() {
  io::spawn(executor_, watch_refs(), [this](std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      log_.warning("the refs of a repository cannot be watched; it is polled instead",
                   {{"repository", config_.name.value}, {"why", e.what()}});
    }
  });
  while (!stopping_) {
    dirty_ = false;
    std::optional<std::string> trouble;
    try {
      io::Task<> task = look();
      co_await looking_.run(std::move(task));
      seen_ = true;
    } catch (const std::runtime_error& error) {
      trouble = error.what();
    }
    if (stopping_) break;
    if (trouble && trouble != trouble_)
      log_.warning("a repository cannot be read", {{"repository", config_.name.value}, {"why", *trouble}});
    if (!trouble && trouble_) log_.info("a repository can be read again", {{"repository", config_.name.value}});
    trouble_ = trouble;
    farm_.changed().notify_all();
    const io::Duration pause = trouble ? std::min<io::Duration>(config_.poll_interval, kRetry) : config_.poll_interval;
    const io::Alarm poll = clock_.call_after(executor_, pause, [this] {
      dirty_ = true;
      wake_.notify_all();
    });
    while (!dirty_ && !stopping_) co_await wake_.wait();
  }
  co_await gate_.close();
}

io::Task<> RepositoryWatch::watch_refs() {
  if (!mirror_.location().local) co_return;
  const io::Gate::Pass pass = gate_.enter();
  watch_ = std::make_unique<io::DirectoryWatch>(executor_, *mirror_.location().local / "refs");
  while (!stopping_) {
    co_await watch_->changed();
    dirty_ = true;
    wake_.notify_all();
  }
}

io::Task<> RepositoryWatch::look() {
  co_await mirror_.fetch(kFetchLimit);
  const auto present = co_await mirror_.branches();
  const Choice choice = chosen(present);
  for (const auto& branch : choice.branches) {
    if (stopping_) co_return;
    co_await look_at(branch.first, branch.second);
  }
  if (!choice.missing.empty())
    throw std::runtime_error("the repository " + config_.url + " has no branch " + choice.missing);
}

RepositoryWatch::Choice RepositoryWatch::chosen(const git::Heads& present) const {
  Choice choice;
  if (config_.branches.empty()) {
    if (present.empty()) throw std::runtime_error("the repository " + config_.url + " has no branches");
    choice.branches.push_back(present.front());
  }
  for (const model::BranchName& wanted : config_.branches) {
    const auto found = std::find_if(present.begin(), present.end(), [&](const auto& p) { return p.first == wanted; });
    if (found != present.end())
      choice.branches.push_back(*found);
    else
      choice.missing = wanted.value;
  }
  return choice;
}

io::Task<> RepositoryWatch::look_at(model::BranchName branch, model::CommitHash head) {
  const auto ask = [this, &branch] { return store_.head(config_.name, branch); };
  const std::optional<model::BranchCommit> known = co_await pool_.run(ask);
  const bool same = known && known->hash == head;
  if (same && seen_) co_return;
  std::optional<model::CommitHash> after;
  std::size_t limit = static_cast<std::size_t>(config_.first_sight);
  if (same) {
    // The first look with this configuration: it may have builders that the head was not built by.
    limit = 1;
  } else if (known) {
    after = known->hash;
    limit = kMaxNewCommits;
  }
  farm::CommitsSeen seen{.repository = config_.name, .branch = branch, .commits = {}};
  seen.commits = co_await mirror_.commits(head, after, limit);
  if (seen.commits.empty()) co_return;
  if (!same)
    log_.info("new commits", {{"repository", config_.name.value},
                              {"branch", branch.value},
                              {"count", std::to_string(seen.commits.size())},
                              {"head", head.value}});
  co_await farm_.submit(std::move(seen));
}

}  // namespace build::coordinator
