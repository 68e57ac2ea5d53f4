#include <io/watch.h>

#include <doctest/doctest.h>
#include <boost/asio/error.hpp>

#include "io/world.h"
#include "support/support.h"

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace testing;

namespace {

struct WatchWorld : World {
  TempDir dir;
  io::DirectoryWatch watch{loop.executor(), dir.path()};

  void wait() { loop.run_until_done(watch.changed()); }
};

}  // namespace

TEST_CASE("a file that is written, moved or removed below a watched directory is reported") {
  WatchWorld world;
  write_file(world.dir / "file", "text");
  world.wait();
  fs::rename(world.dir / "file", world.dir / "other");
  world.wait();
  fs::remove(world.dir / "other");
  world.wait();
}

TEST_CASE("many changes are reported as one") {
  WatchWorld world;
  for (int i = 0; i < 100; ++i) write_file(world.dir / std::to_string(i), "text");
  world.wait();
  const Background second(world.loop, world.watch.changed());
  world.loop.poll();
  CHECK_FALSE(second.done());
  world.watch.close();
  world.loop.poll();
  CHECK(second.code() == asio::error::operation_aborted);
}

TEST_CASE("directories that were there before are watched") {
  World world;
  const TempDir dir;
  fs::create_directories(dir / "refs/heads/deep");
  io::DirectoryWatch watch(world.loop.executor(), dir.path());
  write_file(dir / "refs/heads/deep/main", "text");
  world.loop.run_until_done(watch.changed());
}

TEST_CASE("a directory made later is watched too, with what was made in it at once") {
  WatchWorld world;
  fs::create_directories(world.dir / "a/b/c");
  world.wait();
  const Background waiting(world.loop, world.watch.changed());
  world.loop.poll();
  CHECK_FALSE(waiting.done());
  write_file(world.dir / "a/b/c/file", "text");
  world.loop.run_until_done(waiting.ended());
  CHECK_FALSE(waiting.error());
}

TEST_CASE("a directory moved out of the tree is not watched any more, one moved within it is") {
  WatchWorld world;
  const TempDir elsewhere;
  fs::create_directories(world.dir / "out/deep");
  fs::create_directories(world.dir / "within/deep");
  world.wait();
  fs::rename(world.dir / "out", elsewhere / "out");
  fs::rename(world.dir / "within", world.dir / "moved");
  world.wait();
  const Background waiting(world.loop, world.watch.changed());
  world.loop.poll();
  write_file(elsewhere / "out/deep/file", "text");
  world.loop.poll();
  CHECK_FALSE(waiting.done());
  write_file(world.dir / "moved/deep/file", "text");
  world.loop.run_until_done(waiting.ended());
  CHECK_FALSE(waiting.error());
}

TEST_CASE("a watched directory that is removed is reported as a change, then as an error that names it") {
  WatchWorld world;
  fs::remove_all(world.dir.path());
  world.wait();
  const auto wait = [&] { world.wait(); };
  CHECK(code_of(wait) == boost::system::errc::no_such_file_or_directory);
  CHECK(complaint_of(wait).find(world.dir.path().string()) != std::string::npos);
}

TEST_CASE("watching what is not a directory says so, with its name") {
  World world;
  const TempDir dir;
  const auto path = dir / "missing";
  CHECK(complaint_of([&] {
          const io::DirectoryWatch watch(world.loop.executor(), path);
        }).starts_with("watch " + path.string() + ": "));
}
