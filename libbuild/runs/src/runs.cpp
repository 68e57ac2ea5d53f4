#include <build/runs/runs.h>

#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include "launch.h"
#include "run_files.h"

namespace build::runs {

namespace fs = std::filesystem;

namespace {

base::UniqueFd open_directory(const fs::path& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) throw std::system_error(errno, std::generic_category(), "cannot open " + path.string());
  return fd;
}

constexpr const char* kAway = ".away";

/// A supervisor that an earlier program asked for may be about to begin a run there: it cannot any more.
void discard(const fs::path& path) {
  const std::string name = path.filename();
  fs::path away = path;
  std::error_code ignored;
  if (!name.starts_with(kAway)) {
    away.replace_filename(kAway + name);
    fs::remove_all(away, ignored);
    fs::rename(path, away);
  }
  fs::remove_all(away, ignored);
}

bool is_lack_of_room(const std::string& failure) {
  return failure.find(std::generic_category().message(ENOSPC)) != failure.npos ||
         failure.find(std::generic_category().message(EDQUOT)) != failure.npos;
}

}  // namespace

Runs::Runs(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, const fs::path& state)
    : executor_(executor),
      clock_(clock),
      pool_(pool),
      directory_(state / "runs"),
      launcher_(std::make_unique<Launcher>(executor, clock)),
      gate_(executor) {
  base::ensure_private_directory(directory_);
  opened_ = open_directory(directory_);
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(directory_)) {
    if (entry.path().filename().string().starts_with('.'))
      discard(entry.path());
    else
      found.push_back(entry.path());
  }
  for (const fs::path& path : found) {
    std::shared_ptr<Run> run = take_up(path);
    if (!run) continue;
    runs_.emplace(run->command().id, run);
    listen(run);
    if (run->command().ephemeral) {
      io::spawn(executor_, forget(run, "the worker was restarted"), [](const std::exception_ptr&) {});
    }
  }
}

Runs::~Runs() = default;

/// Nothing if it is no run's: then what is there is deleted.
std::shared_ptr<Run> Runs::take_up(const fs::path& path) {
  try {
    Command command = command_from_json(base::read_file(path / kCommandFile, kMaxCommand));
    auto run = std::make_shared<Run>(executor_, pool_, path.string(), std::move(command));
    run->open_files();
    run->connect();
    return run;
  } catch (const std::exception&) {
    std::error_code ignored;
    fs::remove_all(path, ignored);
    return nullptr;
  }
}

void Runs::listen(const std::shared_ptr<Run>& run) {
  if (!run->supervised()) return;
  const auto task = [](Runs& runs, std::shared_ptr<Run> held) -> io::Task<> {
    const io::Gate::Pass pass = runs.gate_.enter();
    co_await held->listen();
  };
  io::spawn(executor_, task(*this, run), [](const std::exception_ptr&) {});
}

io::Task<> Runs::stop() {
  stopping_ = true;
  for (const std::shared_ptr<Run>& run : all()) run->let_go();
  co_await gate_.close();
}

std::shared_ptr<Run> Runs::find(std::string_view id) const {
  const auto found = runs_.find(id);
  return found == runs_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<Run>> Runs::all() const {
  std::vector<std::shared_ptr<Run>> runs;
  for (const auto& [id, run] : runs_)
    if (run) runs.push_back(run);
  return runs;
}

io::Task<std::shared_ptr<Run>> Runs::start(Command command) {
  const io::Gate::Pass pass = gate_.enter();
  const std::string id = command.id;
  if (const auto there = runs_.find(id); there != runs_.end()) {
    const std::shared_ptr<Run> run = there->second;
    // Nothing: it is being begun at this moment.
    if (run && run->command().request == command.request) co_return run;
    throw RunError(RunError::Kind::taken, "there is a run " + id + " already, of another command");
  }
  const auto place = runs_.emplace(id, nullptr).first;
  std::exception_ptr failed;
  try {
    place->second = co_await begin(std::move(command));
  } catch (const std::exception&) {
    failed = std::current_exception();
  }
  if (failed) {
    runs_.erase(place);
    std::rethrow_exception(failed);
  }
  co_return place->second;
}

io::Task<std::shared_ptr<Run>> Runs::begin(Command command) {
  const std::string id = command.id;
  const fs::path path = directory_ / id;
  const auto run = std::make_shared<Run>(executor_, pool_, path.string(), std::move(command));
  std::string failure;
  try {
    failure = co_await launcher_->launch(opened_, run->command_, run->link_);
    if (failure.empty()) {
      run->open_files();
      listen(run);
      co_return run;
    }
  } catch (const std::system_error& error) {
    failure = error.what();
    run->kill("its output cannot be read");
  }
  auto remove = [&] {
    std::error_code ignored;
    for (const fs::path& left : {directory_ / (kNewRun + id), path}) fs::remove_all(left, ignored);
  };
  auto& job = remove;
  co_await pool_.run(job);
  throw RunError(is_lack_of_room(failure) ? RunError::Kind::no_room : RunError::Kind::failed,
                 "the run could not be begun: " + failure);
}

io::Task<> Runs::forget(std::shared_ptr<Run> run, std::string why) {
  const io::Gate::Pass pass = gate_.enter();
  run->kill(why);
  co_await run->gone();
  if (stopping_) co_return;  // it was let go, and may live
  const auto found = runs_.find(run->command().id);
  if (found == runs_.end() || found->second != run) co_return;  // somebody else was quicker
  runs_.erase(found);
  auto remove = [path = run->path_] {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  };
  auto& job = remove;
  co_await pool_.run(job);
}

void Runs::release(std::shared_ptr<Run> run) {
  const auto task = [](Runs& runs, std::shared_ptr<Run> held) -> io::Task<> {
    const io::Gate::Pass pass = runs.gate_.enter();
    co_await held->gone();
    co_await runs.forget(held, "it is over");
  };
  io::spawn(executor_, task(*this, std::move(run)), [](const std::exception_ptr&) {});
}

io::Task<> Runs::forget_all(std::function<bool(const Run&)> which, std::string why) {
  std::vector<std::shared_ptr<Run>> chosen;
  for (const auto& [id, run] : runs_)
    if (run && which(*run)) chosen.push_back(run);
  for (const auto& run : chosen) run->kill(why);
  for (const auto& run : chosen) co_await forget(run, why);
}

}  // namespace build::runs
