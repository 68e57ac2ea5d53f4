// How it works: open() writes a configuration and the one key into a directory of the visit's own and starts sshd -i on
// two pipes. serve() runs three tasks beside each other: bytes up, bytes down, and sshd's complaints into the log. Each
// marks the visit as over when it ends, and serve() then ends the others and waits for all.
#include <build/base/file.h>
#include <build/buildlet/ssh.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <string>
#include <system_error>
#include <utility>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace build::buildlet {

namespace fs = std::filesystem;

namespace {

constexpr int kBadGateway = 502;
constexpr io::Duration kKeygenLimit = std::chrono::seconds{30};
/// For sshd to hang up its sessions once the client has gone.
constexpr io::Duration kGoodbye = std::chrono::seconds{2};
constexpr std::size_t kMaxComplaints = 64 * 1024;

struct Account {
  bool known = false;
  uid_t uid = 0;
};

// Blocks.
Account account_of(const std::string& user) {
  std::array<char, 16 * 1024> room{};
  passwd entry{};
  passwd* found = nullptr;
  ::getpwnam_r(user.c_str(), &entry, room.data(), room.size(), &found);
  return found == nullptr ? Account{} : Account{true, entry.pw_uid};
}

std::string program_missing(const fs::path& program) {
  return "this worker has no ssh server: " + program.string() + " is missing (package openssh-server)";
}

}  // namespace

class SshDoor::Visit {
 public:
  Visit(const io::Executor& executor, std::shared_ptr<int> all) : changed(executor), present(std::move(all)) {
    ++*present;
  }
  ~Visit() {
    --*present;
    std::error_code ignored;  // it is removed at the next start, then
    if (!directory.empty()) fs::remove_all(directory, ignored);
  }

  /// Ends both sides.
  void end() noexcept {
    over = true;
    process->close_input();
    if (client) client->close();
    changed.notify_all();
  }

  std::string user;
  fs::path directory;
  std::unique_ptr<base::Subprocess> process;
  io::StreamPtr client;
  io::Event changed;
  std::shared_ptr<int> present;
  int tasks = 0;
  bool over = false;

  io::Task<> carry_up() {
    std::array<char, 32 * 1024> buffer;
    while (true) {
      const io::asio::mutable_buffer into = io::asio::buffer(buffer);
      const std::size_t n = co_await client->read_some(into);
      if (n == 0) co_return;
      const io::asio::const_buffer bytes(buffer.data(), n);
      co_await process->write_input(bytes);
    }
  }

  io::Task<> carry_down() {
    std::array<char, 32 * 1024> buffer;
    while (true) {
      const io::asio::mutable_buffer into = io::asio::buffer(buffer);
      const std::size_t n = co_await process->read_output(into);
      if (n == 0) break;
      const io::asio::const_buffer bytes(buffer.data(), n);
      co_await client->write(bytes);
    }
    co_await client->shutdown_write();
  }

  // A line of sshd's is a line of ours, up to a bound.
  io::Task<> log_complaints(base::Logger& log) {
    std::array<char, 1024> buffer;
    std::string text;
    std::size_t total = 0;
    while (true) {
      const io::asio::mutable_buffer into = io::asio::buffer(buffer);
      const std::size_t n = co_await process->read_error(into);
      if (n == 0) co_return;
      total += n;
      if (total > kMaxComplaints) continue;
      text.append(buffer.data(), n);
      for (std::size_t end = 0; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
        std::string line = text.substr(0, end);
        if (line.ends_with('\r')) line.pop_back();
        log.info("sshd", {{"says", std::move(line)}});
      }
    }
  }

  enum class Ending { ends_the_visit, alone };
  static io::Task<> run(std::shared_ptr<Visit> visit, io::Task<> task, Ending ending) {
    try {
      co_await std::move(task);
    } catch (const std::exception&) {
      // Either side went; which, and why, makes no difference to the other.
    }
    --visit->tasks;
    if (ending == Ending::ends_the_visit) visit->over = true;
    visit->changed.notify_all();
  }

  static void spawn(const io::Executor& executor, const std::shared_ptr<Visit>& visit, io::Task<> task, Ending ending) {
    ++visit->tasks;
    io::spawn(executor, run(visit, std::move(task), ending), [](std::exception_ptr) {});
  }
};

SshDoor::SshDoor(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, base::Logger& log, SshOptions options)
    : executor_(std::move(executor)),
      clock_(clock),
      pool_(options.pool != nullptr ? *options.pool : pool),
      log_(log),
      options_(std::move(options)) {}

SshDoor::~SshDoor() = default;

void SshDoor::stop() noexcept {
  stopped_ = true;
  for (Visit* visit : visits_) visit->end();
}

