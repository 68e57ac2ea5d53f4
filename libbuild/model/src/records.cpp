#include <build/model/records.h>

#include <algorithm>
#include <array>
#include <utility>

namespace build::model {

namespace {

template <typename Enum, std::size_t N>
using NameTable = std::array<std::pair<Enum, std::string_view>, N>;

constexpr NameTable<BuildState, 3> kBuildStates{
    {{BuildState::waiting, "waiting"}, {BuildState::running, "running"}, {BuildState::finished, "finished"}}};
constexpr NameTable<Result, 5> kResults{{{Result::none, "none"},
                                         {Result::ok, "ok"},
                                         {Result::failed, "failed"},
                                         {Result::lost, "lost"},
                                         {Result::cancelled, "cancelled"}}};
constexpr NameTable<AttemptOutcome, 5> kOutcomes{{{AttemptOutcome::running, "running"},
                                                  {AttemptOutcome::ok, "ok"},
                                                  {AttemptOutcome::failed, "failed"},
                                                  {AttemptOutcome::lost, "lost"},
                                                  {AttemptOutcome::cancelled, "cancelled"}}};

template <typename Enum, std::size_t N>
std::string_view find_name(const NameTable<Enum, N>& table, Enum value) {
  for (const auto& [candidate, name] : table)
    if (candidate == value) return name;
  return "unknown";
}

template <typename Enum, std::size_t N>
std::optional<Enum> find_value(const NameTable<Enum, N>& table, std::string_view text) {
  for (const auto& [value, name] : table)
    if (name == text) return value;
  return std::nullopt;
}

}  // namespace

WorkerId nameless_worker(const SessionId& session) { return WorkerId("session/" + session.value); }

bool keeps_runs(const Session& session) {
  const auto& features = session.features;
  return session.worker != nameless_worker(session.id) &&
         std::find(features.begin(), features.end(), kRunsFeature) != features.end();
}

std::string_view name_of(BuildState state) { return find_name(kBuildStates, state); }
std::string_view name_of(Result result) { return find_name(kResults, result); }
std::string_view name_of(AttemptOutcome outcome) { return find_name(kOutcomes, outcome); }

std::optional<BuildState> build_state_from(std::string_view name) { return find_value(kBuildStates, name); }
std::optional<Result> result_from(std::string_view name) { return find_value(kResults, name); }
std::optional<AttemptOutcome> attempt_outcome_from(std::string_view name) { return find_value(kOutcomes, name); }

}  // namespace build::model
