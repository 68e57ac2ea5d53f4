// How it works: the index is a page that both sides have mapped. The writer says in `reserved` how far it is about to
// write, writes, then says in `size` how far it has; a reader that took bytes out of the ring looks at `reserved`
// afterwards, and drops what may have been written over meanwhile.
#include <build/runs/spool.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace build::runs {

struct SpoolState {
  char magic[8];
  std::atomic<std::uint64_t> head_size;      ///< bytes in `head`; final once there is a tail
  std::atomic<std::uint64_t> tail_capacity;  ///< 0: there is no tail yet
  std::atomic<std::uint64_t> reserved;       ///< bytes that the writer is about to have written
  std::atomic<std::uint64_t> size;           ///< bytes written
  std::atomic<std::uint64_t> closed;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

namespace {

constexpr char kMagic[8] = {'x', 'b', 's', 'p', 'o', 'o', 'l', '1'};
constexpr std::size_t kIndexSize = 4096;
static_assert(sizeof(SpoolState) <= kIndexSize);

[[noreturn]] void fail(const char* what, const char* file) {
  throw std::system_error(errno, std::generic_category(), std::string("cannot ") + what + " the spool's file " + file);
}

base::UniqueFd open_file(int directory, const char* name, int flags) {
  base::UniqueFd fd(::openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) fail("open", name);
  return fd;
}

base::UniqueFd make_file(int directory, const char* name) {
  return open_file(directory, name, O_RDWR | O_CREAT | O_EXCL);
}

/// Sees to it that later writes there cannot lack room.
void set_aside(const base::UniqueFd& fd, std::uint64_t size, const char* name) {
  errno = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(size));
  if (errno != 0) fail("make room in", name);
}

/// Writes as much as there is room for. Throws if it is not the room that is lacking.
std::size_t write_at(const base::UniqueFd& fd, const char* bytes, std::size_t size, std::uint64_t at,
                     const char* name) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pwrite(fd.get(), bytes + done, size - done, static_cast<off_t>(at + done));
    if (n > 0) {
      done += static_cast<std::size_t>(n);
    } else if (n < 0 && errno != EINTR) {
      if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) break;
      fail("write", name);
    }
  }
  return done;
}

/// At least one byte; -1 if the disk would have to be waited for and `flags` are RWF_NOWAIT.
ssize_t read_at(const base::UniqueFd& fd, char* into, std::size_t size, std::uint64_t at, int flags, const char* name) {
  iovec piece{into, size};
  while (true) {
    const ssize_t n = ::preadv2(fd.get(), &piece, 1, static_cast<off_t>(at), flags);
    if (n > 0) return n;
    if (flags != 0 && n < 0 && (errno == EAGAIN || errno == EOPNOTSUPP)) return -1;
    if (n == 0) errno = EBADMSG;  // the index promised more
    if (errno != EINTR) fail("read", name);
  }
}

}  // namespace

SpoolLimits SpoolLimits::of(std::uint64_t cap) {
  const std::uint64_t tail = std::max(cap / 4, kSetAside);
  return {.head = cap > tail ? cap - tail : 0, .tail = tail};
}

SpoolIndex::SpoolIndex(const base::UniqueFd& fd, bool writable) {
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* mapped = ::mmap(nullptr, kIndexSize, protection, MAP_SHARED, fd.get(), 0);
  if (mapped == MAP_FAILED) fail("map", "index");
  state_ = static_cast<SpoolState*>(mapped);
}

SpoolIndex::SpoolIndex(SpoolIndex&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}

SpoolIndex& SpoolIndex::operator=(SpoolIndex&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

SpoolIndex::~SpoolIndex() {
  if (state_ != nullptr) ::munmap(state_, kIndexSize);
}

SpoolWriter::SpoolWriter(int directory, SpoolLimits limits)
    : limits_(limits), head_(make_file(directory, "head")), tail_(make_file(directory, "tail")) {
  limits_.tail = std::max(limits_.tail, SpoolLimits::kSetAside);
  const base::UniqueFd index = make_file(directory, "index");
  set_aside(index, kIndexSize, "index");
  set_aside(tail_, SpoolLimits::kSetAside, "tail");
  index_ = SpoolIndex(index, true);
  std::memcpy(index_->magic, kMagic, sizeof kMagic);
}

void SpoolWriter::append(const char* bytes, std::size_t size) {
  if (size == 0) return;
  index_->reserved.store(size_ + size, std::memory_order_seq_cst);
  const std::size_t in_head = append_to_head(bytes, size);
  if (in_head < size) append_to_tail(bytes + in_head, size - in_head, size_ + in_head - head_size_);
  size_ += size;
  index_->size.store(size_, std::memory_order_seq_cst);
}

std::size_t SpoolWriter::append_to_head(const char* bytes, std::size_t size) {
  if (tail_capacity_ != 0) return 0;
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, limits_.head - head_size_));
  const std::size_t written = write_at(head_, bytes, wanted, head_size_, "head");
  head_size_ += written;
  index_->head_size.store(head_size_, std::memory_order_seq_cst);
  if (written < size) begin_tail();
  return written;
}

