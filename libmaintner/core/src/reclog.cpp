#include <maintner/reclog.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <limits>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mapping.h"

namespace maintner {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "REC@";

/// As Go quotes it, for what headers are made of.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      std::array<char, 5> hex{};
      std::snprintf(hex.data(), hex.size(), "\\x%02x", static_cast<unsigned char>(c));
      out += hex.data();
    }
  }
  return out + '"';
}

/// A number of 63 bits.
std::optional<std::uint64_t> number_from(std::string_view hex) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), number, 16);
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (hex.empty() || error != std::errc() || end != hex.data() + hex.size() || number > kMax) return std::nullopt;
  return number;
}

/// Whether a header may begin with this.
bool may_begin_header(std::string_view bytes) {
  if (!kPrefix.starts_with(bytes.substr(0, kPrefix.size()))) return false;
  const std::string_view rest = bytes.substr(std::min(bytes.size(), kPrefix.size()));
  const auto is_part = [](unsigned char c) { return std::isxdigit(c) != 0 || c == '+'; };
  return std::count(rest.begin(), rest.end(), '+') <= 1 && std::all_of(rest.begin(), rest.end(), is_part);
}

[[noreturn]] void fail(const std::string& attempt, const fs::path& file) {
  throw std::system_error(errno, std::generic_category(), attempt + " " + file.string());
}

/// What a loss of power can leave of bytes that were not on the disk yet.
bool all_zero(std::string_view bytes) { return bytes.find_first_not_of('\0') == bytes.npos; }

/// The offset and the size that a header of the right form gives, as text.
std::optional<std::pair<std::string_view, std::string_view>> parts_of(std::string_view header) {
  if (!header.starts_with(kPrefix) || std::count(header.begin(), header.end(), '+') != 1) return std::nullopt;
  const std::size_t plus = header.find('+');
  return std::pair(header.substr(kPrefix.size(), plus - kPrefix.size()),
                   header.substr(plus + 1, header.size() - plus - 2));
}

}  // namespace

std::optional<Record> RecordReader::next() {
  if (rest_.empty()) return std::nullopt;
  using Fault = RecordError::Fault;
  const auto wrong = [this](Fault fault, const std::string& what) {
    return RecordError(fault, offset_, what + " at offset " + std::to_string(offset_));
  };
  const std::string_view start = rest_.substr(0, kMaxHeader);
  const std::size_t equals = start.find('=');
  const std::string_view header = start.substr(0, equals == start.npos ? start.npos : equals + 1);
  const auto malformed = [&](Fault fault, const std::string& what) {
    if (all_zero(rest_)) return wrong(Fault::torn, "nothing but zero bytes");
    return wrong(fault, "malformed " + what);
  };
  if (equals == start.npos) {
    if (start.size() == kMaxHeader) throw malformed(Fault::overlong_header, "overlong header " + quoted(header));
    if (may_begin_header(start)) throw wrong(Fault::torn, "truncated header " + quoted(start));
    throw malformed(Fault::malformed, "header " + quoted(header));
  }
  const auto parts = parts_of(header);
  if (!parts) throw malformed(Fault::malformed, "header " + quoted(header));
  const std::optional<std::uint64_t> offset = number_from(parts->first), size = number_from(parts->second);
  if (!offset) throw malformed(Fault::bad_offset, "header " + quoted(header) + " (malformed offset)");
  if (*offset != offset_) {
    throw RecordError(Fault::wrong_offset, offset_,
                      "malformed header " + quoted(header) + " with offset " + std::to_string(*offset) +
                          " doesn't match expected offset " + std::to_string(offset_));
  }
  if (!size) throw malformed(Fault::bad_size, "header " + quoted(header) + " (bad size)");
  if (*size > rest_.size() - header.size()) {
    throw RecordError(Fault::torn, offset_, "truncated record at offset " + std::to_string(offset_) + ": EOF");
  }
  const Record record{offset_, header, rest_.substr(header.size(), static_cast<std::size_t>(*size))};
  rest_.remove_prefix(header.size() + record.payload.size());
  offset_ = record.end();
  return record;
}

std::string framed(std::uint64_t offset, std::string_view payload) {
  std::array<char, kMaxHeader + 1> header{};
  const int size =
      std::snprintf(header.data(), header.size(), "REC@%llx+%llx=", static_cast<unsigned long long>(offset),
                    static_cast<unsigned long long>(payload.size()));
  std::string record;
  record.reserve(static_cast<std::size_t>(size) + payload.size());
  return record.append(header.data(), static_cast<std::size_t>(size)).append(payload);
}

RecordWriter::RecordWriter(const fs::path& file, Torn torn)
    : file_(file), fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  if (!fd_.valid()) fail("cannot open", file);
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) fail("somebody else writes to", file);
    fail("cannot lock", file);
  }
  const Mapping mapping(fd_.get(), file);
  RecordReader reader(mapping.bytes());
  try {
    while (reader.next()) {
    }
  } catch (const RecordError& error) {
    if (error.fault() != RecordError::Fault::torn || torn == Torn::refuse) throw;
    cut_ = mapping.bytes().size() - error.offset();
    if (::ftruncate(fd_.get(), static_cast<off_t>(error.offset())) != 0) fail("cannot cut a torn record off", file);
  }
  size_ = reader.offset();
}

std::uint64_t RecordWriter::append(std::string_view payload) {
  if (broken_)
    throw std::runtime_error("an earlier record stands in " + file_.string() + " in part: no more is written");
  const std::string record = framed(size_, payload);
  std::size_t done = 0;
  while (done < record.size()) {
    const ssize_t n = ::pwrite(fd_.get(), record.data() + done, record.size() - done, static_cast<off_t>(size_ + done));
    if (n > 0) {
      done += static_cast<std::size_t>(n);
    } else if (n == 0 || errno != EINTR) {
      const int error = n == 0 ? EIO : errno;
      broken_ = ::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0;
      errno = error;
      fail("cannot write to", file_);
    }
  }
  const std::uint64_t offset = size_;
  size_ += record.size();
  return offset;
}

void RecordWriter::sync() {
  if (::fdatasync(fd_.get()) == 0) return;
  broken_ = true;  // what was appended may be lost, and the next sync would not say so
  fail("cannot sync", file_);
}

std::vector<fs::path> log_files(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("maintner-") && name.ends_with(".mutlog") && !entry.is_directory())
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string log_file_name(std::chrono::system_clock::time_point time) {
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(time));
  std::array<char, 40> name{};
  std::snprintf(name.data(), name.size(), "maintner-%04d-%02u-%02u.mutlog", static_cast<int>(day.year()),
                static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
  return name.data();
}

}  // namespace maintner
