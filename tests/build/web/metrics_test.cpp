// Numbers for a monitoring system: they are right, well formed, and no name from outside makes more of them.
#include <build/base/exposition.h>
#include <build/web/metrics.h>
#include <doctest/doctest.h>

#include <regex>
#include <set>
#include <sstream>

#include "farmhouse.h"

namespace build::web {

using namespace std::chrono_literals;

namespace {

struct Measured : Farmhouse {
  Measured() : metrics({.farm = *this, .site = site, .pool = pool, .clock = clock}) {
    metrics.add_routes(router);
    serve(metrics.count(router));
  }
  Metrics metrics;
};

/// What is wrong with the form of an exposition; empty if nothing is. Prometheus' rules: help and type once before the
/// samples of a family, nothing twice, known characters.
std::string fault(const std::string& text) {
  static const std::regex kSample(
      R"(([a-z_]+)(\{[a-z_]+="([^"\\\n]|\\.)*"(,[a-z_]+="([^"\\\n]|\\.)*")*\})? (-?[0-9.e+-]+|NaN))");
  std::set<std::string> families, series;
  std::string family, line;
  std::istringstream lines(text);
  while (std::getline(lines, line)) {
    std::smatch match;
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      if (!families.insert(family).second) return "twice: " + family;
    } else if (line.starts_with("# TYPE ")) {
      if (line.substr(7, family.size()) != family) return "no help before: " + line;
    } else if (!std::regex_match(line, match, kSample)) {
      return "no sample: " + line;
    } else {
      if (!match[1].str().starts_with(family)) return "of another family: " + line;
      if (!series.insert(match[1].str() + match[2].str()).second) return "twice: " + line;
    }
  }
  return text.ends_with('\n') ? "" : "no line end";
}

bool has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("the farm's numbers are what the farm is") {
  Measured house;
  house.commits({"one", "two"});
  house.connect("alpha");
  const std::string text = house.page("/metrics");
  CHECK(fault(text) == "");
  CHECK(has(text, "xbuild_builds{state=\"waiting\"} 3"));
  CHECK(has(text, "xbuild_builds{state=\"running\"} 1"));
  CHECK(has(text, "xbuild_queue{host_type=\"arm64\",waits_for=\"no_worker\"} 2"));
  CHECK(has(text, "xbuild_queue{host_type=\"linux\",waits_for=\"busy\"} 1"));
  CHECK(has(text, "xbuild_workers{host_type=\"linux\",state=\"busy\"} 1"));
  CHECK(has(text, "xbuild_ready 1"));
  CHECK(has(text, "xbuild_streams 0"));
  CHECK(has(text, "xbuild_build_info{version=\"1.2.3\"} 1"));
  CHECK(house.ask("/metrics").head.fields.get("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
}

TEST_CASE("builds whose worker is away are counted, and run") {
  Measured house;
  house.commits({"one"});
  house.connect("alpha", "linux", {"runs"});
  CHECK_FALSE(has(house.page("/metrics"), "xbuild_builds_away{host_type=\"linux\"} 1"));
  house.feed(farm::SessionEnded{house.farm.sessions().front().id, "gone"});
  const std::string text = house.page("/metrics");
  CHECK(fault(text) == "");
  CHECK(has(text, "xbuild_builds_away{host_type=\"linux\"} 1"));
  CHECK(has(text, "xbuild_builds{state=\"running\"} 1"));
}

TEST_CASE("what happened is counted from the rows that were written") {
  Measured house;
  model::Build build;
  build.accepted = house.clock.wall_now() - 20s;
  build.state = model::BuildState::running;
  build.attempts = 1;
  model::Attempt attempt;
  attempt.started = house.clock.wall_now();
  house.metrics.wrote({build, attempt}, 2ms);
  attempt.ended = attempt.started + 4s;
  attempt.outcome = model::AttemptOutcome::lost;
  house.metrics.wrote({attempt}, 20ms);
  build.state = model::BuildState::finished;
  build.result = model::Result::failed;
  house.metrics.wrote({build}, 2ms);
  const std::string text = house.page("/metrics");
  CHECK(fault(text) == "");
  CHECK(has(text, "xbuild_attempts_total{outcome=\"lost\"} 1"));
  CHECK(has(text, "xbuild_builds_finished_total{result=\"failed\"} 1"));
  CHECK(has(text, "xbuild_build_wait_seconds_bucket{le=\"15\"} 0"));
  CHECK(has(text, "xbuild_build_wait_seconds_bucket{le=\"30\"} 1"));
  CHECK(has(text, "xbuild_build_wait_seconds_sum 20"));
  CHECK(has(text, "xbuild_attempt_seconds_bucket{le=\"5\"} 1"));
  CHECK(has(text, "xbuild_store_write_seconds_bucket{le=\"0.0025\"} 2"));
  CHECK(has(text, "xbuild_store_write_seconds_count 3"));
}

TEST_CASE("requests are counted by route, whatever paths and methods are asked for") {
  Measured house;
  for (int i = 0; i < 300; ++i) {
    house.ask("/build/" + std::to_string(i));
    house.ask("/no/" + std::to_string(i));
    house.ask("/", {}, "M" + std::to_string(i));
  }
  house.ask("/");
  const std::string text = house.page("/metrics");
  CHECK(fault(text) == "");
  CHECK(has(text, "xbuild_http_requests_total{route=\"/build/{id}\",status=\"404\"} 300"));
  CHECK(has(text, "xbuild_http_requests_total{route=\"none\",status=\"404\"} 300"));
  CHECK(has(text, "xbuild_http_requests_total{route=\"none\",status=\"405\"} 300"));
  CHECK(has(text, "xbuild_http_requests_total{route=\"/\",status=\"200\"} 1"));
  CHECK(std::count(text.begin(), text.end(), '\n') < 120);
}

TEST_CASE("hostile host types cannot make series without end, nor break the form") {
  Measured house;
  for (int i = 0; i < 300; ++i)
    house.connect("w" + std::to_string(i), "type-" + std::to_string(i) + "\"} 1\n# \\\xFF\x1b");
  const std::string text = house.page("/metrics");
  CHECK(fault(text) == "");
  CHECK(
      has(text, "xbuild_workers{host_type=\"other\",state=\"idle\"} " + std::to_string(300 - Metrics::kMaxHostTypes)));
  CHECK(text.find_first_of("\x1b\xFF") == std::string::npos);
}

TEST_CASE("readyz says why no work can be done") {
  Measured house;
  CHECK(house.page("/readyz") == "ready\n");
  house.not_ready_ = {"The store cannot be written: no room.", "The coordinator is about to end.\x1b"};
  const net::SimpleResponse answer = house.ask("/readyz");
  CHECK(answer.head.status == 503);
  CHECK(answer.body.starts_with("The store cannot be written: no room.\nThe coordinator is about to end."));
  CHECK(answer.body.find('\x1b') == std::string::npos);
  CHECK(house.page("/healthz") == "ok\n");
  CHECK(has(house.page("/metrics"), "xbuild_ready 0"));
}

TEST_CASE("a histogram counts what is at most its bound") {
  base::Histogram histogram({1, 2});
  for (const double value : {0.0, 1.0, 1.5, 2.0, 9.0}) histogram.observe(value);
  CHECK(histogram.up_to(0) == 2);
  CHECK(histogram.up_to(1) == 4);
  CHECK(histogram.count() == 5);
  CHECK(histogram.sum() == 13.5);
}

}  // namespace build::web
