// How it works: step 0, "source", is the farm's own; its log holds the coordinator's sentences. Each configured step is
// one run on the worker, and its log is that run's output, byte for byte. What is the commit's fault ends the
// attempt as failed, what is the farm's (a worker or connection that broke) as lost.

#include <build/coordinator/attempt_runner.h>

#include <algorithm>
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
                             livelog::LogStore& logs, LogTrouble& log_trouble, AttemptWork work,
                             std::shared_ptr<WorkerSession> session, config::RepositoryConfig repository,
                             config::BuilderConfig builder, std::shared_ptr<git::Mirror> mirror)
    : executor_(executor),
      clock_(clock),
      pool_(pool),
      farm_(farm),
      logs_(logs),
      log_trouble_(log_trouble),
      work_(std::move(work)),
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

void AttemptRunner::let_go() noexcept {
  if (!work_.attempt.resumable) return stop();
  letting_go_ = true;
  if (current_ != nullptr) current_->let_go();
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
  session_->watch_closely();
  if (work_.attempt.resumable) session_->on_end([this] { let_go(); });
  co_await run_to_end();
  session_->on_end({});
}

io::Task<> AttemptRunner::run_to_end() {
  Verdict verdict;
  try {
    verdict = co_await run_all();
  } catch (const std::exception& error) {
    verdict = lost(error.what());
  }
  const bool resumable = work_.attempt.resumable;
  if (resumable && !letting_go_ && killed_ && verdict.worker != Verdict::Worker::away) {
    try {
      co_await end_lease();
    } catch (const buildlet::WorkerError& error) {
      verdict = verdict_of(error, "what ran there could not be ended");
    }
  }
  if (letting_go_) co_return;
  if (verdict.worker == Verdict::Worker::away) {
    session_->close(verdict.why);
    co_return;
  }
  std::string broken_worker = verdict.worker == Verdict::Worker::broken ? verdict.why : std::string();
  if (!resumable && killed_ && broken_worker.empty()) broken_worker = co_await wait_until_quiet();
  if (!resumable && !broken_worker.empty() && verdict.outcome == AttemptOutcome::lost) {
    // The end of its session is what the farm hears: so the next attempt does not go to it again.
    session_->close(broken_worker);
    co_return;
  }
  session_->use_lease(0);
  if (!broken_worker.empty()) farm_.post(farm::SessionDraining{.session = work_.attempt.session});
  farm_.post(farm::AttemptEnded{.build = work_.build.id,
                                .attempt = work_.attempt.number,
                                .lease = work_.attempt.lease,
                                .outcome = verdict.outcome,
                                .why = verdict.why});
  if (!broken_worker.empty()) {
    session_->close(broken_worker);
  } else if (resumable && !killed_) {
    try {
      co_await end_lease();
    } catch (const buildlet::WorkerError&) {
      // The next lease, or this one's time, ends it.
    }
  }
}

AttemptRunner::Verdict AttemptRunner::verdict_of(const buildlet::WorkerError& error, const std::string& what) const {
  const std::string why = what + ": " + error.what();
  if (error.status == 0 && work_.attempt.resumable) return away(why);
  return error.workers_fault() ? broken(why) : failed(why);
}

io::Task<> AttemptRunner::end_lease() {
  session_->use_lease(0);
  co_await session_->worker().end_lease(work_.attempt.lease.value);
}

const model::Step* AttemptRunner::known_step(int index) const {
  const auto found = std::find_if(work_.steps.begin(), work_.steps.end(),
                                  [index](const model::Step& step) { return step.index == index; });
  return found == work_.steps.end() ? nullptr : &*found;
}

io::Task<AttemptRunner::Verdict> AttemptRunner::take_lease() {
  // Before the source is there, nothing is that could not be begun anew.
  const model::Step* const source = known_step(0);
  const bool resume = work_.resumed && source != nullptr && source->outcome == AttemptOutcome::ok;
  const std::uint64_t number = work_.attempt.lease.value;
  try {
    co_await session_->worker().take_lease(number, work_.lease, resume);
  } catch (const buildlet::WorkerError& error) {
    constexpr int kConflict = 409;
    if (error.status == kConflict) co_return lost(std::string("its worker holds nothing of it: ") + error.what());
    co_return verdict_of(error, "the worker could not be taken");
  }
  session_->use_lease(number);
  co_return Verdict{};
}

