// A coordinator that kills itself (SIGKILL) at a named point of what it writes to its store: exactly the shipped
// program, but for its store.
//
//   faulty_coordinator -die-at NAME -config FILE -ready-file FILE
//   faulty_coordinator -list        the names, a line each
//
// A point is a row that is written for the first time. "…_decided" points die before the row is written, so that what
// was decided is known to nobody; all others after it is durable and before anything follows from it.

#include <build/base/cli.h>

#include <csignal>
#include <exception>
#include <functional>
#include <iostream>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

#include "program.h"
#include "support/forwarding_store.h"

namespace {

using namespace build;
using model::AttemptOutcome;
using model::BuildState;

struct Point {
  std::string_view name;
  enum class When { before, after } when;
  std::function<bool(const model::Change&)> reached;
};

/// A point that is reached when a row of this kind is as described.
template <typename Row>
Point at(std::string_view name, bool (*reached)(const Row&), Point::When when = Point::When::after) {
  return {name, when, [reached](const model::Change& change) {
            const Row* row = std::get_if<Row>(&change);
            return row != nullptr && reached(*row);
          }};
}

std::vector<Point> points() {
  using model::Attempt, model::Build, model::Session, model::Step;
  const auto step_is = []<int Index, AttemptOutcome Outcome>() {
    return [](const Step& step) { return step.index == Index && step.outcome == Outcome; };
  };
  return {
      {"epoch_taken", Point::When::after, [](const model::Change&) { return false; }},
      at<Build>("builds_accepted", [](const Build& b) { return b.state == BuildState::waiting && b.attempts == 0; }),
      at<Session>("worker_registered", [](const Session& s) { return !s.ended; }),
      at<Attempt>(
          "attempt_decided", [](const Attempt& a) { return a.outcome == AttemptOutcome::running; },
          Point::When::before),
      at<Attempt>("attempt_written", [](const Attempt& a) { return a.outcome == AttemptOutcome::running; }),
      at<Step>("source_begun", step_is.operator()<0, AttemptOutcome::running>()),
      at<Step>("source_sent", step_is.operator()<0, AttemptOutcome::ok>()),
      at<Step>("first_step_begun", step_is.operator()<1, AttemptOutcome::running>()),
      at<Step>("between_steps", step_is.operator()<1, AttemptOutcome::ok>()),
      at<Step>("last_step_begun", step_is.operator()<2, AttemptOutcome::running>()),
      at<Build>(
          "result_decided", [](const Build& b) { return b.state == BuildState::finished; }, Point::When::before),
      at<Build>("build_finished", [](const Build& b) { return b.state == BuildState::finished; }),
      at<Build>("retry_waiting", [](const Build& b) { return b.state == BuildState::waiting && b.attempts > 0; }),
      at<Session>("session_ended", [](const Session& s) { return s.ended.has_value(); }),
  };
}

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

class DyingStore final : public testing::ForwardingStore {
 public:
  DyingStore(std::unique_ptr<store::Store> real, Point point)
      : ForwardingStore(std::move(real)), point_(std::move(point)) {}

  model::Epoch begin_epoch() override {
    const model::Epoch epoch = ForwardingStore::begin_epoch();
    if (point_.name == "epoch_taken") die();
    return epoch;
  }
  void apply(const model::Changes& changes, model::Epoch epoch) override {
    bool reached = false;
    for (const model::Change& change : changes) reached = reached || point_.reached(change);
    if (reached && point_.when == Point::When::before) die();
    ForwardingStore::apply(changes, epoch);
    if (reached) die();
  }

 private:
  Point point_;
};

int serve(const std::filesystem::path& config, coordinator::ProgramOptions options, Point point) {
  options.wrap_store = [point](std::unique_ptr<store::Store> real) {
    return std::make_unique<DyingStore>(std::move(real), point);
  };
  return coordinator::Program(coordinator::load_config(config), std::move(options)).run();
}

}  // namespace

int main(int argc, char** argv) {
  std::filesystem::path config;
  std::string name;
  bool list = false;
  coordinator::ProgramOptions options;
  base::CommandLine cli("faulty_coordinator", "A coordinator that kills itself at a point of what it writes.");
  cli.path("config", config, "FILE", "the farm's configuration");
  cli.path("ready-file", options.ready_file, "FILE", "written when serving");
  cli.text("die-at", name, "NAME", "the point");
  cli.toggle("list", list, "print the names of the points");
  if (const auto exit_code = cli.parse(argc, argv)) return *exit_code;
  try {
    for (const Point& point : points()) {
      if (list) std::cout << point.name << "\n";
      if (!list && point.name == name) return serve(config, std::move(options), point);
    }
    if (list) return 0;
    return cli.usage_error("there is no point \"" + name + "\"");
  } catch (const std::exception& error) {
    std::cerr << "faulty_coordinator: " << error.what() << "\n";
    return 1;
  }
}
