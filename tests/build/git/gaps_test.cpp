#include <doctest/doctest.h>

#include "repository.h"

using namespace build;
using namespace testing;

namespace {

using Sentences = std::vector<std::string>;

std::string pointer(int number) {
  return "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, 'a') + "\nsize " +
         std::to_string(number) + "\n";
}

}  // namespace

TEST_CASE("submodules and LFS pointers are told, other files are not") {
  MirrorFixture fixture;
  auto& origin = fixture.origin;
  origin.write("data/a.bin", pointer(1));
  origin.write("data/b.bin", pointer(20));
  origin.write("notes.txt",
               "version https://git-lfs.github.com/spec/v1 is the specification's name " + std::string(100, '.'));
  origin.write("large.txt", pointer(1) + std::string(2000, 'x'));
  origin.write("tiny.txt", "version https://git-lfs.github.com/spec/v1\n");
  std::filesystem::create_symlink("data/a.bin", origin.path() / "link");
  const std::string hash(40, '1');
  origin.git({"add", "--all"});
  origin.git({"update-index", "--add", "--cacheinfo", "160000," + hash + ",third_party/x"});
  origin.git({"commit", "--quiet", "-m", "gaps"});
  const model::CommitHash commit(origin.git({"rev-parse", "HEAD"}));
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  CHECK(fixture.get(mirror.gaps(commit)) ==
        Sentences{"submodule third_party/x at " + hash + " is not part of the source",
                  "2 files are Git LFS pointers, for example data/a.bin"});
}

TEST_CASE("a tree without gaps has no sentences, one pointer has its own") {
  MirrorFixture fixture;
  fixture.origin.write("readme", "plain");
  const auto plain = fixture.origin.commit("plain");
  fixture.origin.write("only.bin", pointer(7));
  const auto one = fixture.origin.commit("one");
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  CHECK(fixture.get(mirror.gaps(plain)).empty());
  CHECK(fixture.get(mirror.gaps(one)) == Sentences{"only.bin is a Git LFS pointer, not the file itself"});
}

TEST_CASE("many submodules and many small files are counted, hostile names are made harmless") {
  MirrorFixture fixture;
  std::string stream = "commit refs/heads/main\ncommitter C <c@example.com> 1767225600 +0000\ndata 4\nmany\n";
  // Every tenth of 3210 small files is a pointer, all different, so that they need several batches.
  for (int i = 0; i < 3210; ++i) {
    const std::string content = i % 10 == 0 ? pointer(i) : std::string(150, 'x') + std::to_string(i);
    stream += "M 100644 inline files/" + std::to_string(i) + "\ndata " + std::to_string(content.size()) + "\n" +
              content + "\n";
  }
  for (int i = 10; i < 25; ++i)
    stream +=
        "M 160000 " + std::string(38, '0') + std::to_string(i) + " \"sub\\n\\033[31m" + std::to_string(i) + "\"\n";
  fixture.origin.git({"fast-import", "--quiet", "--force"}, stream);
  auto mirror = fixture.make_mirror();
  fixture.fetch(mirror);
  const auto head = fixture.get(mirror.branches()).front().second;
  const auto sentences = fixture.get(mirror.gaps(head));
  REQUIRE(sentences.size() == 12);
  CHECK(sentences[0] == "submodule sub??[31m10 at " + std::string(38, '0') + "10 is not part of the source");
  CHECK(sentences[10] == "5 more submodules are not part of the source");
  CHECK(sentences[11] == "321 files are Git LFS pointers, for example files/0");
}
