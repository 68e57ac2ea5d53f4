#include <build/base/exposition.h>
#include <build/base/process_numbers.h>
#include <build/web/html.h>
#include <build/web/metrics.h>

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "pages.h"

namespace build::web {

namespace {

using base::Exposition;
using base::Histogram;
using base::ProcessNumbers;
using Type = Exposition::Type;

std::vector<double> build_bounds() { return {1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600}; }
std::vector<double> write_bounds() { return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30}; }

double seconds(model::Time from, model::Time to) { return std::chrono::duration<double>(to - from).count(); }

/// Names that may stand in labels: the first so many, all others are one.
class BoundedNames {
 public:
  std::string operator()(const std::string& given) {
    const std::string name = readable(given);
    if (known_.contains(name)) return name;
    if (known_.size() >= Metrics::kMaxHostTypes) return "other";
    known_.insert(name);
    return name;
  }

 private:
  std::set<std::string> known_;
};

}  // namespace

struct Metrics::Impl {
  Sources sources;
  model::Time started;

  std::map<model::AttemptOutcome, std::uint64_t> attempts{};
  std::map<model::Result, std::uint64_t> results{};
  Histogram waited{build_bounds()}, ran{build_bounds()}, writes{write_bounds()};
  /// By route and status. Routes are ours, and a status is one of few.
  std::map<std::pair<std::string, int>, std::uint64_t> requests{};
  BoundedNames host_type{};

  void wrote(const model::Changes& changes, io::Duration took) {
    writes.observe(std::chrono::duration<double>(took).count());
    for (const model::Change& change : changes) {
      if (const auto* attempt = std::get_if<model::Attempt>(&change)) {
        if (attempt->ended) {
          ++attempts[attempt->outcome];
          ran.observe(seconds(attempt->started, *attempt->ended));
        }
      } else if (const auto* build = std::get_if<model::Build>(&change)) {
        if (build->state == model::BuildState::finished) ++results[build->result];
        if (build->state == model::BuildState::running && build->attempts == 1)
          waited.observe(seconds(build->accepted, sources.clock.wall_now()));
      }
    }
  }

  void write_builds(Exposition& out) {
    std::map<std::pair<std::string, std::string>, std::uint64_t> queue;
    std::map<std::string, std::uint64_t> away;
    const Load load = sources.farm.load();
    for (const model::Build& build : sources.farm.unfinished()) {
      if (const auto waiting = sources.farm.explain(build.id))
        ++queue[{host_type(build.host_type.value), waiting->label}];
      if (sources.farm.away(build.id)) ++away[host_type(build.host_type.value)];
    }
    out.family("xbuild_builds", Type::gauge, "Builds that are not finished.");
    out.sample({{"state", "waiting"}}, static_cast<double>(load.waiting));
    out.sample({{"state", "running"}}, static_cast<double>(load.running));
    out.family("xbuild_queue", Type::gauge, "Waiting builds by the host type they need and by what they wait for.");
    for (const auto& [key, count] : queue)
      out.sample({{"host_type", key.first}, {"waits_for", key.second}}, static_cast<double>(count));
    out.family("xbuild_builds_away", Type::gauge, "Builds that run on workers which are not connected, by host type.");
    for (const auto& [type, count] : away) out.sample({{"host_type", type}}, static_cast<double>(count));
    out.family("xbuild_builds_finished_total", Type::counter, "Builds that were finished, by result.");
    for (const auto& [result, count] : results) out.sample({{"result", name_of(result)}}, static_cast<double>(count));
    out.family("xbuild_attempts_total", Type::counter,
               "Attempts that ended, by outcome; lost ones are the farm's fault.");
    for (const auto& [outcome, count] : attempts)
      out.sample({{"outcome", name_of(outcome)}}, static_cast<double>(count));
    out.family("xbuild_build_wait_seconds", Type::histogram, "How long builds waited for their first attempt.");
    out.histogram(waited);
    out.family("xbuild_attempt_seconds", Type::histogram, "How long attempts took.");
    out.histogram(ran);
  }

