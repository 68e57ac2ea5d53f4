#include <maintner/reclog.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

using namespace maintner;
using Fault = RecordError::Fault;

namespace {

/// What stands before the fault, and the fault.
struct Outcome {
  std::vector<std::string> payloads;
  std::optional<Fault> fault;
  std::string what;
  std::uint64_t offset = 0;
};

template <class Reader>
Outcome read_from(Reader reader) {
  Outcome outcome;
  try {
    while (const auto record = reader.next()) outcome.payloads.emplace_back(record->payload);
  } catch (const RecordError& error) {
    outcome.fault = error.fault();
    outcome.what = error.what();
    CHECK(error.offset() == reader.offset());
  }
  outcome.offset = reader.offset();
  return outcome;
}

/// From memory, and from a file, which give the same.
Outcome read_all(const std::string& log) {
  const testing::TempDir temp;
  testing::write_file(temp / "log", log);
  Outcome outcome = read_from(RecordReader(log));
  const Outcome of_file = read_from(RecordFile(temp / "log"));
  CHECK(outcome.payloads == of_file.payloads);
  CHECK(outcome.what == of_file.what);
  CHECK(outcome.fault == of_file.fault);
  CHECK(outcome.offset == of_file.offset);
  return outcome;
}

std::string log_of(const std::vector<std::string>& payloads) {
  std::string log;
  for (const std::string& payload : payloads) log += framed(log.size(), payload);
  return log;
}

const std::vector<std::string> kThree = {"first", "", std::string(1000, '=')};

}  // namespace

TEST_CASE("a record is framed as the original frames it") {
  CHECK(framed(0, "") == "REC@0+0=");
  CHECK(framed(0x16, std::string(0x1a, 'x')) == "REC@16+1a=" + std::string(26, 'x'));
}

TEST_CASE("what was framed is read again, also from the middle of a segment") {
  const std::string log = log_of(kThree);
  CHECK(read_all(log).payloads == kThree);
  CHECK(read_all(log).offset == log.size());
  const std::size_t second = framed(0, kThree[0]).size();
  CHECK(read_from(RecordReader(std::string_view(log).substr(second), second)).payloads ==
        std::vector(kThree.begin() + 1, kThree.end()));
  CHECK(read_all("").payloads.empty());
}

TEST_CASE("upper case and leading zeros are read, up to the longest header") {
  CHECK(read_all("REC@0+A=0123456789").payloads == std::vector<std::string>{"0123456789"});
  CHECK(read_all("REC@" + std::string(33, '0') + "+1=x").offset == kMaxHeader + 1);
  CHECK(read_all("REC@" + std::string(33, '0') + "+01=x").fault == Fault::overlong_header);
}

TEST_CASE("a log that ends anywhere in its last record is torn there, and all before it is read") {
  const std::string log = log_of(kThree);
  const std::size_t second = framed(0, kThree[0]).size();
  const std::size_t third = second + framed(second, kThree[1]).size();
  for (std::size_t size = 0; size < log.size(); ++size) {
    CAPTURE(size);
    const Outcome outcome = read_all(log.substr(0, size));
    const std::size_t whole = size >= third ? third : size >= second ? second : 0;
    CHECK(outcome.offset == whole);
    if (size == whole)
      CHECK(outcome.fault == std::nullopt);
    else
      CHECK(outcome.fault == Fault::torn);
  }
}

TEST_CASE("zero bytes at the end, as a loss of power leaves them, are a torn record") {
  const Outcome outcome = read_all(log_of(kThree) + std::string(5000, '\0'));
  CHECK(outcome.fault == Fault::torn);
  CHECK(outcome.payloads == kThree);
  CHECK(read_all(log_of(kThree) + std::string(50, '\0') + "x").fault == Fault::overlong_header);
}

