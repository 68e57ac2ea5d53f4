#include <maintner/log_copier.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_error.h"

namespace maintner {

namespace fs = std::filesystem;

namespace {

/// What is not stored yet is little enough to be read again after a crash.
constexpr std::uint64_t kBetweenCommits = 8 << 20;
constexpr std::size_t kReadAhead = 4 << 20;

/// The records of a file from an offset on.
class Rest {
 public:
  Rest(const fs::path& file, std::uint64_t offset)
      : file_(file), fd_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)), offset_(offset) {
    struct stat status {};
    if (!fd_.valid() || ::fstat(fd_.get(), &status) != 0) fail("cannot open", file);
    size_ = static_cast<std::uint64_t>(status.st_size);
    if (size_ < offset) throw std::runtime_error(file.string() + " has become shorter");
  }

  /// Nothing at the end. Throws RecordError; the view is good until the next call.
  std::optional<Record> next() {
    for (std::size_t wanted = kReadAhead;; wanted *= 2) {
      const std::string_view left = std::string_view(buffer_).substr(begin_);
      RecordReader reader(left, offset_);
      std::optional<Record> record;
      try {
        record = reader.next();
      } catch (const RecordError& error) {
        if (error.fault() != RecordError::Fault::torn || offset_ + left.size() >= size_) throw;
      }
      if (record) {
        begin_ += static_cast<std::size_t>(record->end() - offset_);
        offset_ = record->end();
        return record;
      }
      if (offset_ + left.size() >= size_) return std::nullopt;
      read(wanted);
    }
  }
  std::uint64_t offset() const noexcept { return offset_; }

 private:
  void read(std::size_t wanted) {
    buffer_.erase(0, std::exchange(begin_, 0));
    std::size_t have = buffer_.size();
    buffer_.resize(
        static_cast<std::size_t>(std::min<std::uint64_t>(std::max(wanted, have + kReadAhead), size_ - offset_)));
    while (have < buffer_.size()) {
      const ssize_t n =
          ::pread(fd_.get(), buffer_.data() + have, buffer_.size() - have, static_cast<off_t>(offset_ + have));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("cannot read", file_);
      if (n == 0) throw std::runtime_error(file_.string() + " has become shorter");
      have += static_cast<std::size_t>(n);
    }
  }

  const fs::path& file_;
  build::base::UniqueFd fd_;
  std::uint64_t offset_, size_ = 0;
  std::string buffer_;  ///< of the file, from offset_ on behind its first begin_ bytes
  std::size_t begin_ = 0;
};

}  // namespace

template <typename Take>
void LogCopier::go_on(Take take) {
  const std::vector<fs::path> files = log_files(directory_);
  if (!file_.empty() && !std::binary_search(files.begin(), files.end(), file_))
    throw std::runtime_error(file_.string() + " is not there any more");
  for (auto file = std::lower_bound(files.begin(), files.end(), file_); file != files.end(); ++file) {
    if (*file != file_) offset_ = 0;
    file_ = *file;
    Rest rest(file_, offset_);
    try {
      while (const auto record = rest.next()) {
        const bool more = take(record->payload);
        offset_ = rest.offset();
        if (!more) return;
      }
    } catch (const RecordError& error) {
      if (error.fault() == RecordError::Fault::torn && file + 1 == files.end()) return;
      throw std::runtime_error(file_.string() + ": " + error.what());
    }
  }
}

LogCopier::LogCopier(fs::path directory, SegmentStore& store) : directory_(std::move(directory)), store_(store) {
  const auto list = store_.segments();
  auto segment = list->segments.begin();
  std::string bytes;  // of that segment
  std::optional<RecordReader> stored;
  std::optional<Record> expected;
  const auto next_stored = [&] {
    expected.reset();
    while (segment != list->segments.end()) {
      if (!stored) {
        bytes.resize(static_cast<std::size_t>(segment->size));
        store_.open(*segment)->read(0, bytes);
        stored.emplace(bytes);
      }
      expected = stored->next();
      if (expected) return;
      stored.reset();
      ++segment;
    }
  };
  next_stored();
  if (!expected) return;
  go_on([&](std::string_view payload) {
    if (payload != expected->payload)
      throw std::runtime_error("the log in " + directory_.string() + " is not the one of which " +
                               store_.directory().string() + " has the beginning: they differ in " + file_.string() +
                               " at offset " + std::to_string(offset_));
    next_stored();
    return expected.has_value();
  });
  if (expected)
    throw std::runtime_error("the log in " + directory_.string() + " has less than what was copied of it to " +
                             store_.directory().string());
}

std::uint64_t LogCopier::copy() {
  std::uint64_t records = 0, bytes = 0;
  try {
    go_on([&](std::string_view payload) {
      store_.append(payload);
      ++records;
      bytes += payload.size();
      if (bytes >= kBetweenCommits) {
        store_.commit();
        bytes = 0;
      }
      return true;
    });
  } catch (const std::exception&) {
    store_.commit();
    throw;
  }
  store_.commit();
  return records;
}

}  // namespace maintner
