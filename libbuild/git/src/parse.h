// Reading what git prints, piece by piece as it comes. Of a field only a bounded beginning is kept, whatever its
// length. None of the parsers throws on what git would never print: it takes it for damage and says so by failed().
#pragma once

#include <build/model/records.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace build::git {

/// The `--format` whose output CommitParser reads; with -z.
inline constexpr const char* kCommitFormat = "--format=tformat:%H%x00%ct%x00%an%x00%ae%x00%s";

class CommitParser {
 public:
  explicit CommitParser(model::RepositoryName repository) : repository_(std::move(repository)) {}

  void feed(std::string_view bytes);
  /// Output ended inside a record, or a record was none.
  bool failed() const { return failed_ || field_ != 0 || !text_.empty(); }
  /// In git's order.
  std::vector<model::Commit> take() { return std::move(commits_); }

 private:
  void end_field();

  model::RepositoryName repository_;
  std::vector<model::Commit> commits_;
  model::Commit commit_;
  int field_ = 0;
  std::string text_;
  bool failed_ = false;
};

/// An entry of `git ls-tree -r -l -z`.
struct TreeEntry {
  enum class Kind { file, symlink, submodule } kind = Kind::file;
  std::string hash;
  std::uint64_t size = 0;  ///< of a file
  std::string path;        ///< its beginning, if it is very long
};

class TreeParser {
 public:
  void feed(std::string_view bytes);
  bool failed() const { return failed_ || !text_.empty(); }
  /// The entries complete so far, without those taken before.
  std::vector<TreeEntry> take();

 private:
  void end_entry();

  std::vector<TreeEntry> entries_;
  std::string text_;
  bool failed_ = false;
};

/// Which of the objects in the output of `git cat-file --batch` are Git LFS pointers, in order.
std::vector<bool> find_lfs_pointers(std::string_view output);

}  // namespace build::git
