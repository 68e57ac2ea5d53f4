#include <doctest/doctest.h>

#include "repository.h"

#include <sys/stat.h>

using namespace build;
using namespace testing;

namespace {

io::Task<> save(git::Mirror& mirror, model::CommitHash commit, std::string& bytes, base::ExitStatus& status) {
  const auto child = mirror.archive(commit);
  std::string buffer(16 * 1024, '\0');
  for (;;) {
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const std::size_t size = co_await child->read_output(into);
    if (size == 0) break;
    bytes.append(buffer, 0, size);
  }
  status = co_await child->wait();
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
  std::string bytes;
  base::ExitStatus status;
  fixture.run(save(mirror, commit, bytes, status));
  CHECK(status.success());
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

TEST_CASE("an archive of a commit that is not there fails with git's reason on stderr") {
  MirrorFixture fixture;
  fixture.origin.commit("first");
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  const auto child = mirror.archive(model::CommitHash(std::string(40, 'a')));
  std::string said(4096, '\0');
  base::ExitStatus status;
  const auto read = [&]() -> io::Task<> {
    const io::asio::mutable_buffer into = io::asio::buffer(said);
    CHECK(co_await child->read_output(into) == 0);
    const std::size_t size = co_await child->read_error(into);
    said.resize(size);
    status = co_await child->wait();
  };
  fixture.run(read());
  CHECK_FALSE(status.success());
  CHECK(said.find("fatal: not a tree object: aaaa") != std::string::npos);
  CHECK_THROWS_AS(mirror.archive(model::CommitHash("--remote=ssh://x")), std::invalid_argument);
}
