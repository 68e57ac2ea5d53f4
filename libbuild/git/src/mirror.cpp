// A mirror is a bare repository whose branches are those of the original. It is made under another name and gets its
// own only when the first fetch went well, so a directory of that name is always a whole mirror, unless something else
// damaged it. A fetch that fails while the original answers means just that: the mirror is made anew.
#include <build/git/mirror.h>

#include "command.h"
#include "packed_output.h"
#include "parse.h"
#include "text.h"

#include <build/base/file.h>

#include <algorithm>

namespace build::git {

namespace fs = std::filesystem;

namespace {

constexpr io::Duration kQuestionLimit = std::chrono::minutes(2);
constexpr std::size_t kMaxRefsOutput = 16 * 1024 * 1024;
constexpr std::size_t kMaxShownPath = 200;
constexpr std::size_t kMaxSubmoduleSentences = 10;
/// Smaller files cannot be Git LFS pointers, and by its specification larger ones are none either.
constexpr std::uint64_t kMinPointerSize = 100, kMaxPointerSize = 1023;
constexpr std::size_t kPointerBatch = 1000;
constexpr std::size_t kMaxPointerBatchOutput = kPointerBatch * (kMaxPointerSize + 200);

/// Nothing that a repository says about its files changes what is archived.
constexpr std::string_view kAttributes =
    "* -export-ignore -export-subst -text !eol -ident !filter !working-tree-encoding\n";

fs::path sibling(const fs::path& directory, const char* suffix) {
  fs::path path = directory;
  path += suffix;
  return path;
}

fs::path configuration_of(const fs::path& directory) { return sibling(directory, ".gitconfig"); }

/// Left by a git that was killed; every later one would give up on them.
void remove_locks(const fs::path& repository) {
  std::error_code error;
  const auto remove_if_lock = [](const fs::path& path) {
    std::error_code ignored;
    if (path.extension() == ".lock") fs::remove(path, ignored);
  };
  for (const auto& entry : fs::directory_iterator(repository, error)) remove_if_lock(entry.path());
  for (const auto& entry : fs::recursive_directory_iterator(repository / "refs", error)) remove_if_lock(entry.path());
}

std::string git_dir(const fs::path& repository) { return "--git-dir=" + repository.string(); }

void require_hash(const model::CommitHash& hash) {
  if (!is_hash(hash.value)) throw std::invalid_argument("\"" + one_line(hash.value, 80) + "\" is no commit's hash");
}

int rank_of(const model::BranchName& branch) { return branch.value == "main" ? 0 : branch.value == "master" ? 1 : 2; }

}  // namespace

Mirror::Mirror(io::Executor executor, io::Clock& clock, model::RepositoryName name, Location location,
               fs::path directory, const base::Environment& environment)
    : executor_(std::move(executor)),
      clock_(clock),
      name_(std::move(name)),
      location_(std::move(location)),
      directory_(fs::absolute(directory).lexically_normal()),
      git_(std::make_unique<Command>(executor_, clock_, environment, configuration_of(directory_))) {}

Mirror::~Mirror() = default;

io::Task<> Mirror::fetch(io::Duration limit) {
  const io::Instant end = clock_.now() + limit;
  if (!location_.local) location_ = Location::parse(location_.url);
  if (suspect_) write_configuration();
  std::optional<GitError> failure;
  if (fs::exists(directory_ / "HEAD")) {
    if (suspect_) remove_locks(directory_);
    try {
      co_await fetch_into(directory_, end - clock_.now());
    } catch (const GitError& error) {
      failure = error;
    }
    if (!failure && !suspect_) co_return;
    if (!failure) {
      const bool sound = co_await is_sound(end - clock_.now());
      suspect_ = !sound;
      if (sound) co_return;
    }
  }
  suspect_ = true;
  const io::Duration left = end - clock_.now();
  if (failure && left <= io::Duration::zero()) throw *failure;
  co_await remake(left);
  suspect_ = false;
}

/// What git is given. For a local repository that is the directory with its refs, also if a work tree, a link or a URL
/// was named: git asks for trust in what it is given, and that way it is one path.
std::string Mirror::source() const { return location_.local ? location_.local->string() : location_.url; }

void Mirror::write_configuration() const {
  std::vector<fs::path> trusted{directory_, sibling(directory_, ".new")};
  if (location_.local) {
    std::error_code ignored;
    trusted.push_back(*location_.local);
    trusted.push_back(fs::canonical(*location_.local, ignored));
  }
  base::write_file_atomically(configuration_of(directory_), configuration_text(trusted));
}

/// Whether the branches can be read down to their trees.
io::Task<bool> Mirror::is_sound(io::Duration limit) {
  std::vector<std::string> arguments{git_dir(directory_), "for-each-ref", "--format=%(objectname) %(tree)",
                                     "refs/heads/"};
  const base::RunResult result = co_await git_->run(std::move(arguments), limit, kMaxRefsOutput);
  co_return result.ok();
}

io::Task<> Mirror::fetch_into(const fs::path& repository, io::Duration limit) {
  std::vector<std::string> arguments{git_dir(repository),
                                     "fetch",
                                     "--quiet",
                                     "--force",
                                     "--prune",
                                     "--no-tags",
                                     "--no-write-fetch-head",
                                     "--no-recurse-submodules",
                                     "--",
                                     source(),
                                     "+refs/heads/*:refs/heads/*"};
  const base::RunResult result = co_await git_->run(std::move(arguments), limit, kMaxRefsOutput);
  require_ok(result, "fetch repository " + name_.value + " from " + location_.url);
}

io::Task<> Mirror::remake(io::Duration limit) {
  const io::Instant end = clock_.now() + limit;
  // Also tells whose fault it was that a fetch failed: what cannot be listed is left alone.
  std::vector<std::string> list{"ls-remote", "--quiet", "--heads", "--", source()};
  const base::RunResult listed = co_await git_->run(std::move(list), limit, kMaxRefsOutput);
  require_ok(listed, "list the branches of repository " + name_.value + " at " + location_.url);
  const bool sha256 = listed.output.find_first_of(" \t") == 64;

  const fs::path fresh = sibling(directory_, ".new"), old = sibling(directory_, ".old");
  co_await remove(fresh);
  co_await remove(old);
  std::vector<std::string> init{"init", "--quiet", "--bare", "--template="};
  init.push_back(sha256 ? "--object-format=sha256" : "--object-format=sha1");
  init.insert(init.end(), {"--", fresh.string()});
  const base::RunResult made = co_await git_->run(std::move(init), end - clock_.now(), kMaxRefsOutput);
  require_ok(made, "make a mirror of repository " + name_.value);
  fs::create_directories(fresh / "info");
  base::write_file_atomically(fresh / "info" / "attributes", kAttributes);
  co_await fetch_into(fresh, end - clock_.now());
  if (fs::exists(directory_)) fs::rename(directory_, old);
  fs::rename(fresh, directory_);
  co_await remove(old);
}

/// By a child process, because it may take long.
io::Task<> Mirror::remove(fs::path directory) {
  if (!fs::exists(fs::symlink_status(directory))) co_return;
  std::vector<std::string> argv{"rm", "-rf", "--", directory.string()};
  const base::RunResult result = co_await git_->run_program(std::move(argv), kQuestionLimit);
  require_ok(result, "remove " + directory.string());
}

io::Task<Heads> Mirror::branches() {
  std::vector<std::string> arguments{git_dir(directory_), "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)",
                                     "refs/heads/"};
  const base::RunResult result = co_await git_->run(std::move(arguments), kQuestionLimit, kMaxRefsOutput);
  require_ok(result, "list the branches in the mirror of repository " + name_.value);
  Heads heads;
  std::string_view rest = result.output;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::string_view hash = line.substr(0, line.find(' '));
    if (is_hash(hash) && line.size() > hash.size() + 1)
      heads.emplace_back(model::BranchName(std::string(line.substr(hash.size() + 1))),
                         model::CommitHash(std::string(hash)));
  }
  std::stable_sort(heads.begin(), heads.end(), [](const auto& a, const auto& b) {
    return std::pair(rank_of(a.first), a.first) < std::pair(rank_of(b.first), b.first);
  });
  co_return heads;
}