io::Task<AttemptRunner::Verdict> AttemptRunner::run_all() {
  Verdict verdict;
  if (work_.attempt.resumable) verdict = co_await take_lease();
  if (verdict.outcome != AttemptOutcome::ok) co_return verdict;
  const model::Step* const source = known_step(0);
  if (source == nullptr || source->outcome != AttemptOutcome::ok) verdict = co_await send_source();
  int index = 1;
  for (const config::StepConfig& step : repository_.steps) {
    if (verdict.outcome != AttemptOutcome::ok) break;
    if (stopping_ || letting_go_) co_return lost("it was stopped");
    const model::Step* const known = known_step(index);
    if (known != nullptr)
      verdict = co_await resume_step(*known, step);
    else
      verdict = co_await run_step(index, step);
    ++index;
  }
  co_return verdict;
}

model::Step AttemptRunner::begin_step(int index, const std::string& name, const std::string& command) {
  model::Step step{.build = work_.build.id,
                   .attempt = work_.attempt.number,
                   .index = index,
                   .name = name,
                   .command = command,
                   .run = run_id(work_.build.id, work_.attempt.number, index),
                   .started = clock_.wall_now(),
                   .ended = std::nullopt,
                   .outcome = AttemptOutcome::running,
                   .status = {}};
  farm_.post(farm::StepChanged{.step = step});
  return step;
}

void AttemptRunner::end_step(model::Step step, const Verdict& verdict) {
  if (letting_go_ || verdict.worker == Verdict::Worker::away) return;  // it goes on
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
    verdict = verdict_of(error, "the source could not be sent");
    if (verdict.outcome == AttemptOutcome::failed) verdict = broken(verdict.why);
  } catch (const std::exception& error) {
    verdict = lost(error.what());
  }
  if (letting_go_ || verdict.worker == Verdict::Worker::away) co_return verdict;
  std::string last = verdict.outcome == AttemptOutcome::ok ? std::string("The source is there.") : verdict.why;
  co_await log.append_line(std::move(last));
  co_await log.finish();
  end_step(step, verdict);
  co_return verdict;
}

io::Task<> AttemptRunner::send_tree(StepLog& log, Verdict& verdict) {
  const model::Build& build = work_.build;
  std::string line = "Commit " + build.commit.value + " of " + build.repository.value + " for " + build.builder.value +
                     " on " + session_->record().hostname + ", attempt " + std::to_string(work_.attempt.number) + ".";
  co_await log.append_line(std::move(line));
  const std::vector<std::string> gaps = co_await mirror_->gaps(build.commit);
  for (const std::string& gap : gaps) co_await log.append_line("Note: " + gap);
  const std::vector<std::string> everything{"."};
  co_await session_->worker().remove_all(everything);
  const std::unique_ptr<git::Archive> archive = mirror_->archive(build.commit, pool_);
  std::uint64_t bytes = 0;
  const buildlet::BodySource source = [&](io::asio::mutable_buffer into) -> io::Task<std::size_t> {
    if (stopping_ || letting_go_) throw std::runtime_error("it was stopped");
    const std::size_t count = co_await archive->read(into);
    bytes += count;
    co_return count;
  };
  try {
    co_await session_->worker().put_tgz(kSourceDirectory, source);
  } catch (const buildlet::WorkerError& error) {
    // A worker that understood and said no would say it again: it is about the tree, not about the worker.
    const std::string why = std::string("the source could not be unpacked: ") + error.what();
    verdict = error.status == 0 && work_.attempt.resumable ? away(why)
              : error.workers_fault()                      ? broken(why)
                                                           : failed(why);
    co_return;
  } catch (const git::GitError&) {
    killed_ = true;  // the worker has a piece of the tree, and finds out by and by that no more comes
    throw;
  }
  co_await log.append_line(std::to_string(bytes) + " bytes (tar.gz) sent.");
}

buildlet::RunSpec AttemptRunner::spec_for(const config::StepConfig& step) const {
  const model::Build& build = work_.build;
  buildlet::RunSpec spec;
  spec.cmd = "/bin/sh";
  spec.args = {"-c", step.command};
  spec.dir = kSourceDirectory;
  spec.level = buildlet::RunSpec::Level::system;
  for (const auto& [name, value] : builder_.environment) spec.env.push_back(name + "=" + value);
  const std::vector<std::pair<const char*, std::string>> ours{
      {"XBUILD_ATTEMPT", std::to_string(work_.attempt.number)},
      {"XBUILD_BRANCH", build.branch.value},
      {"XBUILD_BUILD", std::to_string(build.id.value)},
      {"XBUILD_BUILDER", build.builder.value},
      {"XBUILD_COMMIT", build.commit.value},
      {"XBUILD_HOST_TYPE", build.host_type.value},
      {"XBUILD_REPOSITORY", build.repository.value},
      {"XBUILD_STEP", step.name},
  };
  for (const auto& [name, value] : ours) spec.env.push_back(std::string(name) + "=" + value);
  spec.sandbox = builder_.sandbox;
  spec.time_limit = step.time_limit;
  spec.output_cap = kMaxLog;
  return spec;
}

