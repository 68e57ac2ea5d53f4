#include <maintner/log_copier.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/support.h"

using namespace maintner;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> payloads_of(const SegmentStore& store) {
  std::vector<std::string> payloads;
  for (const Segment& segment : store.segments()->segments) {
    RecordFile records(segment.file);
    while (const auto record = records.next()) payloads.emplace_back(record->payload);
  }
  return payloads;
}

void append(const fs::path& file, const std::vector<std::string>& payloads) {
  RecordWriter writer(file);
  for (const std::string& payload : payloads) writer.append(payload);
}

std::string error_of(const fs::path& log, SegmentStore& store) {
  try {
    LogCopier(log, store).copy();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("a log of daily files is copied, and what comes to it later, over restarts") {
  const testing::TempDir temp;
  const fs::path log = temp / "log";
  fs::create_directories(log);
  std::vector<std::string> all{"one", "two"};
  append(log / "maintner-2021-01-01.mutlog", all);
  {
    SegmentStore store(temp / "store", 100);
    LogCopier copier(log, store);
    CHECK(copier.copy() == 2);
    CHECK(copier.copy() == 0);
    append(log / "maintner-2021-01-01.mutlog", {"three"});
    append(log / "maintner-2021-01-02.mutlog", {std::string(90, 'x')});
    CHECK(copier.copy() == 2);
    all.insert(all.end(), {"three", std::string(90, 'x')});
    CHECK(payloads_of(store) == all);
  }
  append(log / "maintner-2021-01-02.mutlog", {std::string(80, 'y'), std::string(9'000'000, 'z')});
  all.insert(all.end(), {std::string(80, 'y'), std::string(9'000'000, 'z')});
  SegmentStore store(temp / "store", 100);
  LogCopier copier(log, store);
  CHECK(copier.copy() == 2);
  CHECK(payloads_of(store) == all);
}

TEST_CASE("a record that is torn at the end of a log comes when it is whole") {
  const testing::TempDir temp;
  const fs::path file = temp / "maintner-2021-01-01.mutlog";
  append(file, {"one", "two"});
  const std::string whole = testing::read_file(file);
  testing::write_file(file, whole.substr(0, whole.size() - 1));
  SegmentStore store(temp / "store");
  LogCopier copier(temp.path(), store);
  CHECK(copier.copy() == 1);
  CHECK(copier.copy() == 0);
  testing::write_file(file, whole);
  CHECK(copier.copy() == 1);
  CHECK(payloads_of(store) == std::vector<std::string>{"one", "two"});
}

TEST_CASE("a log that is not what was copied is refused, and says where") {
  const testing::TempDir temp;
  const fs::path log = temp / "log", file = log / "maintner-2021-01-01.mutlog";
  fs::create_directories(log);
  append(file, {"one", "two"});
  SegmentStore store(temp / "store");
  CHECK(error_of(log, store) == "none");
  const std::string whole = testing::read_file(file);
  SUBCASE("another record") {
    fs::remove(file);
    append(file, {"one", "TWO"});
    CHECK(error_of(log, store).find("they differ in " + file.string() + " at offset 11") != std::string::npos);
  }
  SUBCASE("less") {
    testing::write_file(file, whole.substr(0, 11));
    CHECK(error_of(log, store).find("has less than what was copied of it") != std::string::npos);
  }
  SUBCASE("shorter, while it is followed") {
    LogCopier copier(log, store);
    testing::write_file(file, whole.substr(0, 11));
    CHECK_THROWS_WITH_AS(copier.copy(), (file.string() + " has become shorter").c_str(), std::runtime_error);
    fs::remove(file);
    CHECK_THROWS_WITH_AS(copier.copy(), (file.string() + " is not there any more").c_str(), std::runtime_error);
  }
  SUBCASE("damaged behind it") {
    testing::write_file(file, whole + std::string(60, 'x') + whole);
    CHECK(error_of(log, store).find(file.string() + ": malformed") == 0);
  }
  SUBCASE("torn, and another file behind it") {
    testing::write_file(file, whole + "REC@16+5=x");
    append(log / "maintner-2021-01-02.mutlog", {"three"});
    CHECK(error_of(log, store).find(file.string() + ": ") == 0);
  }
  CHECK(payloads_of(store) == std::vector<std::string>{"one", "two"});
}