io::Task<std::vector<model::Commit>> Mirror::commits(model::CommitHash head, std::optional<model::CommitHash> after,
                                                     std::size_t limit) {
  require_hash(head);
  std::vector<std::string> arguments{git_dir(directory_),
                                     "log",
                                     "-z",
                                     "--first-parent",
                                     "--no-mailmap",
                                     "--encoding=UTF-8",
                                     "--max-count=" + std::to_string(std::min<std::size_t>(limit, 1'000'000)),
                                     kCommitFormat,
                                     "--end-of-options",
                                     head.value};
  if (after && is_hash(after->value)) {
    std::vector<std::string> probe{git_dir(directory_), "cat-file", "-e", after->value + "^{commit}"};
    const base::RunResult known = co_await git_->run(std::move(probe), kQuestionLimit, kMaxRefsOutput);
    if (known.ok()) arguments.push_back("^" + after->value);
  }
  arguments.push_back("--");
  const std::string purpose = "list the commits of repository " + name_.value + " up to " + head.value;
  Output output(*git_, std::move(arguments), purpose, kQuestionLimit);
  CommitParser parser(name_);
  for (;;) {
    const std::string_view piece = co_await output.next();
    if (piece.empty()) break;
    parser.feed(piece);
  }
  if (parser.failed()) throw GitError("cannot " + purpose + ": git's answer is damaged");
  std::vector<model::Commit> commits = parser.take();
  std::reverse(commits.begin(), commits.end());
  co_return commits;
}

