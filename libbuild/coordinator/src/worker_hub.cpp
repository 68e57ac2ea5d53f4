// How it works: run_session() owns a session from the 101 to its end. Beside it runs welcome(), which dials the
// worker, tells the farm about it, and then asks it for its status from time to time (check()). The farm hears of the
// end of exactly those sessions that it was told of.

#include <build/base/builder_key.h>
#include <build/base/ids.h>
#include <build/coordinator/worker_hub.h>
#include <revdial/switch.h>

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace build::coordinator {

namespace {

using io::HttpError;

constexpr int kMinimumVersion = 23;  ///< the first with this form of reverse dialing
constexpr io::Duration kDialLimit = std::chrono::seconds{30};
constexpr io::Duration kIdleCheckPeriod = std::chrono::seconds{60};
constexpr io::Duration kLeasedCheckPeriod = std::chrono::seconds{4};
/// With kLeasedCheckPeriod: a process that stands still while a build runs on it is noticed after 12 s at most.
constexpr int kLeaseOver = 409;
/// To workers that keep their runs: they are to come back soon when a coordinator stands still or cannot be reached,
/// and sooner if something runs on them.
constexpr io::Duration kIdleKeepAlive = std::chrono::seconds{20};
constexpr io::Duration kLeasedKeepAlive = std::chrono::seconds{5};
constexpr io::Duration kAnswerLimit = std::chrono::seconds{8};
constexpr io::Duration kPauseAfterFailedDial = std::chrono::milliseconds{500};
constexpr io::Duration kRefusalShown = std::chrono::minutes{5};
constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxFeatures = 64;

bool is_plain_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

std::vector<std::string> split_features(const std::string& list) {
  std::vector<std::string> features;
  std::string word;
  for (const char c : list + ",") {
    if (c != ',' && c != ' ') {
      word += c;
    } else if (!word.empty()) {
      if (is_plain_name(word) && features.size() < kMaxFeatures) features.push_back(word);
      word.clear();
    }
  }
  return features;
}

/// An id of ours is 32 hexadecimal digits; absent ones are fine, others are not.
std::string checked_id(const io::Fields& fields, std::string_view name) {
  std::string id = fields.get(name);
  if (!id.empty() && !base::is_lower_hex(id, 32)) throw HttpError(400, "malformed " + std::string(name) + " header");
  return id;
}

std::string sentence_of(const revdial::SessionEnd& end) {
  using Cause = revdial::SessionEnd::Cause;
  if (end.cause == Cause::closed_by_peer) return "the worker ended its session";
  if (end.cause == Cause::transport_lost) return "the connection to the worker was lost: " + end.text;
  return end.text;
}

revdial::DialerOptions dialer_options(const model::Session& record, revdial::RandomBytes random) {
  revdial::DialerOptions options{.random = std::move(random)};
  if (!model::keeps_runs(record)) return options;
  options.keep_alive = kIdleKeepAlive;
  options.announce_keep_alive = true;
  return options;
}

buildlet::WorkerLimits probe_limits() {
  buildlet::WorkerLimits limits;
  limits.head = kAnswerLimit;
  limits.keep_connection = true;
  return limits;
}

}  // namespace

WorkerSession::WorkerSession(io::Executor executor, io::Clock& clock, io::StreamPtr control, revdial::Pickups& pickups,
                             revdial::RandomBytes random, model::Session record)
    : record_(std::move(record)),
      dialer_(std::move(control), clock, pickups, dialer_options(record_, std::move(random))),
      worker_(
          clock, [this]() { return dial({.limit = kDialLimit}); }, record_.hostname),
      probe_(
          clock,
          [this]() {
            return dial({kDialLimit, revdial::DialOptions::Source::fresh});
          },
          record_.hostname, probe_limits()),
      wake_(executor),
      gate_(executor) {}

io::Task<io::StreamPtr> WorkerSession::dial(revdial::DialOptions options) {
  if (dialer_.closed()) throw buildlet::WorkerGone("its session is over: " + why_closed_);
  std::string why;
  try {
    revdial::Dialed dialed = co_await dialer_.dial(options);
    co_return std::move(dialed.stream);
  } catch (const std::runtime_error& error) {
    why = error.what();
  }
  throw buildlet::WorkerError(0, "worker " + record_.hostname + " could not be dialed: " + why);
}

void WorkerSession::use_lease(std::uint64_t number) {
  worker_.use_lease(number);
  probe_.use_lease(number);
}

void WorkerSession::close(const std::string& why) {
  if (why_closed_.empty()) why_closed_ = why;
  dialer_.close();
}

WorkerHub::WorkerHub(io::Executor executor, io::Clock& clock, base::RandomSource& random, base::Logger& log,
                     WorkerTrust trust, FarmLoop& farm, std::size_t max_sessions)
    : executor_(executor),
      clock_(clock),
      random_(random),
      log_(log),
      trust_(std::move(trust)),
      farm_(farm),
      max_sessions_(max_sessions),
      gate_(executor) {}

void WorkerHub::add_routes(net::Router& router) {
  router.add("", "/reverse", [this](net::Request& q, net::Response& r) { return serve_reverse(q, r); });
  router.add("", "/revdial", [this](net::Request& q, net::Response& r) { return serve_revdial(q, r); });
}

std::shared_ptr<WorkerSession> WorkerHub::find(const model::SessionId& id) const {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second;
}

void WorkerHub::close(const model::SessionId& id, const std::string& why) {
  if (const auto session = find(id)) session->close(why);
}

io::Task<> WorkerHub::stop() {
  stopping_ = true;
  for (const auto& [id, session] : sessions_) session->close("the coordinator stops");
  co_await gate_.close();
}

void WorkerHub::set_tokens(std::vector<WorkerToken> tokens) {
  trust_.tokens = std::move(tokens);
  for (const auto& [id, session] : sessions_) end_if_revoked(*session);
}

void WorkerHub::end_if_revoked(WorkerSession& session) const {
  const std::string& sha256 = session.token_sha256_;
  const bool good = sha256.empty() || std::any_of(trust_.tokens.begin(), trust_.tokens.end(),
                                                  [&](const WorkerToken& token) { return token.sha256 == sha256; });
  if (!good) session.close("the worker's token was revoked");
}

/// By a token the worker has a name that is its own; whatever id it brings, it takes nobody else's place.
WorkerHub::Accepted WorkerHub::check_secret(const std::string& secret, model::Session record) const {
  if (const WorkerToken* token = find_worker_token(trust_.tokens, secret)) {
    if (!token->host_type.empty() && token->host_type != record.host_type) {
      throw HttpError(412, "this worker's token is for host type " + token->host_type.value);
    }
    record.worker = model::WorkerId("token/" + token->name);
    return {std::move(record), token->sha256};
  }
  const bool trusted = base::constant_time_equal(secret, base::builder_key(trust_.master_key, record.host_type.value));
  record.dev_key = !trusted && trust_.allow_dev_key &&
                   base::constant_time_equal(secret, base::builder_key(base::kDevMasterKey, record.host_type.value));
  if (!trusted && !record.dev_key) throw HttpError(412, "invalid build key");
  return {std::move(record), ""};
}

WorkerHub::Accepted WorkerHub::check_registration(const net::Request& request) const {
  const io::Fields& fields = request.fields();
  if (!request.secure()) throw HttpError(500, "buildlet registration requires SSL");
  const std::string revdial_version = fields.get("X-Revdial-Version");
  if (revdial_version.empty()) throw HttpError(400, "buildlet binary is too old");
  if (revdial_version != "2") throw HttpError(400, "unknown revdial version");
  model::Session record;
  record.hostname = fields.get("X-Go-Builder-Hostname");
  if (record.hostname.empty()) throw HttpError(400, "missing X-Go-Builder-Hostname header");
  record.host_type = model::HostType(fields.get("X-Go-Host-Type"));
  if (record.host_type.empty()) throw HttpError(400, "missing X-Go-Host-Type; old buildlet binary?");
  if (!is_plain_name(record.hostname)) throw HttpError(400, "malformed X-Go-Builder-Hostname header");
  if (!is_plain_name(record.host_type.value)) throw HttpError(400, "malformed X-Go-Host-Type header");
  Accepted accepted = check_secret(fields.get("X-Go-Builder-Key"), std::move(record));
  record = std::move(accepted.record);
  const std::string worker_id = checked_id(fields, "X-Xbuild-Worker-Id");
  if (!worker_id.empty() && record.worker.empty())
    record.worker = model::WorkerId(record.host_type.value + "/" + worker_id);
  record.instance = model::InstanceId(checked_id(fields, "X-Xbuild-Instance-Id"));
  record.version = fields.get("X-Go-Builder-Version").substr(0, kMaxName);
  record.features = split_features(fields.get("X-Xbuild-Features"));
  record.peer = request.peer();
  return {std::move(record), std::move(accepted.token_sha256)};
}

io::Task<> WorkerHub::serve_reverse(net::Request& request, net::Response& response) {
  Accepted accepted = check_registration(request);
  model::Session record = std::move(accepted.record);
  if (stopping_) throw HttpError(503, "the coordinator is stopping");
  record.id = model::SessionId(base::random_id(random_));
  if (record.worker.empty()) record.worker = model::nameless_worker(record.id);
  co_await make_room_for(record);
  record.connected = clock_.wall_now();
  io::StreamPtr control = co_await response.hijack(std::string(revdial::kSwitchResponse));
  if (stopping_) {  // stop() ends and waits for the sessions that it knows: there must be no later ones
    control->close();
    co_return;
  }
  revdial::RandomBytes random = [&source = random_](std::span<std::byte> bytes) { source.fill(bytes); };
  auto session = std::make_shared<WorkerSession>(executor_, clock_, std::move(control), pickups_, std::move(random),
                                                 std::move(record));
  session->token_sha256_ = std::move(accepted.token_sha256);
  sessions_[session->record().id] = session;
  by_worker_.emplace(session->record().worker, session.get());
  end_if_revoked(*session);  // that may have been while there was no session to end
  io::spawn(executor_, run_session(session), [this](std::exception_ptr error) { log_failure(error); });
}

io::Task<> WorkerHub::serve_revdial(net::Request& request, net::Response& response) {
  const std::string token = request.query().get(revdial::kDialerParameter);
  const revdial::PickupAnswer answer = revdial::check_pickup(request.secure(), request.method(), token, pickups_);
  if (answer.status != 101) {
    if (!answer.allow.empty()) response.fields().set("Allow", std::string(answer.allow));
    co_await response.send_error(answer.status, std::string(answer.text));
    co_return;
  }
  io::StreamPtr stream = co_await response.hijack(std::string(revdial::kSwitchResponse));
  pickups_.offer(token, std::move(stream));
}

io::Task<> WorkerHub::run_session(std::shared_ptr<WorkerSession> session) {
  const io::Gate::Pass pass = gate_.enter();
  io::spawn(executor_, welcome(session), [this](std::exception_ptr error) { log_failure(error); });
  const revdial::SessionEnd end = co_await session->dialer_.run();
  if (session->why_closed_.empty()) session->why_closed_ = sentence_of(end);
  session->wake_.notify_all();
  if (const auto over = std::exchange(session->over_, nullptr)) over();
  log_.info("a worker's session ended", {{"host", session->record_.hostname}, {"why", session->why_closed_}});
  if (session->announced_) farm_.post(farm::SessionEnded{.session = session->record_.id, .why = session->why_closed_});
  co_await session->gate_.close();
  sessions_.erase(session->record_.id);
  const auto [begin, end_of_worker] = by_worker_.equal_range(session->record_.worker);
  by_worker_.erase(
      std::find_if(begin, end_of_worker, [&](const auto& entry) { return entry.second == session.get(); }));
}

std::shared_ptr<WorkerSession> WorkerHub::other_process_of(const model::Session& record) const {
  const auto [begin, end] = by_worker_.equal_range(record.worker);
  for (auto entry = begin; entry != end; ++entry) {
    const WorkerSession& session = *entry->second;
    if (session.record_.instance != record.instance && !session.dialer_.closed()) return find(session.record_.id);
  }
  return nullptr;
}

/// Refuses a registration for which there is no room: at the cap, while what it means could not be kept, or if its
/// worker's place is taken by another process that is alive.
io::Task<> WorkerHub::make_room_for(const model::Session& record) {
  if (sessions_.size() >= max_sessions_) throw HttpError(503, "there are too many workers already");
  if (farm_.full()) throw HttpError(503, "the coordinator cannot write its store at the moment");
  const std::shared_ptr<WorkerSession> other = other_process_of(record);
  if (!other) co_return;
  co_await check(other);
  if (other->dialer_.closed()) co_return;
  const std::string sentence =
      "Host " + record.hostname + " (" + record.peer + ") claims the worker id of host " + other->record_.hostname +
      " (" + other->record_.peer +
      "), which is connected and answers; it is refused. Was a worker's state directory copied?";
  if (!refusals_.contains(record.worker)) log_.warning("a worker is refused", {{"why", sentence}});
  std::erase_if(refusals_, [&](const auto& entry) { return clock_.now() - entry.second.when > kRefusalShown; });
  refusals_.insert_or_assign(record.worker, Refusal{sentence, clock_.now()});
  throw HttpError(409, "another process with this worker id is connected and answers");
}

std::vector<std::string> WorkerHub::notices() const {
  std::vector<std::string> sentences;
  for (const auto& [worker, refusal] : refusals_)
    if (clock_.now() - refusal.when <= kRefusalShown) sentences.push_back(refusal.sentence);
  return sentences;
}

io::Task<> WorkerHub::welcome(std::shared_ptr<WorkerSession> session) {
  const io::Gate::Pass pass = session->gate_.enter();
  std::string refusal;
  try {
    const buildlet::WorkerStatus status = co_await session->probe_.status();
    if (status.version < kMinimumVersion)
      refusal = "its version " + std::to_string(status.version) + " is older than " + std::to_string(kMinimumVersion);
  } catch (const std::exception& error) {
    refusal = error.what();
  }
  if (session->dialer_.closed()) co_return;
  if (!refusal.empty()) {
    log_.warning("a worker is not taken", {{"host", session->record_.hostname}, {"why", refusal}});
    session->close(refusal);
    co_return;
  }
  log_.info("a worker joined", {{"host", session->record_.hostname},
                                {"type", session->record_.host_type.value},
                                {"peer", session->record_.peer}});
  session->announced_ = true;
  farm::WorkerConnected connected{.session = session->record_};
  co_await farm_.submit(std::move(connected));
  co_await keep_checking(session);
}

io::Task<> WorkerHub::keep_checking(std::shared_ptr<WorkerSession> session) {
  io::Instant last = clock_.now();
  bool was_leased = false;
  while (!session->dialer_.closed()) {
    const bool leased = farm_.farm().leased_to(session->record_.id).has_value();
    if (leased != was_leased && model::keeps_runs(session->record_))
      session->dialer_.set_keep_alive(leased ? kLeasedKeepAlive : kIdleKeepAlive);
    was_leased = leased;
    const io::Instant due = last + (leased ? kLeasedCheckPeriod : kIdleCheckPeriod);
    if (clock_.now() >= due) {
      co_await check(session);
      last = clock_.now();
      continue;
    }
    const io::Alarm alarm = clock_.call_at(executor_, due, [session] { session->wake_.notify_all(); });
    co_await session->wake_.wait();
  }
}

/// Returns when the worker has answered, or its session is over, which it is if there was no answer in time.
io::Task<> WorkerHub::check(std::shared_ptr<WorkerSession> session) {
  const io::Gate::Pass pass = session->gate_.enter();
  std::string trouble;
  const io::Deadline deadline(clock_, executor_, kAnswerLimit, [session, &trouble] {
    std::string why =
        "the worker did not answer within " + std::to_string(kAnswerLimit / std::chrono::seconds{1}) + " s";
    if (!trouble.empty()) why += ": " + trouble;
    session->close(why);
    session->wake_.notify_all();
  });
  while (!session->dialer_.closed()) {
    try {
      const buildlet::WorkerStatus status = co_await session->probe_.status();
      if (status.draining && !session->draining_) farm_.post(farm::SessionDraining{.session = session->record_.id});
      session->draining_ = status.draining;
      co_return;
    } catch (const buildlet::WorkerError& error) {
      if (error.status == kLeaseOver) co_return;  // it is there, and the lease will be taken anew
      trouble = error.what();
    } catch (const std::exception& error) {
      trouble = error.what();
    }
    const io::Alarm alarm =
        clock_.call_after(executor_, kPauseAfterFailedDial, [session] { session->wake_.notify_all(); });
    if (!session->dialer_.closed()) co_await session->wake_.wait();
  }
}

void WorkerHub::log_failure(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    if (!stopping_) log_.error("a worker's session failed", {{"why", e.what()}});
  }
}

}  // namespace build::coordinator
