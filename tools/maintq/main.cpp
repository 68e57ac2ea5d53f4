// maintq: asks a project's history.
#include <build/base/cli.h>
#include <io/tls.h>
#include <maintner/corpus.h>
#include <maintner/live_corpus.h>
#include <maintner/sql.h>

#include <algorithm>
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
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "print.h"
#include "questions.h"

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
  std::int64_t memory = 1024;  ///< MiB
  bool json = false, csv = false;
  maintq::Wanted wanted;
  std::vector<std::string> words;
};

using maintq::Question;
using maintq::UsageError;

void need(const std::vector<std::string>& words, std::size_t least, std::size_t most, const std::string& usage) {
  if (words.size() < least || words.size() > most) throw UsageError("it is: maintq " + usage);
}

const Question* question_named(const std::string& name) {
  for (const Question& question : maintq::questions())
    if (question.name == name) return &question;
  return nullptr;
}

/// All flags that belong to some question.
std::set<std::string> question_flags() {
  std::set<std::string> all;
  for (const Question& question : maintq::questions()) all.insert(question.flags.begin(), question.flags.end());
  return all;
}

int ask_sql(const View& view, const Flags& flags) {
  SqlTables::limit_memory(static_cast<std::uint64_t>(flags.memory) << 20U);
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
  if (what == "has-ancestor") return ask_ancestor(view, flags);
  maintq::Printer printer(flags.form, std::cout);
  question_named(what)->ask(view, {flags.words.begin() + 1, flags.words.end()}, flags.wanted, printer);
  return 0;
}

void check_words(const std::vector<std::string>& words) {
  const std::string& what = words[0];
  if (what == "sql") return need(words, 2, 2, "sql STATEMENT");
  if (what == "schema") return need(words, 1, 1, "schema");
  if (what == "get-ref") return need(words, 3, 3, "get-ref PROJECT REF");
  if (what == "has-ancestor") return need(words, 3, 3, "has-ancestor COMMIT ANCESTOR");
  std::string names = "sql, schema, get-ref, has-ancestor";
  for (const Question& question : maintq::questions()) {
    names += std::string(", ") + question.name;
    if (what != question.name) continue;
    const std::string_view operands = question.operands;
    const auto most = operands.empty() ? 0 : 1 + std::count(operands.begin(), operands.end(), ' ');
    const auto least = most - std::count(operands.begin(), operands.end(), '[');
    return need(words, static_cast<std::size_t>(1 + least), static_cast<std::size_t>(1 + most),
                what + (operands.empty() ? "" : " ") + std::string(operands));
  }
  throw UsageError("\"" + what + "\" is no question: " + names);
}

/// Flags say nothing to questions that they do not belong to.
void check_flags(const base::CommandLine& cli, const std::string& what) {
  const Question* const question = question_named(what);
  for (const std::string& flag : question_flags()) {
    const bool fits = question != nullptr && std::any_of(question->flags.begin(), question->flags.end(),
                                                         [&](const char* each) { return flag == each; });
    if (cli.given(flag) && !fits) throw UsageError("-" + flag + " does not go with " + what);
  }
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
      std::cerr << "maintq: what in the log could not be used: " << corpus.problem_count() << " (maintlog verify)\n";
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
  cli.integer("memory", flags.memory, "MIB", "how much memory it may take for what it sorts and keeps", 1, 1 << 20);
  maintq::Wanted& wanted = flags.wanted;
  const auto into = [](std::string& target) { return [&target](const std::string& value) { target = value; }; };
  cli.choice("state", {"open", "closed", "all"}, "open", "issues: in which state", into(wanted.state));
  cli.repeated("label", wanted.labels, "NAME", "issues: with this label");
  cli.text("milestone", wanted.milestone, "TITLE", "issues: in this milestone");
  cli.text("assignee", wanted.assignee, "LOGIN", "issues: assigned to somebody");
  cli.text("author", wanted.author, "WHO", "issues: opened by this login; commits: by this name or e-mail address");
  cli.text("as-of", wanted.as_of, "TIME", "issue: what it was at that time");
  cli.choice("status", {"new", "merged", "abandoned", "draft", "all"}, "new", "changes: of which status",
             into(wanted.status));
  cli.text("owner", wanted.owner, "WHO", "changes: of this name, e-mail address or account number");
  cli.text("branch", wanted.branch, "NAME", "changes: for this branch");
  cli.text("hashtag", wanted.hashtag, "TAG", "changes: with this hashtag");
  cli.text("reviewer", wanted.reviewer, "WHO", "changes: with this reviewer");
  cli.text("path", wanted.path, "PATH", "commits: that changed this file, or with \"/\" at its end this directory");
  cli.text("since", wanted.since, "TIME", "commits: of this time or later");
  cli.text("until", wanted.until, "TIME", "commits: of before this time");
  cli.repeated("kind", wanted.kinds, "KIND", "search: in title, body, comment, review, message, commit (default: all)");
  cli.toggle("words", wanted.words, "search: for texts with all these words");
  cli.integer("limit", wanted.limit, "N", "at most so many answers", 1, INT64_MAX);
  cli.positional(flags.words, "QUESTION",
                 "sql STATEMENT, schema, repos, issues [REPO], issue REPO NUMBER, changes [PROJECT], commits, search "
                 "TEXT, get-ref PROJECT REF, or has-ancestor COMMIT ANCESTOR",
                 {.min = 1, .max = 3});
  cli.example("maintq -log /var/log/maintner sql \"SELECT state, count(*) FROM issues GROUP BY state\"",
              "of a log in files");
  cli.example("maintq -log /var/log/maintner -label NeedsFix -milestone Go1.17 issues golang/go",
              "by label and milestone");
  cli.example("maintq get-ref go refs/heads/master", "of Go's, which is fetched first");
  if (const auto exit_code = cli.parse(argc, argv)) return *exit_code;
  if (flags.json && flags.csv) return cli.usage_error("-json and -csv exclude each other");
  if (!flags.log.empty() && cli.given("server")) return cli.usage_error("-log and -server exclude each other");
  flags.form = flags.json ? maintq::Form::json : flags.csv ? maintq::Form::csv : maintq::Form::table;
  flags.limits.rows = static_cast<std::uint64_t>(flags.rows);
  try {
    check_words(flags.words);
    check_flags(cli, flags.words[0]);
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
