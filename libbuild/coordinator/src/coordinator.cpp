#include <build/base/file.h>
#include <build/coordinator/coordinator.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace build::coordinator {

namespace {

/// How long a worker has to stop what was cancelled; then its session is closed.
constexpr io::Duration kStopLimit = std::chrono::seconds{30};

constexpr std::chrono::seconds kRetryPause{5};

/// Of a worker that has gone nothing is believed to run any more when its lease has been over for so long: it kills
/// what runs when that is so, and that takes a moment.
constexpr std::chrono::seconds kLeaseMargin{2};

farm::Rules rules_of(const config::FarmConfig& config) {
  farm::Rules rules;
  rules.max_attempts = config.max_attempts;
  rules.retry_pause = kRetryPause;
  rules.lease = config.lease + kLeaseMargin;
  for (const auto& builder : config.builders)
    rules.builders.push_back({.name = builder.name, .host_type = builder.host_type});
  for (const auto& repository : config.repositories)
    rules.repositories.push_back({.name = repository.name, .builders = repository.builders});
  return rules;
}

template <typename Items, typename Name>
const typename Items::value_type* find_named(const Items& items, const Name& name) {
  const auto found = std::find_if(items.begin(), items.end(), [&](const auto& item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

}  // namespace

Coordinator::Coordinator(Seams seams, config::FarmConfig config, WorkerTrust trust, store::Store& store,
                         livelog::LogStore& logs)
    : seams_(std::move(seams)),
      config_(std::move(config)),
      dev_key_allowed_(trust.allow_dev_key),
      store_(store),
      logs_(logs),
      epoch_(store.begin_epoch()),
      loop_(seams_.executor, seams_.clock, seams_.pool, seams_.log, store, epoch_,
            farm::Farm(rules_of(config_), store.load_open()), [this](const farm::Action& action) { act(action); }),
      hub_(seams_.executor, seams_.clock, seams_.random, seams_.log, std::move(trust), loop_),
      retention_(seams_.executor, seams_.clock, seams_.pool, seams_.log, store, epoch_, logs, config_.retention),
      gate_(seams_.executor) {
  base::ensure_private_directory(config_.state_dir / "mirrors");
  for (const config::RepositoryConfig& repository : config_.repositories) watches_.push_back(make_watch(repository));
}

Coordinator::~Coordinator() = default;

io::Task<> Coordinator::run() {
  const io::Gate::Pass pass = gate_.enter();
  started_ = true;
  for (const auto& watch : watches_) start_watch(watch, nullptr);
  io::spawn(seams_.executor, run_retention(), [this](std::exception_ptr error) { log_failure(error); });
  co_await loop_.run();
}

io::Task<> Coordinator::run_retention() {
  const io::Gate::Pass pass = gate_.enter();
  co_await retention_.run();
}

std::shared_ptr<RepositoryWatch> Coordinator::make_watch(const config::RepositoryConfig& repository) {
  return std::make_shared<RepositoryWatch>(
      seams_.executor, seams_.clock, seams_.pool, seams_.log, repository, git::Location::parse(repository.url),
      config_.state_dir / "mirrors" / (repository.name.value + ".git"), store_, loop_);
}

void Coordinator::start_watch(std::shared_ptr<RepositoryWatch> watch, std::shared_ptr<RepositoryWatch> before) {
  io::spawn(seams_.executor, run_watch(std::move(watch), std::move(before)),
            [this](std::exception_ptr error) { log_failure(error); });
}

// `before` watched the same mirror with another configuration: two would write to it at once.
io::Task<> Coordinator::run_watch(std::shared_ptr<RepositoryWatch> watch, std::shared_ptr<RepositoryWatch> before) {
  const io::Gate::Pass pass = gate_.enter();
  while (!stopping_ && running_watches_.contains(before.get())) co_await loop_.changed().wait();
  before.reset();
  struct Entry {
    std::set<const RepositoryWatch*>& set;
    const RepositoryWatch* watch;
    io::Event& changed;
    ~Entry() {
      set.erase(watch);
      changed.notify_all();
    }
  };
  running_watches_.insert(watch.get());
  const Entry entry{running_watches_, watch.get(), loop_.changed()};
  co_await watch->run();
}

void Coordinator::log_failure(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    if (!stopping_) seams_.log.error("a task of the coordinator failed", {{"why", e.what()}});
  }
}

io::Task<> Coordinator::stop() {
  stopping_ = true;
  for (const auto& watch : watches_) watch->stop();
  retention_.stop();
  for (const auto& [key, running] : attempts_) running.runner->let_go();
  co_await hub_.stop();
  loop_.stop();
  co_await gate_.close();
}

bool Coordinator::idle() const {
  const bool read = std::all_of(watches_.begin(), watches_.end(),
                                [](const auto& watch) { return watch->seen() || watch->trouble(); });
  return read && loop_.settled() && loop_.farm().idle() && attempts_.empty();
}

io::Task<> Coordinator::until_idle() {
  while (!stopping_ && !idle()) co_await loop_.changed().wait();
}

void Coordinator::act(const farm::Action& action) {
  if (const auto* start = std::get_if<farm::StartAttempt>(&action)) {
    start_attempt(*start);
  } else if (const auto* again = std::get_if<farm::ResumeAttempt>(&action)) {
    resume(*again);
  } else if (const auto* stop = std::get_if<farm::StopAttempt>(&action)) {
    stop_attempt(*stop);
  } else if (const auto* close = std::get_if<farm::CloseSession>(&action)) {
    hub_.close(close->session, close->why);
  }
}

void Coordinator::stop_attempt(const farm::StopAttempt& stop) {
  const auto found = attempts_.find({stop.build, stop.attempt});
  if (found == attempts_.end()) {
    io::spawn(seams_.executor, end_stray(stop), [this](std::exception_ptr error) { log_failure(error); });
    return;
  }
  found->second.runner->stop();
  found->second.stop_limit = seams_.clock.call_after(seams_.executor, kStopLimit, [this, session = stop.session] {
    hub_.close(session, "it did not stop a cancelled build within " +
                            std::to_string(std::chrono::duration_cast<std::chrono::seconds>(kStopLimit).count()) +
                            " s");
  });
}

/// What an earlier coordinator, or session, left running of a build that was cancelled meanwhile.
io::Task<> Coordinator::end_stray(farm::StopAttempt stop) {
  const io::Gate::Pass pass = gate_.enter();
  const auto session = hub_.find(stop.session);
  if (!session) co_return;        // it is away again: the farm waits on
  constexpr int kConflict = 409;  // it knows nothing of it
  std::string trouble;
  try {
    co_await session->worker().end_lease(stop.lease.value);
  } catch (const buildlet::WorkerError& error) {
    if (error.status != kConflict) trouble = error.what();
  }
  if (trouble.empty())
    report_lost(stop.build, stop.attempt, stop.lease, "it was cancelled");
  else
    session->close(trouble);
}

void Coordinator::resume(const farm::ResumeAttempt& again) {
  io::spawn(seams_.executor, resume_attempt(again), [this](std::exception_ptr error) { log_failure(error); });
}

io::Task<> Coordinator::resume_attempt(farm::ResumeAttempt again) {
  const io::Gate::Pass pass = gate_.enter();
  // Who followed it in its earlier session lets go of it, and of its log.
  const AttemptKey key{again.build.id, again.attempt.number};
  while (!stopping_ && attempts_.contains(key)) co_await loop_.changed().wait();
  begin_attempt({.build = again.build,
                 .attempt = again.attempt,
                 .resumed = true,
                 .steps = std::move(again.steps),
                 .lease = config_.lease});
}

void Coordinator::report_lost(model::BuildId build, int attempt, model::LeaseNumber lease, std::string why) {
  loop_.post(farm::AttemptEnded{.build = build,
                                .attempt = attempt,
                                .lease = lease,
                                .outcome = model::AttemptOutcome::lost,
                                .why = std::move(why)});
}

void Coordinator::start_attempt(const farm::StartAttempt& start) {
  begin_attempt({.build = start.build, .attempt = start.attempt, .steps = {}, .lease = config_.lease});
}

void Coordinator::begin_attempt(AttemptWork work) {
  if (stopping_) return;
  const auto session = hub_.find(work.attempt.session);
  const auto* repository = find_named(config_.repositories, work.build.repository);
  const auto* builder = find_named(config_.builders, work.build.builder);
  const auto watch = std::find_if(watches_.begin(), watches_.end(),
                                  [&](const auto& w) { return w->config().name == work.build.repository; });
  std::string missing;
  if (!session) {
    if (work.attempt.resumable) return;  // the farm hears of it, or has, and waits
    missing = "the worker's session had ended";
  }
  if (repository == nullptr || builder == nullptr || watch == watches_.end())
    missing = "the repository or the builder is no longer configured";
  if (!missing.empty()) {
    report_lost(work.build.id, work.attempt.number, work.attempt.lease, std::move(missing));
    return;
  }
  seams_.log.info(work.resumed ? "a build goes on" : "a build starts", {{"build", std::to_string(work.build.id.value)},
                                                                        {"commit", work.build.commit.value},
                                                                        {"builder", work.build.builder.value},
                                                                        {"host", session->record().hostname}});
  const AttemptKey key{work.build.id, work.attempt.number};
  const std::shared_ptr<git::Mirror> mirror(*watch, &(*watch)->mirror());
  auto runner = std::make_shared<AttemptRunner>(seams_.executor, seams_.clock, seams_.pool, loop_, logs_, log_trouble_,
                                                std::move(work), session, *repository, *builder, mirror);
  attempts_[key].runner = runner;
  io::spawn(seams_.executor, run_attempt(runner, key), [this](std::exception_ptr error) { log_failure(error); });
}

io::Task<> Coordinator::run_attempt(std::shared_ptr<AttemptRunner> runner, AttemptKey key) {
  const io::Gate::Pass pass = gate_.enter();
  co_await runner->run();
  attempts_.erase(key);
  loop_.changed().notify_all();
}

io::Task<> Coordinator::drain() {
  draining_ = true;
  farm::Event event = farm::Drain{};
  co_await loop_.submit(std::move(event));
  // Workers that keep their runs go on without us.
  while (!stopping_ && (loop_.farm().holds_unresumable() || !loop_.settled())) co_await loop_.changed().wait();
}

std::vector<std::string> Coordinator::reload(config::FarmConfig config) {
  for (const config::RepositoryConfig& repository : config.repositories) git::Location::parse(repository.url);
  std::vector<std::string> later = config::keep_what_needs_a_restart(config_, config);
  config_ = std::move(config);
  retention_.set(config_.retention);
  loop_.post(farm::RulesChanged{.rules = rules_of(config_)});
  const auto watches = std::exchange(watches_, {});
  for (const config::RepositoryConfig& repository : config_.repositories) {
    const auto same = std::find_if(watches.begin(), watches.end(),
                                   [&](const auto& watch) { return watch->config().name == repository.name; });
    const std::shared_ptr<RepositoryWatch> before = same == watches.end() ? nullptr : *same;
    if (before && before->config() == repository) {
      watches_.push_back(before);
      continue;
    }
    watches_.push_back(make_watch(repository));
    if (started_) start_watch(watches_.back(), before);
  }
  for (const auto& watch : watches)
    if (std::find(watches_.begin(), watches_.end(), watch) == watches_.end()) watch->stop();
  reload_trouble_.reset();
  return later;
}

std::vector<std::string> Coordinator::notices() const {
  std::vector<std::string> result;
  if (dev_key_allowed_)
    result.push_back(
        "Workers with the publicly known development key are accepted: anybody who reaches this port can "
        "register as one.");
  if (loop_.store_trouble())
    result.push_back("Nothing is decided at the moment, because the store cannot be written: " +
                     *loop_.store_trouble());
  if (log_trouble_.waiting > 0)
    result.push_back(std::to_string(log_trouble_.waiting) +
                     (log_trouble_.waiting == 1 ? " build stands still, because its log"
                                                : " builds stand still, because their logs") +
                     " cannot be written: " + log_trouble_.why);
  for (std::string& sentence : hub_.notices()) result.push_back(std::move(sentence));
  if (draining_)
    result.push_back("The coordinator is draining: it ends when what runs has ended, and begins nothing new.");
  if (reload_trouble_)
    result.push_back("The changed configuration was not taken over, the farm goes on with the one it had: " +
                     *reload_trouble_);
  for (const auto& watch : watches_)
    if (watch->trouble())
      result.push_back("Repository " + watch->config().name.value + " cannot be read: " + *watch->trouble());
  return result;
}

std::vector<std::string> Coordinator::not_ready() const {
  std::vector<std::string> reasons;
  if (!loop_.started()) reasons.push_back("The coordinator has not begun its work yet.");
  if (loop_.store_trouble()) reasons.push_back("The store cannot be written: " + *loop_.store_trouble());
  if (log_trouble_.waiting > 0) reasons.push_back("Logs cannot be written: " + log_trouble_.why);
  if (draining_ || stopping_) reasons.push_back("The coordinator is about to end.");
  return reasons;
}

bool Coordinator::in_trouble() const {
  return loop_.store_trouble().has_value() || log_trouble_.waiting > 0 ||
         std::any_of(watches_.begin(), watches_.end(), [](const auto& watch) { return watch->trouble().has_value(); });
}

}  // namespace build::coordinator
