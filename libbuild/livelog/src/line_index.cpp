// Marks are only ever appended, and only if no other call did so meanwhile; so calls may overlap freely.
#include <build/livelog/line_index.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

namespace build::livelog {

namespace {

constexpr std::uint64_t kStride = 64 * 1024;
constexpr std::size_t kStridesAtOnce = 16;

std::uint64_t count_lines(std::string_view bytes) {
  return static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
}

}  // namespace

std::shared_ptr<LineIndex::Marks> LineIndex::marks_of(const model::RunId& run) {
  const auto found =
      std::find_if(recent_.begin(), recent_.end(), [&run](const auto& marks) { return marks->run == run; });
  if (found != recent_.end()) {
    recent_.splice(recent_.begin(), recent_, found);
  } else {
    recent_.push_front(std::make_shared<Marks>(Marks{.run = run}));
    if (recent_.size() > max_logs_) recent_.pop_back();
  }
  return recent_.front();
}

io::Task<std::string> LineIndex::read(model::RunId run, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const io::asio::mutable_buffer into(bytes.data() + have, size - have);
    const std::size_t count = co_await logs_.read(run, offset + have, into, LogStore::Follow::no);
    if (count == 0) break;
    have += count;
  }
  bytes.resize(have);
  co_return bytes;
}

io::Task<> LineIndex::extend(std::shared_ptr<Marks> marks, std::uint64_t offset, std::uint64_t line) {
  std::vector<std::uint64_t>& before = marks->before;
  while (before.size() * kStride <= offset && before.back() < line) {
    const std::size_t known = before.size();
    const std::string bytes = co_await read(marks->run, (known - 1) * kStride, kStridesAtOnce * kStride);
    if (before.size() != known) continue;
    const std::size_t strides = bytes.size() / kStride;
    if (strides == 0) break;
    for (std::size_t i = 0; i < strides; ++i)
      before.push_back(before.back() + count_lines(std::string_view(bytes).substr(i * kStride, kStride)));
  }
}

io::Task<std::uint64_t> LineIndex::line_at(model::RunId run, std::uint64_t offset) {
  const std::shared_ptr<Marks> marks = marks_of(run);
  co_await extend(marks, offset, UINT64_MAX);
  const std::uint64_t stride = std::min<std::uint64_t>(offset / kStride, marks->before.size() - 1);
  const std::uint64_t lines = marks->before[stride];
  const std::string bytes = co_await read(run, stride * kStride, static_cast<std::size_t>(offset - stride * kStride));
  if (stride * kStride + bytes.size() != offset)
    throw std::out_of_range("log " + run.value + " has no offset " + std::to_string(offset));
  co_return lines + count_lines(bytes) + 1;
}

io::Task<std::optional<std::uint64_t>> LineIndex::offset_of(model::RunId run, std::uint64_t line) {
  if (line <= 1) co_return 0;
  const std::shared_ptr<Marks> marks = marks_of(run);
  const std::uint64_t feeds = line - 1;  // the line begins behind this many line feeds
  co_await extend(marks, UINT64_MAX, feeds);
  const auto above = std::lower_bound(marks->before.begin(), marks->before.end(), feeds);
  const auto stride = static_cast<std::uint64_t>(above - marks->before.begin()) - 1;
  std::uint64_t left = feeds - marks->before[stride];
  const std::string bytes = co_await read(run, stride * kStride, static_cast<std::size_t>(kStride));
  for (std::size_t at = bytes.find('\n'); at != std::string::npos; at = bytes.find('\n', at + 1))
    if (--left == 0) co_return stride* kStride + at + 1;
  co_return std::nullopt;
}

}  // namespace build::livelog
