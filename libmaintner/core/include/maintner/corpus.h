// A project's whole history in memory, read from a directory with a mutation log: load it, ask it (view.h), and keep up
// with what is added to it.
//
//   maintner::Corpus corpus("/var/log/maintner");
//   for (const maintner::Repo& repo : corpus.view().github().repos()) std::cout << repo.id() << "\n";
//
// Texts are not copied: the log's files are mapped, and must not be changed but at the end of the last one. A file that
// is cut all the same kills nobody: what was in it reads as zero bytes, and log_damaged() says so.
//
// What loading does is over when the constructor returns: every question takes the time that it takes from then on, and
// builds nothing for the next, but those of query.h. All lookups are by index: users, repositories, issues, commits,
// changes, labels, milestones by their key, refs by binary search. Reading all commits is what these take:
// View::count_people(), View::check(); all that a commit has as ancestors: Commit::has_ancestor().
#pragma once

#include <build/base/file.h>
#include <maintner/view.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace maintner {

/// The log is not what was read before: a file has become shorter, was replaced, or grew though it was not the last. A
/// new Corpus can be made of it.
struct LogChanged : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct CorpusOptions {
  /// That load; 0: as many as there are processors. The result does not depend on it. With more than one, some updates
  /// leave a thread behind that puts rows in order; the next update that has news, and the destructor, wait for it.
  unsigned threads = 0;
  /// Also where the original is wrong. Differences: docs/mutation-log.md.
  bool compat = false;
  /// A file of Corpus::save(): if it fits the log, most of the log need not be read. Empty: there is none.
  std::filesystem::path snapshot;
};

/// A file of a log, of which no more than `size` bytes count.
struct LogPart {
  std::filesystem::path file;
  std::uint64_t size = 0;
  std::shared_ptr<const build::base::UniqueFd> open = nullptr;  ///< if it may have got another name meanwhile
};
/// Says what a log consists of at this moment, in its order: for logs that are not simply a directory. What it throws
/// comes out of the function that asked.
using LogParts = std::function<std::vector<LogPart>()>;

/// A place in the log that could not be used. What follows was.
struct Problem {
  std::filesystem::path file;
  std::uint64_t offset = 0;
  std::string why;
};

/// What an update brought.
struct Progress {
  std::uint64_t mutations = 0;
  std::uint64_t bytes = 0;
};

/// Compares all bytes of a log with what they were when a snapshot was made of it. Returns what is not as it was, a
/// sentence each. Throws std::runtime_error if the snapshot cannot be read, std::system_error if the log cannot.
std::vector<std::string> verify_snapshot(const std::filesystem::path& directory, const std::filesystem::path& snapshot);

class Corpus {
 public:
  /// Loads the log in `directory`. Throws std::system_error if that cannot be read, or memory is lacking. What is wrong
  /// in it is in problems().
  explicit Corpus(const std::filesystem::path& directory, const CorpusOptions& options = {});
  /// The same of the log that `parts` names, now and for each update(): the last of them may have grown, and have
  /// another name, others may have come behind it.
  explicit Corpus(LogParts parts, const CorpusOptions& options = {});
  /// Views may live on.
  ~Corpus();
  Corpus(const Corpus&) = delete;
  Corpus& operator=(const Corpus&) = delete;

  /// The newest. For any number of threads, also while update() is at work.
  View view() const noexcept;

  /// Takes in what has been added to the log, if something has, and makes a new view of it. For one thread at a time,
  /// as all below. Throws LogChanged, std::system_error; then all is as before.
  Progress update();
  /// `listener` is called by update() when it has brought something, with the view before and the one after, in the
  /// order in which they were added. What it throws comes out of update(), whose view is there all the same.
  void on_update(std::function<void(const View& before, const View& after)> listener);

  /// The first of them, up to a thousand.
  const std::vector<Problem>& problems() const noexcept;
  std::uint64_t problem_count() const noexcept;
  /// If the last file ends within a record: where that begins. Its writer may still be at it.
  const std::optional<Problem>& torn() const noexcept;
  /// Whether a file was cut under us.
  bool log_damaged() const noexcept;

  /// Why CorpusOptions::snapshot was not used; empty if it was, or none was named.
  const std::string& snapshot_refused() const noexcept;
  /// Writes what is known to a file, for another Corpus: docs/maintner-snapshot.md. Throws std::system_error; the file
  /// is whole, or as it was.
  void save(const std::filesystem::path& file) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace maintner
