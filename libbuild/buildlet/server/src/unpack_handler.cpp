// PUT and POST /writetgz: an archive is unpacked on a pool thread while its bytes come in.
#include <build/buildlet/file_requests.h>
#include <build/buildlet/server.h>
#include <io/bridge.h>

#include <array>
#include <chrono>
#include <exception>
#include <memory>
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

void unpack(Unpacking& unpacking, WorkDirectory& workdir, const std::string& dir, tarutil::ExtractOptions options) {
  const tarutil::Fd into = dir.empty() ? workdir.open() : workdir.open_below(dir);
  const tarutil::Source source = [&unpacking](std::span<char> bytes) { return unpacking.bridge.read(bytes); };
  options.stop_source = [&unpacking] { unpacking.bridge.stop_reading(); };
  tarutil::extract(source, into.get(), options);
}

io::Task<> run_unpacking(std::shared_ptr<Unpacking> unpacking, io::BlockingPool& pool, WorkDirectory& workdir,
                         std::string dir, tarutil::ExtractOptions options) {
  auto job = [&] { unpack(*unpacking, workdir, dir, options); };
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

io::Task<> feed(Unpacking& unpacking, net::BodyReader& body) {
  std::array<char, 64 * 1024> buffer;
  while (!unpacking.done) {
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const std::size_t n = co_await body.read_some(into);
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
  if (request.method() == "POST") {
    co_await refuse_fetching(request, dir);
    answer = "SKIP";
  } else {
    co_await unpack_body(request, dir);
  }
  co_await response.send(200, std::move(answer));
}

// Only what needs no fetching is answered: a Go toolchain that is there already is to be skipped.
io::Task<> Server::refuse_fetching(net::Request& request, std::string dir) {
  const Form form = co_await read_form(request);
  if (form.value("url").empty()) throw io::HttpError(400, "missing url POST param");
  bool there = false;
  if (dir == "go1.4") {
    auto job = [this, &dir] { return workdir_.has_directory(dir); };
    there = co_await pool_.run(job);
  }
  if (!there) throw io::HttpError(501, "this worker fetches no URLs: send the archive itself with PUT");
}

io::Task<> Server::unpack_body(net::Request& request, std::string dir) {
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
    co_await feed(*unpacking, request.body());
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