io::Task<std::vector<std::string>> Mirror::gaps(model::CommitHash commit) {
  require_hash(commit);
  const std::string purpose = "look at the files of commit " + commit.value + " of repository " + name_.value;
  std::vector<std::string> arguments{git_dir(directory_), "ls-tree", "-r", "-l", "-z", "--full-tree", commit.value};
  Output output(*git_, std::move(arguments), purpose, kQuestionLimit);
  TreeParser parser;
  std::vector<std::string> sentences;
  std::size_t submodules = 0, pointers = 0;
  std::string example;
  std::vector<TreeEntry> candidates;
  for (;;) {
    const std::string_view piece = co_await output.next();
    parser.feed(piece);
    for (TreeEntry& entry : parser.take()) {
      if (entry.kind == TreeEntry::Kind::submodule && ++submodules <= kMaxSubmoduleSentences)
        sentences.push_back("submodule " + one_line(entry.path, kMaxShownPath) + " at " + entry.hash +
                            " is not part of the source");
      if (entry.kind == TreeEntry::Kind::file && entry.size >= kMinPointerSize && entry.size <= kMaxPointerSize)
        candidates.push_back(std::move(entry));
    }
    while (candidates.size() >= kPointerBatch || (piece.empty() && !candidates.empty())) {
      const std::size_t count = std::min(candidates.size(), kPointerBatch);
      std::string hashes;
      for (std::size_t i = 0; i < count; ++i) hashes += candidates[i].hash + "\n";
      const std::vector<bool> found = co_await lfs_pointers(std::move(hashes), purpose);
      for (std::size_t i = 0; i < std::min(count, found.size()); ++i) {
        if (!found[i]) continue;
        if (pointers++ == 0) example = one_line(candidates[i].path, kMaxShownPath);
      }
      candidates.erase(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(count));
    }
    if (piece.empty()) break;
  }
  if (parser.failed()) throw GitError("cannot " + purpose + ": git's answer is damaged");
  if (submodules > kMaxSubmoduleSentences)
    sentences.push_back(std::to_string(submodules - kMaxSubmoduleSentences) +
                        " more submodules are not part of the source");
  if (pointers == 1) sentences.push_back(example + " is a Git LFS pointer, not the file itself");
  if (pointers > 1)
    sentences.push_back(std::to_string(pointers) + " files are Git LFS pointers, for example " + example);
  co_return sentences;
}

io::Task<std::vector<bool>> Mirror::lfs_pointers(std::string hashes, std::string purpose) {
  std::vector<std::string> arguments{git_dir(directory_), "cat-file", "--batch", "--buffer"};
  const base::RunResult result =
      co_await git_->run(std::move(arguments), kQuestionLimit, kMaxPointerBatchOutput, std::move(hashes));
  require_ok(result, purpose);
  co_return find_lfs_pointers(result.output);
}

std::unique_ptr<Archive> Mirror::archive(const model::CommitHash& commit, io::BlockingPool& pool) {
  require_hash(commit);
  std::vector<std::string> arguments{git_dir(directory_), "archive", "--format=tar", commit.value};
  return std::make_unique<PackedOutput>(*git_, std::move(arguments), "archive commit " + commit.value, pool);
}

}  // namespace build::git
