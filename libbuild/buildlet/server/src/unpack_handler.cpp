// PUT and POST /writetgz: an archive is unpacked on a pool thread while its bytes come in.
#include <build/buildlet/fetch.h>
#include <build/buildlet/file_requests.h>
#include <build/buildlet/server.h>
#include <io/bridge.h>

#include <array>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "failure.h"

namespace build::buildlet {

namespace {

// An archive being unpacked on a pool thread while the handler feeds it. Shared by both, so that neither has to
// outlive the other.
struct Unpacking {
  explicit Unpacking(io::Executor executor) : bridge(executor), changed(executor) {}

  io::ToBlocking bridge;
  io::Event changed;
  bool done = false;
  std::exception_ptr error;
};

void unpack_to(Unpacking& unpacking, WorkDirectory& workdir, const std::string& dir, tarutil::ExtractOptions options) {
  const tarutil::Fd into = dir.empty() ? workdir.open() : workdir.open_below(dir);
  const tarutil::Source source = [&unpacking](std::span<char> bytes) { return unpacking.bridge.read(bytes); };
  options.stop_source = [&unpacking] { unpacking.bridge.stop_reading(); };
  tarutil::extract(source, into.get(), options);
}

io::Task<> run_unpacking(std::shared_ptr<Unpacking> unpacking, io::BlockingPool& pool, WorkDirectory& workdir,
                         std::string dir, tarutil::ExtractOptions options) {
  auto job = [&] { unpack_to(*unpacking, workdir, dir, options); };
  try {
    co_await pool.run(job);
  } catch (const std::exception&) {
    unpacking->error = std::current_exception();
  }
  // Bytes behind the end of a good archive are nobody's business.
  unpacking->bridge.stop_reading(unpacking->error);
  unpacking->done = true;
  unpacking->changed.notify_all();
}

io::Task<> feed(Unpacking& unpacking, const std::function<io::Task<std::size_t>(io::asio::mutable_buffer)>& read) {
  std::array<char, 64 * 1024> buffer;
  while (!unpacking.done) {
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const std::size_t n = co_await read(into);
    if (n == 0) break;
    const io::asio::const_buffer bytes(buffer.data(), n);
    co_await unpacking.bridge.write(bytes);
  }
  unpacking.bridge.finish();
}

}  // namespace

io::Task<> Server::handle_writetgz(net::Request& request, net::Response& response) {
  if (request.method() != "PUT" && request.method() != "POST") {
    throw io::HttpError(400, "requires PUT or POST method");
  }
  const std::string dir = request.query().get("dir");
  if (!dir.empty()) check_path_parameter("dir", dir);
  std::string answer = "OK";
  if (request.method() == "PUT") {
    ReadArchive body = [&request](io::asio::mutable_buffer into) { return request.body().read_some(into); };
    co_await unpack(std::move(body), dir);
  } else if (!co_await unpack_url(request, response, dir)) {
    answer = "SKIP";
  }
  co_await response.send(200, std::move(answer));
}

// False if nothing was to be done: a Go toolchain that is there already is not fetched again.
io::Task<bool> Server::unpack_url(net::Request& request, net::Response& response, std::string dir) {
  const Form form = co_await read_form(request);
  std::string url = form.value("url");
  if (url.empty()) throw io::HttpError(400, "missing url POST param");
  bool there = false;
  std::optional<std::string> no_room;
  auto look = [&] {
    there = dir == "go1.4" && workdir_.has_directory(dir);
    no_room = workdir_.out_of_space();
  };
  co_await pool_.run(look);
  if (there) co_return false;
  if (no_room) throw io::HttpError(kInsufficientStorage, *no_room);
  const auto fetch = std::make_shared<Fetch>(executor_, clock_, pool_, options_.fetch);
  response.on_client_gone([weak = std::weak_ptr(fetch)] {
    if (const auto alive = weak.lock()) alive->cancel();
  });
  fetches_.insert(fetch.get());
  std::exception_ptr failed;
  try {
    co_await fetch->open(std::move(url));
    ReadArchive body = [&fetch](io::asio::mutable_buffer into) { return fetch->read_some(into); };
    co_await unpack(std::move(body), dir);
  } catch (const std::exception&) {
    failed = std::current_exception();
  }
  fetches_.erase(fetch.get());
  if (failed) std::rethrow_exception(failed);
  co_return true;
}

io::Task<> Server::unpack(ReadArchive read, std::string dir) {
  auto unpacking = std::make_shared<Unpacking>(executor_);
  tarutil::ExtractOptions options = tarutil::ExtractOptions::as_original();
  options.limits = options_.extract;
  options.now = std::chrono::floor<std::chrono::seconds>(clock_.wall_now());
  io::Task<> task = run_unpacking(unpacking, pool_, workdir_, dir, options);
  io::spawn(executor_, std::move(task), [unpacking](std::exception_ptr error) {
    unpacking->error = error;
    unpacking->done = true;
    unpacking->changed.notify_all();
  });
  std::exception_ptr broken;
  try {
    co_await feed(*unpacking, read);
  } catch (const std::exception&) {
    broken = std::current_exception();
  }
  // Once unpacking is over its end counts, and feeding may have failed because of it.
  const bool cut_short = broken && !unpacking->done;
  if (cut_short) unpacking->bridge.fail(broken);
  while (!unpacking->done) co_await unpacking->changed.wait();
  if (cut_short) std::rethrow_exception(broken);
  if (unpacking->error) throw_as_http(unpacking->error, workdir_.path());
}

}  // namespace build::buildlet
