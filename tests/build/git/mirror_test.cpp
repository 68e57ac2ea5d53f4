#include <doctest/doctest.h>
#include <io/tcp.h>

#include "repository.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <unistd.h>

#include <fstream>

using namespace build;
using namespace testing;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> names(const git::Heads& heads) {
  std::vector<std::string> names;
  for (const auto& [branch, hash] : heads) names.push_back(branch.value);
  return names;
}

std::vector<std::string> subjects(const std::vector<model::Commit>& commits) {
  std::vector<std::string> subjects;
  for (const auto& commit : commits) subjects.push_back(commit.subject);
  return subjects;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("the mirror follows the branches: new, moved, rewritten and removed ones") {
  MirrorFixture fixture;
  auto mirror = fixture.make_mirror();
  const auto first = fixture.origin.commit("first");
  fixture.fetch(mirror);
  CHECK(fixture.get(mirror.branches()) == git::Heads{{model::BranchName("main"), first}});

  const auto second = fixture.origin.commit("second");
  for (const char* branch : {"zeta", "alpha", "feature/x", "master"})
    fixture.origin.git({"branch", branch, first.value});
  fixture.fetch(mirror);
  auto heads = fixture.get(mirror.branches());
  CHECK(names(heads) == Names{"main", "master", "alpha", "feature/x", "zeta"});
  CHECK(heads[0].second == second);
  CHECK(heads[2].second == first);

  fixture.origin.git({"reset", "--quiet", "--hard", first.value});
  const auto other = fixture.origin.commit("other");
  fixture.origin.git({"branch", "-D", "alpha", "feature/x"});
  // A branch in the place of a folder of branches.
  fixture.origin.git({"branch", "feature"});
  fixture.fetch(mirror);
  heads = fixture.get(mirror.branches());
  CHECK(names(heads) == Names{"main", "master", "feature", "zeta"});
  CHECK(heads[0].second == other);

  // Tags and other refs are of no interest.
  fixture.origin.git({"tag", "v1"});
  fixture.fetch(mirror);
  CHECK(fixture.shell.run({"git", "-C", (fixture.dir / "mirror").string(), "tag"}).empty());
}

TEST_CASE("an empty repository has no branches") {
  MirrorFixture fixture;
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  CHECK(fixture.get(mirror.branches()).empty());
}

TEST_CASE("a bare repository, a linked work tree and a file URL can be mirrored") {
  MirrorFixture fixture;
  const auto hash = fixture.origin.commit("first");
  std::string url;
  SUBCASE("bare, with odd characters in its name") {
    fixture.shell.run({"git", "clone", "--quiet", "--bare", "origin", "it's \"bare\" \\ $HOME;.git"});
    url = (fixture.dir / "it's \"bare\" \\ $HOME;.git").string();
  }
  SUBCASE("linked work tree") {
    fixture.origin.git({"worktree", "add", "--quiet", "../linked"});
    url = (fixture.dir / "linked").string();
  }
  SUBCASE("file URL") { url = "file://" + fixture.origin.path().string(); }
  auto mirror = fixture.make_mirror(url);
  fixture.fetch(mirror);
  CHECK(fixture.get(mirror.branches()).front().second == hash);
}

TEST_CASE("a repository with SHA-256 names can be mirrored") {
  MirrorFixture fixture("sha256");
  const auto hash = fixture.origin.commit("first");
  CHECK(hash.value.size() == 64);
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  fixture.fetch(mirror);
  CHECK(subjects(fixture.get(mirror.commits(hash, std::nullopt, 10))) == Names{"first"});
}

TEST_CASE("commits come along the first parents, oldest first, the newest as many as asked for") {
  MirrorFixture fixture;
  auto& origin = fixture.origin;
  const auto one = origin.commit("one");
  const auto two = origin.commit("two");
  origin.git({"checkout", "--quiet", "-b", "side", one.value});
  origin.commit("side");
  origin.git({"checkout", "--quiet", "main"});
  origin.git({"merge", "--quiet", "--no-ff", "-m", "merge", "side"});
  const auto four = origin.commit("four");
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);

  CHECK(subjects(fixture.get(mirror.commits(four, std::nullopt, 100))) == Names{"one", "two", "merge", "four"});
  CHECK(subjects(fixture.get(mirror.commits(four, std::nullopt, 2))) == Names{"merge", "four"});
  CHECK(subjects(fixture.get(mirror.commits(four, std::nullopt, 0))).empty());
  CHECK(subjects(fixture.get(mirror.commits(four, two, 100))) == Names{"merge", "four"});
  CHECK(subjects(fixture.get(mirror.commits(four, four, 100))).empty());
  CHECK(subjects(fixture.get(mirror.commits(two, four, 100))).empty());
  // What is not there counts as none.
  for (const std::string& gone : {std::string(40, 'a'), std::string("main"), std::string("--all"), std::string()})
    CHECK(subjects(fixture.get(mirror.commits(four, model::CommitHash(gone), 100))).size() == 4);

  const auto commits = fixture.get(mirror.commits(four, std::nullopt, 1));
  CHECK(commits == std::vector<model::Commit>{{.repository = model::RepositoryName("demo"),
                                               .hash = four,
                                               .author_name = "A U Thor",
                                               .author_email = "author@example.com",
                                               .subject = "four",
                                               .committed = model::Time(std::chrono::seconds(1767225600 + 240))}});
}

