// The worker itself: the HTTP handlers of a buildlet.
//
// Ownership: clock, pool and work directory are handed in and outlive the server. Lives on one executor; what blocks
// (unpacking, deleting) runs on the pool. The end is stop(), which kills and waits for the commands of POST /exec; runs
// (POST /runs) go on, and are found by the next server with the same state directory.
#pragma once

#include <build/base/child_setup.h>
#include <build/base/log.h>
#include <build/buildlet/exec_request.h>
#include <build/buildlet/fetch.h>
#include <build/buildlet/lease.h>
#include <build/buildlet/machine.h>
#include <build/buildlet/ssh.h>
#include <build/buildlet/work_directory.h>
#include <build/net/server.h>
#include <build/runs/runs.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event.h>
#include <tarutil/extract.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace build::buildlet {

/// The version of the interface, as in the original's history.
inline constexpr int kVersion = 28;

/// "linux-amd64": this system, as the original names it.
std::string platform();

struct ServerOptions {
  std::vector<std::string> environment;  ///< the agent's own; children get it without secrets, with WORKDIR added
  tarutil::ExtractLimits extract{.expansion = 0};  ///< of PUT /writetgz; disks bound zeros, as with the original
  std::size_t max_form = 10 << 20;                 ///< bytes of an urlencoded body
  /// What HTTP Basic must bring, with any user, for everything but `/` and `/healthz`. Empty: nothing is asked; that is
  /// for connections whose other end is known by other means.
  std::string password;
  FetchOptions fetch;  ///< of POST /writetgz
  SshOptions ssh;      ///< of /connect-ssh
  /// Whom commands run as; not set: whom the worker runs as. Needs root. The pool's threads should then meet files as
  /// the same user (base::FilesAs), and the work directory be given to him.
  std::optional<base::UserIds> run_as;
  /// Files that a command in a sandbox must not be able to read: keys and tokens.
  std::vector<std::filesystem::path> secrets;
  /// What the machine has left, for the status, the metrics and to refuse what it cannot hold. Must not block. Empty:
  /// nothing is known of it.
  std::function<MachineNumbers()> machine;
  io::Duration halt_delay = std::chrono::seconds{1};
  std::function<void()> on_halt;  ///< called halt_delay after POST /halt was answered
};

/// How a worker that is to end lets what it does come to its own end.
struct DrainLimits {
  /// The end is when nothing has been at work, and nothing but the status asked for, for this long: time enough for
  /// the next step of the same attempt to come.
  io::Duration quiet = std::chrono::seconds{3};
  io::Duration longest = std::chrono::minutes{10};  ///< whatever still runs
};

class Server {
 public:
  /// `state` is the state directory, locked by the caller. Blocks.
  Server(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, WorkDirectory& workdir,
         const std::filesystem::path& state, ServerOptions options, base::Logger& log);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Adds the handlers to `router`, which must not be used after the Server has gone.
  void add_routes(net::Router& router);
  /// Adds `/healthz` and `/metrics` alone, for an address that others may ask.
  void add_health_routes(net::Router& router);

  /// From now on the status says "draining": whoever gives out work gives none to this worker. Everything is served as
  /// before. `over` is called once, when the drain has come to its end or its longest time is over; not after stop().
  void drain(DrainLimits limits, std::function<void()> over);
  /// Kills the commands of POST /exec and waits for the handlers at work; later requests for them get 503.
  io::Task<> stop();
  /// How many commands of POST /exec run.
  std::size_t running() const noexcept { return running_.size(); }

 private:
  struct Running;
  using Handler = io::Task<> (Server::*)(net::Request&, net::Response&);
  /// work: keeps a drain from ending, and is not begun once the worker is being stopped.
  enum class Kind { question, work };
  enum class Access { anyone, password };
  struct Route {
    const char* path;
    Access access;
    Kind kind;
    Handler handler;
  };
  void add_route(net::Router& router, const Route& route);
  io::Task<> serve(Route route, net::Request& request, net::Response& response);
  void check_access(const net::Request& request) const;
  void continue_drain();

