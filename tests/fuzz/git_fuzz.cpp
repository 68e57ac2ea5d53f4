// What git prints about a hostile repository, and repository URLs.
#include <build/git/mirror.h>

#include "parse.h"
#include "text.h"

#include <cstdlib>
#include <stdexcept>

namespace {

void expect(bool condition) {
  if (!condition) std::abort();
}

/// Feeds `bytes` in pieces of a size that they choose.
template <typename Parser>
void feed(Parser& parser, std::string_view bytes) {
  const std::size_t step = bytes.empty() ? 1 : 1 + static_cast<unsigned char>(bytes.front()) % 64;
  for (std::size_t at = 0; at < bytes.size(); at += step) parser.feed(bytes.substr(at, step));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace build;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);

  git::CommitParser commits(model::RepositoryName("fuzz"));
  feed(commits, bytes);
  for (const auto& commit : commits.take()) {
    expect(git::is_hash(commit.hash.value));
    expect(commit.subject.size() <= 1024 && commit.author_name.size() <= 1024 && commit.author_email.size() <= 1024);
  }
  git::TreeParser tree;
  feed(tree, bytes);
  for (const auto& entry : tree.take()) expect(git::is_hash(entry.hash) && entry.path.size() <= 4096);
  git::find_lfs_pointers(bytes);
  expect(git::last_lines(bytes).size() < 1000);
  expect(git::cut_at(bytes, 7).size() <= 7);

  // Local ones would look at the machine's files.
  if (bytes.starts_with('/') || bytes.starts_with("file:")) return 0;
  try {
    const auto location = git::Location::parse(bytes);
    expect(!location.local && !bytes.starts_with('-') && bytes.find("::") != 0);
  } catch (const std::invalid_argument&) {
  }
  return 0;
}