void SpoolWriter::begin_tail() {
  // The whole ring now or the part that is set aside: its size cannot change later.
  const bool whole = ::posix_fallocate(tail_.get(), 0, static_cast<off_t>(limits_.tail)) == 0;
  tail_capacity_ = whole ? limits_.tail : SpoolLimits::kSetAside;
  index_->tail_capacity.store(tail_capacity_, std::memory_order_seq_cst);
}

// `at` counts from the beginning of the tail.
void SpoolWriter::append_to_tail(const char* bytes, std::size_t size, std::uint64_t at) {
  if (size > tail_capacity_) {
    at += size - tail_capacity_;
    bytes += size - tail_capacity_;
    size = static_cast<std::size_t>(tail_capacity_);
  }
  while (size > 0) {
    const std::uint64_t place = at % tail_capacity_;
    const std::size_t piece = static_cast<std::size_t>(std::min<std::uint64_t>(size, tail_capacity_ - place));
    const std::size_t written = write_at(tail_, bytes, piece, place, "tail");
    if (written < piece) fail("write", "tail");
    at += piece;
    bytes += piece;
    size -= piece;
  }
}

std::uint64_t SpoolWriter::room_behind(std::uint64_t offset) const noexcept {
  if (tail_capacity_ == 0) return SpoolLimits::kSetAside;  // the head may end at any byte
  return tail_capacity_ - std::min(tail_capacity_, size_ - std::clamp(offset, head_size_, size_));
}

void SpoolWriter::close() { index_->closed.store(1, std::memory_order_seq_cst); }

SpoolReader::SpoolReader(int directory)
    : head_(open_file(directory, "head", O_RDONLY)), tail_(open_file(directory, "tail", O_RDONLY)) {
  const base::UniqueFd index = open_file(directory, "index", O_RDONLY);
  struct stat status {};
  if (::fstat(index.get(), &status) != 0 || status.st_size < static_cast<off_t>(kIndexSize)) {
    errno = EBADMSG;
    fail("use", "index");
  }
  index_ = SpoolIndex(index, false);
  if (std::memcmp(index_->magic, kMagic, sizeof kMagic) != 0) {
    errno = EBADMSG;
    fail("use", "index");
  }
}

std::uint64_t SpoolReader::size() const noexcept { return index_->size.load(std::memory_order_seq_cst); }

bool SpoolReader::closed() const noexcept { return index_->closed.load(std::memory_order_seq_cst) != 0; }

std::uint64_t SpoolReader::tail_capacity() const noexcept { return index_->tail_capacity.load(); }

SpoolReader::Gap SpoolReader::gap() const noexcept {
  const std::uint64_t head = index_->head_size.load(), capacity = index_->tail_capacity.load();
  const std::uint64_t reserved = std::max(index_->reserved.load(), index_->size.load());
  if (capacity == 0 || reserved <= head + capacity) return {head, head};
  return {head, reserved - capacity};
}

SpoolReader::Piece SpoolReader::read(std::uint64_t offset, char* into, std::size_t capacity) const {
  return read(offset, into, capacity, Disk::wait).value();
}

std::optional<SpoolReader::Piece> SpoolReader::read_cached(std::uint64_t offset, char* into,
                                                           std::size_t capacity) const {
  return read(offset, into, capacity, Disk::avoid);
}

std::optional<SpoolReader::Piece> SpoolReader::read(std::uint64_t offset, char* into, std::size_t capacity,
                                                    Disk disk) const {
  const int flags = disk == Disk::avoid ? RWF_NOWAIT : 0;
  while (true) {
    const std::uint64_t size = this->size(), head = index_->head_size.load();
    if (offset >= size || capacity == 0) return Piece{offset, 0};
    if (offset < head) {
      const std::uint64_t there = std::min<std::uint64_t>(capacity, std::min(size, head) - offset);
      const ssize_t taken = read_at(head_, into, static_cast<std::size_t>(there), offset, flags, "head");
      if (taken < 0) return std::nullopt;
      return Piece{offset, static_cast<std::size_t>(taken)};
    }
    const std::uint64_t ring = index_->tail_capacity.load();
    const Gap gone = gap();
    if (offset < gone.end) offset = gone.end;
    if (offset >= size) continue;  // the writer is that far ahead already
    const std::uint64_t place = (offset - head) % ring;
    const std::size_t count =
        static_cast<std::size_t>(std::min({static_cast<std::uint64_t>(capacity), size - offset, ring - place}));
    const ssize_t taken = read_at(tail_, into, count, place, flags, "tail");
    if (taken < 0) return std::nullopt;
    if (offset >= gap().end) return Piece{offset, static_cast<std::size_t>(taken)};
    // It was written over meanwhile. A reader that is so late goes on a little ahead of the writer.
    offset = std::min(size, gap().end + ring / 8);
  }
}

}  // namespace build::runs
