// PUT /write, GET /ls and GET /tgz.
//
// What blocks is done in short pieces on the pool; between them nobody's thread is held, however slow the client is.
#include <build/buildlet/file_requests.h>
#include <build/buildlet/server.h>
#include <tarutil/pack.h>
#include <tarutil/path_rule.h>
#include <tarutil/temporary.h>

#include <array>
#include <cerrno>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"

namespace build::buildlet {

namespace {

/// An answer up to this size is sent with its length, as the original's HTTP server does; a longer one in chunks.
constexpr std::size_t kWholeAnswer = 2048;

/// A worker has its memory for builds: 2 MiB of pieces, and a client's connection takes what two threads can make.
constexpr unsigned kPackThreads = 2;
constexpr std::size_t kPackChunk = 256 * 1024;

// A file that is being sent: under a temporary name beside its own until it is complete.
class IncomingFile {
 public:
  // Makes the directories above it. Blocks, as everything here. Throws tarutil::PathError.
  IncomingFile(WorkDirectory& workdir, const std::string& path) : path_(tarutil::cleaned_path(path)) {
    const std::size_t slash = path_.rfind('/');
    leaf_ = slash == std::string::npos ? path_ : path_.substr(slash + 1);
    directory_ = workdir.open_below(slash == std::string::npos ? "." : path_.substr(0, slash));
    struct stat there {};
    const bool taken = ::fstatat(directory_.get(), leaf_.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0;
    if (taken && S_ISDIR(there.st_mode)) fail_to("open", EISDIR);
    std::uint64_t counter = 0;
    temporary_ = std::make_unique<tarutil::Temporary>(directory_.get(), counter, [this](const char* name) {
      file_.reset(::openat(directory_.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
      return file_.get() >= 0;
    });
    if (!temporary_->made()) fail_to("open", errno);
  }

  void write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_to("write", errno);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  void put_in_place(mode_t mode) {
    if (::fchmod(file_.get(), mode) != 0) fail_to("chmod", errno);
    if (!temporary_->put_in_place(leaf_)) fail_to("open", errno);
  }

 private:
  [[noreturn]] void fail_to(const char* attempt, int error) const { throw tarutil::PathError(attempt, path_, error); }

  std::string path_, leaf_;
  tarutil::Fd directory_, file_;
  std::unique_ptr<tarutil::Temporary> temporary_;
};

void require_get(const net::Request& request) {
  if (request.method() != "GET") throw io::HttpError(400, "requires GET method");
}

}  // namespace

io::Task<> Server::handle_write(net::Request& request, net::Response& response) {
  if (request.method() != "PUT") throw io::HttpError(400, "requires POST method");  // the original's words
  const WriteRequest what = parse_write_request(request.query());
  std::unique_ptr<IncomingFile> file;
  std::array<char, 64 * 1024> buffer;
  std::string_view piece;
  const std::function<void()> begin = [&] { file = std::make_unique<IncomingFile>(workdir_, what.path); };
  const std::function<void()> write = [&] { file->write(piece); };
  const std::function<void()> end = [&] {
    file->put_in_place(what.mode);
    file.reset();
  };
  auto give_up = [&] { file.reset(); };
  std::exception_ptr failed, ours;
  try {
    co_await run_job(begin, ours);
    while (!ours) {
      const io::asio::mutable_buffer into = io::asio::buffer(buffer);
      const std::size_t n = co_await request.body().read_some(into);
      if (n == 0) break;
      piece = std::string_view(buffer.data(), n);
      co_await run_job(write, ours);
    }
    if (!ours) co_await run_job(end, ours);
  } catch (const std::exception&) {
    failed = std::current_exception();
  }
  co_await pool_.run(give_up);
  if (failed) std::rethrow_exception(failed);
  if (ours) throw_as_http(ours, workdir_.path());
  std::string body = "OK";
  co_await response.send(200, std::move(body));
}

// The failure of what blocks is kept apart from that of the connection: only the former is for the client.
io::Task<> Server::run_job(const std::function<void()>& job, std::exception_ptr& failed) {
  try {
    co_await pool_.run(job);
  } catch (const std::exception&) {
    failed = std::current_exception();
  }
}

io::Task<> Server::send_pieces(net::Response& response, Pieces next, std::string type, std::string trouble) {
  std::string bytes;
  bool more = true;
  std::exception_ptr failed;
  const std::function<void()> piece = [&] { more = next(bytes); };
  while (more) {
    co_await run_job(piece, failed);
    // After the first bytes the server breaks the answer off, and logs the text.
    if (failed) throw_as_http(failed, workdir_.path(), trouble);
    if (!response.started() && bytes.size() <= kWholeAnswer) continue;
    if (!response.started()) {
      response.fields().set("Content-Type", type);
      co_await response.start(200);
    }
    co_await response.write(bytes);
    bytes.clear();
  }
  if (response.started()) {
    co_await response.finish();
  } else {
    co_await response.send(200, std::move(bytes));
  }
}

io::Task<> Server::handle_ls(net::Request& request, net::Response& response) {
  require_get(request);
  ListRequest what = parse_list_request(request.query());
  struct State {
    tarutil::Fd directory;
    std::unique_ptr<Listing> listing;
  };
  State state;
  Pieces next = [this, &state, &what](std::string& out) {
    if (!state.listing) {
      state.directory = workdir_.open();
      state.listing = std::make_unique<Listing>(state.directory.get(), std::move(what));
    }
    return state.listing->next(out);
  };
  std::string type = "text/plain; charset=utf-8", trouble = "Walk error: ";
  co_await send_pieces(response, std::move(next), std::move(type), std::move(trouble));
}

io::Task<> Server::handle_tgz(net::Request& request, net::Response& response) {
  require_get(request);
  const std::string dir = request.query().get("dir");
  check_path_parameter("dir", dir);
  struct State {
    tarutil::Fd directory;
    std::unique_ptr<tarutil::Packer> packer;
  };
  State state;
  Pieces next = [this, &state, &dir](std::string& out) {
    if (!state.packer) {
      state.directory = workdir_.open();
      tarutil::PackOptions options;
      options.gzip = {.chunk_size = kPackChunk, .threads = kPackThreads, .compat = true};
      state.packer = std::make_unique<tarutil::Packer>(state.directory.get(), tarutil::cleaned_path(dir), options);
    }
    return state.packer->next(out);
  };
  std::string type = "application/x-gzip", trouble = "Walk error: ";
  co_await send_pieces(response, std::move(next), std::move(type), std::move(trouble));
  if (const auto skipped = state.packer->skipped_sockets(); skipped > 0) {
    log_.info("sockets were left out of an archive", {{"dir", dir}, {"count", std::to_string(skipped)}});
  }
}

}  // namespace build::buildlet
