// Files that lie, break off or swell, each with its outcome, which is the same for any number of threads.
#include <doctest/doctest.h>

#include "gzip_bytes.h"

using namespace testing;
using pargzip::ReadErrorKind;

namespace {

struct Case {
  std::string what, file;
  std::string output;
  std::optional<ReadErrorKind> error;
  std::uint64_t offset = 0;
};

std::vector<Case> cases() {
  using enum ReadErrorKind;
  const std::string ok = Member{.content = "fine"}.bytes(), sized = sized_member("sized");
  const std::string name_zero("name\0", 5), comment_zero("comment\0", 8);
  const std::string header("\x1f\x8b\x08\x02\0\0\0\0\0\xff", 10);
  const std::uint64_t n = ok.size(), s = sized.size();
  const auto header_crc = [&](unsigned flip) {
    const unsigned long crc = crc32(0, reinterpret_cast<const Bytef*>(header.data()), 10);
    return Member{.content = "fine", .flags = 2, .after_fixed_header = little_endian((crc ^ flip) & 0xffff, 2)}.bytes();
  };
  std::string wrong_method = ok;
  wrong_method[2] = 7;
  std::string small_bgzf = bgzf_member("xyz");
  small_bgzf[16] = 10;
  const std::string sized_bad_crc = [&] {
    std::string file = sized;
    file[file.size() - 8] ^= 1;
    return file;
  }();
  const std::string sized_bad_length = [&] {
    std::string file = sized;
    file[file.size() - 4] ^= 1;
    return file;
  }();
  const std::string bomb_length = [&] {
    std::string file = sized;
    file.replace(file.size() - 4, 4, little_endian(0xffffffff, 4));
    return file;
  }();
  return {
      {"nothing", "", "", truncated, 0},
      {"half a magic", "\x1f", "", truncated, 1},
      {"text", "hello, world", "", not_gzip, 0},
      {"a zero", std::string(1, '\0'), "", not_gzip, 0},
      {"another method", wrong_method, "", bad_header, 0},
      {"the second has another method", ok + wrong_method, "fine", bad_header, n},
      {"reserved flags", Member{.content = "x", .flags = 0x20}.bytes(), "", bad_header, 0},
      {"all reserved flags", Member{.content = "x", .flags = 0xe0}.bytes(), "", bad_header, 0},
      {"a header checksum", header_crc(0), "fine", {}},
      {"a wrong header checksum", header_crc(1), "", bad_header, 0},
      {"name and comment",
       Member{.content = "fine", .flags = 24, .after_fixed_header = name_zero + comment_zero}.bytes(),
       "fine",
       {}},
      {"a name of 500 kB",
       Member{.content = "fine", .flags = 8, .after_fixed_header = std::string(500'000, 'n') + '\0'}.bytes(),
       "fine",
       {}},
      {"a name of 2 MB",
       Member{.content = "fine", .flags = 8, .after_fixed_header = std::string(2'000'000, 'n') + '\0'}.bytes(), "",
       bad_header, 0},
      {"a name without end", Member{.flags = 8, .after_fixed_header = std::string(3'000'000, 'n')}.bytes(), "",
       bad_header, 0},
      {"an extra field of 65,535 bytes",
       Member{.content = "fine", .flags = 4, .after_fixed_header = "\xff\xff" + noise(65535)}.bytes(),
       "fine",
       {}},
      {"a subfield that goes past its field",
       Member{.content = "fine", .flags = 4, .after_fixed_header = little_endian(6, 2) + "XB\xff\xff" + "ab"}.bytes(),
       "fine",
       {}},
      {"a size field of 2 bytes",
       Member{.content = "fine", .flags = 4, .after_fixed_header = extra_field("XB", "ab")}.bytes(),
       "fine",
       {}},
      {"text says FTEXT", Member{.content = "fine", .flags = 1}.bytes(), "fine", {}},
      {"garbage after the end", ok + "garbage", "fine", trailing_garbage, n},
      {"garbage after a sized member", sized + "garbage", "sized", trailing_garbage, s},
      {"one byte of magic after the end", ok + "\x1f", "fine", trailing_garbage, n},
      {"the magic after the end", ok + "\x1f\x8b", "fine", truncated, n + 2},
      {"zeros after the end", ok + std::string(100'000, '\0'), "fine", {}},
      {"zeros, then something", ok + std::string(100'000, '\0') + "x", "fine", trailing_garbage, n},
      {"zeros, then a member", sized + std::string(1000, '\0') + ok, "sized", trailing_garbage, s},
      {"a wrong checksum", Member{.content = "wrong", .crc = 1}.bytes(), "wrong", bad_checksum, 0},
      {"a wrong length", Member{.content = "wrong", .length = 4}.bytes(), "wrong", bad_length, 0},
      {"a wrong length in the second", ok + Member{.content = "wrong", .length = 6}.bytes() + ok, "finewrong",
       bad_length, n},
      {"a wrong checksum, sized", sized + sized_bad_crc + sized, "sizedsized", bad_checksum, s},
      {"a wrong length, sized", sized + sized_bad_length + sized, "sizedsized", bad_length, s},
      {"a length of 4 GiB, sized", bomb_length, "sized", bad_length, 0},
      {"no deflate data", Member{.data = "\x07"}.bytes(), "", bad_data, 0},
      {"a distance too far back", Member{.data = std::string("\x4b\x04\x1b\x00", 4)}.bytes(), "a", bad_data, 0},
      {"a size field of 0", sized_member("lies", 0), "lies", {}},
      {"a size field of 1", sized_member("lies", 1), "", bad_header, 0},
      {"a size field of a header", sized + sized_member("lies", 27), "sized", bad_header, s},
      {"a size field one too small", sized_member("lies", sized_member("lies").size() - 1), "lies", bad_header, 0},
      {"a size field one too large", sized_member("lies", sized_member("lies").size() + 1) + ok, "lies", bad_header, 0},
      {"a size field with two members", sized_member("lies", sized_member("lies").size() + n) + ok, "lies", bad_header,
       0},
      {"a size field past the end", sized_member("lies", 1'000'000), "lies", bad_header, 0},
      {"a size field of 4 GiB", sized_member("lies", 0xffffffff), "lies", bad_header, 0},
      {"a size field in the middle of data", sized_member(noise(1000), 500), noise(1000).substr(0, 467), bad_header, 0},
      {"a BGZF size too small", sized + small_bgzf, "sized", bad_header, s},
  };
}

Outcome outcome_with(std::string_view file, unsigned threads, std::size_t at_once = 1 << 20) {
  return read_all(file, {.threads = threads}, at_once);
}

}  // namespace

TEST_CASE("each hostile file has its outcome, with one thread and with several") {
  for (const Case& each : cases()) {
    CAPTURE(each.what);
    for (const unsigned threads : {1, 2, 4}) {
      for (const std::size_t at_once : {std::size_t{1} << 20, std::size_t{1}}) {
        if (at_once == 1 && each.file.size() > 100'000) continue;
        CAPTURE(threads);
        CAPTURE(at_once);
        const Outcome outcome = outcome_with(each.file, threads, at_once);
        CHECK(outcome.output == each.output);
        REQUIRE(outcome.error == each.error);
        if (!each.error) continue;
        CHECK(outcome.offset == each.offset);
        CAPTURE(outcome.sentence);
        CHECK(outcome.sentence.starts_with("gzip: "));
        if (each.offset > 0) CHECK(outcome.sentence.ends_with(" at byte " + std::to_string(each.offset)));
      }
    }
  }
}

TEST_CASE("a file cut anywhere is truncated there, and gives what came before") {
  const std::string one = Member{.content = text(700), .flags = 8, .after_fixed_header = std::string("n\0", 2)}.bytes();
  const std::string two = sized_member(text(300)), three = bgzf_member(text(100));
  const std::string file = one + two + three, content = text(700) + text(300) + text(100);
  const std::size_t ends[] = {0, one.size(), one.size() + two.size()};
  for (std::size_t cut = 0; cut < file.size(); ++cut) {
    CAPTURE(cut);
    for (const unsigned threads : {1, 2}) {
      const Outcome outcome = outcome_with(std::string_view(file).substr(0, cut), threads);
      CHECK(content.starts_with(outcome.output));
      const std::size_t* const end = std::find(std::begin(ends), std::end(ends), cut);
      const std::size_t* const byte_after = std::find(std::begin(ends) + 1, std::end(ends), cut - 1);
      if (cut > 0 && end != std::end(ends)) {
        CHECK_FALSE(outcome.error);
      } else if (cut > 1 && byte_after != std::end(ends)) {
        CHECK(outcome.error == ReadErrorKind::trailing_garbage);
      } else {
        CHECK(outcome.error == ReadErrorKind::truncated);
        CHECK(outcome.offset == cut);
      }
      if (cut >= one.size()) CHECK(outcome.output.size() >= 700);
    }
  }
}

TEST_CASE("every single bit of a member that matters is looked at") {
  const std::string content = text(200), file = sized_member(content) + Member{.content = content}.bytes();
  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    CAPTURE(bit);
    std::string damaged = file;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    const Outcome one = outcome_with(damaged, 1);
    CHECK((one == outcome_with(damaged, 2)));
    // Time, flags for the compressor, system, "is text", and what is in fields that nobody knows, do not matter.
    if (!one.error) CHECK(one.output == content + content);
  }
}

TEST_CASE("a million empty members are nothing") {
  for (const std::string& empty : {Member{}.bytes(), sized_member(""), bgzf_member("")}) {
    std::string thousand;
    for (int i = 0; i < 1000; ++i) thousand += empty;
    std::string_view rest;
    int left = 1000;
    pargzip::Reader reader(
        [&](std::span<char> into) {
          if (rest.empty() && left-- > 0) rest = thousand;
          const std::size_t size = std::min(into.size(), rest.size());
          std::copy_n(rest.begin(), size, into.begin());
          rest.remove_prefix(size);
          return size;
        },
        {.threads = 2});
    CHECK(reader.next().empty());
    CHECK(reader.members() == 1'000'000);
  }
}

TEST_CASE("a gigabyte of zeros in a megabyte comes in small pieces, and is stopped by the limit") {
  const std::string piece(1 << 20, '\0');
  std::string file;
  std::uint32_t crc = 0;
  z_stream state{};
  REQUIRE(deflateInit2(&state, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string room(1 << 16, '\0');
  for (int i = 0; i < 1024; ++i) {
    crc = static_cast<std::uint32_t>(crc32(crc, reinterpret_cast<const Bytef*>(piece.data()), 1 << 20));
    state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    state.avail_in = 1 << 20;
    do {
      state.next_out = reinterpret_cast<Bytef*>(room.data());
      state.avail_out = static_cast<uInt>(room.size());
      deflate(&state, i == 1023 ? Z_FINISH : Z_NO_FLUSH);
      file.append(room, 0, room.size() - state.avail_out);
    } while (state.avail_out == 0);
  }
  deflateEnd(&state);
  const std::uint32_t length = 1 << 30;
  const std::string whole = Member{.data = file, .crc = crc, .length = length}.bytes();
  std::string sized =
      Member{.flags = 4, .after_fixed_header = extra_field("XB", "size"), .data = file, .crc = crc, .length = 5}
          .bytes();
  sized.replace(16, 4, little_endian(sized.size(), 4));
  for (const unsigned threads : {1, 2}) {
    for (const std::string& bomb : {whole, sized}) {
      pargzip::Reader reader(source_of(bomb), {.threads = threads, .max_output = 64 << 20});
      std::size_t largest = 0;
      std::uint64_t total = 0;
      CHECK_THROWS_AS(
          for (;;) {
            const std::size_t size = reader.next().size();
            largest = std::max(largest, size);
            total += size;
          },
          pargzip::ReadError);
      CHECK(total == 64 << 20);
      CHECK(largest <= 1 << 20);
    }
  }
  // All of it, and the liar is told.
  pargzip::Reader reader(source_of(sized), {.threads = 2});
  std::uint64_t total = 0;
  try {
    while (const std::size_t size = reader.next().size()) total += size;
    FAIL("no error");
  } catch (const pargzip::ReadError& error) {
    CHECK(error.kind() == ReadErrorKind::bad_length);
  }
  CHECK(total == 1 << 30);
}
