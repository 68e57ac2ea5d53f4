// maintnerd: serves a mutation log to those who follow it.
#include "program.h"

#include <build/base/cli.h>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <utility>

namespace {

constexpr int kExitTrouble = 1;
constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;

std::optional<int> parse_flags(int argc, char** argv, maintnerd::Options& options) {
  build::base::CommandLine cli("maintnerd", "Serves a mutation log to those who follow it.");
  cli.path("data-dir", options.data_dir, "DIR", "the segments that are served");
  cli.path("log", options.log, "DIR", "a log of files maintner-*.mutlog, copied into the segments now and as it grows");
  cli.integer("segment-size", options.segment_size, "BYTES", "when a segment is full", 1, kMostBytes);
  cli.text("listen-http", options.listen, "HOST:PORT", "where to listen");
  cli.path("tls-cert", options.certificate, "FILE", "serve TLS, with this certificate (PEM, leaf first)");
  cli.path("tls-key", options.private_key, "FILE", "and its private key (PEM)");
  cli.path("ready-file", options.ready_file, "FILE", "when serving, write the log's address to FILE, as url=ADDRESS");
  build::base::add_log_flags(cli, options.logging);
  cli.example("maintnerd -data-dir /var/lib/maintnerd -log /var/log/maintner", "serve a log that somebody writes");
  cli.example("maintnerd -data-dir /var/lib/maintnerd -listen-http :80", "serve segments, to everybody");
  if (const auto exit_code = cli.parse(argc, argv)) return exit_code;
  if (options.certificate.empty() != options.private_key.empty())
    return cli.usage_error("-tls-cert and -tls-key go together");
  if (options.data_dir.empty()) {
    const char* const home = std::getenv("HOME");
    if (home == nullptr || *home == '\0') return cli.usage_error("-data-dir is missing, and there is no HOME");
    options.data_dir = std::filesystem::path(home) / "var/maintnerd";
  }
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  maintnerd::Options options;
  options.service = io::ServiceManager::take_from_environment();
  const char* const journal = std::getenv("JOURNAL_STREAM");
  options.logging.reader = build::base::reader_of_stderr(journal == nullptr ? "" : journal);
  if (const auto exit_code = parse_flags(argc, argv, options)) return *exit_code;
  try {
    return maintnerd::Program(std::move(options)).run();
  } catch (const std::exception& error) {
    std::cerr << "maintnerd: " << error.what() << "\n";
    return kExitTrouble;
  }
}
