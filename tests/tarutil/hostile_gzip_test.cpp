// Hostile gzip around a good tar, and what comes after a tar's end.
#include <doctest/doctest.h>

#include <fstream>
#include <future>

#include "making_tars.h"
#include "packings.h"

using namespace tar_tests;

namespace {

struct OurRules : Fixture {
  OurRules() {
    options = {};
    options.now = kNow;
  }
  std::string refused(const std::string& bytes) { return refusal_of_bytes(ExtractErrorKind::bad_tar, bytes); }
};

const std::vector<Entry> kTwoFiles{{"a", "first"}, {"b", "second"}};

std::string gzip_header_with_extra(std::size_t size) {
  std::string header("\x1f\x8b\x08\x04\0\0\0\0\0\xff", 10);
  header += static_cast<char>(size & 0xff);
  header += static_cast<char>(size >> 8);
  return header + std::string(size, 'x');
}

/// A whole member from the deflate stream and end of `member`, with another header.
std::string with_header(const std::string& header, const std::string& member) { return header + member.substr(10); }

}  // namespace

TEST_CASE_FIXTURE(OurRules, "a small archive that is cut off at any byte is an error, packed or not") {
  for (const std::string& whole : {gzip(tar(kTwoFiles)), zstd(tar(kTwoFiles)), tar(kTwoFiles).substr(0, 2560)}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      INFO(size);
      bool failed = false;
      try {
        unpack_bytes(whole.substr(0, size));
      } catch (const ExtractError& error) {
        failed = true;
        CHECK((error.kind() == ExtractErrorKind::bad_tar || error.kind() == ExtractErrorKind::not_gzip));
      }
      CHECK(failed);
      for (const char* name : {"a", "b"}) {
        const std::string content = name[0] == 'a' ? "first" : "second";
        CHECK((!fs::exists(base / name) || testing::read_file(base / name) == content));
        fs::remove(base / name);
      }
    }
    CHECK(unpack_bytes(whole).entries == 2);
  }
}

TEST_CASE_FIXTURE(OurRules, "a wrong checksum and a wrong length are errors, but not by the original's rules") {
  const std::string whole = gzip(tar(kTwoFiles));
  for (const std::size_t from_end : {8, 5, 4, 1}) {
    std::string damaged = whole;
    damaged[damaged.size() - from_end] ^= 1;
    const std::string what = from_end > 4 ? "bad checksum" : "the length at the end is wrong";
    INFO(what);
    CHECK(refused(damaged).find(what) != std::string::npos);
    CHECK(testing::read_file(base / "b") == "second");
    options.after_end = AfterEnd::ignore;
    CHECK(unpack_bytes(damaged).entries == 2);
    options.after_end = AfterEnd::check;
  }
  // In a member that is not the last one it is always noticed.
  const std::string plain = tar(kTwoFiles);
  std::string first = gzip(plain.substr(0, 1000));
  first[first.size() - 8] ^= 1;
  options.after_end = AfterEnd::ignore;
  CHECK(refused(first + gzip(plain.substr(1000))).find("bad checksum") != std::string::npos);
}