  void write_workers(Exposition& out) {
    std::map<std::pair<std::string, std::string_view>, std::uint64_t> workers;
    for (const WorkerView& worker : sources.farm.workers())
      ++workers[{host_type(worker.session.host_type.value), worker.draining ? "draining"
                                                            : worker.build  ? "busy"
                                                                            : "idle"}];
    out.family("xbuild_workers", Type::gauge, "Connected workers, by host type and by what they do.");
    for (const auto& [key, count] : workers)
      out.sample({{"host_type", key.first}, {"state", key.second}}, static_cast<double>(count));
  }

  void write_server(Exposition& out) const {
    out.family("xbuild_store_write_seconds", Type::histogram, "How long it took to make a group of rows durable.");
    out.histogram(writes);
    out.family("xbuild_ready", Type::gauge, "1 if the farm can do its work, see /readyz.");
    out.sample(sources.farm.not_ready().empty() ? 1 : 0);
    out.family("xbuild_http_requests_total", Type::counter, "Requests answered, by route and status.");
    for (const auto& [key, count] : requests) {
      const std::string status = std::to_string(key.second);
      out.sample({{"route", key.first}, {"status", status}}, static_cast<double>(count));
    }
    out.family("xbuild_streams", Type::gauge, "Logs and builds that are being followed.");
    out.sample(static_cast<double>(sources.site.streams()));
  }

  void write_process(Exposition& out, const ProcessNumbers& numbers) const {
    out.family("xbuild_build_info", Type::gauge, "Always 1; the label says which version runs.");
    out.sample({{"version", sources.farm.version()}}, 1);
    base::write_process_numbers(out, numbers);
    out.family("process_start_time_seconds", Type::gauge, "When the program began, in seconds since 1970.");
    out.sample(std::chrono::duration<double>(started.time_since_epoch()).count());
  }

  io::Task<> send_metrics(net::Response& response) {
    const auto read = [] { return base::read_process_numbers(); };
    const ProcessNumbers numbers = co_await sources.pool.run(read);
    Exposition out;
    write_builds(out);
    write_workers(out);
    write_server(out);
    write_process(out, numbers);
    Answer answer{200, base::kExpositionType, std::move(out).str()};
    co_await send_answer(response, std::move(answer));
  }

  io::Task<> send_readiness(net::Response& response) const {
    const std::vector<std::string> reasons = sources.farm.not_ready();
    Answer answer{reasons.empty() ? 200 : 503, kTextType, reasons.empty() ? "ready\n" : ""};
    for (const std::string& reason : reasons) answer.body += readable(reason) + "\n";
    co_await send_answer(response, std::move(answer));
  }

  io::Task<> count(const net::Handler& inner, net::Request& request, net::Response& response) {
    // A stream is counted when it ends, like everything else.
    std::exception_ptr failure;
    int status = 0;
    try {
      co_await inner(request, response);
    } catch (const net::HttpError& error) {
      failure = std::current_exception();
      status = error.status();
    } catch (const std::exception&) {
      failure = std::current_exception();
      status = 500;
    }
    if (response.status() != 0) status = response.status();
    ++requests[{request.route().empty() ? "none" : request.route(), status == 0 ? 200 : status}];
    if (failure) std::rethrow_exception(failure);
  }
};

Metrics::Metrics(Sources sources) : impl_(new Impl{.sources = sources, .started = sources.clock.wall_now()}) {}
Metrics::~Metrics() = default;

void Metrics::wrote(const model::Changes& changes, io::Duration took) { impl_->wrote(changes, took); }

net::Handler Metrics::count(net::Handler inner) {
  return [impl = impl_.get(), inner = std::move(inner)](net::Request& request, net::Response& response) {
    return impl->count(inner, request, response);
  };
}

void Metrics::add_routes(net::Router& router) {
  Impl* impl = impl_.get();
  router.add("GET", "/metrics",
             [impl](net::Request&, net::Response& response) { return impl->send_metrics(response); });
  router.add("GET", "/readyz",
             [impl](net::Request&, net::Response& response) { return impl->send_readiness(response); });
}

}  // namespace build::web
