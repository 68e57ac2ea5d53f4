// pargzip: gzip with several threads.

#include "command_line.h"
#include "exit_code.h"
#include "file.h"
#include "partial_file.h"
#include "program.h"

#include <chrono>
#include <exception>
#include <iostream>

int main(int argc, char** argv) {
  using namespace pargzip::tool;
  fill_closed_streams();
  Options options;
  if (const auto exit_code = parse_command_line(argc, argv, options, std::cout, std::cerr)) return *exit_code;
  remove_partial_file_on_signals();
  try {
    return Program(options, [] { return std::chrono::steady_clock::now(); }).run();
  } catch (const std::exception& error) {
    std::cerr << "pargzip: " << error.what() << "\n";
    return kExitError;
  }
}
