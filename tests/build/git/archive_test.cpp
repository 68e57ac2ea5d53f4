#include <io/blocking_pool.h>

#include <doctest/doctest.h>

#include "repository.h"

#include <sys/stat.h>

using namespace build;
using namespace testing;

namespace {

io::Task<> save(git::Mirror& mirror, model::CommitHash commit, std::string& bytes, std::string& error) {
  io::BlockingPool pool(1);
  std::string buffer(16 * 1024, '\0');
  try {
    const auto archive = mirror.archive(commit, pool);
    for (;;) {
      const io::asio::mutable_buffer into = io::asio::buffer(buffer);
      const std::size_t size = co_await archive->read(into);
      if (size == 0) break;
      bytes.append(buffer, 0, size);
    }
  } catch (const git::GitError& failure) {
    error = failure.what();
  }
}

}  // namespace

TEST_CASE("an archive is the commit's tree byte for byte, whatever attributes say") {
  MirrorFixture fixture;
  auto& origin = fixture.origin;
  const std::vector<std::pair<std::string, std::string>> files{
      {".gitattributes",
       "[attr]vanish export-ignore\n"
       "secret.txt export-ignore\nmacro.txt vanish\ndocs export-ignore\n*.subst export-subst\n*.crlf text eol=crlf\n"
       "*.ident ident\n*.utf16 working-tree-encoding=UTF-16LE text\n*.filter filter=upper\n.gitattributes "
       "export-ignore\n"},
      {"docs/.gitattributes", "* export-ignore\n"},
      {"docs/page.txt", "in an ignored folder\n"},
      {"secret.txt", "ignored by name\n"},
      {"macro.txt", "ignored by macro\n"},
      {"version.subst", "$Format:%H$\n"},
      {"lines.crlf", "one\ntwo\n"},
      {"name.ident", "$Id$\n"},
      {"wide.utf16", "w\xc3\xa4lder\n"},
      {"other.filter", "lower\n"},
      {"sub/dir with space/file", std::string("nul \0 inside", 12)},
  };
  // Added as they are: on the way into the repository nothing is converted either.
  for (const auto& [path, content] : files) {
    const std::string hash = origin.git({"hash-object", "-w", "--stdin", "--no-filters"}, content);
    origin.git({"update-index", "--add", "--cacheinfo", "100644," + hash + "," + path});
  }
  const std::string script = origin.git({"hash-object", "-w", "--stdin", "--no-filters"}, "#!/bin/sh\n");
  origin.git({"update-index", "--add", "--cacheinfo", "100755," + script + ",run.sh"});
  const std::string target = origin.git({"hash-object", "-w", "--stdin", "--no-filters"}, "docs/page.txt");
  origin.git({"update-index", "--add", "--cacheinfo", "120000," + target + ",link"});
  origin.git({"commit", "--quiet", "-m", "all attributes"});
  const model::CommitHash commit(origin.git({"rev-parse", "HEAD"}));
  // Neither has a say: what the local repository adds, what the user adds.
  write_file(origin.path() / ".git/info/attributes", "* export-ignore\n");
  write_file(fixture.dir / "home/.config/git/attributes", "* export-ignore\n");
  base::set_variable(fixture.shell.environment(), "HOME", (fixture.dir / "home").string());

  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  std::string bytes, error;
  fixture.run(save(mirror, commit, bytes, error));
  CHECK(error.empty());
  CHECK(bytes.starts_with("\x1f\x8b"));

  write_file(fixture.dir / "archive.tar.gz", bytes);
  std::filesystem::create_directory(fixture.dir / "tree");
  fixture.shell.run({"tar", "-xpzf", "archive.tar.gz", "-C", "tree"});
  for (const auto& [path, content] : files) {
    CAPTURE(path);
    REQUIRE(std::filesystem::exists(fixture.dir / "tree" / path));
    CHECK(read_file(fixture.dir / "tree" / path) == content);
  }
  CHECK(std::filesystem::read_symlink(fixture.dir / "tree/link") == "docs/page.txt");
  const auto mode = [&](const char* name) {
    struct stat status {};
    REQUIRE(::stat((fixture.dir / "tree" / name).c_str(), &status) == 0);
    return status.st_mode & 0777;
  };
  CHECK(mode("run.sh") == 0755);
  CHECK(mode("secret.txt") == 0644);
  CHECK(mode("docs") == 0755);
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(fixture.dir / "tree"))
    if (!entry.is_directory()) ++count;
  CHECK(count == files.size() + 2);
}

TEST_CASE("a large archive comes whole, and may be left before its end") {
  MirrorFixture fixture;
  std::string content;
  for (int i = 0; i < 500'000; ++i) content += std::to_string(i * 2654435761u) + "\n";
  write_file(fixture.origin.path() / "large", content);
  fixture.origin.git({"add", "large"});
  fixture.origin.git({"commit", "--quiet", "-m", "large"});
  const model::CommitHash commit(fixture.origin.git({"rev-parse", "HEAD"}));
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  std::string bytes, error;
  fixture.run(save(mirror, commit, bytes, error));
  CHECK(error.empty());
  write_file(fixture.dir / "archive.tar.gz", bytes);
  fixture.shell.run({"tar", "-xzf", "archive.tar.gz"});
  CHECK((read_file(fixture.dir / "large") == content));

  io::BlockingPool pool(1);
  auto archive = mirror.archive(commit, pool);
  const auto read_once = [&]() -> io::Task<> {
    std::string buffer(100, '\0');
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    CHECK(co_await archive->read(into) > 0);
    archive.reset();
  };
  fixture.run(read_once());
}

TEST_CASE("an archive of a commit that is not there fails with git's reason") {
  MirrorFixture fixture;
  fixture.origin.commit("first");
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  const std::string missing(40, 'a');
  std::string bytes, error;
  fixture.run(save(mirror, model::CommitHash(missing), bytes, error));
  CHECK(bytes.empty());
  CHECK(error == "cannot archive commit " + missing + ": fatal: not a tree object: " + missing);
  io::BlockingPool pool(1);
  CHECK_THROWS_AS(mirror.archive(model::CommitHash("--remote=ssh://x"), pool), std::invalid_argument);
}
