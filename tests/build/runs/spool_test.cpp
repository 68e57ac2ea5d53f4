#include <build/runs/spool.h>

#include <doctest/doctest.h>

#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sys/mount.h>

#include "support/confine.h"
#include "support/support.h"

using namespace build;
using namespace build::runs;

namespace {

constexpr std::uint64_t kHead = 1000, kTail = SpoolLimits::kSetAside;

/// A byte that tells where in the output it stands.
char byte_at(std::uint64_t offset) { return static_cast<char>(offset * 2654435761u >> 13); }

std::string bytes_at(std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = byte_at(offset + i);
  return bytes;
}

struct Spool {
  explicit Spool(SpoolLimits limits = {.head = kHead, .tail = kTail})
      : directory(::open(temp.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), writer(directory.get(), limits) {}

  void append(std::size_t size) {
    const std::string bytes = bytes_at(writer.size(), size);
    writer.append(bytes.data(), bytes.size());
  }

  testing::TempDir temp;
  base::UniqueFd directory;
  SpoolWriter writer;
};

struct Read {
  std::uint64_t offset;
  std::string bytes;
};

Read read(SpoolReader& reader, std::uint64_t offset, std::size_t capacity = 1 << 20) {
  std::string buffer(capacity, '\0');
  const SpoolReader::Piece piece = reader.read(offset, buffer.data(), buffer.size());
  buffer.resize(piece.size);
  return {piece.offset, buffer};
}

/// Everything that is there from `offset` on, each byte compared with what stands there; only the gap is jumped over.
/// Returns where the first byte was.
std::uint64_t check_from(SpoolReader& reader, std::uint64_t offset) {
  std::optional<std::uint64_t> first;
  while (true) {
    const Read piece = read(reader, offset, 777);
    if (piece.bytes.empty()) break;
    if (!first) first = piece.offset;
    const bool inside_gap = offset >= reader.gap().begin && offset < reader.gap().end;
    REQUIRE(piece.offset == (inside_gap ? reader.gap().end : offset));
    REQUIRE(piece.bytes == bytes_at(piece.offset, piece.bytes.size()));
    offset = piece.offset + piece.bytes.size();
  }
  CHECK(offset == reader.size());
  return first.value_or(offset);
}

}  // namespace

TEST_CASE("output is read at its offsets, by a reader that came before it and by one that came after") {
  Spool spool;
  SpoolReader early(spool.directory.get());
  CHECK(read(early, 0).bytes.empty());
  spool.append(10);
  CHECK(read(early, 0).bytes == bytes_at(0, 10));
  CHECK(read(early, 4, 3).bytes == bytes_at(4, 3));
  CHECK(read(early, 10).bytes.empty());
  SpoolReader late(spool.directory.get());
  CHECK(late.size() == 10);
  CHECK_FALSE(late.closed());
  spool.writer.close();
  CHECK(early.closed());
}

TEST_CASE("past the cap the beginning and the end are kept, and offsets do not shift") {
  Spool spool;
  SpoolReader reader(spool.directory.get());
  spool.append(kHead + kTail);
  CHECK(reader.gap().begin == reader.gap().end);
  CHECK(check_from(reader, 0) == 0);
  spool.append(5000);
  CHECK(reader.gap().begin == kHead);
  CHECK(reader.gap().end == kHead + 5000);
  CHECK(read(reader, 0).bytes == bytes_at(0, kHead));
  const Read after = read(reader, kHead);
  CHECK(after.offset == kHead + 5000);
  CHECK(check_from(reader, kHead + 17) == kHead + 5000);
}

TEST_CASE("pieces of any size, also larger than all that is kept") {
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    Spool spool;
    SpoolReader reader(spool.directory.get());
    for (int i = 0; i < 30; ++i) {
      spool.append(random() % (i % 7 == 0 ? 3 * kTail : 3000));
      const std::uint64_t size = spool.writer.size(), kept = kHead + kTail;
      CHECK(check_from(reader, 0) == 0);
      if (size > kept) CHECK(check_from(reader, kHead) == size - kTail);
    }
  }
}

