// Replays the recorded archives and compares verdict and resulting tree with the original's.

#include <tarutil/extract.h>

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "golden/differences.h"
#include "support/confine.h"
#include "support/support.h"

namespace fs = std::filesystem;
using namespace tarutil;

namespace {

constexpr std::int64_t kNow = 1'700'000'000;

/// "path" -> what is there, in words.
using Tree = std::map<std::string, std::string>;

struct Outcome {
  std::string verdict;
  Tree tree;
  std::size_t count = 0;  ///< where only the number of things was recorded
};

std::string sha1_hex(const std::string& content) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(content.data(), content.size(), digest, &size, EVP_sha1(), nullptr);
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    for (const unsigned half : {unsigned{digest[i]} >> 4, unsigned{digest[i]} & 15}) text += "0123456789abcdef"[half];
  }
  return text;
}

/// As the recording shows names: bytes that are no UTF-8 as \xNN. Enough for the names in the data.
std::string shown_name(const std::string& name) {
  return name.size() > 1 && name.back() == '\xe9' ? name.substr(0, name.size() - 1) + "\\xe9" : name;
}

std::string file_words(const std::string& mode, std::int64_t size, const std::string& sha1, std::int64_t links,
                       const std::string& mtime) {
  return "file " + mode + " " + std::to_string(size) + " bytes " + sha1.substr(0, 10) + ", " + std::to_string(links) +
         " link, " + mtime;
}

Tree tree_at(const fs::path& base) {
  Tree tree;
  for (const auto& entry : fs::recursive_directory_iterator(base)) {
    struct stat status {};
    REQUIRE(::lstat(entry.path().c_str(), &status) == 0);
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", status.st_mode & 07777u);
    std::string words = std::string("directory ") + mode;
    if (S_ISREG(status.st_mode)) {
      if ((status.st_mode & S_IRUSR) == 0) fs::permissions(entry.path(), fs::perms::owner_read, fs::perm_options::add);
      const std::string mtime = status.st_mtime == kNow ? "now" : std::to_string(status.st_mtime);
      words = file_words(mode, status.st_size, sha1_hex(testing::read_file(entry.path())),
                         static_cast<std::int64_t>(status.st_nlink), mtime);
    } else if (!S_ISDIR(status.st_mode)) {
      words = "something else";
    }
    tree[shown_name(entry.path().lexically_relative(base).string())] = words;
  }
  return tree;
}

Outcome recorded_outcome(const rapidjson::Value& record) {
  Outcome outcome;
  outcome.verdict = std::to_string(record["status"].GetInt()) + " " + record["body"].GetString();
  if (record["tree"].IsObject()) {
    outcome.count = record["tree"]["count"].GetUint();
    return outcome;
  }
  for (const auto& entry : record["tree"].GetArray()) {
    std::string words = std::string("directory ") + entry["mode"].GetString();
    if (std::string_view(entry["type"].GetString()) == "-") {
      const auto& mtime = entry["mtime"];
      words = file_words(entry["mode"].GetString(), entry["size"].GetInt64(), entry["sha1"].GetString(),
                         entry["nlink"].GetInt64(),
                         mtime.IsString() ? mtime.GetString() : std::to_string(mtime.GetInt64()));
    }
    outcome.tree[entry["path"].GetString()] = words;
  }
  return outcome;
}

/// The answers that a server gives for each kind; texts end as the original's do.
std::string verdict_of(const ExtractError& error) {
  const bool ours = error.kind() == ExtractErrorKind::io;
  return std::string(ours ? "500 " : "400 ") + error.what() + "\n";
}

