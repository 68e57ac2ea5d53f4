// The logs that the original wrote or read, good and bad (golden data maintner-small, -sync and -malformed).
#include <maintner/mutation.h>
#include <maintner/reclog.h>

#include <doctest/doctest.h>
#include <rapidjson/document.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "golden/differences.h"
#include "golden_logs.h"
#include "support/support.h"

namespace fs = std::filesystem;
using namespace maintner;

namespace {

/// Reads all of a log; what stops it.
std::string outcome_of(std::string_view log) {
  try {
    RecordReader reader(log);
    while (const auto record = reader.next()) {
      try {
        decode_mutation(record->payload);
      } catch (const MutationError& error) {
        return std::string("record at offset ") + std::to_string(record->offset) + ": " + error.what();
      }
    }
  } catch (const RecordError& error) {
    return error.what();
  }
  return "ok";
}

std::string recorded_outcome(const rapidjson::Value& expected) {
  if (expected.HasMember("error")) {
    const std::string text = expected["error"].GetString();
    const std::string_view place = "error in DIR/maintner-2021-02-01.mutlog: ";
    REQUIRE(text.starts_with(place));
    return text.substr(place.size());
  }
  return expected["outcome"].GetString();
}

/// How many records there are; each must be itself again when it is encoded from its fields.
int encode_again(std::string_view log) {
  int count = 0;
  RecordReader reader(log);
  while (const auto record = reader.next()) {
    REQUIRE(encode(decode_mutation(record->payload)) == record->payload);
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("bad logs are told as the original tells them, or better where that is listed") {
  const auto data = testing::golden("maintner-malformed", "malformed logs");
  if (!data) return;
  rapidjson::Document expected;
  expected.Parse(testing::read_file(*data / "expected.json").c_str());
  const auto listed = testing::listed_differences(XBUILD_DIFFERENCES, "maintner-malformed");
  std::map<std::string, testing::Difference> found;
  int count = 0;
  for (const auto& member : expected.GetObject()) {
    const std::string name = member.name.GetString();
    const std::string recorded = recorded_outcome(member.value),
                      ours = outcome_of(testing::read_file(*data / (name + ".mutlog")));
    if (recorded != ours) found[name] = {testing::table_cell(recorded), testing::table_cell(ours)};
    ++count;
  }
  CHECK(count == 24);
  for (const auto& [name, difference] : found) {
    CAPTURE(name);
    CAPTURE(difference.recorded);
    CAPTURE(difference.ours);
    const auto row = listed.find(name);
    CHECK(row != listed.end());
    if (row != listed.end()) CHECK(row->second == difference);
  }
  for (const auto& [name, difference] : listed) CHECK(found.count(name) == 1);
  MESSAGE("replayed ", count, ", listed differences ", found.size());
}

TEST_CASE("every record of the original's logs is itself again when it is encoded from its fields") {
  const auto small = testing::golden("maintner-small", "re-encoding");
  const auto sync = testing::golden("maintner-sync", "re-encoding");
  if (!small || !sync) return;
  int count = 0;
  for (const fs::path& file : log_files(*small)) count += encode_again(testing::read_file(file));
  CHECK(count == 877);
  for (const char* name : {"maintner-2026-11-20.mutlog.gz", "maintner-2026-11-21.mutlog.gz"})
    CHECK(encode_again(testing::unzipped(*sync / name)) > 0);
}