TEST_CASE_FIXTURE(OurRules, "what follows the end must be zeros, unless it is nobody's business") {
  const std::string plain = tar(kTwoFiles);
  const auto each = [&](const std::string& bytes, const std::string& error) {
    options.after_end = AfterEnd::check;
    if (error.empty()) {
      CHECK(unpack_bytes(bytes).entries == 2);
    } else {
      CHECK(refused(bytes).find(error) != std::string::npos);
    }
    options.after_end = AfterEnd::ignore;
    CHECK(unpack_bytes(bytes).entries == 2);
  };
  each(plain + std::string(100'000, '\0'), "");
  each(gzip(plain) + gzip("") + gzip(std::string(1'000, '\0')), "");
  each(gzip(plain) + std::string(512, '\0'), "");
  for (const std::size_t gap : {0, 1, 511, 512, 100'000}) {
    each(plain + std::string(gap, '\0') + "x", "bytes follow the archive's end");
    each(gzip(plain) + gzip(std::string(gap, '\0') + "x"), "bytes follow the archive's end");
  }
  each(gzip(plain) + "garbage", "after the last member comes something else,");
  each(gzip(plain) + gzip(tar({{"hidden", "x"}})), "bytes follow the archive's end");
  each(plain.substr(0, plain.size() - 512), "");
  each(plain.substr(0, plain.size() - 1024), "the blocks at the archive's end are missing");
  CHECK_FALSE(fs::exists(base / "hidden"));
  options.after_end = AfterEnd::check;
  CHECK(refusal_of_bytes(ExtractErrorKind::limit, plain + std::string(17 << 20, '\0')) ==
        "tar file goes on after its end for more than 16777216 bytes");
}

TEST_CASE_FIXTURE(OurRules, "a million empty members pass, between and around the others") {
  const std::string empty = gzip(""), plain = tar(kTwoFiles);
  std::string bytes;
  bytes.reserve(empty.size() * 1'000'000 + 4096);
  for (int i = 0; i < 1'000'000; ++i) {
    if (i == 300'000) bytes += gzip(plain.substr(0, 700));
    if (i == 600'000) bytes += gzip(plain.substr(700));
    bytes += empty;
  }
  CHECK(unpack_bytes(bytes).entries == 2);
}

TEST_CASE_FIXTURE(OurRules, "an extra field of 65,535 bytes is passed over, and may be cut off anywhere") {
  const std::string whole = with_header(gzip_header_with_extra(65'535), gzip(tar(kTwoFiles)));
  CHECK(unpack_bytes(whole, 1000).entries == 2);
  for (const std::size_t size : {11, 12, 13, 1000, 65'546, 65'547, 65'548}) {
    CHECK(refused(whole.substr(0, size)).find("unexpected EOF") != std::string::npos);
  }
}

TEST_CASE_FIXTURE(OurRules, "a gigabyte of zeros in a megabyte is refused before it is written") {
  const std::string start = header({"zeros", ""}, std::uint64_t{1} << 30), zeros = gzip(std::string(16 << 20, '\0'));
  std::string bytes = gzip(start);
  for (int i = 0; i < 64; ++i) bytes += zeros;
  bytes += gzip(std::string(1024, '\0'));
  CHECK(bytes.size() < 1'200'000);
  for (const unsigned threads : {1U, 3U}) {
    options.threads = threads;
    CHECK(refusal_of_bytes(ExtractErrorKind::limit, bytes) ==
          "tar file unpacks to more than 250 times the bytes that were sent; entry \"zeros\" goes beyond that");
    CHECK(fs::is_empty(base));
  }
  options.limits.expansion = 0;
  CHECK(unpack_bytes(bytes).bytes == std::uint64_t{1} << 30);
  CHECK(look("zeros").st_blocks < 1000);
}

TEST_CASE_FIXTURE(OurRules, "a source that waits for bytes is stopped when no more are wanted") {
  // The last member's end never comes.
  const std::string bytes = gzip(tar(kTwoFiles)) + gzip("").substr(0, 5);
  options.after_end = AfterEnd::ignore;
  for (const bool good : {true, false}) {
    const std::string sent = good ? bytes : gzip(tar({{"../x", ""}})) + bytes;
    std::promise<void> stopped;
    auto wait = stopped.get_future().share();
    Source inner = source_of(sent);
    const Source source = [&](std::span<char> into) {
      const std::size_t size = inner(into);
      if (size == 0) wait.wait();
      return size;
    };
    options.threads = 2;
    options.stop_source = [&] { stopped.set_value(); };
    const Fd fd(::open(base.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (good) {
      CHECK(extract(source, fd.get(), options).entries == 2);
    } else {
      CHECK_THROWS_AS(extract(source, fd.get(), options), ExtractError);
    }
  }
}
