// Who is next, and what those who wait are told.

#include <build/farm/farm.h>

#include <algorithm>

#include "text.h"

namespace build::farm {

namespace {

std::string ahead_text(std::size_t count) {
  if (count == 0) return "no build is ahead";
  if (count == 1) return "1 build is ahead";
  return std::to_string(count) + " builds are ahead";
}

}  // namespace

bool Farm::starts_before(const Item& a, const Item& b) const {
  const std::int64_t a_behind = branches_[a.branch].position - a.build.position;
  const std::int64_t b_behind = branches_[b.branch].position - b.build.position;
  return a_behind != b_behind ? a_behind < b_behind : a.build.id < b.build.id;
}

void Farm::start_what_can_start(Round& round) {
  end_waits(round);
  end_pauses(round);
  if (draining_) return;
  std::set<model::HostType> host_types;
  for (const auto& [id, item] : items_)
    if (item.ready()) host_types.insert(item.build.host_type);
  for (const model::HostType& host_type : host_types) {
    while (Item* item = next_for(host_type)) {
      Worker* worker = free_worker_for(*item);
      if (worker == nullptr) break;
      begin_attempt(*item, *worker, round);
    }
  }
}

void Farm::end_pauses(Round& round) {
  for (auto& [id, item] : items_)
    if (item.not_before && *item.not_before <= round.now) item.not_before.reset();
}

std::optional<model::Time> Farm::due() const {
  std::optional<model::Time> first;
  for (const auto& [id, item] : items_)
    if (item.not_before && !item.attempt && (!first || *item.not_before < *first)) first = item.not_before;
  for (const auto& [worker, absence] : absences_)
    if (!first || absence.until < *first) first = absence.until;
  return first;
}

Farm::Item* Farm::next_for(const model::HostType& host_type) {
  Item* best = nullptr;
  for (auto& [id, item] : items_) {
    if (!item.ready() || item.build.host_type != host_type) continue;
    if (best == nullptr || starts_before(item, *best)) best = &item;
  }
  return best;
}

Farm::Worker* Farm::free_worker_for(const Item& item) {
  const auto rank = [&item](const Worker& worker) {
    return std::pair{item.lost_on.count(worker.session.worker), worker.turn};
  };
  Worker* best = nullptr;
  for (auto& [id, worker] : workers_) {
    if (!worker.free() || worker.session.host_type != item.build.host_type) continue;
    if (best == nullptr || rank(worker) < rank(*best)) best = &worker;
  }
  return best;
}

std::optional<Waiting> Farm::explain(model::BuildId id) const {
  const auto found = items_.find(id);
  if (found == items_.end() || found->second.attempt) return std::nullopt;
  const Item& item = found->second;
  const model::HostType& host_type = item.build.host_type;
  Waiting waiting;
  waiting.since = item.since;
  for (const auto& [other_id, other] : items_) {
    if (other.attempt || other.build.host_type != host_type) continue;
    if (starts_before(other, item)) ++waiting.ahead;
  }
  std::size_t connected = 0, busy = 0, draining = 0;
  for (const auto& [session, worker] : workers_) {
    if (worker.session.host_type != host_type) continue;
    ++connected;
    if (worker.draining)
      ++draining;
    else if (!worker.free())
      ++busy;
  }
  if (draining_) {
    waiting.label = "draining";
    waiting.sentence = "waits for the coordinator's next start: the coordinator is draining";
  } else if (item.stopping_on) {
    waiting.label = "stopping";
    waiting.sentence = "waits until its cancelled attempt has stopped on " + where_it_stops(*item.stopping_on);
  } else if (item.not_before) {
    waiting.label = "pausing";
    waiting.sentence =
        "waits until " + utc_text(*item.not_before) + ", because its last attempt was lost soon after it began";
  } else {
    waiting.label = connected == 0 ? "no_worker" : connected == draining ? "draining" : "busy";
    waiting.sentence = "waits for a worker of host type " + host_type.value + ": ";
    if (connected == 0)
      waiting.sentence += "none is connected";
    else
      waiting.sentence += std::to_string(connected) + " connected, " + std::to_string(busy) + " busy";
    if (draining > 0) waiting.sentence += ", " + std::to_string(draining) + " draining";
  }
  waiting.sentence += "; " + ahead_text(waiting.ahead) + "; since " + utc_text(waiting.since);
  return waiting;
}

std::vector<model::Build> Farm::unfinished() const {
  std::vector<const Item*> order;
  order.reserve(items_.size());
  for (const auto& [id, item] : items_) order.push_back(&item);
  std::sort(order.begin(), order.end(), [this](const Item* a, const Item* b) {
    if (a->attempt.has_value() != b->attempt.has_value()) return a->attempt.has_value();
    if (a->attempt) return a->attempt->lease < b->attempt->lease;
    return starts_before(*a, *b);
  });
  std::vector<model::Build> builds;
  builds.reserve(order.size());
  for (const Item* item : order) builds.push_back(item->build);
  return builds;
}

std::vector<model::Session> Farm::sessions() const {
  std::vector<model::Session> sessions;
  sessions.reserve(workers_.size());
  for (const auto& [id, worker] : workers_) sessions.push_back(worker.session);
  std::stable_sort(sessions.begin(), sessions.end(),
                   [](const model::Session& a, const model::Session& b) { return a.connected < b.connected; });
  return sessions;
}

std::optional<model::BuildId> Farm::leased_to(const model::SessionId& session) const {
  const auto found = workers_.find(session);
  if (found == workers_.end()) return std::nullopt;
  const Holding& holding = found->second.holding;
  if (holding.stopping) return holding.stopping->build;
  return holding.build;
}

bool Farm::draining(const model::SessionId& session) const {
  const auto found = workers_.find(session);
  return found != workers_.end() && found->second.draining;
}

bool Farm::idle() const { return items_.empty(); }

}  // namespace build::farm