TEST_CASE("records may be larger than what a file is read in, and a size may be anything") {
  const std::vector<std::string> payloads = {std::string(300'000, 'a'), std::string(2'000'000, 'b'), "c",
                                             std::string(262'144, 'd')};
  CHECK(read_all(log_of(payloads)).payloads == payloads);
  const Outcome zeros = read_all(log_of(payloads) + std::string(1'000'000, '\0'));
  CHECK(zeros.fault == Fault::torn);
  CHECK(read_all(log_of(payloads) + std::string(1'000'000, '\0') + "x").fault == Fault::overlong_header);
}

TEST_CASE("a file that is cut while it is read ends torn, and one that grows as it was") {
  const testing::TempDir temp;
  const std::string log = log_of({std::string(400'000, 'a'), std::string(400'000, 'b')});
  testing::write_file(temp / "log", log);
  RecordFile cut(temp / "log"), grown(temp / "log");
  CHECK(cut.next());
  RecordWriter(temp / "log").append("c");
  CHECK(grown.next());
  CHECK(grown.next());
  CHECK_FALSE(grown.next());
  std::filesystem::resize_file(temp / "log", 500'000);
  CHECK(read_from(std::move(cut)).fault == Fault::torn);
}

TEST_CASE("a header that is wrong says how, and where") {
  struct Case {
    const char *log, *what;
    Fault fault;
  };
  const std::vector<Case> cases = {
      {"rec@0+1=x", "malformed header \"rec@0+1=\" at offset 0", Fault::malformed},
      {"REC@01=x", "malformed header \"REC@01=\" at offset 0", Fault::malformed},
      {"REC@0+0+1=x", "malformed header \"REC@0+0+1=\" at offset 0", Fault::malformed},
      {"=", "malformed header \"=\" at offset 0", Fault::malformed},
      {"x", "malformed header \"x\" at offset 0", Fault::malformed},
      {"REC@0+1+", "malformed header \"REC@0+1+\" at offset 0", Fault::malformed},
      {"REC@+1=x", "malformed header \"REC@+1=\" (malformed offset) at offset 0", Fault::bad_offset},
      {"REC@0x0+1=x", "malformed header \"REC@0x0+1=\" (malformed offset) at offset 0", Fault::bad_offset},
      {"REC@ffffffffffffffff+1=x", "malformed header \"REC@ffffffffffffffff+1=\" (malformed offset) at offset 0",
       Fault::bad_offset},
      {"REC@-0+1=x", "malformed header \"REC@-0+1=\" (malformed offset) at offset 0", Fault::bad_offset},
      {"REC@1+1=x", "malformed header \"REC@1+1=\" with offset 1 doesn't match expected offset 0", Fault::wrong_offset},
      {"REC@0+=x", "malformed header \"REC@0+=\" (bad size) at offset 0", Fault::bad_size},
      {"REC@0+-1=x", "malformed header \"REC@0+-1=\" (bad size) at offset 0", Fault::bad_size},
      {"REC@0+8000000000000000=x", "malformed header \"REC@0+8000000000000000=\" (bad size) at offset 0",
       Fault::bad_size},
      {"REC@0+7fffffffffffffff=x", "truncated record at offset 0: EOF", Fault::torn},
      {"RE\n\xff\"\\=", "malformed header \"RE\\n\\xff\\\"\\\\=\" at offset 0", Fault::malformed},
  };
  for (const Case& each : cases) {
    CAPTURE(each.log);
    const Outcome outcome = read_all(each.log);
    CHECK(outcome.what == each.what);
    CHECK(outcome.fault == each.fault);
  }
}

TEST_CASE("what is appended is read again, by the next writer, too") {
  testing::TempDir temp;
  const auto file = temp / "maintner-2021-02-01.mutlog";
  {
    RecordWriter writer(file);
    CHECK(writer.append("first") == 0);
    CHECK(writer.append("") == 13);
    writer.sync();
  }
  RecordWriter writer(file);
  CHECK(writer.append(kThree[2]) == 21);
  CHECK(testing::read_file(file) == log_of(kThree));
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("a file has one writer") {
  testing::TempDir temp;
  const RecordWriter writer(temp / "log");
  CHECK_THROWS_AS(RecordWriter(temp / "log"), std::system_error);
}

TEST_CASE("a torn record is cut off if that was asked for, and a malformed one never") {
  testing::TempDir temp;
  const auto file = temp / "log";
  const std::string whole = log_of({"first", "second"});
  testing::write_file(file, whole + "REC@1b+5=thi");
  CHECK_THROWS_AS(RecordWriter{file}, RecordError);
  CHECK(testing::read_file(file) == whole + "REC@1b+5=thi");
  {
    RecordWriter writer(file, RecordWriter::Torn::cut);
    CHECK(writer.cut() == 12);
    CHECK(testing::read_file(file) == whole);
    writer.append("third");
  }
  CHECK(testing::read_file(file) == log_of({"first", "second", "third"}));
  testing::write_file(file, whole + "junk");
  CHECK_THROWS_AS(RecordWriter(file, RecordWriter::Torn::cut), RecordError);
  CHECK(testing::read_file(file) == whole + "junk");
}

TEST_CASE("a record that does not fit on the disk is not there at all, and the next one may be") {
  testing::TempDir temp;
  RecordWriter writer(temp / "log");
  writer.append("first");
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto old = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  CHECK_THROWS_AS(writer.append(std::string(1000, 'x')), std::system_error);
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, old);
  CHECK(testing::read_file(temp / "log") == log_of({"first"}));
  writer.append("second");
  CHECK(testing::read_file(temp / "log") == log_of({"first", "second"}));
}

TEST_CASE("a directory's log files are those of the right name, by name") {
  testing::TempDir temp;
  for (const char* name : {"maintner-2021-02-02.mutlog", "maintner-2021-02-01.mutlog", "maintner-x.mutlog",
                           "other.mutlog", "maintner-2021-02-03.mutlog.gz"})
    testing::write_file(temp / name, "");
  std::filesystem::create_directory(temp / "maintner-2021-02-04.mutlog");
  std::vector<std::string> names;
  for (const auto& file : log_files(temp.path())) names.push_back(file.filename());
  CHECK(names ==
        std::vector<std::string>{"maintner-2021-02-01.mutlog", "maintner-2021-02-02.mutlog", "maintner-x.mutlog"});
  CHECK_THROWS_AS(log_files(temp / "none"), std::system_error);
}

TEST_CASE("a log file is named after the day in UTC") {
  using namespace std::chrono_literals;
  const std::chrono::system_clock::time_point last{1612224000s - 1ns};
  CHECK(log_file_name(last) == "maintner-2021-02-01.mutlog");
  CHECK(log_file_name(last + 1ns) == "maintner-2021-02-02.mutlog");
}
