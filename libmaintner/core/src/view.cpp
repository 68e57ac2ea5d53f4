#include <maintner/view.h>

#include <protozero/pbf_reader.hpp>

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "pinned_state.h"

namespace maintner {

// ---- View

View::View(const View& other) noexcept : pinned_(other.pinned_) {
  if (pinned_ != nullptr) ++pinned_->holders;
}

View::~View() {
  if (pinned_ != nullptr) pinned_->shelf->release(pinned_);
}

const State& View::state() const noexcept { return pinned_->state; }

std::optional<Commit> View::commit(std::string_view hex) const {
  const std::optional<Hash> hash = hash_from(hex);
  const auto number = hash ? find_commit(state().git, *hash) : std::nullopt;
  return number ? std::optional(Commit(state(), *number)) : std::nullopt;
}

Range<Commit> View::commits() const { return {state(), 0, state().git.commits.size()}; }

std::vector<std::pair<std::string_view, Commit>> View::mercurial_commits() const {
  std::map<std::string_view, std::uint32_t> last;
  const Table<HgRow>& rows = state().git.hg;
  for (std::uint32_t i = 0; i < rows.size(); ++i) last[state().text(rows[i].hg)] = rows[i].commit;
  std::vector<std::pair<std::string_view, Commit>> all;
  all.reserve(last.size());
  for (const auto& [hg, commit] : last) all.emplace_back(hg, Commit(state(), commit));
  return all;
}

std::size_t View::count_people() const {
  std::unordered_set<std::string_view> people;
  for (const Commit& commit : commits()) {
    if (commit.is_placeholder()) continue;
    const CommitText text = commit.text();
    people.insert(text.author.person);
    people.insert(text.committer.person);
  }
  return people.size();
}

std::optional<std::string> View::check() const {
  for (const Project& project : gerrit().projects())
    if (const std::size_t needed = project.commits_needed(); needed > 0)
      return "gerrit: " + std::string(project.full_name()) + ": " + std::to_string(needed) + " missing commits";
  for (const Commit& commit : commits())
    if (commit.is_placeholder()) return "git: the commit " + commit.hex() + " is a parent and was not seen";
  return std::nullopt;
}

std::uint64_t View::mutations() const { return state().mutations; }
std::uint64_t View::version() const { return state().batch; }

// ---- Commit

namespace {

std::string_view text_of(protozero::data_view view) { return {view.data(), view.size()}; }

const CommitRow& row_of(const State& state, std::uint32_t number) { return state.git.commits[number]; }

}  // namespace

std::string_view Commit::hash() const { return view_of(row_of(state(), number_in_table()).hash); }
std::string Commit::hex() const { return hash_to_hex(hash()); }
bool Commit::is_placeholder() const { return row_of(state(), number_in_table()).is_placeholder(); }
std::string_view Commit::raw() const { return state().text(row_of(state(), number_in_table()).raw); }

std::string_view Commit::message() const {
  const CommitRow& row = row_of(state(), number_in_table());
  const std::string_view raw = state().text(row.raw);
  return raw.substr(std::min<std::size_t>(row.message, raw.size()));
}

CommitText Commit::text() const {
  if (is_placeholder()) return {};
  try {
    return parse_commit(raw());
  } catch (const CommitError&) {
    return {};  // the log was cut under us
  }
}

std::optional<std::string_view> Commit::reviewer() const {
  const auto line = line_value(message(), "Reviewer: ");
  return line ? std::optional(line->value) : std::nullopt;
}

std::vector<Commit> Commit::parents() const {
  std::vector<Commit> all;
  for_each_parent(state().git, row_of(state(), number_in_table()),
                  [&](std::uint32_t parent) { all.emplace_back(state(), parent); });
  return all;
}

std::vector<File> Commit::files() const {
  const CommitRow& row = row_of(state(), number_in_table());
  const std::string_view diff = state().text(row.diff);
  std::vector<File> files;
  if (!diff.empty()) files.reserve(8);
  try {
    for (protozero::pbf_reader in(diff.data(), diff.size()); in.next(1);) {
      File& file = files.emplace_back();
      for (protozero::pbf_reader fields = in.get_message(); fields.next();) {
        switch (fields.tag()) {
          case 1:
            file.name = text_of(fields.get_view());
            break;
          case 2:
            file.added = fields.get_int64();
            break;
          case 3:
            file.deleted = fields.get_int64();
            break;
          case 4:
            file.binary = fields.get_uint64() != 0;
            break;
          default:
            fields.skip();
        }
      }
    }
  } catch (const protozero::exception&) {
    // The log was cut under us.
  }
  if (row.files_unsorted != 0)
    std::stable_sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.name < b.name; });
  return files;
}

bool Commit::has_ancestor(const Commit& other) const {
  const GitState& git = state().git;
  std::vector<bool> seen(git.commits.size());
  std::vector<std::uint32_t> open{number_in_table()};
  bool found = false;
  while (!open.empty() && !found) {
    const std::uint32_t at = open.back();
    open.pop_back();
    for_each_parent(git, git.commits[at], [&](std::uint32_t parent) {
      found = found || parent == other.number_in_table();
      if (seen[parent]) return;
      seen[parent] = true;
      open.push_back(parent);
    });
  }
  return found;
}

}  // namespace maintner
