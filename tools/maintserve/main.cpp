// maintserve: shows a project's history in a browser.
#include "program.h"

#include <build/base/cli.h>
#include <io/tls.h>
#include <maintner/sql.h>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <utility>

namespace {

constexpr int kExitTrouble = 1;
constexpr std::int64_t kMostRows = 100'000, kMostAtOnce = 64, kMostMib = 1 << 20;

struct Numbers {
  std::int64_t sql_rows = static_cast<std::int64_t>(maintner::WebSiteLimits{}.sql_rows);
  std::int64_t sql_mib = 512;
  std::int64_t at_once = static_cast<std::int64_t>(maintner::WebSiteLimits{}.at_once);
};

std::optional<int> parse_flags(int argc, char** argv, maintserve::Options& options) {
  build::base::CommandLine cli("maintserve", "Shows a project's history in a browser.");
  maintserve::SourceOptions& source = options.source;
  std::filesystem::path ca_file;
  Numbers numbers;
  source.follower.server = "https://maintner.golang.org/logs";
  cli.path("log", source.log, "DIR", "a mutation log in files maintner-*.mutlog, shown as it grows");
  cli.path("snapshot", source.snapshot, "FILE", "begin with this snapshot, if it fits the log");
  cli.text("server", source.follower.server, "URL", "where the log is served, if it is not in files");
  cli.path("cache", source.follower.cache, "DIR", "where what is served is kept (default: a folder in ~/.cache)");
  cli.path("ca-file", ca_file, "FILE", "trust the server if its certificate is signed by one of these (PEM)");
  cli.text("http", options.listen, "HOST:PORT", "where to listen");
  cli.path("queries", options.queries, "DIR",
           "SQL statements for everybody: files *.sql, which begin with \"-- TITLE\"");
  cli.duration("sql-time", options.limits.sql_time, "DURATION", "how long a statement may take");
  cli.integer("sql-rows", numbers.sql_rows, "N", "how many rows of it are shown", 1, kMostRows);
  cli.integer("sql-memory", numbers.sql_mib, "MIB", "how much memory all statements together may take", 1, kMostMib);
  cli.integer("at-once", numbers.at_once, "N", "how many statements, and how many searches, run at the same time", 1,
              kMostAtOnce);
  cli.path("tls-cert", options.certificate, "FILE", "serve TLS, with this certificate (PEM, leaf first)");
  cli.path("tls-key", options.private_key, "FILE", "and its private key (PEM)");
  cli.path("ready-file", options.ready_file, "FILE", "when serving, write the address to FILE, as url=ADDRESS");
  build::base::add_log_flags(cli, options.logging);
  cli.example("maintserve -log /var/log/maintner", "show a log that is in files");
  cli.example("maintserve -server https://maintner.example.org/logs -http localhost:8080",
              "show one that somebody serves, to this machine");
  if (const auto exit_code = cli.parse(argc, argv)) return exit_code;
  if (options.certificate.empty() != options.private_key.empty())
    return cli.usage_error("-tls-cert and -tls-key go together");
  if (!source.log.empty() && cli.given("server")) return cli.usage_error("-log and -server exclude each other");
  options.limits.sql_rows = static_cast<std::size_t>(numbers.sql_rows);
  maintner::SqlTables::limit_memory(static_cast<std::uint64_t>(numbers.sql_mib) << 20U);
  options.limits.at_once = static_cast<std::size_t>(numbers.at_once);
  source.follower.trust = io::trust_in(ca_file, "");
  source.follower.environment = [](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  maintserve::Options options;
  options.service = io::ServiceManager::take_from_environment();
  const char* const journal = std::getenv("JOURNAL_STREAM");
  options.logging.reader = build::base::reader_of_stderr(journal == nullptr ? "" : journal);
  try {
    if (const auto exit_code = parse_flags(argc, argv, options)) return *exit_code;
    return maintserve::Program(std::move(options)).run();
  } catch (const std::exception& error) {
    std::cerr << "maintserve: " << error.what() << "\n";
    return kExitTrouble;
  }
}
