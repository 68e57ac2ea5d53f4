// maintq: asks a project's history.
#include <build/base/cli.h>
#include <io/tls.h>
#include <maintner/corpus.h>
#include <maintner/live_corpus.h>
#include <maintner/sql.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "print.h"

namespace {

using namespace maintner;
namespace base = build::base;

constexpr int kExitTrouble = 1;

struct Flags {
  std::filesystem::path log, snapshot, cache, ca_file;
  std::string server = "https://maintner.golang.org/logs";
  maintq::Form form = maintq::Form::table;
  SqlLimits limits;
  std::int64_t rows = static_cast<std::int64_t>(SqlLimits{}.rows);
  bool json = false, csv = false;
  std::vector<std::string> words;
};

/// A wrong command line.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void need(const std::vector<std::string>& words, std::size_t count, const char* usage) {
  if (words.size() != count) throw UsageError(std::string("it is: maintq ") + usage);
}

int ask_sql(const View& view, const Flags& flags) {
  SqlTables tables;
  maintq::Printer printer(flags.form, std::cout);
  const auto take = [&](const std::vector<std::string>& names, std::span<const SqlValue> row) {
    printer.row(names, row);
    return static_cast<bool>(std::cout);
  };
  printer.end(tables.run(view, flags.words[1], flags.limits, take));
  return 0;
}

int ask_ref(const View& view, const Flags& flags) {
  const std::string &project = flags.words[1], &name = flags.words[2];
  const std::size_t slash = project.find('/');
  const auto found = slash == std::string::npos
                         ? view.gerrit().project("go.googlesource.com", project)
                         : view.gerrit().project(project.substr(0, slash), project.substr(slash + 1));
  if (!found) throw std::runtime_error("there is no project " + project);
  const auto ref = found->ref(name);
  if (!ref) throw std::runtime_error("ref not found");
  std::cout << ref->hex() << "\n";
  return 0;
}

int ask_ancestor(const View& view, const Flags& flags) {
  std::vector<Commit> commits;
  for (std::size_t i = 1; i <= 2; ++i) {
    const auto commit = view.commit(flags.words[i]);
    if (!commit) throw std::runtime_error("there is no commit " + flags.words[i]);
    commits.push_back(*commit);
  }
  std::cout << (commits[0].has_ancestor(commits[1]) ? "yes" : "no") << "\n";
  return 0;
}

int print_schema() {
  for (const std::string& statement : SqlTables::schema()) std::cout << statement << ";\n";
  return 0;
}

int ask(const View& view, const Flags& flags) {
  const std::string& what = flags.words[0];
  if (what == "sql") return ask_sql(view, flags);
  if (what == "get-ref") return ask_ref(view, flags);
  return ask_ancestor(view, flags);
}

void check_words(const std::vector<std::string>& words) {
  const std::string& what = words[0];
  if (what == "sql") return need(words, 2, "sql STATEMENT");
  if (what == "schema") return need(words, 1, "schema");
  if (what == "get-ref") return need(words, 3, "get-ref PROJECT REF");
  if (what == "has-ancestor") return need(words, 3, "has-ancestor COMMIT ANCESTOR");
  throw UsageError("\"" + what + "\" is no question: sql, schema, get-ref, has-ancestor");
}

int run(const Flags& flags) {
  if (flags.words[0] == "schema") return print_schema();
  CorpusOptions options;
  options.snapshot = flags.snapshot;
  if (!flags.log.empty()) {
    const Corpus corpus(flags.log, options);
    if (!corpus.snapshot_refused().empty())
      std::cerr << "maintq: the snapshot is not used: " << corpus.snapshot_refused() << "\n";
    if (corpus.problem_count() > 0)
      std::cerr << "maintq: " << corpus.problem_count() << " things in the log could not be used\n";
    return ask(corpus.view(), flags);
  }
  LiveCorpusOptions live;
  live.follower.server = flags.server;
  live.follower.cache = flags.cache;
  live.follower.trust = io::trust_in(flags.ca_file, "");
  live.follower.environment = [](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  live.follower.log = [](const std::string& sentence) { std::cerr << "maintq: " << sentence << "\n"; };
  live.corpus = options;
  const LiveCorpus corpus(std::move(live));
  return ask(corpus.view(), flags);
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  base::CommandLine cli("maintq", "Asks a project's history: issues, changes, commits and what was said of them.");
  cli.path("log", flags.log, "DIR", "a mutation log in files maintner-*.mutlog");
  cli.path("snapshot", flags.snapshot, "FILE", "begin with this snapshot, if it fits the log");
  cli.text("server", flags.server, "URL", "where the log is served, if it is not in files");
  cli.path("cache", flags.cache, "DIR", "where what is served is kept (default: a folder in ~/.cache)");
  cli.path("ca-file", flags.ca_file, "FILE", "trust the server if its certificate is signed by one of these (PEM)");
  cli.toggle("json", flags.json, "print JSON, an object for each row");
  cli.toggle("csv", flags.csv, "print CSV");
  cli.duration("time", flags.limits.time, "DURATION", "how long a statement may take");
  cli.integer("rows", flags.rows, "N", "how many rows it may have", 1, INT64_MAX);
  cli.positional(flags.words, "QUESTION", "sql STATEMENT, schema, get-ref PROJECT REF, or has-ancestor COMMIT ANCESTOR",
                 {.min = 1, .max = 3});
  cli.example("maintq -log /var/log/maintner sql \"SELECT state, count(*) FROM issues GROUP BY state\"",
              "of a log in files");
  cli.example("maintq get-ref go refs/heads/master", "of Go's, which is fetched first");
  if (const auto exit_code = cli.parse(argc, argv)) return *exit_code;
  if (flags.json && flags.csv) return cli.usage_error("-json and -csv exclude each other");
  if (!flags.log.empty() && cli.given("server")) return cli.usage_error("-log and -server exclude each other");
  flags.form = flags.json ? maintq::Form::json : flags.csv ? maintq::Form::csv : maintq::Form::table;
  flags.limits.rows = static_cast<std::uint64_t>(flags.rows);
  try {
    check_words(flags.words);
    const int code = run(flags);
    std::cout << std::flush;
    if (!std::cout) throw std::runtime_error("cannot write to standard output");
    return code;
  } catch (const UsageError& error) {
    return cli.usage_error(error.what());
  } catch (const std::exception& error) {
    std::cerr << "maintq: " << error.what() << "\n";
    return kExitTrouble;
  }
}
