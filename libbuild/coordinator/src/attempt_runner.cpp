// How it works: step 0, "source", is the farm's own; its log holds the coordinator's sentences. Each configured step is
// one run on the worker, and its log is that run's output, byte for byte. What is the commit's fault ends the
// attempt as failed, what is the farm's (a worker or connection that broke) as lost.

#include <build/coordinator/attempt_runner.h>

#include <array>
#include <stdexcept>
#include <utility>
#include <vector>

namespace build::coordinator {

namespace {

using model::AttemptOutcome;

/// Where the tree lies in the worker's work directory.
constexpr const char* kSourceDirectory = "src";
constexpr std::size_t kBufferSize = 64 * 1024;
/// A command that was killed is gone at once, unless the kernel has to wait for a disk.
constexpr io::Duration kQuietLimit = std::chrono::seconds{20}, kQuietPoll = std::chrono::milliseconds{50};
/// A step that prints more is ended: its log would fill the coordinator's disk.
constexpr std::uint64_t kMaxLog = 1024ull * 1024 * 1024;

std::string seconds_text(std::chrono::seconds duration) { return std::to_string(duration.count()) + " s"; }

}  // namespace

model::RunId run_id(model::BuildId build, int attempt, int step) {
  return model::RunId("b" + std::to_string(build.value) + "-a" + std::to_string(attempt) + "-s" + std::to_string(step));
}

AttemptRunner::AttemptRunner(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, FarmLoop& farm,
                             livelog::LogStore& logs, LogTrouble& log_trouble, farm::StartAttempt start,
                             std::shared_ptr<WorkerSession> session, config::RepositoryConfig repository,
                             config::BuilderConfig builder, std::shared_ptr<git::Mirror> mirror)
    : executor_(executor),
      clock_(clock),
      pool_(pool),
      farm_(farm),
      logs_(logs),
      log_trouble_(log_trouble),
      start_(std::move(start)),
      session_(std::move(session)),
      repository_(std::move(repository)),
      builder_(std::move(builder)),
      mirror_(std::move(mirror)),
      sending_(executor) {}

void AttemptRunner::stop() noexcept {
  stopping_ = true;
  killed_ = true;
  if (current_ != nullptr) current_->kill();
  if (log_ != nullptr) log_->stop();
  sending_.stop();
}

// Killing a run gives its connection up; the worker notices a moment later. It is free when it says that nothing is
// under way, or its session is closed. Empty: it is.
io::Task<std::string> AttemptRunner::wait_until_quiet() {
  const io::Instant limit = clock_.now() + kQuietLimit;
  try {
    while (true) {
      const buildlet::WorkerStatus status = co_await session_->worker().status();
      if (status.working == 0) co_return std::string();
      if (clock_.now() >= limit) co_return "a command that was killed would not end";
      co_await clock_.sleep_for(kQuietPoll);
    }
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
}

io::Task<> AttemptRunner::run() {
  Verdict verdict;
  try {
    verdict = co_await run_all();
  } catch (const std::exception& error) {
    verdict = lost(error.what());
  }
  std::string broken_worker = verdict.worker == Verdict::Worker::broken ? verdict.why : std::string();
  if (killed_ && broken_worker.empty()) broken_worker = co_await wait_until_quiet();
  if (!broken_worker.empty() && verdict.outcome == AttemptOutcome::lost) {
    // The end of its session is what the farm hears: so the next attempt does not go to it again.
    session_->close(broken_worker);
    co_return;
  }
  if (!broken_worker.empty()) farm_.post(farm::SessionDraining{.session = start_.attempt.session});
  farm_.post(farm::AttemptEnded{.build = start_.build.id,
                                .attempt = start_.attempt.number,
                                .lease = start_.attempt.lease,
                                .outcome = verdict.outcome,
                                .why = verdict.why});
  if (!broken_worker.empty()) session_->close(broken_worker);
}

io::Task<AttemptRunner::Verdict> AttemptRunner::run_all() {
  Verdict verdict = co_await send_source();
  int index = 1;
  for (const config::StepConfig& step : repository_.steps) {
    if (verdict.outcome != AttemptOutcome::ok) break;
    if (stopping_) co_return lost("it was stopped");
    verdict = co_await run_step(index, step);
    ++index;
  }
  co_return verdict;
}

model::Step AttemptRunner::begin_step(int index, const std::string& name, const std::string& command) {
  model::Step step{.build = start_.build.id,
                   .attempt = start_.attempt.number,
                   .index = index,
                   .name = name,
                   .command = command,
                   .run = run_id(start_.build.id, start_.attempt.number, index),
                   .started = clock_.wall_now(),
                   .ended = std::nullopt,
                   .outcome = AttemptOutcome::running,
                   .status = {}};
  farm_.post(farm::StepChanged{.step = step});
  return step;
}

void AttemptRunner::end_step(model::Step step, const Verdict& verdict) {
  step.ended = clock_.wall_now();
  step.outcome = verdict.outcome;
  step.status = verdict.outcome == AttemptOutcome::ok ? "ok" : verdict.why;
  if (verdict.outcome == AttemptOutcome::lost && step.index > 0)
    step.status = "the rest of its output was lost: " + verdict.why;
  farm_.post(farm::StepChanged{.step = std::move(step)});
}

io::Task<AttemptRunner::Verdict> AttemptRunner::send_source() {
  const model::Step step = begin_step(0, "source", "");
  StepLog log(executor_, clock_, logs_, log_trouble_);
  const Current current(*this, log);
  co_await log.open(step.run);
  Verdict verdict;
  try {
    io::Task<> task = send_tree(log, verdict);
    co_await sending_.run(std::move(task));
  } catch (const buildlet::WorkerError& error) {
    verdict = broken(error.what());
  } catch (const std::exception& error) {
    verdict = lost(error.what());
  }
  std::string last = verdict.outcome == AttemptOutcome::ok ? std::string("The source is there.") : verdict.why;
  co_await log.append_line(std::move(last));
  co_await log.finish();
  end_step(step, verdict);
  co_return verdict;
}

io::Task<> AttemptRunner::send_tree(StepLog& log, Verdict& verdict) {
  const model::Build& build = start_.build;
  std::string line = "Commit " + build.commit.value + " of " + build.repository.value + " for " + build.builder.value +
                     " on " + session_->record().hostname + ", attempt " + std::to_string(start_.attempt.number) + ".";
  co_await log.append_line(std::move(line));
  const std::vector<std::string> gaps = co_await mirror_->gaps(build.commit);
  for (const std::string& gap : gaps) co_await log.append_line("Note: " + gap);
  const std::vector<std::string> everything{"."};
  co_await session_->worker().remove_all(everything);
  const std::unique_ptr<git::Archive> archive = mirror_->archive(build.commit, pool_);
  std::uint64_t bytes = 0;
  const buildlet::BodySource source = [&](io::asio::mutable_buffer into) -> io::Task<std::size_t> {
    if (stopping_) throw std::runtime_error("it was stopped");
    const std::size_t count = co_await archive->read(into);
    bytes += count;
    co_return count;
  };
  try {
    co_await session_->worker().write_tgz(kSourceDirectory, source);
  } catch (const buildlet::WorkerError& error) {
    // A worker that understood and said no would say it again: it is about the tree, not about the worker.
    const std::string why = std::string("the source could not be unpacked: ") + error.what();
    verdict = error.workers_fault() ? broken(why) : failed(why);
    co_return;
  } catch (const git::GitError&) {
    killed_ = true;  // the worker has a piece of the tree, and finds out by and by that no more comes
    throw;
  }
  co_await log.append_line(std::to_string(bytes) + " bytes (tar.gz) sent.");
}

buildlet::RunSpec AttemptRunner::spec_for(const config::StepConfig& step) const {
  const model::Build& build = start_.build;
  buildlet::RunSpec spec;
  spec.cmd = "/bin/sh";
  spec.args = {"-c", step.command};
  spec.dir = kSourceDirectory;
  spec.level = buildlet::RunSpec::Level::system;
  for (const auto& [name, value] : builder_.environment) spec.env.push_back(name + "=" + value);
  const std::vector<std::pair<const char*, std::string>> ours{
      {"XBUILD_ATTEMPT", std::to_string(start_.attempt.number)},
      {"XBUILD_BRANCH", build.branch.value},
      {"XBUILD_BUILD", std::to_string(build.id.value)},
      {"XBUILD_BUILDER", build.builder.value},
      {"XBUILD_COMMIT", build.commit.value},
      {"XBUILD_HOST_TYPE", build.host_type.value},
      {"XBUILD_REPOSITORY", build.repository.value},
      {"XBUILD_STEP", step.name},
  };
  for (const auto& [name, value] : ours) spec.env.push_back(std::string(name) + "=" + value);
  return spec;
}

io::Task<AttemptRunner::Verdict> AttemptRunner::run_step(int index, const config::StepConfig& config) {
  const model::Step step = begin_step(index, config.name, config.command);
  StepLog log(executor_, clock_, logs_, log_trouble_);
  const Current current(*this, log);
  co_await log.open(step.run);
  buildlet::RunSpec spec = spec_for(config);
  const std::unique_ptr<buildlet::Run> run = session_->worker().start(step.run, std::move(spec));
  current_ = run.get();
  Verdict verdict;
  try {
    verdict = co_await follow(*run, log, config);
  } catch (const std::exception& error) {
    verdict = lost(error.what());
  }
  current_ = nullptr;
  // Finished is a log that was seen to its end.
  if (verdict.outcome != AttemptOutcome::lost) co_await log.finish();
  end_step(step, verdict);
  if (verdict.outcome == AttemptOutcome::failed) verdict.why = "step \"" + config.name + "\": " + verdict.why;
  co_return verdict;
}

io::Task<AttemptRunner::Verdict> AttemptRunner::follow(buildlet::Run& run, StepLog& log,
                                                       const config::StepConfig& step) {
  const io::Deadline limit(clock_, executor_, step.time_limit, [this, &run] {
    killed_ = true;
    run.kill();
  });
  bool too_long = false;
  std::vector<char> buffer(kBufferSize);
  for (std::uint64_t offset = 0;;) {
    const io::asio::mutable_buffer into(buffer.data(), buffer.size());
    const std::size_t count = (co_await run.follow(offset, into)).size;
    if (count == 0) break;
    if (offset + count > kMaxLog) {
      too_long = true;
      killed_ = true;
      run.kill();
      break;
    }
    co_await log.append(offset, std::string_view(buffer.data(), count));
    offset += count;
  }
  buildlet::RunResult result = co_await run.result();
  if (result.outcome == buildlet::RunOutcome::succeeded) co_return Verdict{};
  if (limit.expired()) co_return failed("the time limit of " + seconds_text(step.time_limit) + " was exceeded");
  if (too_long) co_return failed("it printed more than " + std::to_string(kMaxLog) + " bytes");
  if (stopping_) co_return lost("it was stopped");
  if (result.outcome == buildlet::RunOutcome::lost) co_return broken(std::move(result.text));
  if (result.outcome == buildlet::RunOutcome::could_not_run) result.text = "it could not be run: " + result.text;
  co_return failed(std::move(result.text));
}

}  // namespace build::coordinator