TEST_CASE("a head that is no hash or not there is refused") {
  MirrorFixture fixture;
  fixture.origin.commit("one");
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  const auto ask = [&](std::string head) -> io::Task<> {
    const model::CommitHash hash(head);
    co_await mirror.commits(hash, std::nullopt, 10);
  };
  CHECK(fixture.error_of(ask("--output=x")) == "\"--output=x\" is no commit's hash");
  CHECK(fixture.error_of(ask("main")) == "\"main\" is no commit's hash");
  CHECK(fixture.error_of(ask(std::string(40, 'a'))) == "cannot list the commits of repository demo up to " +
                                                           std::string(40, 'a') + ": fatal: bad object " +
                                                           std::string(40, 'a'));
}

TEST_CASE("whatever a commit says about itself is text, cut at 1 KiB") {
  MirrorFixture fixture;
  auto& origin = fixture.origin;
  base::set_variable(origin.shell().environment(), "GIT_AUTHOR_NAME", "%H%x00 <script>\x1b[31m");
  base::set_variable(origin.shell().environment(), "GIT_AUTHOR_EMAIL", std::string(3000, 'e'));
  // 1023 bytes, then a character of two.
  const auto wide = origin.commit(std::string(1023, 's') + "\xc3\xa4" + std::string(2'000'000, 't'));
  const auto odd = origin.commit("\n\n  subject\nof two lines\n\nbody\n");
  const auto none = origin.commit("\n");
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  const auto commits = fixture.get(mirror.commits(none, std::nullopt, 10));
  REQUIRE(commits.size() == 3);
  CHECK(commits[0].hash == wide);
  CHECK(commits[0].author_name == "%H%x00 script\x1b[31m");
  CHECK(commits[0].author_email == std::string(1024, 'e'));
  CHECK(commits[0].subject == std::string(1023, 's'));
  CHECK(commits[1].hash == odd);
  CHECK(commits[1].subject == "  subject of two lines");
  CHECK(commits[2].subject == "");
}

