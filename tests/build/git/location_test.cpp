#include <build/git/mirror.h>
#include <doctest/doctest.h>

#include "repository.h"

using namespace build;
using namespace testing;

namespace {

std::string refusal(std::string_view text) {
  try {
    git::Location::parse(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "(accepted)";
}

}  // namespace

TEST_CASE("what could run a program or read an option is refused with a sentence") {
  struct Case {
    std::string text, why;
  };
  const std::string kinds = "of URLs only file:, https:, http:, ssh: and git: are allowed";
  const std::string neither = "it is neither an absolute path nor a file:, https:, http:, ssh: or git: URL";
  for (const auto& [text, why] : std::vector<Case>{
           {"--upload-pack=touch /tmp/x", "it begins with '-'"},
           {"-", "it begins with '-'"},
           {"ext::sh -c id", "remote helpers (\"ext::\") are not allowed"},
           {"fd::7", "remote helpers (\"fd::\") are not allowed"},
           {"ext::https://example.org/x", "remote helpers (\"ext::\") are not allowed"},
           {"::x", "remote helpers (\"::\") are not allowed"},
           {"ftp://example.org/x", kinds},
           {"HTTPS://example.org/x", kinds},
           {"git+ssh://example.org/x", kinds},
           {"transport-helper://x/y", kinds},
           {"://example.org/x", kinds},
           {"file://example.org/x", "a file URL names a path of this machine: file:///srv/project.git"},
           {"file:x", neither},
           {"file:/x", neither},
           {"ssh://-oProxyCommand=id/x", "its host begins with '-'"},
           {"ssh://git@-oProxyCommand=id/x", "its host begins with '-'"},
           {"ssh://-l@example.org/x", "its host begins with '-'"},
           {"https:///x", "it names no host"},
           {"https://", "it names no host"},
           {"https://:80/x", "it names no host"},
           {"https://user@/x", "it names no host"},
           {"git@example.org:team/x.git", "write it as a URL: ssh://git@example.org/team/x.git"},
           {"demo", neither},
           {"./demo", neither},
           {"../demo", neither},
           {"demo/x:y", neither},
       }) {
    CAPTURE(text);
    CHECK(refusal(text) == "cannot use the repository \"" + text + "\": " + why);
  }
  CHECK(refusal("") == "cannot use a repository without a URL or path");
  CHECK(refusal("https://example.org/a\nb") ==
        "cannot use the repository \"https://example.org/a?b\": it holds a control character");
  CHECK(refusal(std::string("/srv/a\0b", 8)) == "cannot use the repository \"/srv/a?b\": it holds a control character");
  CHECK(refusal("/" + std::string(5000, 'a')).ends_with("...\": it is longer than 2048 characters"));
  CHECK(refusal("file:///a%00b").ends_with("its path holds a NUL character"));
}

TEST_CASE("a password in a URL is refused and not repeated") {
  CHECK(refusal("https://user:secret@example.org/x") ==
        "cannot use the repository \"https://...@example.org/x\": it holds a password, which would be shown to people; "
        "put that into ~/.netrc");
  CHECK(refusal("https://user:se@cret@example.org/x").find("cret") == std::string::npos);
  CHECK(refusal("https://-x:secret@example.org/x").find("secret") == std::string::npos);
  CHECK(refusal("ftp://user:secret@example.org/x").find("secret") == std::string::npos);
  CHECK(refusal("https://user:sec\x01ret@example.org/x").find("sec") == std::string::npos);
}

TEST_CASE("the allowed URLs are taken as they are") {
  for (const char* url : {"https://example.org/x.git", "http://127.0.0.1:8080/x", "ssh://git@example.org:22/x",
                          "git://[::1]:9418/x", "https://user@example.org/x"}) {
    CAPTURE(url);
    const auto location = git::Location::parse(url);
    CHECK(location.url == url);
    CHECK_FALSE(location.local);
  }
}

TEST_CASE("of a repository on this machine the directory of the refs is found") {
  MirrorFixture fixture;
  fixture.origin.commit("first");
  const auto local_of = [](const std::filesystem::path& path) { return git::Location::parse(path.string()).local; };
  const std::filesystem::path refs = fixture.origin.path() / ".git";
  CHECK(local_of(fixture.origin.path()) == refs);
  CHECK(local_of(refs) == refs);
  CHECK(git::Location::parse("file://" + fixture.origin.path().string()).local == refs);

  fixture.shell.run({"git", "clone", "--quiet", "--bare", "origin", "with space.git"});
  CHECK(local_of(fixture.dir / "with space.git") == fixture.dir / "with space.git");
  CHECK(git::Location::parse("file://" + fixture.dir.path().string() + "/with%20space.git").local ==
        fixture.dir / "with space.git");

  fixture.origin.git({"worktree", "add", "--quiet", "../linked"});
  CHECK(local_of(fixture.dir / "linked") == refs);

  fixture.shell.run({"git", "clone", "--quiet", "--separate-git-dir=elsewhere", "origin", "separate"});
  CHECK(local_of(fixture.dir / "separate") == fixture.dir / "elsewhere");
  write_file(fixture.dir / "relative/.git", "gitdir: ../elsewhere\n");
  CHECK(local_of(fixture.dir / "relative") == fixture.dir / "elsewhere");
}

TEST_CASE("where there is no repository none is found, whatever lies there") {
  TempDir dir;
  write_file(dir / "empty/.git", "");
  write_file(dir / "garbage/.git", std::string(100'000, 'x'));
  write_file(dir / "nowhere/.git", "gitdir: \n");
  write_file(dir / "dangling/.git", "gitdir: /nonexistent\n");
  std::filesystem::create_directories(dir / "hollow/.git");
  for (const char* name : {"missing", "empty", "garbage", "nowhere", "dangling", "hollow", ""}) {
    CAPTURE(name);
    CHECK_FALSE(git::Location::parse((dir / name).string()).local);
  }
}
