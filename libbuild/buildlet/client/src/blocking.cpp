// How it works: each call is a task on the loop's thread, where the worker lives; streams are read and written there,
// too, since nobody else needs that loop.
#include <build/base/ids.h>
#include <build/buildlet/blocking.h>
#include <io/loop_thread.h>
#include <io/secret.h>

#include <array>
#include <cstddef>
#include <exception>
#include <istream>
#include <optional>
#include <ostream>
#include <utility>

namespace build::buildlet {

namespace {

BodySource source_of(std::istream& content) {
  return [&content](io::asio::mutable_buffer into) -> io::Task<std::size_t> {
    content.read(static_cast<char*>(into.data()), static_cast<std::streamsize>(into.size()));
    if (content.bad()) throw std::ios_base::failure("what was to be sent cannot be read");
    co_return static_cast<std::size_t>(content.gcount());
  };
}

model::RunId new_run_id() {
  std::array<std::byte, 16> bytes;
  io::system_random(bytes);
  return model::RunId("run-" + base::to_hex(bytes));
}

io::Task<> copy(BodySource from, std::ostream& to) {
  std::array<char, 64 * 1024> buffer;
  while (true) {
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const std::size_t n = co_await from(into);
    if (n == 0) break;
    if (!to.write(buffer.data(), static_cast<std::streamsize>(n)))
      throw std::ios_base::failure("what came cannot be written");
  }
}

io::Task<> copy_tgz(Worker& worker, std::string dir, std::ostream& archive) {
  BodySource source = co_await worker.get_tgz(std::move(dir));
  co_await copy(std::move(source), archive);
}

io::Task<std::vector<DirEntry>> list_all(Worker& worker, std::string dir, ListOptions options) {
  std::vector<DirEntry> entries;
  const auto keep = [&entries](const DirEntry& entry) { entries.push_back(entry); };
  co_await worker.list(std::move(dir), std::move(options), keep);
  co_return entries;
}

io::Task<> end_lease_of(Worker& worker) {
  const std::uint64_t number = worker.lease();
  if (number == 0) co_return;
  worker.use_lease(0);
  co_await worker.end_lease(number);
}

io::Task<RunResult> run_to_end(Worker& worker, RunSpec spec, const std::function<void(std::string_view)>& output) {
  const std::unique_ptr<Run> run = worker.start(new_run_id(), std::move(spec));
  std::exception_ptr failed;
  std::vector<char> buffer(64 * 1024);
  for (std::uint64_t offset = 0;;) {
    const io::asio::mutable_buffer into(buffer.data(), buffer.size());
    const RunOutput piece = co_await run->follow(offset, into);
    if (piece.size == 0) break;
    offset = piece.offset + piece.size;
    try {
      if (output) output(std::string_view(buffer.data(), piece.size));
    } catch (const std::exception&) {
      failed = std::current_exception();
      run->kill();
    }
    if (failed) break;
  }
  const RunResult result = co_await run->result();
  if (failed) std::rethrow_exception(failed);
  co_return result;
}

io::Task<> let_go_of(std::optional<DirectWorker>& worker) {
  worker.reset();
  co_return;
}

}  // namespace

struct BlockingWorker::Impl {
  Impl(const Access& access, WorkerLimits limits) : worker(std::in_place, loop.executor(), clock, access, limits) {}
  ~Impl() { loop.run(let_go_of(worker)); }

  io::RealClock clock;
  io::LoopThread loop;
  std::optional<DirectWorker> worker;  ///< used on the loop
};

BlockingWorker::BlockingWorker(const Access& access, WorkerLimits limits)
    : impl_(std::make_unique<Impl>(access, limits)) {}
BlockingWorker::~BlockingWorker() = default;
BlockingWorker::BlockingWorker(BlockingWorker&&) noexcept = default;
BlockingWorker& BlockingWorker::operator=(BlockingWorker&&) noexcept = default;

WorkerStatus BlockingWorker::status() { return impl_->loop.run(impl_->worker->status()); }

std::string BlockingWorker::workdir() { return impl_->loop.run(impl_->worker->workdir()); }

void BlockingWorker::put(const std::string& path, std::istream& content, unsigned permissions) {
  impl_->loop.run(impl_->worker->put(path, source_of(content), permissions));
}

void BlockingWorker::put_tgz(const std::string& dir, std::istream& archive) {
  impl_->loop.run(impl_->worker->put_tgz(dir, source_of(archive)));
}

void BlockingWorker::put_tgz_from_url(const std::string& dir, const std::string& url) {
  impl_->loop.run(impl_->worker->put_tgz_from_url(dir, url));
}

void BlockingWorker::get_tgz(const std::string& dir, std::ostream& archive) {
  impl_->loop.run(copy_tgz(*impl_->worker, dir, archive));
}

std::vector<DirEntry> BlockingWorker::list(const std::string& dir, const ListOptions& options) {
  return impl_->loop.run(list_all(*impl_->worker, dir, options));
}

void BlockingWorker::remove_all(const std::vector<std::string>& paths) {
  impl_->loop.run(impl_->worker->remove_all(paths));
}

void BlockingWorker::halt() { impl_->loop.run(impl_->worker->halt()); }

bool BlockingWorker::keep_runs(std::chrono::seconds time) { return impl_->loop.run(impl_->worker->keep_runs(time)); }

void BlockingWorker::end_lease() { impl_->loop.run(end_lease_of(*impl_->worker)); }

RunResult BlockingWorker::run(const RunSpec& spec, const std::function<void(std::string_view)>& output) {
  return impl_->loop.run(run_to_end(*impl_->worker, spec, output));
}

}  // namespace build::buildlet