io::Task<AttemptRunner::Verdict> AttemptRunner::run_step(int index, const config::StepConfig& config) {
  const model::Step step = begin_step(index, config.name, config.command);
  co_return co_await run_command(step, config);
}

io::Task<AttemptRunner::Verdict> AttemptRunner::resume_step(const model::Step& known, const config::StepConfig& step) {
  if (known.name != step.name || known.command != step.command)
    co_return lost("its steps were configured anew while its worker was away");
  if (known.outcome == AttemptOutcome::ok) co_return Verdict{};
  if (known.outcome == AttemptOutcome::failed) co_return failed("step \"" + known.name + "\": " + known.status);
  if (known.outcome == AttemptOutcome::running) co_return co_await run_command(known, step);
  co_return lost("step \"" + known.name + "\": " + known.status);
}

io::Task<AttemptRunner::Verdict> AttemptRunner::run_command(const model::Step& step, const config::StepConfig& config) {
  StepLog log(executor_, clock_, logs_, log_trouble_);
  const Current current(*this, log);
  const auto written = co_await logs_.info(step.run);
  const bool complete = written && written->complete;  // then only the result was not told any more
  if (!complete) co_await log.open(step.run);
  buildlet::RunSpec spec = spec_for(config);
  const std::unique_ptr<buildlet::Run> run = session_->worker().start(step.run, std::move(spec));
  current_ = run.get();
  Verdict verdict;
  try {
    if (complete)
      verdict = verdict_of(co_await run->result());
    else
      verdict = co_await follow(*run, log, config);
  } catch (const std::exception& error) {
    verdict = lost(error.what());
  }
  current_ = nullptr;
  // Finished is a log that was seen to its end.
  if (!complete && verdict.outcome != AttemptOutcome::lost) co_await log.finish();
  end_step(step, verdict);
  if (verdict.outcome == AttemptOutcome::failed) verdict.why = "step \"" + config.name + "\": " + verdict.why;
  co_return verdict;
}

io::Task<AttemptRunner::Verdict> AttemptRunner::follow(buildlet::Run& run, StepLog& log,
                                                       const config::StepConfig& step) {
  // A worker that keeps its runs keeps this limit itself.
  io::Deadline limit(clock_, executor_, step.time_limit, [this, &run] {
    killed_ = true;
    run.kill();
  });
  if (work_.attempt.resumable) limit.disarm();
  bool too_long = false;
  std::uint64_t left_out = 0;
  std::vector<char> buffer(kBufferSize);
  for (std::uint64_t offset = log.size();;) {
    const io::asio::mutable_buffer into(buffer.data(), buffer.size());
    const buildlet::RunOutput piece = co_await run.follow(offset, into);
    if (piece.size == 0) break;
    too_long = piece.offset + piece.size > kMaxLog;
    left_out = piece.offset - offset;
    if (too_long || left_out > 0) {
      killed_ = true;
      run.kill();
      break;
    }
    co_await log.append(offset, std::string_view(buffer.data(), piece.size));
    offset += piece.size;
  }
  buildlet::RunResult result = co_await run.result();
  if (result.outcome == buildlet::RunOutcome::succeeded) co_return Verdict{};
  if (limit.expired()) co_return failed("the time limit of " + seconds_text(step.time_limit) + " was exceeded");
  if (too_long) co_return failed("it printed more than " + std::to_string(kMaxLog) + " bytes");
  if (left_out > 0)
    co_return broken("the worker, which lacks room, did not keep " + std::to_string(left_out) + " bytes of its output");
  co_return verdict_of(std::move(result));
}

AttemptRunner::Verdict AttemptRunner::verdict_of(buildlet::RunResult result) const {
  using buildlet::RunOutcome;
  if (result.outcome == RunOutcome::succeeded) return {};
  if (stopping_) return lost("it was stopped");
  if (result.out_of_reach && work_.attempt.resumable) return away(std::move(result.text));
  if (result.outcome == RunOutcome::lost) return broken(std::move(result.text));
  if (!result.killed.empty()) return failed(std::move(result.killed));
  if (result.outcome == RunOutcome::could_not_run) result.text = "it could not be run: " + result.text;
  return failed(std::move(result.text));
}

}  // namespace build::coordinator