Outcome our_outcome(const std::string& archive, const fs::path& base, Beneath::Method method) {
  const int directory = ::open(base.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(directory >= 0);
  std::size_t at = 0;
  const Source source = [&](std::span<char> into) {
    const std::size_t size = std::min(into.size(), archive.size() - at);
    std::copy_n(archive.data() + at, size, into.data());
    at += size;
    return size;
  };
  ExtractOptions options = ExtractOptions::as_original();
  options.directory_name = "$BASE";
  options.now = std::chrono::sys_seconds{std::chrono::seconds{kNow}};
  options.method = method;
  Outcome outcome;
  outcome.verdict = "200 OK";
  try {
    extract(source, directory, options);
  } catch (const ExtractError& error) {
    outcome.verdict = verdict_of(error);
  }
  ::close(directory);
  outcome.tree = tree_at(base);
  return outcome;
}

/// What `one` has and `other` has not, in words for the table.
std::string shown_difference(const Outcome& one, const Outcome& other) {
  std::string text;
  if (one.verdict != other.verdict) text = one.verdict.substr(0, one.verdict.find_last_not_of('\n') + 1);
  std::set<std::string> paths;
  for (const Tree* tree : {&one.tree, &other.tree}) {
    for (const auto& [path, words] : *tree) paths.insert(path);
  }
  for (const std::string& path : paths) {
    const auto here = one.tree.find(path), there = other.tree.find(path);
    if (here != one.tree.end() && there != other.tree.end() && here->second == there->second) continue;
    text += (text.empty() ? "" : "; ") + path + ": " + (here == one.tree.end() ? "nothing" : here->second);
  }
  return testing::table_cell(text);
}

/// Everything below `root` except below `base`.
std::map<std::string, std::string> surroundings(const fs::path& root, const fs::path& base) {
  std::map<std::string, std::string> found;
  for (auto entry = fs::recursive_directory_iterator(root); entry != fs::recursive_directory_iterator(); ++entry) {
    if (entry->path() == base) entry.disable_recursion_pending();
    found[entry->path().string()] = entry->is_regular_file() ? testing::read_file(entry->path()) : "";
  }
  return found;
}

void replay(Beneath::Method method) {
  const auto data = testing::golden("tars", "recorded archives");
  if (!data) return;
  // Their names climb out of the directory.
  if (!testing::confinement.safe()) {
    testing::skip("recorded archives", "the archives are hostile, this is root, and no mount namespace may be made");
    return;
  }
  const std::string text = testing::read_file(*data / "outcome-2024.json");
  rapidjson::Document records;
  REQUIRE_FALSE(records.Parse(text.c_str()).HasParseError());
  auto listed = testing::listed_differences(XBUILD_DIFFERENCES, "tars");
  std::size_t replayed = 0, differences = 0;
  for (const auto& record : records.GetArray()) {
    const std::string name = record["name"].GetString();
    INFO(name);
    const testing::TempDir dir;
    const fs::path base = dir / "work" / "base",
                   root = dir.path().parent_path().parent_path().parent_path().parent_path();
    fs::create_directories(base);
    testing::write_file(dir / "work" / "escape", "untouched");
    const auto before = surroundings(root, base);
    Outcome ours = our_outcome(testing::read_file(*data / (name + ".tgz")), base, method);
    const Outcome recorded = recorded_outcome(record);
    CHECK(surroundings(root, base) == before);
    CHECK_FALSE(fs::exists("/abs/file"));
    if (recorded.count > 0) {
      CHECK(ours.tree.size() == recorded.count);
      ours.tree.clear();
    }
    ++replayed;
    const testing::Difference difference{shown_difference(recorded, ours), shown_difference(ours, recorded)};
    if (difference.recorded.empty() && difference.ours.empty()) continue;
    ++differences;
    CHECK_MESSAGE((listed.contains(name) && listed[name] == difference), "not listed: | tars | "
                                                                             << name << " | " << difference.recorded
                                                                             << " | " << difference.ours << " | |");
    listed.erase(name);
  }
  for (const auto& [name, difference] : listed) FAIL_CHECK("listed, but it does not differ: " << name);
  CHECK(replayed == 72);
  std::cout << "tars: replayed " << replayed << ", listed differences " << differences << "\n";
}

}  // namespace

TEST_CASE("the recorded archives give the recorded trees and verdicts, but for the listed differences") {
  const mode_t before = ::umask(022);
  replay(Beneath::Method::automatic);
  ::umask(before);
}

TEST_CASE("they do so too where the kernel has no openat2") {
  const mode_t before = ::umask(022);
  replay(Beneath::Method::walk);
  ::umask(before);
}
