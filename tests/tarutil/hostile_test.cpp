// The table of hostile archives: each with what becomes of it, by either way of opening things and with any number of
// threads. The fixture sees to it that nothing outside the directory changes.
#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "making_tars.h"
#include "packings.h"

using namespace tar_tests;

namespace {

std::string block_padded(std::string bytes) {
  bytes.resize((bytes.size() + 511) / 512 * 512);
  return bytes;
}

std::string pax_record(const std::string& key, const std::string& value) {
  std::size_t size = key.size() + value.size() + 3;
  size += std::to_string(size + std::to_string(size).size()).size();
  return std::to_string(size) + " " + key + "=" + value + "\n";
}

/// `entry` with pax records before it.
std::string with_pax(const std::string& records, const Entry& entry) {
  return header({"pax", "", 'x'}, records.size()) + block_padded(records) + header(entry, entry.content.size()) +
         block_padded(entry.content);
}

std::string gnu_long(char type, const std::string& text) {
  return header({"././@LongLink", "", type}, text.size() + 1) + block_padded(text + '\0');
}

/// Recomputes a header's checksum after its fields were changed.
std::string checked_again(std::string block) {
  block.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  block.replace(148, 7, std::string(text) + '\0');
  return block;
}

std::string with_size_field(const std::string& field) {
  std::string block = header({"f", ""}, 0);
  block.replace(124, 12, field + std::string(12 - field.size(), '\0'));
  return checked_again(block);
}

const std::string kEnd(1024, '\0');

std::string soft_link(const std::string& name, const std::string& target) {
  return header({name, "", '2', 0777, 1'500'000'000, target}, 0);
}
std::string hard_link(const std::string& name, const std::string& target) {
  return header({name, "", '1', 0644, 1'500'000'000, target}, 0);
}
std::string file(const std::string& name, const std::string& content = "x") {
  return header({name, content}, content.size()) + block_padded(content);
}
std::string directory(const std::string& name) { return header({name, "", '5', 0755}, 0); }

/// The tree below `base`: "d/ d/f=content l->target".
std::string tree(const fs::path& base) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(base)) {
    const std::string name = entry.path().lexically_relative(base).string();
    if (entry.is_symlink()) {
      found.push_back(name + "->" + fs::read_symlink(entry.path()).string());
    } else if (entry.is_directory()) {
      found.push_back(name + "/");
    } else {
      found.push_back(name + "=" + testing::read_file(entry.path()));
    }
  }
  std::sort(found.begin(), found.end());
  std::string text;
  for (const std::string& one : found) text += (text.empty() ? "" : " ") + one;
  return text;
}

/// "OK" or the error's sentence; then the tree.
std::string outcome(Fixture& f, const std::string& bytes) {
  std::string text = "OK";
  try {
    f.unpack_bytes(bytes);
  } catch (const ExtractError& error) {
    text = error.what();
  }
  return text + " | " + tree(f.base);
}

struct Row {
  const char* what;
  std::string archive;  ///< without its end
  std::string expected;
};

void check_rows(const std::vector<Row>& rows, const std::function<void(Fixture&)>& prepare = {}) {
  for (const Row& row : rows) {
    for (const auto method : kMethods) {
      for (const unsigned threads : {1U, 3U}) {
        Fixture f;
        f.options = {};
        f.options.now = kNow;
        f.options.method = method;
        f.options.threads = threads;
        if (prepare) prepare(f);
        INFO(row.what);
        CHECK(outcome(f, row.archive + kEnd) == row.expected);
      }
    }
  }
}

}  // namespace

TEST_CASE("hostile names") {
  const std::string long_name(65'536, 'n');
  check_rows({
      {"..", file(".."), "tar file contained invalid name \"..\": path \"..\" refers to a parent directory | "},
      {"a/..", file("a/.."), "open .: is a directory | "},
      {"a/.. as a directory", directory("a/.."), "OK | "},
      {"a/../../x", file("a/../../x"),
       "tar file contained invalid name \"a/../../x\": path \"a/../../x\" refers to a parent directory | "},
      {"absolute", file("/x"), "tar file contained invalid name \"/x\": path \"/x\" is not relative | "},
      {"backslash: a character like any other", file("a\\..\\..\\x"), "OK | a\\..\\..\\x=x"},
      {"drive: the same", file("C:x") + file("C:/y"), "OK | C:/ C:/y=x C:x=x"},
      {"NUL in a pax path: the name ends there",
       with_pax(pax_record("path", std::string("a\0/../../b", 10)), {"f", "x"}), "OK | a=x"},
      {"NUL in a GNU long name: the same", gnu_long('L', std::string("a\0/../b", 7)) + file("f"), "OK | a=x"},
      {"64 KB in a pax path", with_pax(pax_record("path", long_name), {"f", "x"}),
       "tar file contained a name of 65536 bytes; the limit is 4095 | "},
      {"64 KB in a GNU long name", gnu_long('L', long_name) + file("f"),
       "tar file contained a name of 65536 bytes; the limit is 4095 | "},
      {"a part of 256 bytes", with_pax(pax_record("path", "d/" + std::string(256, 'n')), {"f", "x"}),
       "open d/" + std::string(256, 'n') + ": file name too long | d/"},
      {"129 levels",
       with_pax(pax_record("path",
                           [] {
                             std::string deep;
                             for (int i = 0; i < 128; ++i) deep += "d/";
                             return deep + "f";
                           }()),
                {"f", "x"}),
       "tar file contained invalid name \"" +
           [] {
             std::string deep;
             for (int i = 0; i < 128; ++i) deep += "d/";
             return deep + "f\": it is 129 levels deep; the limit is 128 | ";
           }()},
      {"not UTF-8", file("latin-\xe9"), "OK | latin-\xe9=x"},
      {"not UTF-8 in a pax path", with_pax(pax_record("path", "latin-\xe9"), {"f", "x"}), "OK | latin-\xe9=x"},
      {"UTF-8 in a pax path", with_pax(pax_record("path", "gr\xc3\xbc\xc3\x9f"), {"f", "x"}),
       "OK | gr\xc3\xbc\xc3\x9f=x"},
  });
}

TEST_CASE("hostile links") {
  check_rows({
      {"a symbolic link to outside, then a file through it", soft_link("l", "../outside") + file("l/victim"),
       "tar file entry \"l\" is a symbolic link to \"../outside\": its target leads outside | "},
      {"a symbolic link to inside, then a file through it", directory("d") + soft_link("l", "d") + file("l/f"),
       "mkdir l: not a directory | d/ l->d"},
      {"a chain that climbs by the letter of none of its links",
       directory("a/b/c") + soft_link("a/b/c/up", "../..") + soft_link("m", "a/b/c/up/.."),
       "tar file entry \"m\" is a symbolic link to \"a/b/c/up/..\": its target has \"..\" after a name | "
       "a/ a/b/ a/b/c/ a/b/c/up->../.."},
      {"a chain of links, then a file through it",
       soft_link("a", "b") + soft_link("b", "c") + directory("c") + file("a/f"),
       "mkdir a: not a directory | a->b b->c c/"},
      {"a link to itself", soft_link("l", "l") + file("l/f"), "mkdir l: not a directory | l->l"},
      {"a file takes a link's place", file("f", "old") + soft_link("l", "f") + file("l", "new"), "OK | f=old l=new"},
      {"a hard link to outside", hard_link("h", "../outside/victim"),
       "tar file entry \"h\" is a hard link to invalid name \"../outside/victim\": path \"../outside/victim\" refers "
       "to a "
       "parent directory | "},
      {"an absolute hard link", hard_link("h", "/etc/passwd"),
       "tar file entry \"h\" is a hard link to invalid name \"/etc/passwd\": path \"/etc/passwd\" is not relative | "},
      {"a hard link through a symbolic one", file("d/f") + soft_link("l", "d") + hard_link("h", "l/f"),
       "tar file entry \"h\" is a hard link to \"l/f\", which is no file that this archive made | d/ d/f=x l->d"},
      {"a hard link to a symbolic one, higher up",
       directory("a/b") + soft_link("a/b/l", "../..") + hard_link("h", "a/b/l"),
       "tar file entry \"h\" is a symbolic link to \"../..\": its target leads outside | a/ a/b/ a/b/l->../.."},
      {"pax linkpath", with_pax(pax_record("linkpath", "../../outside"), {"l", "", '2', 0777, 0, "f"}),
       "tar file entry \"l\" is a symbolic link to \"../../outside\": its target leads outside | "},
      {"pax linkpath of a hard link",
       with_pax(pax_record("linkpath", "../outside/victim"), {"h", "", '1', 0644, 0, "f"}),
       "tar file entry \"h\" is a hard link to invalid name \"../outside/victim\": path \"../outside/victim\" refers "
       "to a "
       "parent directory | "},
      {"a GNU long link", gnu_long('K', "/" + std::string(200, 'l')) + soft_link("l", "f"),
       "tar file entry \"l\" is a symbolic link to \"/" + std::string(200, 'l') + "\": its target is absolute | "},
  });
}

TEST_CASE("links that are in the directory already are not followed, but replaced") {
  const auto prepare = [](Fixture& f) {
    fs::create_symlink("../outside", f.base / "up");
    fs::create_symlink("../outside/victim", f.base / "v");
  };
  check_rows(
      {{"a file through one", file("up/victim"), "mkdir up: not a directory | up->../outside v->../outside/victim"},
       {"a directory through one", directory("up/d"),
        "mkdir up: not a directory | up->../outside v->../outside/victim"},
       {"a hard link through one", hard_link("h", "up/victim"),
        "tar file entry \"h\" is a hard link to \"up/victim\", which is no file that this archive made | "
        "up->../outside v->../outside/victim"},
       {"a file in place of one", file("v", "new"), "OK | up->../outside v=new"},
       {"a link in place of one", soft_link("v", "new"), "OK | up->../outside v->new"},
       {"a large file in place of one", file("v", std::string(300'000, 'x')),
        "OK | up->../outside v=" + std::string(300'000, 'x')}},
      prepare);
}

TEST_CASE("entries that are in each other's way") {
  std::string many;
  for (int i = 0; i < 600; ++i) many += file("same", std::to_string(i));
  check_rows({
      {"duplicates: the last one stays", file("f", "1") + file("f", "2") + file("g", "g") + file("f", "3"),
       "OK | f=3 g=g"},
      {"many duplicates", many, "OK | same=599"},
      {"a directory over a file", file("d") + directory("d"), "mkdir d: not a directory | d=x"},
      {"a directory over a file, by what lies in it", file("d") + file("d/f"), "mkdir d: not a directory | d=x"},
      {"a file over a directory", directory("d") + file("d"), "open d: is a directory | d/"},
      {"a file over a directory that is not empty", file("d/f") + file("d"), "open d: is a directory | d/ d/f=x"},
      {"a symbolic link over a directory", directory("d") + soft_link("d", "f"), "symlink d: is a directory | d/"},
      {"the first of two failures is told, by whatever thread it is met",
       directory("a") + directory("b") + file("a") + file("b") + file("/x"), "open a: is a directory | a/ b/"},
      {"what comes before a failure is there", file("f") + file("g") + file("../x"),
       "tar file contained invalid name \"../x\": path \"../x\" refers to a parent directory | f=x g=x"},
      {"a device", file("f") + header({"dev", "", '3'}, 0),
       "tar file entry dev contained unsupported file type Dcrw-r--r-- | f=x"},
      {"a fifo", header({"p", "", '6'}, 0), "tar file entry p contained unsupported file type prw-r--r-- | "},
  });
}

TEST_CASE("hostile sizes") {
  const std::string content(600, 'c');
  check_rows({
      {"negative", with_size_field("-1"), "tar error: archive/tar: invalid tar header | "},
      {"negative in base 256", with_size_field(std::string(12, '\xff')),
       "tar error: archive/tar: invalid tar header | "},
      {"huge in octal", with_size_field("77777777777"), "tar error: entry \"f\": unexpected EOF | "},
      {"huge in base 256", with_size_field("\x80" + std::string(3, '\0') + "\x7f" + std::string(7, '\xff')),
       "tar error: archive/tar: invalid tar header | "},
      {"a pax size larger than what is there", with_pax(pax_record("size", "17179869184"), {"f", "x"}),
       "tar error: entry \"f\": unexpected EOF | "},
      {"a pax size above the limit", with_pax(pax_record("size", "17179869185"), {"f", "x"}),
       "tar file entry \"f\" has 17179869185 bytes; the limit for one file is 17179869184 | "},
      {"a pax size smaller than the header's: it counts", with_pax(pax_record("size", "3"), {"f", "abcdef"}),
       "OK | f=abc"},
      {"pax path", with_pax(pax_record("path", "../x"), {"f", "x"}),
       "tar file contained invalid name \"../x\": path \"../x\" refers to a parent directory | "},
      {"a GNU sparse file",
       checked_again([] {
         std::string block = header({"sparse", "", 'S'}, 3);
         block.replace(257, 8, std::string("ustar  \0", 8));  // the old GNU format
         block.replace(386, 24,
                       std::string("00000000004\0"
                                   "00000000003\0",
                                   24));
         block.replace(483, 12, std::string("00000000011\0", 12));
         return block;
       }()) +
           block_padded("abc"),
       std::string("OK | sparse=\0\0\0\0abc\0\0", 21)},
      {"a GNU sparse file whose pieces lie behind its end",
       checked_again([] {
         std::string block = header({"sparse", "", 'S'}, 3);
         block.replace(257, 8, std::string("ustar  \0", 8));
         block.replace(386, 24,
                       std::string("00000000100\0"
                                   "00000000003\0",
                                   24));
         block.replace(483, 12, std::string("00000000011\0", 12));
         return block;
       }()) +
           block_padded("abc"),
       "tar error: entry \"sparse\": more data than its header says | "},
  });
}

TEST_CASE("a million entries pass, one more does not") {
  Fixture f;
  f.options = {};
  f.options.now = kNow;
  const std::string one = header({"d", "", '5'}, 0);
  const auto archive_of = [&](std::uint64_t count) -> Source {
    return [&one, left = count * 512, end = std::size_t{1024}](std::span<char> into) mutable -> std::size_t {
      const std::size_t size = std::min<std::uint64_t>(into.size() / 512 * 512, left);
      for (std::size_t at = 0; at < size; at += 512) one.copy(into.data() + at, 512);
      left -= size;
      if (size > 0) return size;
      const std::size_t zeros = std::min(into.size(), std::exchange(end, 0));
      std::fill_n(into.begin(), zeros, '\0');
      return zeros;
    };
  };
  // The first read asks for a few bytes only.
  const auto buffered = [](Source source) -> Source {
    return [source = std::move(source), held = std::string(), at = std::size_t{0}](std::span<char> into) mutable {
      if (at == held.size()) {
        held.resize(64 * 1024);
        held.resize(source(held));
        at = 0;
      }
      const std::size_t size = held.copy(into.data(), into.size(), at);
      at += size;
      return size;
    };
  };
  const Fd fd(::open(f.base.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK(extract(buffered(archive_of(1'000'000)), fd.get(), f.options).entries == 1'000'000);
  CHECK_THROWS_WITH_AS(extract(buffered(archive_of(1'000'001)), fd.get(), f.options),
                       "tar file has more than 1000000 entries", ExtractError);
}

TEST_CASE("a directory that is exchanged for a link again and again leads nothing outside") {
  for (const auto method : kMethods) {
    Fixture f;
    f.options = {};
    f.options.now = kNow;
    f.options.method = method;
    fs::create_directory(f.base / "d");
    fs::create_directory_symlink("../outside", f.base / "swap");
    std::string archive;
    for (int i = 0; i < 40; ++i) {
      const std::string n = std::to_string(i);
      archive += file("d/f" + n) + file("e/f" + n) + file("d/sub" + n + "/f") + soft_link("d/l" + n, "f" + n) +
                 file("d/large" + n, std::string(300'000, 'x'));
    }
    archive += kEnd;
    std::atomic<bool> stop = false;
    std::atomic<unsigned> exchanges = 0;
    std::thread other([&] {
      while (!stop) {
        // What the one name means, the other means afterwards.
        if (::renameat2(AT_FDCWD, (f.base / "d").c_str(), AT_FDCWD, (f.base / "swap").c_str(), RENAME_EXCHANGE) == 0) {
          ++exchanges;
        }
      }
    });
    unsigned failures = 0;
    for (int round = 0; round < 60; ++round) {
      try {
        f.unpack_bytes(archive);
      } catch (const ExtractError& error) {
        CHECK((error.kind() == ExtractErrorKind::io));
        ++failures;
      }
      while (exchanges == 0) std::this_thread::yield();
    }
    stop = true;
    other.join();
    CHECK(exchanges > 0);
    CHECK(failures > 0);
    // The fixture looks at what lies outside.
  }
}
