#include <tarutil/extract.h>

#include <doctest/doctest.h>

#include <fstream>

#include "making_tars.h"

using namespace tar_tests;

namespace {

long peak_kib() {
  std::ifstream in("/proc/self/status");
  for (std::string word; in >> word;) {
    if (word == "VmHWM:") {
      long kib = 0;
      in >> kib;
      return kib;
    }
  }
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "files, directories and missing parents are made, and counted") {
  const ExtractReport report =
      unpack({{"d/", "", '5', 0700}, {"d/f", "12345"}, {"x/y/z", "", '0', 0600}, {"link", "", '2', 0777, 0, "d"}});
  CHECK(report.entries == 4);
  CHECK(report.bytes == 5);
  CHECK(report.skipped_symlinks == 1);
  CHECK(testing::read_file(base / "d" / "f") == "12345");
  CHECK((look("d").st_mode & 07777) == 0755);
  CHECK((look("x/y").st_mode & 07777) == 0755);
  CHECK((look("x/y/z").st_mode & 07777) == 0600);
  CHECK_FALSE(fs::exists(fs::symlink_status(base / "link")));
}

TEST_CASE_FIXTURE(Fixture, "the archive may come in pieces of any size and many gzip members") {
  const std::string whole = tar({{"f", std::string(100'000, 'x')}, {"g", "g"}});
  const std::string bytes = gzip(whole.substr(0, 700)) + gzip("") + gzip(whole.substr(700));
  for (const std::size_t piece : {1, 7, 1000}) {
    CHECK(unpack_bytes(bytes, piece).entries == 2);
    CHECK(testing::read_file(base / "f") == std::string(100'000, 'x'));
  }
}

TEST_CASE_FIXTURE(Fixture,
                  "permission bits are the entry's, also on files that were there, and never more than those") {
  testing::write_file(base / "old", "old");
  fs::permissions(base / "old", fs::perms::owner_all);
  const mode_t before = ::umask(077);
  unpack({{"old", "new", '0', 0664}, {"suid", "", '0', 06755}, {"none", "x", '0', 0}, {"all", "", '0', 07777}});
  ::umask(before);
  CHECK((look("old").st_mode & 07777) == 0664);
  CHECK((look("suid").st_mode & 07777) == 0755);
  CHECK((look("none").st_mode & 07777) == 0);
  CHECK((look("all").st_mode & 07777) == 0777);
}

TEST_CASE_FIXTURE(Fixture, "times are the entry's but never later than now") {
  unpack(
      {{"past", "", '0', 0644, 1'000'000'000}, {"future", "", '0', 0644, 2'000'000'000}, {"zero", "", '0', 0644, 0}});
  CHECK(look("past").st_mtime == 1'000'000'000);
  CHECK(look("past").st_atime == 1'000'000'000);
  CHECK(look("future").st_mtime == kNow.time_since_epoch().count());
  CHECK(look("zero").st_mtime == 0);
}

TEST_CASE_FIXTURE(Fixture, "zeros come out as zeros, at the start, in the middle and at the end") {
  const std::string zeros(300'000, '\0');
  const std::string content = zeros + "a" + zeros + "b" + zeros;
  testing::write_file(base / "f", std::string(2'000'000, 'x'));
  unpack({{"f", content}, {"only", zeros}});
  CHECK(testing::read_file(base / "f") == content);
  CHECK(testing::read_file(base / "only") == zeros);
}

TEST_CASE("names that lead outside are refused, by either method") {
  for (const auto method : kMethods) {
    Fixture f;
    f.options.method = method;
    for (const char* name :
         {"..", "../outside/victim", "a/../../outside/victim", "./../x", "../base2/x", "a/b/../../.."}) {
      for (const char type : {'0', '1', '2', '5'}) {
        const std::string text = f.refusal(ExtractErrorKind::bad_name, {{name, "", type, 0644, 0, "x"}});
        CHECK(text == "tar file contained invalid name \"" + std::string(name) + "\": path \"" + name +
                          "\" refers to a parent directory");
      }
    }
    const std::string victim = (f.dir / "outside" / "victim").string();
    CHECK(f.refusal(ExtractErrorKind::bad_name, {{"", "x"}}) ==
          "tar file contained invalid name \"\": path not provided");
    if (victim.size() <= 100) {
      CHECK(f.refusal(ExtractErrorKind::bad_name, {{victim, "x"}}).ends_with("is not relative"));
    }
  }
}

TEST_CASE("links that are already there lead nowhere, by either method") {
  for (const auto method : kMethods) {
    Fixture f;
    f.options.method = method;
    fs::create_symlink("../outside", f.base / "up");
    fs::create_symlink(f.dir / "outside" / "victim", f.base / "file");
    fs::create_directory(f.base / "real");
    fs::create_symlink("real", f.base / "inside");
    for (const char* name : {"up/victim", "up/new", "up/d/new", "inside/new"}) {
      CHECK(f.refusal(ExtractErrorKind::io, {{name, "x"}}).starts_with("mkdir "));
      CHECK(f.refusal(ExtractErrorKind::io, {{name, "", '5'}}).starts_with("mkdir "));
    }
    CHECK(f.refusal(ExtractErrorKind::io, {{"up", "", '5'}}) == "mkdir up: not a directory");
    // A file takes the place of a link of its name, not of what the link names.
    f.unpack({{"file", "new"}});
    CHECK(fs::is_regular_file(fs::symlink_status(f.base / "file")));
    CHECK(testing::read_file(f.base / "file") == "new");
  }
}

TEST_CASE("hard links join files that the archive made, and nothing else, by either method") {
  for (const auto method : kMethods) {
    Fixture f;
    f.options.method = method;
    testing::write_file(f.base / "before", "mine");
    testing::write_file(f.base / "taken", "old");
    fs::create_symlink("../outside", f.base / "up");
    fs::create_symlink("a", f.base / "alias");
    f.unpack({{"a", "content"},
              {"d/b", "", '1', 0644, 0, "./a"},
              {"taken", "", '1', 0644, 0, "a"},
              {"a", "", '1', 0644, 0, "a"}});
    CHECK(f.look("a").st_nlink == 3);
    CHECK(f.look("d/b").st_ino == f.look("a").st_ino);
    CHECK(testing::read_file(f.base / "taken") == "content");
    for (const char* target : {"before", "missing", "up/victim", "alias", "a/x", ".", "d"}) {
      const std::string text =
          f.refusal(ExtractErrorKind::bad_name, {{"a", "content"}, {"new", "", '1', 0644, 0, target}});
      CHECK(text == "tar file entry \"new\" is a hard link to \"" + std::string(target) +
                        "\", which is no file that this archive made");
    }
    for (const char* target : {"../outside/victim", "/etc/passwd", ".."}) {
      CHECK(f.refusal(ExtractErrorKind::bad_name, {{"new", "", '1', 0644, 0, target}})
                .starts_with("tar file entry \"new\" is a hard link to invalid name"));
    }
    CHECK_FALSE(fs::exists(f.base / "new"));
    CHECK(testing::read_file(f.base / "before") == "mine");
  }
}

TEST_CASE_FIXTURE(Fixture, "devices and fifos are refused") {
  CHECK(refusal(ExtractErrorKind::unsupported_type, {{"null", "", '3'}}) ==
        "tar file entry null contained unsupported file type Dcrw-r--r--");
  CHECK(refusal(ExtractErrorKind::unsupported_type, {{"disk", "", '4', 0660}}) ==
        "tar file entry disk contained unsupported file type Drw-rw----");
  CHECK(refusal(ExtractErrorKind::unsupported_type, {{"pipe", "", '6', 04711}}) ==
        "tar file entry pipe contained unsupported file type purwx--x--x");
  CHECK(count(base) == 0);
}

TEST_CASE_FIXTURE(Fixture, "each limit stops the extraction with a sentence that names the entry") {
  options.limits = {.entries = 3, .total_bytes = 10, .file_bytes = 6, .path_bytes = 20, .depth = 3};
  CHECK(unpack({{"a", "123456"}, {"b", "1234"}, {"c/d/e", ""}}).bytes == 10);
  CHECK(refusal(ExtractErrorKind::limit, {{"a", ""}, {"b", ""}, {"c", "", '5'}, {"d", "", '2'}}) ==
        "tar file has more than 3 entries");
  CHECK(refusal(ExtractErrorKind::limit, {{"big", "1234567"}}) ==
        "tar file entry \"big\" has 7 bytes; the limit for one file is 6");
  CHECK(refusal(ExtractErrorKind::limit, {{"x", "123456"}, {"y", "12345"}}) ==
        "tar file unpacks to more than 10 bytes; entry \"y\" would exceed that");
  CHECK(refusal(ExtractErrorKind::limit, {{std::string(21, 'n'), ""}}) ==
        "tar file contained a name of 21 bytes; the limit is 20");
  CHECK(refusal(ExtractErrorKind::limit, {{"1/2/3/4", ""}}) ==
        "tar file contained invalid name \"1/2/3/4\": it is 4 levels deep; the limit is 3");
  CHECK_FALSE(fs::exists(base / "big"));
  CHECK(fs::exists(base / "x"));
  CHECK_FALSE(fs::exists(base / "y"));
}

TEST_CASE_FIXTURE(Fixture, "a size that is only claimed is refused before anything is written") {
  const std::string bytes = gzip(header({"huge", ""}, std::uint64_t{1} << 32) + "little");
  options.limits.file_bytes = 1'000'000;
  CHECK(refusal_of_bytes(ExtractErrorKind::limit, bytes).starts_with("tar file entry \"huge\" has 4294967296 bytes"));
  CHECK(count(base) == 0);
}

TEST_CASE_FIXTURE(Fixture, "bodies that are no gzip say so") {
  constexpr auto kKind = ExtractErrorKind::not_gzip;
  CHECK(refusal_of_bytes(kKind, "") == "requires gzip-compressed body: EOF");
  CHECK(refusal_of_bytes(kKind, "\x1f\x8b") == "requires gzip-compressed body: unexpected EOF");
  CHECK(refusal_of_bytes(kKind, tar({{"f", "x"}})) == "requires gzip-compressed body: gzip: invalid header");
  CHECK(refusal_of_bytes(kKind, "<html><body>no</body></html>") ==
        "requires gzip-compressed body: gzip: invalid header");
}

TEST_CASE_FIXTURE(Fixture, "gzip around something else than tar is refused, gzip in gzip too") {
  constexpr auto kKind = ExtractErrorKind::bad_tar;
  CHECK(refusal_of_bytes(kKind, gzip(std::string(1024, 'x'))) == "tar error: archive/tar: invalid tar header");
  CHECK(refusal_of_bytes(kKind, gzip(gzip(tar({{"f", std::string(2000, 'x')}})))).starts_with("tar error: "));
  CHECK(count(base) == 0);
}

TEST_CASE_FIXTURE(Fixture, "an archive that breaks off keeps what was complete and nothing half-written") {
  std::string noise;  // does not compress, so that the cut falls into the data
  for (unsigned i = 0, x = 1; i < 200'000; ++i, x = x * 1103515245 + 12345) noise += static_cast<char>(x >> 16);
  testing::write_file(base / "b", "the old one");
  const std::string bytes = gzip(tar({{"a", "whole"}, {"b", noise}}));
  for (const std::size_t size : {bytes.size() / 2, bytes.size() - 1000}) {
    CHECK(refusal_of_bytes(ExtractErrorKind::bad_tar, bytes.substr(0, size)) ==
          "tar error: entry \"b\": unexpected EOF");
    CHECK(testing::read_file(base / "a") == "whole");
    CHECK(testing::read_file(base / "b") == "the old one");
  }
}

TEST_CASE_FIXTURE(Fixture, "what is in the way is named, with the directory's name where one is given") {
  testing::write_file(base / "file", "x");
  testing::write_file(base / "d" / "inside", "x");
  CHECK(refusal(ExtractErrorKind::io, {{"d", "x"}}) == "open d: is a directory");
  CHECK(refusal(ExtractErrorKind::io, {{".", "x"}}) == "open .: is a directory");
  CHECK(refusal(ExtractErrorKind::io, {{"file/x", "x"}}) == "mkdir file: not a directory");
  options.directory_name = "/work";
  CHECK(refusal(ExtractErrorKind::io, {{"file", "", '5'}}) == "mkdir /work/file: not a directory");
  CHECK(testing::read_file(base / "d" / "inside") == "x");
}

TEST_CASE_FIXTURE(Fixture, "a file that has the name of a temporary one is neither lost nor in the way") {
  const std::string prefix = ".extract-" + std::to_string(::getpid()) + "-";
  testing::write_file(base / (prefix + "1"), "mine");
  unpack({{prefix + "3", "sent"}, {"a", "1"}, {"b", "2"}, {"c", "", '1', 0644, 0, "a"}});
  CHECK(testing::read_file(base / (prefix + "1")) == "mine");
  CHECK(testing::read_file(base / (prefix + "3")) == "sent");
  CHECK(testing::read_file(base / "b") == "2");
  CHECK(count(base) == 5);
  fs::remove(base / (prefix + "1"));
  fs::remove(base / (prefix + "3"));
}

TEST_CASE_FIXTURE(Fixture, "the source's own failure comes out as it is") {
  const std::string bytes = gzip(tar({{"f", std::string(1000, 'x')}}));
  const Source inner = source_of(bytes, 20);
  int calls = 0;
  const Source failing = [&](std::span<char> into) {
    if (++calls > 2) throw std::out_of_range("the connection is gone");
    return inner(into);
  };
  const Fd fd(::open(base.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK_THROWS_WITH_AS(extract(failing, fd.get(), options), "the connection is gone", std::out_of_range);
}

TEST_CASE_FIXTURE(Fixture, "four GiB of zeros pass in little memory") {
  constexpr std::uint64_t kMember = 16 << 20, kSize = std::uint64_t{4} << 30;
  const std::string start = gzip(header({"zeros", ""}, kSize)), zeros = gzip(std::string(kMember, '\0')),
                    end = gzip(std::string(1024, '\0'));
  std::size_t part = 0, at = 0;
  const Source source = [&](std::span<char> into) -> std::size_t {
    const std::size_t last = 1 + kSize / kMember;
    while (part <= last) {
      const std::string& bytes = part == 0 ? start : part == last ? end : zeros;
      const std::size_t size = std::min(into.size(), bytes.size() - at);
      std::copy_n(bytes.data() + at, size, into.data());
      at += size;
      if (size > 0) return size;
      ++part;
      at = 0;
    }
    return 0;
  };
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak starts anew at what is in use now
  const long before = peak_kib();
  const Fd fd(::open(base.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK(extract(source, fd.get(), options).bytes == kSize);
  CHECK(peak_kib() - before < 16 * 1024);
  CHECK(static_cast<std::uint64_t>(look("zeros").st_size) == kSize);
  CHECK(look("zeros").st_blocks < 1000);
}
