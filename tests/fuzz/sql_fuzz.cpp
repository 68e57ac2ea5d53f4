// Statements on a small corpus: whatever they are, there is an answer or an error; and what a table finds by key is
// what SQLite finds by looking at all of it.
#include <maintner/corpus.h>
#include <maintner/mutation.h>
#include <maintner/reclog.h>
#include <maintner/sql.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace maintner;

namespace {

void require(bool right) {
  if (!right) std::abort();
}

const Corpus& corpus() {
  static const Corpus made = [] {
    std::string name = (fs::is_directory("/dev/shm") ? "/dev/shm" : "/tmp") + std::string("/fuzz-sql.XXXXXX");
    require(::mkdtemp(name.data()) != nullptr);
    const fs::path file = fs::path(name) / "log";
    RecordWriter writer(file);
    for (std::int32_t number = 1; number <= 10; ++number) {
      Mutation mutation;
      GithubIssueMutation& issue = mutation.github_issue.emplace();
      issue.owner = "a";
      issue.repo = number % 3 == 0 ? "b" : "c";
      issue.number = number;
      issue.title = "title";
      issue.add_label.push_back({number % 4, "label", {}});
      GithubIssueCommentMutation& comment = issue.comment.emplace_back();
      comment.id = number;
      comment.body = "body";
      writer.append(encode(mutation));
    }
    auto open = std::make_shared<const build::base::UniqueFd>(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    fs::remove_all(name);
    const std::vector<LogPart> parts{{file, writer.size(), open}};
    return Corpus([parts] { return parts; });
  }();
  return made;
}

std::string answer(std::string_view statement) {
  static SqlTables tables;
  std::string text;
  try {
    tables.run(corpus().view(), statement, {.time = std::chrono::milliseconds(200), .rows = 100},
               [&](const auto&, std::span<const SqlValue> row) {
                 for (const SqlValue& value : row) {
                   if (const auto* const number = std::get_if<std::int64_t>(&value)) text += std::to_string(*number);
                   if (const auto* const bytes = std::get_if<std::string_view>(&value)) text += *bytes;
                   text += ';';
                 }
                 return true;
               });
  } catch (const SqlError& error) {
    return "error";
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr std::array<const char*, 4> kTables{"issues", "comments", "issue_labels", "events"};
  const unsigned which = data[0] - unsigned{'0'};
  if (which >= 2 * kTables.size()) {
    answer(text);
    return 0;
  }
  // A value for a key: an expression without columns, so that both sides are the same.
  if (text.find_first_of("'\"`[;-/") != std::string::npos || text.find("random") != std::string::npos) return 0;
  const std::string from = std::string("SELECT count(*) FROM ") + kTables[which % kTables.size()] + " WHERE ";
  const std::string column = which < kTables.size() ? "number" : "repo";
  const std::string value = "(SELECT " + text + ")";
  const std::string found = answer(from + column + " = " + value),
                    looked = answer(from + column + " BETWEEN " + value + " AND " + value);
  require(found == looked || found == "error" || looked == "error");  // the other one is longer
  return 0;
}
