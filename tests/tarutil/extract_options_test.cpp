// What may be chosen: what becomes of symbolic links, which packings are accepted, how far an archive may swell.
#include <tarutil/path_rule.h>

#include <doctest/doctest.h>

#include "making_tars.h"
#include "packings.h"

using namespace tar_tests;

namespace {

Entry link_to(const std::string& name, const std::string& target) {
  return {name, "", '2', 0777, 1'500'000'000, target};
}

struct OurRules : Fixture {
  OurRules() {
    options = {};
    options.now = kNow;
  }
};

}  // namespace

TEST_CASE("a symbolic link may only go up before it goes down, and no further than the top") {
  for (const auto& [name, target] : {std::pair{"l", "f"},
                                     {"l", "./d//f"},
                                     {"d/l", ".."},
                                     {"d/l", "../"},
                                     {"a/b/l", "../.././x/y"},
                                     {"l", "..."},
                                     {"l", "."},
                                     {"l", "a\\..\\..\\b"}}) {
    CHECK_FALSE(symlink_problem(name, target));
  }
  const auto problem = [](const char* name, const char* target) { return symlink_problem(name, target).value_or(""); };
  CHECK(problem("l", "") == "its target is empty");
  CHECK(problem("l", "/etc") == "its target is absolute");
  CHECK(problem("l", "..") == "its target leads outside");
  CHECK(problem("d/l", "../..") == "its target leads outside");
  CHECK(problem("d/l", ".././../x") == "its target leads outside");
  CHECK(problem("d/l", "x/..") == "its target has \"..\" after a name");
  CHECK(problem("a/b/c/l", "../x/../y") == "its target has \"..\" after a name");
}

TEST_CASE_FIXTURE(OurRules, "links that stay inside are made, and take the place of files and links") {
  testing::write_file(base / "old", "old");
  fs::create_symlink(dir / "outside" / "victim", base / "pointer");
  const ExtractReport report = unpack({{"d/f", "content"},
                                       link_to("d/up", ".."),
                                       link_to("e/l", "../d/f"),
                                       link_to("old", "d/f"),
                                       link_to("pointer", "nothing/here")});
  CHECK(report.entries == 5);
  CHECK(report.skipped_symlinks == 0);
  CHECK(testing::read_file(base / "e" / "l") == "content");
  CHECK(fs::read_symlink(base / "d" / "up") == "..");
  CHECK(fs::read_symlink(base / "old") == "d/f");
  CHECK(fs::read_symlink(base / "pointer") == "nothing/here");
}

TEST_CASE_FIXTURE(OurRules, "links that could lead outside end the extraction, and are named") {
  CHECK(refusal(ExtractErrorKind::bad_name, {link_to("d/l", "../../outside")}) ==
        R"(tar file entry "d/l" is a symbolic link to "../../outside": its target leads outside)");
  CHECK(refusal(ExtractErrorKind::bad_name, {link_to("l", "/etc/passwd")}) ==
        R"(tar file entry "l" is a symbolic link to "/etc/passwd": its target is absolute)");
  // Harmless by the letter; but "a/b/c/up" is two levels higher than it looks.
  CHECK(refusal(ExtractErrorKind::bad_name,
                {{"a/b/c/f", ""}, link_to("a/b/c/up", "../.."), link_to("l", "a/b/c/up/..")}) ==
        R"(tar file entry "l" is a symbolic link to "a/b/c/up/..": its target has ".." after a name)");
  CHECK_FALSE(fs::exists(fs::symlink_status(base / "l")));
}

TEST_CASE("nothing is written through a link that the archive made, by either method") {
  for (const auto method : kMethods) {
    OurRules f;
    f.options.method = method;
    for (const char* through : {"l/x", "l/y/x"}) {
      for (const char type : {'0', '5', '1'}) {
        const std::string text = f.refusal(
            ExtractErrorKind::io,
            {{"a", "content"}, {"d/f", ""}, link_to("l", "d"), {through, "", type, 0644, 0, type == '1' ? "a" : ""}});
        CHECK(text == "mkdir l: not a directory");
      }
    }
    CHECK(f.refusal(ExtractErrorKind::bad_name, {{"d/f", "content"}, link_to("l", "d"), {"h", "", '1', 0644, 0, "l/f"}})
              .ends_with("which is no file that this archive made"));
    // A file takes the place of the link itself.
    f.unpack({{"a", "old"}, link_to("b", "a"), {"b", "new"}});
    CHECK(testing::read_file(f.base / "a") == "old");
    CHECK(testing::read_file(f.base / "b") == "new");
  }
}

TEST_CASE_FIXTURE(OurRules, "a second name of a link is a link of its own, judged where it lies") {
  unpack({{"a/b/f", "content"}, link_to("a/b/l", "f"), {"a/b/m", "", '1', 0644, 0, "a/b/l"}});
  CHECK(fs::read_symlink(base / "a/b/m") == "f");
  CHECK(refusal(ExtractErrorKind::bad_name, {link_to("a/b/up", "../.."), {"top", "", '1', 0644, 0, "a/b/up"}}) ==
        R"(tar file entry "top" is a symbolic link to "../..": its target leads outside)");
}

TEST_CASE_FIXTURE(OurRules, "links can be refused altogether") {
  options.symlinks = SymlinkPolicy::refuse;
  CHECK(refusal(ExtractErrorKind::unsupported_type, {link_to("l", "f")}) ==
        R"(tar file entry "l" is a symbolic link to "f"; none are accepted here)");
}

TEST_CASE_FIXTURE(OurRules, "gzip, zstd and plain tar are told by their first bytes, and can be refused") {
  const std::string plain = tar({{"f", std::string(100'000, 'x')}, {"g", "end"}});
  for (const std::string& bytes : {plain, gzip(plain), zstd(plain)}) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, SIZE_MAX}) {
      CHECK(unpack_bytes(bytes, piece).bytes == 100'003);
      CHECK(testing::read_file(base / "g") == "end");
      fs::remove(base / "g");
    }
  }
  constexpr auto kKind = ExtractErrorKind::not_gzip;
  options.packings = {.gzip = false, .zstd = true, .none = true};
  CHECK(refusal_of_bytes(kKind, gzip(plain)) ==
        "tar error: the archive is packed with gzip, which is not accepted here");
  options.packings = {.gzip = true, .zstd = false, .none = true};
  CHECK(refusal_of_bytes(kKind, zstd(plain)) ==
        "tar error: the archive is packed with zstd, which is not accepted here");
  options.packings = {.gzip = true, .zstd = true, .none = false};
  CHECK(refusal_of_bytes(kKind, plain) == "tar error: the archive is packed with nothing that is accepted here");
}

TEST_CASE_FIXTURE(OurRules, "damaged and cut archives of each packing are errors") {
  const std::string plain = tar({{"f", std::string(100'000, 'x')}});
  const auto refused = [&](const std::string& bytes) { return refusal_of_bytes(ExtractErrorKind::bad_tar, bytes); };
  CHECK(refused(plain.substr(0, 50'000)) == "tar error: entry \"f\": unexpected EOF");
  CHECK(refused(zstd(plain).substr(0, 30)).find("unexpected EOF") != std::string::npos);
  CHECK(refused("no archive at all, but long enough to be looked at" + std::string(1000, ' ')) ==
        "tar error: archive/tar: invalid tar header");
  CHECK(fs::is_empty(base));
}

TEST_CASE_FIXTURE(OurRules,
                  "an archive that swells too much is refused where it does, and zeros need not be written for it") {
  const std::string bytes = gzip(tar({{"small", "x"}, {"zeros", std::string(200'000'000, '\0')}}));
  CHECK(refusal_of_bytes(ExtractErrorKind::limit, bytes) ==
        "tar file unpacks to more than 250 times the bytes that were sent; entry \"zeros\" goes beyond that");
  CHECK(testing::read_file(base / "small") == "x");
  CHECK_FALSE(fs::exists(base / "zeros"));
  options.limits.expansion = 2000;
  CHECK(unpack_bytes(bytes).bytes == 200'000'001);
  options.limits.expansion = 0;
  CHECK(unpack_bytes(bytes).bytes == 200'000'001);
}
