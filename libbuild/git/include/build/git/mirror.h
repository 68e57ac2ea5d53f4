// Running git: keeping a mirror of a repository, asking it for commits, streaming a commit's tree.
//
// Git runs as a child process, with no prompt, no user or system configuration and only the transports file, https,
// http, ssh and git. A mirror lives in a directory of its own. Errors carry git's own last lines.
#pragma once

#include <build/base/subprocess.h>
#include <build/model/records.h>
#include <io/blocking_pool.h>
#include <io/clock.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace build::git {

/// Where a repository is. Refused (std::invalid_argument with a sentence): names beginning with '-', "ext::" and every
/// other "helper::address", schemes other than file, https, http, ssh, git, text with control characters, relative
/// paths, and URLs that hold a password (they would be shown to people).
struct Location {
  std::string url;
  /// Set if it is on this machine: the directory that holds its refs (the work tree's .git, or the bare one; for a
  /// linked work tree that of the repository it belongs to). Not set if there is no repository (yet); fetch() looks
  /// again, and says so.
  std::optional<std::filesystem::path> local;

  /// Looks at the file system for a local one.
  static Location parse(std::string_view text);
};

struct GitError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A tree as tar.gz, made while it is read. It may be destroyed before its end, but not during a read().
class Archive {
 public:
  virtual ~Archive() = default;
  /// The next bytes; 0 at the end, when git was successful. Throws GitError if it was not: what came is no whole
  /// archive.
  virtual io::Task<std::size_t> read(io::asio::mutable_buffer into) = 0;
};

/// Branches and the commits they point to.
using Heads = std::vector<std::pair<model::BranchName, model::CommitHash>>;

/// This process's environment, of which git gets a few variables: PATH, HOME (ssh keys, .netrc), the ssh agent,
/// proxies, certificates to trust (GIT_SSL_CAINFO, GIT_SSL_CAPATH).
base::Environment process_environment();

/// Lives on one executor; small file operations block it for a moment. One fetch() at a time; the questions may be
/// asked meanwhile. Every Task throws GitError, and all of them end before the Mirror is destroyed. The questions are
/// given up after two minutes.
class Mirror {
 public:
  /// `directory` is made by the first fetch(); its parent must exist, and nobody else writes to it or to the names
  /// `directory`.new, `directory`.old and `directory`.gitconfig.
  Mirror(io::Executor executor, io::Clock& clock, model::RepositoryName name, Location location,
         std::filesystem::path directory, const base::Environment& environment = process_environment());
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  /// Brings the mirror up to date; makes it if it is missing or broken. At most `limit`. When it fails the mirror is
  /// as it was.
  io::Task<> fetch(io::Duration limit);

  /// Branch heads in the mirror. `main` first, then `master`, then by name.
  io::Task<Heads> branches();

  /// First-parent commits reachable from `head` and not from `after`, oldest first, at most `limit` of the newest.
  /// An `after` that is not in the mirror any more (history was rewritten) counts as none. Subject, author name and
  /// address are cut at 1 KiB. Throws std::invalid_argument for a `head` that is no hash.
  io::Task<std::vector<model::Commit>> commits(model::CommitHash head, std::optional<model::CommitHash> after,
                                               std::size_t limit);

  /// What of a commit's tree an archive does not hold: a sentence each ("submodule third_party/x at 1a2b... is not
  /// part of the source", "4 files are Git LFS pointers, for example data/a.bin"). At most about a dozen.
  io::Task<std::vector<std::string>> gaps(model::CommitHash commit);

  /// The commit's tree exactly as committed (no attribute has an effect: not export-ignore, export-subst, nor line
  /// ends, ident and encodings). It is packed on the pool, which outlives it. Throws GitError if git cannot be started.
  std::unique_ptr<Archive> archive(const model::CommitHash& commit, io::BlockingPool& pool);

  /// `local` may come to be set by a fetch().
  const Location& location() const { return location_; }

 private:
  class Command;
  class Output;
  class PackedOutput;

  std::string source() const;
  void write_configuration() const;
  io::Task<> remake(io::Duration limit);
  io::Task<> fetch_into(const std::filesystem::path& repository, io::Duration limit);
  io::Task<bool> is_sound(io::Duration limit);
  io::Task<std::vector<bool>> lfs_pointers(std::string hashes, std::string purpose);
  io::Task<> remove(std::filesystem::path directory);

  io::Executor executor_;
  io::Clock& clock_;
  model::RepositoryName name_;
  Location location_;
  std::filesystem::path directory_;
  std::unique_ptr<Command> git_;
  /// Something may be wrong with the mirror: it was not looked at yet, or the last fetch failed.
  bool suspect_ = true;
};

}  // namespace build::git
