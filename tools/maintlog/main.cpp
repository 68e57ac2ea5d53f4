#include <build/base/cli.h>
#include <maintner/mutation.h>
#include <maintner/mutation_json.h>
#include <maintner/reclog.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

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
  cli.example("maintlog verify /var/lib/maintner", "all files of a log");
  if (const auto exit_code = parse_logs(cli, "LOG", logs, argc, argv)) return *exit_code;
  bool good = true;
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
  const maintner::RecordWriter writer(file, maintner::RecordWriter::Torn::cut);
  return "cut " + std::to_string(writer.cut()) + " bytes off at offset " + std::to_string(writer.size()) +
         ", kept in " + kept.string();
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

}  // namespace

int main(int argc, char** argv) {
  base::CommandLine cli("maintlog", "Looks after mutation logs. COMMAND -help says more of each.");
  std::vector<std::string> words;
  cli.positional(words, "COMMAND", "verify, dump or repair, and what it takes", {.min = 1});
  cli.example("maintlog verify /var/lib/maintner", "whether all of a log can be read");
  const std::string_view command = argc > 1 ? argv[1] : "";
  try {
    if (command == "verify") return verify(argc - 1, argv + 1);
    if (command == "dump") return dump(argc - 1, argv + 1);
    if (command == "repair") return repair(argc - 1, argv + 1);
    if (const auto exit_code = cli.parse(argc, argv)) return *exit_code;
    return cli.usage_error("there is no command \"" + words.front() + "\"; there are verify, dump and repair");
  } catch (const std::exception& error) {
    std::cerr << "maintlog: " << error.what() << "\n";
    return kExitFaults;
  }
}
