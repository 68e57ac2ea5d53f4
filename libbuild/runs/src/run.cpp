// How it works: one socket to the supervisor for each run. listen() waits on it for as long as it lasts: it brings news
// that were asked for by watch(), answers to input, and its end says that nothing of the run is left.
#include <build/runs/runs.h>

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cgroup.h"
#include "link_protocol.h"
#include "run_files.h"

namespace build::runs {

using io::asio::posix::stream_descriptor;

Run::Run(io::Executor executor, io::BlockingPool& pool, std::string path, Command command)
    : executor_(executor),
      pool_(pool),
      path_(std::move(path)),
      command_(std::move(command)),
      link_(executor),
      changed_(executor) {}

Run::~Run() = default;

bool Run::connect() {
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // A socket's name is short; this one leads through the open directory, wherever that is.
  const std::string name = "/proc/self/fd/" + std::to_string(directory_.get()) + "/" + kSocketFile;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, name.c_str(), sizeof address.sun_path - 1);
  if (!fd.valid() || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return false;
  link_.assign(fd.release());
  return true;
}

void Run::open_files() {
  directory_ = base::UniqueFd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_.valid()) throw std::system_error(errno, std::generic_category(), "cannot open " + path_);
  spool_.emplace(directory_.get());
}

bool Run::send(const std::string& message) {
  return link_.is_open() && ::send(link_.native_handle(), message.data(), message.size(), MSG_NOSIGNAL) > 0;
}

void Run::watch() {
  if (watching_) return;
  watching_ = send(link::kWatch + std::to_string(spool_->size()));
}

void Run::has_read(std::uint64_t offset) {
  if (!command_.ephemeral) return;
  const std::uint64_t capacity = spool_->tail_capacity();
  if (capacity == 0 || offset < read_ + capacity / 4) return;
  if (send(link::kRead + std::to_string(offset))) read_ = offset;
}

io::Task<> Run::listen() {
  std::array<char, 4096> message;
  while (true) {
    boost::system::error_code error;
    auto token = io::asio::redirect_error(io::asio::use_awaitable, error);
    co_await link_.async_wait(stream_descriptor::wait_read, token);
    if (error) break;
    const ssize_t size = ::recv(link_.native_handle(), message.data(), message.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (size <= 0) break;
    if (message[0] == link::kNews) watching_ = false;
    if (message[0] == link::kTaken) {
      taken_.emplace(message.data() + 1, static_cast<std::size_t>(size) - 1);
      writing_ = false;
    }
    changed_.notify_all();
  }
  let_go();
}

void Run::let_go() noexcept {
  boost::system::error_code ignored;
  link_.close(ignored);
  changed_.notify_all();
}

const std::optional<Result>& Run::result() {
  if (result_) return result_;
  const bool dead = !link_.is_open();  // asked before the file is looked at: it may be the last that it did
  if (!dead && !spool_->closed()) return result_;
  try {
    result_ = result_from_json(base::read_file(path_ + "/" + kResultFile, kMaxResult));
  } catch (const std::exception& error) {
    if (dead) {
      // What it looked after has nobody now; where it had a control group it is ended all the same.
      Cgroup::end(cgroup_name(command_.id, directory_.get()));
      result_ = Result{.ending = Ending::lost, .text = "its supervisor died", .killed = {}};
    }
  }
  return result_;
}

io::Task<SpoolReader::Piece> Output::read(std::uint64_t offset, io::asio::mutable_buffer into) {
  const std::shared_ptr<Run> run = run_;
  run->has_read(offset);
  while (!cancelled_) {
    const bool last = !run->link_.is_open() || run->spool_->closed();
    auto* bytes = static_cast<char*>(into.data());
    std::optional<SpoolReader::Piece> piece = run->spool_->read_cached(offset, bytes, into.size());
    if (!piece) {
      auto job = [&] { return run->spool_->read(offset, bytes, into.size()); };
      piece = co_await run->pool_.run(job);
    }
    if (piece->size > 0 || last) co_return *piece;
    run->watch();
    co_await run->changed_.wait();
  }
  throw boost::system::system_error(io::asio::error::operation_aborted, "the output is not followed any more");
}

void Output::cancel() noexcept {
  cancelled_ = true;
  run_->changed_.notify_all();
}

io::Task<> Run::over() {
  const auto held = shared_from_this();
  while (!result()) {
    watch();
    co_await changed_.wait();
  }
}

io::Task<> Run::gone() {
  const auto held = shared_from_this();
  while (link_.is_open()) co_await changed_.wait();
}

void Run::kill(const std::string& why) { send(link::kKill + why.substr(0, 1024)); }

void Run::signal(int number) { send(link::kSignal + std::to_string(number)); }

void Run::resize(TerminalSize size) {
  send(link::kResize + std::to_string(size.rows) + " " + std::to_string(size.columns));
}

io::Task<std::string> Input::write(std::string_view bytes) {
  co_return co_await exchange(link::kInput + std::string(bytes));
}

io::Task<std::string> Input::end() { co_return co_await exchange(std::string(1, link::kEnd)); }

void Input::cancel() noexcept {
  cancelled_ = true;
  run_->changed_.notify_all();
}

io::Task<std::string> Input::exchange(std::string message) {
  const std::shared_ptr<Run> run = run_;
  if (run->writing_) co_return "somebody else is writing to it";
  run->taken_.reset();
  run->writing_ = run->send(message);
  while (run->writing_ && run->link_.is_open() && !cancelled_) co_await run->changed_.wait();
  if (cancelled_) co_return "nobody waits for it any more";
  co_return run->taken_.value_or("the run is over");
}

}  // namespace build::runs
