// What /write and /ls make of parameters, and listings of trees with odd things in them.
#include <build/buildlet/file_requests.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

using namespace build::buildlet;
namespace fs = std::filesystem;

namespace {

std::string refusal_of_write(const std::string& query) {
  try {
    parse_write_request(io::parse_query(query));
  } catch (const io::HttpError& error) {
    return std::to_string(error.status()) + " " + error.what();
  }
  return "";
}

struct Tree {
  Tree() : fd(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

  std::string list(const std::string& query) const {
    Listing listing(fd.get(), parse_list_request(io::parse_query(query)));
    std::string lines;
    while (listing.next(lines)) {
    }
    return lines;
  }

  testing::TempDir dir;
  tarutil::Fd fd;
};

}  // namespace

TEST_CASE("a file's mode is Go's, in decimal, and never more than permissions") {
  CHECK(parse_go_file_mode("420") == mode_t{0644});
  CHECK(parse_go_file_mode("0644") == mode_t{0204});
  CHECK(parse_go_file_mode("+493") == mode_t{0755});
  CHECK(parse_go_file_mode("0") == mode_t{0});
  CHECK(parse_go_file_mode("8389101") == mode_t{0755});  // set-user-id
  CHECK(parse_go_file_mode("4194797") == mode_t{0755});  // set-group-id
  CHECK(parse_go_file_mode("1049069") == mode_t{0755});  // sticky
  for (const char* bad : {"",          "+",          "-1",        "-420",       "++1",
                          "4 20",      " 420",       "420 ",      "0x1a4",      "1e3",
                          "rw-r--r--", "2147484141", "134217728", "67108864",   "33554432",
                          "16777216",  "2097152",    "524288",    "4294967296", "99999999999999999999999"}) {
    CAPTURE(bad);
    CHECK(!parse_go_file_mode(bad));
  }
}

TEST_CASE("a request to write is refused for a bad path first, then for a bad mode") {
  CHECK(refusal_of_write("path=a&mode=420").empty());
  CHECK(refusal_of_write("path=a/../b&mode=420").empty());
  CHECK(refusal_of_write("mode=420") == "400 invalid 'path' parameter: path not provided");
  CHECK(refusal_of_write("path=../a") == "400 invalid 'path' parameter: path \"../a\" refers to a parent directory");
  CHECK(refusal_of_write("path=a/../..&mode=420").starts_with("400 invalid 'path'"));
  CHECK(refusal_of_write("path=%2Fetc%2Fpasswd&mode=420") ==
        "400 invalid 'path' parameter: path \"/etc/passwd\" is not relative");
  CHECK(refusal_of_write("path=a%00b&mode=420").starts_with("400 invalid 'path'"));
  CHECK(refusal_of_write("path=a") == "400 bad mode");
  CHECK(refusal_of_write("path=a&mode=420&mode=x").empty());
  CHECK(refusal_of_write("path=a;mode=420").starts_with("400"));
}

TEST_CASE("a request to list takes Go's forms of true and any number of directories to skip") {
  const ListRequest plain = parse_list_request(io::parse_query(""));
  CHECK(plain.dir == ".");
  CHECK((!plain.recursive && !plain.digest && plain.skip.empty()));
  const ListRequest all = parse_list_request(io::parse_query("dir=a//b/&recursive=T&digest=1&skip=x%2Fy&skip=z"));
  CHECK(all.dir == "a/b");
  CHECK((all.recursive && all.digest));
  CHECK(all.skip == std::set<std::string>{"x/y", "z"});
  CHECK(!parse_list_request(io::parse_query("recursive=yes")).recursive);
  CHECK_THROWS_AS(parse_list_request(io::parse_query("dir=..")), io::HttpError);
  CHECK_THROWS_AS(parse_list_request(io::parse_query("dir=%2F")), io::HttpError);
}

TEST_CASE("what is skipped is a directory by its whole path") {
  const Tree tree;
  testing::write_file(tree.dir / "a/x", "");
  testing::write_file(tree.dir / "b/a/x", "");
  testing::write_file(tree.dir / "f", "");
  const auto names = [&](const std::string& query) {
    std::string text, line;
    for (const char c : tree.list("recursive=1&" + query)) {
      if (c == '\n') {
        const std::size_t tab = line.find('\t');
        text += line.substr(tab + 1, line.find('\t', tab + 1) - tab - 1) + " ";
        line.clear();
      } else {
        line += c;
      }
    }
    return text;
  };
  CHECK(names("") == "a/ a/x b/ b/a/ b/a/x f ");
  CHECK(names("skip=a") == "b/ b/a/ b/a/x f ");
  CHECK(names("skip=b/a") == "a/ a/x b/ f ");
  CHECK(names("skip=f&skip=b/&skip=/a&skip=") == "a/ a/x b/ b/a/ b/a/x f ");
  CHECK(names("dir=b&skip=a").empty());
}

TEST_CASE("names that would forge lines are left out of a listing") {
  const Tree tree;
  testing::write_file(tree.dir / "good", "x");
  testing::write_file(tree.dir / "x\n-rwsr-xr-x\tforged", "x");
  testing::write_file(tree.dir / "tab\there/inside", "x");
  fs::create_symlink("nowhere", tree.dir / "link");
  REQUIRE(::mkfifo((tree.dir / "pipe").c_str(), 0644) == 0);
  REQUIRE(::chmod((tree.dir / "pipe").c_str(), 0644) == 0);
  REQUIRE(::chmod((tree.dir / "good").c_str(), 0644) == 0);
  const timespec time[2] = {{1'500'000'000, 0}, {1'500'000'000, 0}};
  REQUIRE(::utimensat(tree.fd.get(), "good", time, 0) == 0);
  // A pipe is never opened, which would wait for ever.
  CHECK(tree.list("recursive=1&digest=1") ==
        "-rw-r--r--\tgood\t1\t2017-07-14T02:40:00Z\t11f6ad8ec52a2984abaafd7c3b516503785c2072\n"
        "Lrwxrwxrwx\tlink\n"
        "prw-r--r--\tpipe\n");
}

TEST_CASE("a listing leads out of the directory neither by a link nor by one that comes later") {
  const Tree tree;
  fs::create_directory_symlink("/etc", tree.dir / "out");
  CHECK(tree.list("dir=out") == "Lrwxrwxrwx\t\n");
  CHECK_THROWS_AS(tree.list("dir=out/ssl"), tarutil::PathError);
  CHECK(tree.list("recursive=true") == "Lrwxrwxrwx\tout\n");
}