  io::Task<> handle_root(net::Request& request, net::Response& response);
  io::Task<> handle_healthz(net::Request& request, net::Response& response);
  io::Task<> handle_status(net::Request& request, net::Response& response);
  io::Task<> handle_workdir(net::Request& request, net::Response& response);
  io::Task<> handle_write(net::Request& request, net::Response& response);
  io::Task<> handle_tgz(net::Request& request, net::Response& response);
  io::Task<> handle_ls(net::Request& request, net::Response& response);
  io::Task<> handle_writetgz(net::Request& request, net::Response& response);
  io::Task<> handle_exec(net::Request& request, net::Response& response);
  io::Task<> handle_removeall(net::Request& request, net::Response& response);
  io::Task<> handle_halt(net::Request& request, net::Response& response);
  io::Task<> handle_lease(net::Request& request, net::Response& response);
  io::Task<> handle_runs(net::Request& request, net::Response& response);
  io::Task<> handle_run(net::Request& request, net::Response& response);
  io::Task<> handle_run_output(net::Request& request, net::Response& response);
  io::Task<> handle_run_input(net::Request& request, net::Response& response);
  io::Task<> handle_run_signal(net::Request& request, net::Response& response);
  io::Task<> handle_run_resize(net::Request& request, net::Response& response);
  io::Task<> handle_connect_ssh(net::Request& request, net::Response& response);
  io::Task<> handle_debug_x(net::Request& request, net::Response& response);
  io::Task<> handle_debug_goroutines(net::Request& request, net::Response& response);
  io::Task<> handle_metrics(net::Request& request, net::Response& response);

  io::Task<Form> read_form(net::Request& request);
  io::Task<> run_job(const std::function<void()>& job, std::exception_ptr& failed);
  io::Task<bool> unpack_url(net::Request& request, net::Response& response, std::string dir);
  using ReadArchive = std::function<io::Task<std::size_t>(io::asio::mutable_buffer into)>;
  io::Task<> unpack(ReadArchive read, std::string dir);
  io::Task<> serve_ssh(std::shared_ptr<SshDoor::Visit> visit, io::StreamPtr client, io::Gate::Pass pass);
  /// Sends what `next` appends, called on the pool until it returns false, as the body of a 200; keeps little of it in
  /// memory. A failure before the first bytes have gone out is an HttpError that begins with `trouble`, a later
  /// one breaks the answer off.
  using Pieces = std::function<bool(std::string& out)>;
  io::Task<> send_pieces(net::Response& response, Pieces next, std::string type, std::string trouble);
  /// Calls `with` with what commands are resolved in. Blocks.
  runs::Command resolve_with(const std::function<runs::Command(const ExecContext&)>& with);
  io::Task<std::string> own_fault();
  io::Task<std::string> run_command(runs::Command command, net::Response& response);
  io::Task<> stream_output(Running& running, net::Response& response);
  io::Task<> put_in_box(runs::Command& command);
  io::Task<> start_run(net::Request& request, net::Response& response);
  std::size_t runs_held() const;
  /// Of the status: what the machine has left.
  const std::string& machine_members();
  std::shared_ptr<runs::Run> run_of(const net::Request& request) const;
  io::Task<std::string> describe(runs::Run& run);
  void check_open() const;
  /// The lease that the request names. Throws HttpError 400 if it names none.
  std::uint64_t lease_of(const net::Request& request) const;
  void refuse_without_memory() const;

  io::Executor executor_;
  io::Clock& clock_;
  io::BlockingPool& pool_;
  WorkDirectory& workdir_;
  std::filesystem::path state_;
  ServerOptions options_;
  base::Logger& log_;
  std::vector<std::string> environment_;  ///< what children inherit
  std::once_flag goroot_decided_;         ///< at the first command
  std::string goroot_bootstrap_;
  io::BlockingPool own_pool_{1};  ///< for the worker's own files, which are not those of whom commands run as
  runs::Runs runs_;
  Lease lease_;
  std::optional<std::string> box_trouble_;  ///< why no sandbox can be made here; empty: it can; not set: not tried yet
  std::optional<std::pair<MachineNumbers, std::string>> machine_members_;  ///< as they were said last
  std::set<Running*> running_;
  std::string exec_ids_;  ///< what the ids of this server's commands begin with
  std::set<Fetch*> fetches_;
  SshDoor ssh_;
  std::uint64_t commands_begun_ = 0;
  io::Alarm halt_alarm_;
  io::Gate gate_;  ///< what is at work
  io::Instant last_work_;
  struct Drain {
    DrainLimits limits;
    std::function<void()> over;
    io::Instant began;
    io::Alarm alarm;
  };
  std::optional<Drain> drain_;
};

}  // namespace build::buildlet