TEST_CASE("a mirror that is damaged is made anew") {
  MirrorFixture fixture;
  fixture.origin.write("a", std::string(10'000, 'a'));
  const auto hash = fixture.origin.commit("first");
  {
    auto mirror = fixture.make_mirror();
    fixture.fetch(mirror);
  }
  const auto path = fixture.dir / "mirror";
  SUBCASE("its objects are gone") { std::filesystem::remove_all(path / "objects"); }
  SUBCASE("its packs and loose objects are gone") {
    for (const auto& entry : std::filesystem::directory_iterator(path / "objects"))
      for (const auto& file : std::filesystem::recursive_directory_iterator(entry))
        if (file.is_regular_file()) std::filesystem::remove(file);
  }
  SUBCASE("HEAD is gone") { std::filesystem::remove(path / "HEAD"); }
  SUBCASE("HEAD is garbage") { write_file(path / "HEAD", "garbage"); }
  SUBCASE("a ref is empty") { write_file(path / "refs/heads/main", ""); }
  SUBCASE("the configuration is garbage") { write_file(path / "config", "[[["); }
  SUBCASE("it is a file") {
    std::filesystem::remove_all(path);
    write_file(path, "in the way");
  }
  SUBCASE("a fetch was killed") {
    write_file(path / "packed-refs.lock", "");
    write_file(path / "refs/heads/main.lock", "");
    write_file(path / "HEAD.lock", "");
    fixture.origin.git({"branch", "other"});
  }
  SUBCASE("a remake was killed") {
    std::filesystem::rename(path, fixture.dir / "mirror.old");
    write_file(fixture.dir / "mirror.new/HEAD", "half");
  }
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  CHECK(fixture.get(mirror.branches()).front().second == hash);
  CHECK(subjects(fixture.get(mirror.commits(hash, std::nullopt, 10))) == Names{"first"});
  CHECK(fixture.get(mirror.gaps(hash)).empty());
  CHECK_FALSE(std::filesystem::exists(fixture.dir / "mirror.old"));
  CHECK_FALSE(std::filesystem::exists(fixture.dir / "mirror.new"));
}

TEST_CASE("when the repository cannot be reached the mirror stays, and git's reason is told") {
  MirrorFixture fixture;
  const auto hash = fixture.origin.commit("first");
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  std::filesystem::rename(fixture.origin.path(), fixture.dir / "moved");
  const std::string message = fixture.error_of(mirror.fetch(60s));
  CHECK(message.find("repository demo") != std::string::npos);
  CHECK(message.find(fixture.origin.path().string()) != std::string::npos);
  CHECK(message.find("does not appear to be a git repository") != std::string::npos);
  CHECK(message.find('\n') == std::string::npos);
  CHECK(fixture.get(mirror.branches()).front().second == hash);
  std::filesystem::rename(fixture.dir / "moved", fixture.origin.path());
  fixture.fetch(mirror);
}

TEST_CASE("a fetch that takes too long is ended with everything it started") {
  MirrorFixture fixture;
  io::VirtualClock clock;
  io::TcpListener silent(fixture.loop.executor(), io::HostPort::parse("127.0.0.1:0"));
  const std::string url = "git://127.0.0.1:" + std::to_string(silent.port()) + "/demo";
  git::Mirror mirror(fixture.loop.executor(), clock, model::RepositoryName("demo"), git::Location::parse(url),
                     fixture.dir / "mirror", fixture.shell.environment());
  std::string message;
  bool done = false;
  const auto fetch = [&]() -> io::Task<> {
    try {
      co_await mirror.fetch(30s);
    } catch (const git::GitError& error) {
      message = error.what();
    }
    done = true;
  };
  io::spawn(fixture.loop.executor(), fetch(), [](std::exception_ptr error) { std::rethrow_exception(error); });

  io::StreamPtr connection;
  const auto accept = [&]() -> io::Task<> { connection = co_await silent.accept(clock); };
  fixture.run(accept());
  CHECK_FALSE(done);
  clock.advance(29s, [&] { fixture.loop.poll(); });
  CHECK_FALSE(done);
  clock.advance(1s, [&] { fixture.loop.poll(); });
  const auto read_to_end = [&]() -> io::Task<> {
    std::string buffer(4096, '\0');
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    while (co_await connection->read_some(into) > 0) {
    }
  };
  // Its end of the connection closes because it was killed.
  fixture.run(read_to_end());
  while (!done) fixture.loop.poll();
  CHECK(message == "cannot list the branches of repository demo at " + url + ": git took too long and was stopped");
  connection->close();
}

TEST_CASE("a repository that belongs to somebody else can be mirrored") {
  if (::geteuid() != 0) {
    skip("a repository that belongs to somebody else", "only root can give files away");
    return;
  }
  MirrorFixture fixture;
  const auto hash = fixture.origin.commit("first");
  fixture.shell.run({"git", "clone", "--quiet", "--bare", "origin", "bare.git"});
  fixture.origin.git({"worktree", "add", "--quiet", "../linked"});
  fixture.shell.run({"chown", "-R", "12345:12345", "origin", "bare.git", "linked"});
  std::string url;
  SUBCASE("work tree") { url = fixture.origin.path(); }
  SUBCASE("its .git") { url = fixture.origin.path() / ".git"; }
  SUBCASE("bare") { url = fixture.dir / "bare.git"; }
  SUBCASE("linked work tree") { url = fixture.dir / "linked"; }
  SUBCASE("file URL") { url = "file://" + (fixture.dir / "bare.git").string(); }
  SUBCASE("by a symbolic link") {
    std::filesystem::create_directory_symlink("origin", fixture.dir / "link");
    url = fixture.dir / "link";
  }
  SUBCASE("the mirror is somebody else's") {
    auto mirror = fixture.make_mirror();
    fixture.fetch(mirror);
    fixture.shell.run({"chown", "-R", "12345:12345", "mirror"});
  }
  CAPTURE(url);
  auto mirror = fixture.make_mirror(url);
  fixture.fetch(mirror);
  CHECK(fixture.get(mirror.branches()).front().second == hash);
}

TEST_CASE("no configuration of the user has a say") {
  MirrorFixture fixture;
  const auto hash = fixture.origin.commit("first");
  write_file(fixture.dir / "home/.gitconfig", "[[[ git would stop here");
  write_file(fixture.dir / "home/.config/git/config", "[[[ and here");
  base::set_variable(fixture.shell.environment(), "HOME", (fixture.dir / "home").string());
  base::remove_variable(fixture.shell.environment(), "GIT_CONFIG_GLOBAL");
  base::set_variable(fixture.shell.environment(), "GIT_DIR", "/nonexistent");
  base::set_variable(fixture.shell.environment(), "GIT_CONFIG_COUNT", "nonsense");
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  CHECK(fixture.get(mirror.branches()).front().second == hash);
}

TEST_CASE("without git it says that git cannot be run") {
  MirrorFixture fixture;
  base::set_variable(fixture.shell.environment(), "PATH", fixture.dir.path().string());
  auto mirror = fixture.make_mirror();
  CHECK(fixture.error_of(mirror.fetch(60s)) == "cannot run git: exec: \"git\": executable file not found in $PATH");
}