// Each makes one under a name of its own; the first to be ready is kept.
io::Task<> SshDoor::make_host_key(std::uint64_t number) {
  const fs::path key = options_.directory / "host_key",
                 made = options_.directory / ("host_key." + std::to_string(number));
  const auto have_one = [&key] { return fs::exists(key); };
  if (co_await pool_.run(have_one)) co_return;
  base::SubprocessSpec spec;
  spec.argv = {options_.keygen.string(), "-q", "-t", "ed25519", "-N", "", "-C", "xbuild worker", "-f", made.string()};
  const base::RunLimits limits{.time = kKeygenLimit};
  const base::RunResult result = co_await base::run_command(executor_, clock_, spec, limits);
  if (!result.ok())
    throw std::runtime_error("no host key could be made: " + result.status.str() + ": " + result.output);
  const auto keep = [&] {
    std::error_code ignored;
    fs::remove(made.string() + ".pub", ignored);
    if (!fs::exists(key)) fs::rename(made, key);
    fs::remove(made, ignored);
  };
  co_await pool_.run(keep);
}

io::Task<std::shared_ptr<SshDoor::Visit>> SshDoor::open(SshRequest request, base::Environment environment) {
  if (options_.directory.empty()) throw io::HttpError(kBadGateway, "this worker has no ssh server");
  if (*present_ >= kMaxVisits) throw io::HttpError(503, "there are too many visitors already");
  const std::uint64_t number = ++opened_;
  auto visit = std::make_shared<Visit>(executor_, present_);
  visit->user = request.user;
  int status = kBadGateway;
  std::string why;
  auto prepare = [&] {
    const Account account = account_of(request.user);
    const bool own = account.known && account.uid == ::geteuid();
    const bool may = options_.user.empty() ? own || ::geteuid() == 0 : request.user == options_.user;
    if (!account.known || !may) {
      status = 400;
      throw std::runtime_error(
          "adding ssh authorized key: " + request.user +
          (account.known ? " may not log in here: commands run as another user" : " is no user of this machine"));
    }
    if (!fs::exists(options_.sshd)) throw std::runtime_error(program_missing(options_.sshd));
    base::ensure_private_directory(options_.directory);
    visit->directory = options_.directory / ("visit-" + std::to_string(number));
    fs::remove_all(visit->directory);
    base::ensure_private_directory(visit->directory);
    const fs::path keys = visit->directory / "authorized_keys";
    base::write_file_atomically(keys, request.authorized_key + "\n", 0600);
    const KeysReadBy read_by = own ? KeysReadBy::user : KeysReadBy::command;
    base::write_file_atomically(visit->directory / "sshd_config",
                                sshd_configuration(request.user, keys, read_by, environment), 0600);
    // The machine's own sshd has it made in the same way.
    if (::geteuid() == 0) ::mkdir(options_.privilege_directory.c_str(), 0755);
  };
  try {
    co_await pool_.run(prepare);
    co_await make_host_key(number);
    base::SubprocessSpec spec;
    spec.argv = {options_.sshd.string(),
                 "-i",
                 "-e",
                 "-f",
                 (visit->directory / "sshd_config").string(),
                 "-h",
                 (options_.directory / "host_key").string()};
    spec.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    spec.input = base::SubprocessSpec::Input::pipe;
    spec.error = base::SubprocessSpec::Error::pipe;
    visit->process = base::Subprocess::start(executor_, spec);
    co_return visit;
  } catch (const std::exception& error) {
    why = error.what();
  }
  throw io::HttpError(status, why);
}

io::Task<> SshDoor::serve(std::shared_ptr<Visit> visit, io::StreamPtr client) {
  using Ending = Visit::Ending;
  visit->client = std::move(client);
  visits_.insert(visit.get());
  log_.info("somebody comes in by ssh", {{"user", visit->user}, {"from", visit->client->peer()}});
  Visit::spawn(executor_, visit, visit->carry_up(), Ending::ends_the_visit);
  Visit::spawn(executor_, visit, visit->carry_down(), Ending::ends_the_visit);
  Visit::spawn(executor_, visit, visit->log_complaints(log_), Ending::alone);
  while (!visit->over && !stopped_) co_await visit->changed.wait();
  visit->end();
  {
    const io::Deadline patience(clock_, executor_, kGoodbye, [&visit] { visit->process->kill_group(SIGKILL); });
    co_await visit->process->wait();
  }
  visit->process->kill_group(SIGKILL);
  visit->process->stop_reading();
  while (visit->tasks > 0) co_await visit->changed.wait();
  visits_.erase(visit.get());
  log_.info("an ssh connection ended", {{"user", visit->user}});
}

}  // namespace build::buildlet
