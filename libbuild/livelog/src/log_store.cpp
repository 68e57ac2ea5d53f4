// A log with a writer has an Object in memory: its open file, the size that followers may see, and an event that
// wakes them. All other logs are only files. Invariant: Object::size never says more than what is in the file, so
// whoever reads below it gets all bytes asked for.
#include <build/livelog/log_store.h>

#include "log_file.h"

#include <stdexcept>

namespace build::livelog {

struct Writer::Object {
  Object(io::Executor executor, LogPaths names, OpenLog opened)
      : paths(std::move(names)), file(std::move(opened.file)), size(opened.size), changed(std::move(executor)) {}

  LogPaths paths;
  base::UniqueFd file;
  std::uint64_t size;
  enum class State { growing, finished, cut_short } state = State::growing;
  io::Event changed;
};

Writer::Writer(std::shared_ptr<Object> object, io::BlockingPool& pool) : object_(std::move(object)), pool_(pool) {}

Writer::~Writer() {
  if (object_->state != Object::State::growing) return;
  object_->state = Object::State::cut_short;
  object_->changed.notify_all();
}

std::uint64_t Writer::size() const noexcept { return object_->size; }

io::Task<> Writer::append(std::uint64_t offset, std::string_view bytes) {
  const std::shared_ptr<Object> object = object_;
  if (object->state != Object::State::growing)
    throw std::logic_error("append to the finished log " + object->paths.finished.string());
  if (offset > object->size)
    throw std::invalid_argument("cannot append to " + object->paths.open.string() + " at offset " +
                                std::to_string(offset) + ": it has " + std::to_string(object->size) + " bytes");
  const std::uint64_t known = object->size - offset;
  if (known >= bytes.size()) co_return;
  bytes.remove_prefix(known);
  auto write = [object, bytes, end = object->size] { write_at(object->file.get(), end, bytes, object->paths.open); };
  co_await pool_.run(write);
  object->size += bytes.size();
  object->changed.notify_all();
}

io::Task<> Writer::finish() {
  const std::shared_ptr<Object> object = object_;
  if (object->state != Object::State::growing) co_return;
  auto finish = [object] { finish_file(object->file.get(), object->paths); };
  co_await pool_.run(finish);
  object->state = Object::State::finished;
  object->changed.notify_all();
}

LogStore::LogStore(std::filesystem::path directory, io::Executor executor, io::BlockingPool& pool)
    : directory_(std::move(directory)), executor_(std::move(executor)), pool_(pool), opened_(executor_) {
  base::ensure_private_directory(directory_);
}

LogStore::~LogStore() = default;

std::shared_ptr<Writer::Object> LogStore::growing(const model::RunId& run) const {
  const auto found = growing_.find(run);
  auto object = found == growing_.end() ? nullptr : found->second.lock();
  if (object && object->state != Writer::Object::State::growing) return nullptr;
  return object;
}

io::Task<std::unique_ptr<Writer>> LogStore::open_writer(model::RunId run) {
  if (!is_valid(run)) throw std::invalid_argument("\"" + run.value + "\" cannot be the name of a log");
  std::erase_if(growing_, [](const auto& entry) { return entry.second.expired(); });
  if (growing(run) || opening_.contains(run))
    throw std::runtime_error("the log of run " + run.value + " has a writer already");

  struct Opening {
    std::set<model::RunId>& runs;
    std::set<model::RunId>::iterator entry;
    io::Event& opened;
    ~Opening() {
      runs.erase(entry);
      opened.notify_all();
    }
  };
  const Opening opening{opening_, opening_.insert(run).first, opened_};
  LogPaths paths = paths_of(directory_, run);
  auto open = [paths] { return open_for_writing(paths); };
  OpenLog opened = co_await pool_.run(open);
  auto object = std::make_shared<Writer::Object>(executor_, std::move(paths), std::move(opened));
  growing_.insert_or_assign(run, object);
  co_return std::unique_ptr<Writer>(new Writer(std::move(object), pool_));
}

io::Task<std::optional<LogStore::Info>> LogStore::info(model::RunId run) {
  if (const auto object = growing(run)) co_return Info{.size = object->size, .growing = true};
  if (!is_valid(run)) co_return std::nullopt;
  const LogPaths paths = paths_of(directory_, run);
  auto look = [paths]() -> std::optional<Info> {
    const auto found = open_for_reading(paths);
    if (!found) return std::nullopt;
    return Info{.size = found->size, .complete = found->finished};
  };
  co_return co_await pool_.run(look);
}

io::Task<std::uint64_t> LogStore::remove(model::RunId run) {
  if (!is_valid(run) || growing(run) || opening_.contains(run)) co_return 0;
  const LogPaths paths = paths_of(directory_, run);
  auto remove = [paths] { return remove_log(paths); };
  co_return co_await pool_.run(remove);
}

io::Task<std::uint64_t> LogStore::total_size() {
  const auto list = [this] { return folders_of(directory_); };
  const std::vector<std::filesystem::path> folders = co_await pool_.run(list);
  std::uint64_t bytes = 0;
  for (const std::filesystem::path& folder : folders) {
    const auto count = [&folder] { return size_of_folder(folder); };
    bytes += co_await pool_.run(count);
  }
  co_return bytes;
}

io::Task<std::size_t> LogStore::read(model::RunId run, std::uint64_t offset, io::asio::mutable_buffer into,
                                     Follow follow) {
  if (into.size() == 0) throw std::invalid_argument("read of a log into no room");
  const std::span<char> room(static_cast<char*>(into.data()), into.size());
  if (const auto object = growing(run)) co_return co_await read_growing(object, offset, room, follow);
  if (!is_valid(run)) throw std::out_of_range("there is no log of a run \"" + run.value + "\"");
  const LogPaths paths = paths_of(directory_, run);
  auto read = [paths, offset, room]() -> std::optional<std::size_t> {
    const auto found = open_for_reading(paths);
    if (!found) return std::nullopt;
    return read_at(found->file.get(), offset, room, found->finished ? paths.finished : paths.open);
  };
  const std::optional<std::size_t> count = co_await pool_.run(read);
  if (count == 0U && follow == Follow::yes) {
    // It may be a file that gets its writer just now.
    while (opening_.contains(run)) co_await opened_.wait();
    if (const auto object = growing(run)) co_return co_await read_growing(object, offset, room, follow);
  }
  if (!count) throw std::out_of_range("there is no log of run " + run.value);
  co_return *count;
}

io::Task<std::size_t> LogStore::read_growing(std::shared_ptr<Writer::Object> object, std::uint64_t offset,
                                             std::span<char> into, Follow follow) {
  while (offset >= object->size) {
    if (follow == Follow::no || object->state != Writer::Object::State::growing) co_return 0;
    co_await object->changed.wait();
  }
  const auto part = into.first(std::min<std::uint64_t>(into.size(), object->size - offset));
  auto read = [object, offset, part] { return read_at(object->file.get(), offset, part, object->paths.open); };
  co_return co_await pool_.run(read);
}

}  // namespace build::livelog