TEST_CASE("a reader beside a writer that overtakes it sees each byte as it was written, or learns that it is gone") {
  Spool spool({.head = kHead, .tail = kTail});
  SpoolReader reader(spool.directory.get());
  std::thread writer([&spool] {
    std::mt19937 random(2);
    while (spool.writer.size() < 30'000'000) spool.append(1 + random() % 9000);
    spool.writer.close();
  });
  std::uint64_t offset = 0, seen = 0, wrong = 0;
  std::string buffer(10'000, '\0');
  while (true) {
    const bool last = reader.closed();
    const SpoolReader::Piece piece = reader.read(offset, buffer.data(), buffer.size());
    if (piece.size == 0 && last) break;
    if (piece.offset < offset) ++wrong;
    if (buffer.compare(0, piece.size, bytes_at(piece.offset, piece.size)) != 0) ++wrong;
    offset = piece.offset + piece.size;
    seen += piece.size;
  }
  writer.join();
  CHECK(wrong == 0);
  CHECK(offset == spool.writer.size());
  CHECK(seen > kHead);
}

TEST_CASE("on a full disk the end of the output is kept all the same") {
  testing::TempDir temp;
  const bool mounted =
      testing::confinement.works() && ::mount("tmpfs", temp.path().c_str(), "tmpfs", 0, "size=400k") == 0;
  if (!mounted) return testing::skip("test_runs", "it may not mount a small file system");
  {
    const base::UniqueFd directory(::open(temp.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    SpoolWriter writer(directory.get(), {.head = 10 << 20, .tail = 1 << 20});
    SpoolReader reader(directory.get());
    while (writer.size() < 1'000'000) {
      const std::string bytes = bytes_at(writer.size(), 10'000);
      writer.append(bytes.data(), bytes.size());
    }
    CHECK(writer.room_behind(writer.size()) == SpoolLimits::kSetAside);
    CHECK(writer.room_behind(writer.size() - 100) == SpoolLimits::kSetAside - 100);
    CHECK(writer.room_behind(0) == 0);
    const SpoolReader::Gap gap = reader.gap();
    CHECK(gap.begin > 200'000);
    CHECK(gap.end == writer.size() - SpoolLimits::kSetAside);
    CHECK(read(reader, 0).bytes == bytes_at(0, gap.begin));
    CHECK(check_from(reader, gap.begin) == gap.end);
    SUBCASE("and where there is not even room for that, it is said at once") {
      testing::TempDir other;
      CHECK_THROWS_AS(SpoolWriter(directory.get(), {}), std::system_error);
    }
  }
  ::umount2(temp.path().c_str(), MNT_DETACH);
}

TEST_CASE("a writer that waits for its reader leaves nothing out") {
  testing::TempDir temp;
  const base::UniqueFd directory(::open(temp.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  SpoolWriter writer(directory.get(), {.head = 100'000, .tail = 200'000});
  SpoolReader reader(directory.get());
  std::uint64_t offset = 0;
  std::string buffer(7'000, '\0');
  while (offset < 2'000'000) {
    while (const std::uint64_t room = writer.room_behind(offset)) {
      const std::string bytes = bytes_at(writer.size(), std::min<std::uint64_t>(room, 10'000));
      writer.append(bytes.data(), bytes.size());
    }
    const SpoolReader::Piece piece = reader.read(offset, buffer.data(), buffer.size());
    REQUIRE(piece.offset == offset);
    REQUIRE(buffer.substr(0, piece.size) == bytes_at(offset, piece.size));
    offset += piece.size;
  }
}

TEST_CASE("what is no spool is refused") {
  testing::TempDir temp;
  const base::UniqueFd directory(::open(temp.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK_THROWS_AS(SpoolReader(directory.get()), std::system_error);
  for (const char* name : {"head", "tail", "index"}) testing::write_file(temp / name, "");
  CHECK_THROWS_WITH_AS(SpoolReader(directory.get()), "cannot use the spool's file index: Bad message",
                       std::system_error);
  testing::write_file(temp / "index", std::string(4096, 'x'));
  CHECK_THROWS_AS(SpoolReader(directory.get()), std::system_error);
}
