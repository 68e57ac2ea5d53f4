// GET /status, what /metrics says, and the refusal of what the machine cannot hold.
#include <build/base/exposition.h>
#include <build/base/process_numbers.h>
#include <build/base/version.h>
#include <build/buildlet/server.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace build::buildlet {

namespace {

// ",\"name\":value" for what is known.
std::string member(const char* name, std::uint64_t value) {
  return value == 0 ? "" : ",\"" + std::string(name) + "\":" + std::to_string(value);
}

std::string members_of(const MachineNumbers& numbers) {
  char load[32];
  std::snprintf(load, sizeof load, ",\"load\":%.2f", numbers.load);
  return load + member("cpus", numbers.processors) + member("memoryBytes", numbers.memory) +
         member("memoryAvailableBytes", numbers.memory_available) + member("diskBytes", numbers.disk) +
         member("diskAvailableBytes", numbers.disk_available);
}

void write_machine(base::Exposition& out, const MachineNumbers& numbers) {
  using Type = base::Exposition::Type;
  out.family("xbuild_worker_load1", Type::gauge, "Processes that ran or wanted to, in the last minute.");
  out.sample(numbers.load);
  out.family("xbuild_worker_cpus", Type::gauge, "Processors.");
  out.sample(numbers.processors);
  out.family("xbuild_worker_memory_bytes", Type::gauge, "Memory that there is, for this worker's control group.");
  out.sample(static_cast<double>(numbers.memory));
  out.family("xbuild_worker_memory_available_bytes", Type::gauge, "How much of it can be had without swapping.");
  out.sample(static_cast<double>(numbers.memory_available));
  out.family("xbuild_worker_disk_bytes", Type::gauge, "Size of the file system with the work directory.");
  out.sample(static_cast<double>(numbers.disk));
  out.family("xbuild_worker_disk_available_bytes", Type::gauge, "Room that is left on it.");
  out.sample(static_cast<double>(numbers.disk_available));
}

}  // namespace

std::size_t Server::runs_held() const {
  const auto all = runs_.all();
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const auto& run) { return !run->command().ephemeral; }));
}

io::Task<> Server::handle_status(net::Request& request, net::Response& response) {
  if (request.method() != "GET") throw io::HttpError(400, "requires GET method");
  std::string body = "{\"Version\":" + std::to_string(kVersion) + (drain_ ? ",\"draining\":true" : "");
  if (gate_.inside() > 0) body += ",\"working\":" + std::to_string(gate_.inside());
  body += ",\"features\":[\"runs\"]";
  if (const auto lease = lease_.number()) body += ",\"lease\":" + std::to_string(*lease);
  if (const auto last = lease_.last(); last > 0) body += ",\"lastLease\":" + std::to_string(last);
  if (const auto runs = runs_held(); runs > 0) body += ",\"runs\":" + std::to_string(runs);
  if (options_.machine) body += machine_members();
  body += "}";
  co_await response.send(200, "application/json; charset=utf-8", std::move(body));
}

const std::string& Server::machine_members() {
  const MachineNumbers numbers = options_.machine();
  if (!machine_members_ || !(numbers == machine_members_->first))
    machine_members_.emplace(numbers, members_of(numbers));
  return machine_members_->second;
}

io::Task<> Server::handle_metrics(net::Request&, net::Response& response) {
  const auto read = [] { return base::read_process_numbers(); };
  const base::ProcessNumbers process = co_await pool_.run(read);
  using Type = base::Exposition::Type;
  base::Exposition out;
  out.family("xbuild_build_info", Type::gauge, "Always 1; the label says which version runs.");
  out.sample({{"version", base::version()}}, 1);
  out.family("xbuild_worker_commands", Type::gauge, "Commands that run.");
  out.sample(static_cast<double>(running_.size()));
  out.family("xbuild_worker_runs", Type::gauge, "Runs that are held, ended ones included.");
  out.sample(static_cast<double>(runs_held()));
  out.family("xbuild_worker_working", Type::gauge, "Commands, transfers and visits that are under way.");
  out.sample(static_cast<double>(gate_.inside()));
  out.family("xbuild_worker_draining", Type::gauge, "1 if the worker goes on only with what it has begun.");
  out.sample(drain_ ? 1 : 0);
  out.family("xbuild_worker_commands_started_total", Type::counter, "Commands that were started.");
  out.sample(static_cast<double>(commands_begun_));
  if (options_.machine) write_machine(out, options_.machine());
  base::write_process_numbers(out, process);
  co_await response.send(200, base::kExpositionType, std::move(out).str());
}

// A command would be begun only for the kernel to end it, or something else of this machine.
void Server::refuse_without_memory() const {
  if (!options_.machine) return;
  if (const auto why = out_of_memory(options_.machine())) throw io::HttpError(503, *why);
}

}  // namespace build::buildlet
