#include <build/base/cli.h>
#include <maintner/corpus.h>
#include <maintner/mutation.h>
#include <maintner/mutation_json.h>
#include <maintner/reclog.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "dump_corpus.h"

namespace base = build::base;
namespace fs = std::filesystem;

namespace {

constexpr int kExitFaults = 1;

/// Files as they are named; in place of a directory its log files.
std::vector<fs::path> files_of(const std::vector<std::string>& logs) {
  std::vector<fs::path> files;
  for (const std::string& log : logs) {
    if (!fs::is_directory(log)) {
      files.emplace_back(log);
      continue;
    }
    const std::vector<fs::path> inside = maintner::log_files(log);
    if (inside.empty()) std::cerr << "maintlog: " << log << " has no file maintner-*.mutlog\n";
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

/// What `each` is not told of, because it cannot be read, is told here; then it returns false. What follows a bad
/// mutation is read all the same; what follows a bad record is not.
bool for_each_mutation(const fs::path& file,
                       const std::function<void(const maintner::Record&, const maintner::Mutation&)>& each) {
  bool good = true;
  const auto complain = [&](const std::string& what) {
    std::cerr << "maintlog: " << file.string() << ": " << what << "\n";
    good = false;
  };
  maintner::RecordFile records(file);
  try {
    while (const auto record = records.next()) {
      try {
        each(*record, maintner::decode_mutation(record->payload));
      } catch (const maintner::MutationError& error) {
        complain("record at offset " + std::to_string(record->offset) + ": " + error.what());
      }
    }
  } catch (const maintner::RecordError& error) {
    complain(error.what());
    if (error.fault() == maintner::RecordError::Fault::torn) {
      std::cerr << "maintlog: the last " << records.size() - error.offset()
                << " bytes are a record that was not written to its end; maintlog repair cuts them off\n";
    } else {
      std::cerr << "maintlog: the " << records.size() - error.offset() << " bytes from there on cannot be read\n";
    }
  }
  return good;
}

/// The command line of a command that takes logs; an exit code: return it.
std::optional<int> parse_logs(base::CommandLine& cli, const char* placeholder, std::vector<std::string>& logs, int argc,
                              char** argv) {
  cli.positional(logs, placeholder, "a log file, or a directory with files maintner-*.mutlog", {.min = 1});
  return cli.parse(argc, argv);
}

int verify(int argc, char** argv) {
  base::CommandLine cli("maintlog verify", "Reads logs to their end, and says what is wrong with them.");
  std::vector<std::string> logs;
  fs::path snapshot;
  cli.path("snapshot", snapshot, "FILE",
           "compare all bytes with those that this snapshot was made of; LOG is a directory");
  cli.example("maintlog verify /var/lib/maintner", "all files of a log");
  if (const auto exit_code = parse_logs(cli, "LOG", logs, argc, argv)) return *exit_code;
  bool good = true;
  if (!snapshot.empty()) {
    for (const std::string& log : logs) {
      for (const std::string& wrong : maintner::verify_snapshot(log, snapshot)) {
        std::cerr << "maintlog: " << wrong << "\n";
        good = false;
      }
    }
  }
  std::uint64_t all_records = 0, all_bytes = 0;
  const std::vector<fs::path> files = files_of(logs);
  for (const fs::path& file : files) {
    std::uint64_t records = 0, bytes = 0;
    const auto count = [&](const maintner::Record& record, const maintner::Mutation&) {
      ++records;
      bytes = record.end();
    };
    good = for_each_mutation(file, count) && good;
    std::cout << file.string() << ": " << records << " mutations, " << bytes << " bytes\n";
    all_records += records;
    all_bytes += bytes;
  }
  if (files.size() > 1)
    std::cout << files.size() << " files: " << all_records << " mutations, " << all_bytes << " bytes\n";
  return good ? 0 : kExitFaults;
}

int dump(int argc, char** argv) {
  base::CommandLine cli("maintlog dump", "Prints the mutations of logs as JSON, one a line.");
  std::vector<std::string> logs;
  cli.example("maintlog dump /var/lib/maintner | jq .mutation.github_issue.title",
              "every title that an issue ever had");
  if (const auto exit_code = parse_logs(cli, "LOG", logs, argc, argv)) return *exit_code;
  bool good = true;
  for (const fs::path& file : files_of(logs)) {
    const std::string name = maintner::to_json(file.filename().string());
    const auto print = [&](const maintner::Record& record, const maintner::Mutation& mutation) {
      std::cout << "{\"file\":" << name << ",\"offset\":" << record.offset
                << ",\"mutation\":" << maintner::to_json(mutation) << "}\n";
    };
    good = for_each_mutation(file, print) && good;
    if (!std::cout) return kExitFaults;
  }
  return good ? 0 : kExitFaults;
}

void keep_torn(const fs::path& file, std::uint64_t from, const fs::path& into) {
  std::ifstream in(file, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(from));
  std::ofstream out(into, std::ios::binary);
  out << in.rdbuf();
  if (!in || !out.flush()) throw std::runtime_error("cannot keep the torn record in " + into.string());
}

/// Says what it did.
std::string repair_file(const fs::path& file) {
  maintner::RecordFile records(file);
  try {
    while (records.next()) {
    }
    return "nothing to repair";
  } catch (const maintner::RecordError& error) {
    if (error.fault() != maintner::RecordError::Fault::torn) throw;
  }
  const fs::path kept = file.string() + ".torn-" + std::to_string(records.offset());
  keep_torn(file, records.offset(), kept);
  try {
    const maintner::RecordWriter writer(file, maintner::RecordWriter::Torn::cut);
    return "cut " + std::to_string(writer.cut()) + " bytes off at offset " + std::to_string(writer.size()) +
           ", kept in " + kept.string();
  } catch (const std::exception&) {
    fs::remove(kept);  // nothing was cut off: somebody writes there
    throw;
  }
}

int repair(int argc, char** argv) {
  base::CommandLine cli("maintlog repair", "Cuts off what was not written to its end, at the end of a log file.");
  std::vector<std::string> logs;
  cli.example("maintlog repair /var/lib/maintner", "a log whose writer died");
  if (const auto exit_code = parse_logs(cli, "LOG", logs, argc, argv)) return *exit_code;
  bool good = true;
  for (const fs::path& file : files_of(logs)) {
    try {
      std::cout << file.string() << ": " << repair_file(file) << "\n";
    } catch (const std::exception& error) {
      std::cerr << "maintlog: " << file.string() << ": " << error.what() << "; it is left as it is\n";
      good = false;
    }
  }
  return good ? 0 : kExitFaults;
}

/// Writes records into new files of a directory, one after another.
class Copy {
 public:
  /// A new file is begun before one would get larger than `file_size`, in bytes.
  Copy(fs::path directory, std::uint64_t file_size) : directory_(std::move(directory)), file_size_(file_size) {
    fs::create_directories(directory_);
    if (!maintner::log_files(directory_).empty())
      throw std::runtime_error(directory_.string() + " has log files already: nothing is added to them");
  }

  void write(std::string_view payload) {
    if (!writer_ || (writer_->size() > 0 && writer_->size() + payload.size() > file_size_)) begin_file();
    writer_->append(payload);
    ++records_;
  }

  void finish() {
    if (writer_) writer_->sync();
    std::cout << directory_.string() << ": " << records_ << " records in " << files_ << " files\n";
  }

  std::uint64_t records() const { return records_; }

 private:
  void begin_file() {
    if (writer_) writer_->sync();
    char name[40];
    std::snprintf(name, sizeof name, "maintner-%06llu.mutlog", static_cast<unsigned long long>(files_++));
    writer_.emplace(directory_ / name);
  }

  fs::path directory_;
  std::uint64_t file_size_, records_ = 0, files_ = 0;
  std::optional<maintner::RecordWriter> writer_;
};

/// Copies the first `most` records of logs, as they are. A record that cannot be read ends it: what follows it belongs
/// after it.
int copy(const std::vector<std::string>& logs, Copy copy, std::uint64_t most) {
  bool good = true;
  for (const fs::path& file : files_of(logs)) {
    maintner::RecordFile records(file);
    try {
      while (copy.records() < most) {
        const auto record = records.next();
        if (!record) break;
        copy.write(record->payload);
      }
    } catch (const maintner::RecordError& error) {
      std::cerr << "maintlog: " << file.string() << ": " << error.what() << "; the copy ends before it\n";
      good = false;
      break;
    }
  }
  copy.finish();
  return good ? 0 : kExitFaults;
}

/// What cut, merge and resegment have in common.
struct CopyFlags {
  fs::path out;
  std::vector<std::string> logs;
  std::int64_t file_size = INT64_MAX, records = INT64_MAX;

  /// An exit code: return it.
  std::optional<int> parse(base::CommandLine& cli, const char* needed, int argc, char** argv) {
    cli.path("out", out, "DIR", "where the new log files go; it has none yet");
    if (const auto exit_code = parse_logs(cli, "LOG", logs, argc, argv)) return exit_code;
    for (const char* flag : {"out", needed})
      if (flag != nullptr && !cli.given(flag)) return cli.usage_error(std::string("-") + flag + " is needed");
    return std::nullopt;
  }
  int run() const {
    return copy(logs, Copy(out, static_cast<std::uint64_t>(file_size)), static_cast<std::uint64_t>(records));
  }
};

int cut(int argc, char** argv) {
  base::CommandLine cli("maintlog cut", "Copies the beginning of a log.");
  CopyFlags flags;
  cli.integer("records", flags.records, "N", "how many records", 0);
  cli.example("maintlog cut -records 1000 -out /tmp/small /var/lib/maintner", "a log to try something with");
  if (const auto exit_code = flags.parse(cli, "records", argc, argv)) return *exit_code;
  return flags.run();
}

int merge(int argc, char** argv) {
  base::CommandLine cli("maintlog merge", "Copies logs into one, each behind the one before.");
  CopyFlags flags;
  cli.example("maintlog merge -out /srv/both /srv/older /srv/newer", "one log of two");
  if (const auto exit_code = flags.parse(cli, nullptr, argc, argv)) return *exit_code;
  return flags.run();
}

int resegment(int argc, char** argv) {
  base::CommandLine cli("maintlog resegment", "Copies a log into files of another size.");
  CopyFlags flags;
  flags.file_size = 16 << 20;
  cli.integer("size", flags.file_size, "BYTES", "of a file at most; a record that is larger has one of its own", 1);
  cli.example("maintlog resegment -out /srv/segments /var/lib/maintner", "segments as they are served");
  if (const auto exit_code = flags.parse(cli, nullptr, argc, argv)) return *exit_code;
  return flags.run();
}

int dump_corpus(int argc, char** argv) {
  base::CommandLine cli("maintlog dump-corpus", "Prints what a log says in all, as one JSON object.");
  std::vector<std::string> directory, commits, ancestries;
  std::int64_t threads = 0;
  bool compat = false;
  fs::path snapshot_file;
  cli.path("snapshot", snapshot_file, "FILE", "of this log, to begin with; one that does not fit is said and not used");
  cli.positional(directory, "DIRECTORY", "with files maintner-*.mutlog", {.min = 1, .max = 1});
  cli.integer("threads", threads, "N", "that load; 0: as many as there are processors", 0);
  cli.toggle("compat", compat, "also where the original is wrong");
  cli.repeated("commit", commits, "HASH", "say whether this commit is known");
  cli.repeated("ancestor", ancestries, "COMMIT,ANCESTOR", "say whether one is the other's ancestor");
  cli.example("maintlog dump-corpus /var/lib/maintner | jq '.github.repos[].numIssues'", "how many issues there are");
  if (const auto exit_code = cli.parse(argc, argv)) return *exit_code;
  CorpusQuestions questions{commits, {}};
  for (const std::string& pair : ancestries) {
    const std::size_t comma = std::min(pair.find(','), pair.size());
    questions.ancestries.emplace_back(pair.substr(0, comma), pair.substr(std::min(comma + 1, pair.size())));
  }
  const maintner::Corpus corpus(
      directory.front(), {.threads = static_cast<unsigned>(threads), .compat = compat, .snapshot = snapshot_file});
  const auto complain = [](const maintner::Problem& problem) {
    std::cerr << "maintlog: " << problem.file.string() << ": record at offset " << problem.offset << ": " << problem.why
              << "\n";
  };
  if (!corpus.snapshot_refused().empty())
    std::cerr << "maintlog: the snapshot is not used: " << corpus.snapshot_refused() << "\n";
  for (const maintner::Problem& problem : corpus.problems()) complain(problem);
  if (corpus.torn()) complain(*corpus.torn());
  dump_corpus(corpus.view(), questions, std::cout);
  return corpus.problem_count() == 0 && !corpus.torn() && std::cout ? 0 : kExitFaults;
}

int snapshot(int argc, char** argv) {
  base::CommandLine cli("maintlog snapshot", "Writes what a log says in all to a file that is opened in milliseconds.");
  std::vector<std::string> directory;
  fs::path out;
  cli.path("out", out, "FILE", "the snapshot; one that is there is replaced");
  cli.positional(directory, "DIRECTORY", "with files maintner-*.mutlog", {.min = 1, .max = 1});
  cli.example("maintlog snapshot -out /var/cache/maintner.snapshot /var/lib/maintner",
              "for the programs that use this log");
  if (const auto exit_code = cli.parse(argc, argv)) return *exit_code;
  if (out.empty()) return cli.usage_error("-out is needed");
  const maintner::Corpus corpus(directory.front());
  corpus.save(out);
  std::cout << out.string() << ": " << corpus.view().mutations() << " mutations, " << fs::file_size(out) << " bytes\n";
  return 0;
}

struct Command {
  std::string_view name;
  int (*run)(int argc, char** argv);
};
constexpr Command kCommands[] = {
    {"verify", verify}, {"dump", dump},           {"repair", repair},           {"cut", cut},
    {"merge", merge},   {"resegment", resegment}, {"dump-corpus", dump_corpus}, {"snapshot", snapshot}};

}  // namespace

int main(int argc, char** argv) {
  base::CommandLine cli("maintlog", "Looks after mutation logs. COMMAND -help says more of each.");
  std::vector<std::string> words;
  cli.positional(words, "COMMAND",
                 "verify, dump, dump-corpus, snapshot, repair, cut, merge or resegment, and what it takes", {.min = 1});
  cli.example("maintlog verify /var/lib/maintner", "whether all of a log can be read");
  const std::string_view command = argc > 1 ? argv[1] : "";
  try {
    for (const Command& known : kCommands)
      if (command == known.name) return known.run(argc - 1, argv + 1);
    if (const auto exit_code = cli.parse(argc, argv)) return *exit_code;
    return cli.usage_error("there is no command \"" + words.front() + "\"");
  } catch (const std::exception& error) {
    std::cerr << "maintlog: " << error.what() << "\n";
    return kExitFaults;
  }
}
