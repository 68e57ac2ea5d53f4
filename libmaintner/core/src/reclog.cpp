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

#include "hex.h"

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

/// Takes a hexadecimal number of at most 15 digits off the front, with the byte behind it, which must be `end`.
bool take_number(std::string_view& text, char end, std::uint64_t& number) {
  number = 0;
  std::size_t digits = 0;
  for (; digits < std::min<std::size_t>(text.size(), 15); ++digits) {
    const int digit = hex_digit(text[digits]);
    if (digit < 0) break;
    number = number << 4U | static_cast<unsigned>(digit);
  }
  if (digits == 0 || digits >= text.size() || text[digits] != end) return false;
  text.remove_prefix(digits + 1);
  return true;
}

RecordError truncated(std::uint64_t offset) {
  return {RecordError::Fault::torn, offset, "truncated record at offset " + std::to_string(offset) + ": EOF"};
}

struct Header {
  std::string_view text;
  std::uint64_t payload_size = 0;
};

/// That of the record at `offset`. `bytes` is what there is of its file's other `left` bytes: kMaxHeader at least, or
/// all. `only_zeros` is asked whether those are all zero. Throws RecordError.
template <class OnlyZeros>
Header parse_header(std::string_view bytes, std::uint64_t left, std::uint64_t offset, const OnlyZeros& only_zeros) {
  using Fault = RecordError::Fault;
  const std::string_view start = bytes.substr(0, kMaxHeader);
  // Nearly all are right, and are read with a look at each byte. What is wrong is found out below.
  if (std::string_view rest = start; rest.starts_with(kPrefix)) {
    rest.remove_prefix(kPrefix.size());
    std::uint64_t said = 0, size = 0;
    if (take_number(rest, '+', said) && take_number(rest, '=', size) && said == offset) {
      const std::size_t header_size = start.size() - rest.size();
      if (size <= left - header_size) return {start.substr(0, header_size), size};
    }
  }
  const std::size_t equals = start.find('=');
  const std::string_view header = start.substr(0, equals == start.npos ? start.npos : equals + 1);
  const auto wrong = [&](Fault fault, const std::string& what) {
    return RecordError(fault, offset, what + " at offset " + std::to_string(offset));
  };
  const auto malformed = [&](Fault fault, const std::string& what) {
    if (start.front() == '\0' && only_zeros()) return wrong(Fault::torn, "nothing but zero bytes");
    return wrong(fault, "malformed " + what);
  };
  if (equals == start.npos) {
    if (start.size() == kMaxHeader) throw malformed(Fault::overlong_header, "overlong header " + quoted(header));
    if (may_begin_header(start)) throw wrong(Fault::torn, "truncated header " + quoted(start));
    throw malformed(Fault::malformed, "header " + quoted(header));
  }
  const auto parts = parts_of(header);
  if (!parts) throw malformed(Fault::malformed, "header " + quoted(header));
  const std::optional<std::uint64_t> said = number_from(parts->first), size = number_from(parts->second);
  if (!said) throw malformed(Fault::bad_offset, "header " + quoted(header) + " (malformed offset)");
  if (*said != offset) {
    throw RecordError(Fault::wrong_offset, offset,
                      "malformed header " + quoted(header) + " with offset " + std::to_string(*said) +
                          " doesn't match expected offset " + std::to_string(offset));
  }
  if (!size) throw malformed(Fault::bad_size, "header " + quoted(header) + " (bad size)");
  if (*size > left - header.size()) throw truncated(offset);
  return {header, *size};
}

}  // namespace

std::optional<Record> RecordReader::next() {
  if (rest_.empty()) return std::nullopt;
  const Header header = parse_header(rest_, rest_.size(), offset_, [this] { return all_zero(rest_); });
  const Record record{offset_, header.text,
                      rest_.substr(header.text.size(), static_cast<std::size_t>(header.payload_size))};
  rest_.remove_prefix(header.text.size() + record.payload.size());
  offset_ = record.end();
  return record;
}

RecordFile::RecordFile(const fs::path& file) : file_(file), fd_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
  struct stat status {};
  if (!fd_.valid() || ::fstat(fd_.get(), &status) != 0) fail("cannot open", file);
  size_ = static_cast<std::uint64_t>(status.st_size);
}

std::optional<Record> RecordFile::next() {
  std::string_view bytes = look(kMaxHeader);
  if (bytes.empty()) return std::nullopt;
  const Header header = parse_header(bytes, size_ - offset_, offset_, [this] { return only_zeros_left(); });
  const std::size_t header_size = header.text.size();
  const std::uint64_t end = header_size + header.payload_size;
  bytes = look(end);
  if (bytes.size() < end) throw truncated(offset_);  // it was cut meanwhile
  const Record record{offset_, bytes.substr(0, header_size),
                      bytes.substr(header_size, static_cast<std::size_t>(header.payload_size))};
  offset_ = record.end();
  return record;
}

std::string_view RecordFile::look(std::uint64_t count) {
  constexpr std::size_t kPiece = 256 * 1024;
  count = std::min(count, size_ - offset_);
  const auto begin = static_cast<std::size_t>(offset_ - buffer_at_);
  if (buffer_.size() - begin >= count) return std::string_view(buffer_).substr(begin);
  buffer_.erase(0, begin);
  buffer_at_ = offset_;
  std::size_t have = buffer_.size();
  buffer_.resize(std::max<std::size_t>(static_cast<std::size_t>(count), kPiece));
  while (have < buffer_.size() && offset_ + have < size_) {
    const std::size_t wanted =
        std::min<std::size_t>(buffer_.size() - have, static_cast<std::size_t>(size_ - offset_) - have);
    const ssize_t n = ::pread(fd_.get(), buffer_.data() + have, wanted, static_cast<off_t>(offset_ + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot read", file_);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  buffer_.resize(have);
  return buffer_;
}

bool RecordFile::only_zeros_left() {
  const std::uint64_t begin = offset_;
  bool zero = true;
  while (zero && offset_ < size_) {
    const std::string_view bytes = look(1);
    if (bytes.empty()) break;
    zero = all_zero(bytes);
    offset_ += bytes.size();
  }
  offset_ = begin;
  buffer_.clear();
  buffer_at_ = begin;
  return zero;
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
  RecordFile reader(file);
  try {
    while (reader.next()) {
    }
  } catch (const RecordError& error) {
    if (error.fault() != RecordError::Fault::torn || torn == Torn::refuse) throw;
    cut_ = reader.size() - error.offset();
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
