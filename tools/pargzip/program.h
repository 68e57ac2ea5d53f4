// What pargzip does with its operands, one after the other.
#pragma once

#include "convert.h"
#include "input.h"
#include "listing.h"
#include "messages.h"
#include "options.h"
#include "progress.h"

#include <ctime>
#include <string>

namespace pargzip::tool {

class Program {
 public:
  /// `options` is borrowed.
  Program(const Options& options, Now now);

  /// Gives the exit code.
  int run();

 private:
  /// What goes wrong with one file does not keep the others from being done.
  void take(const std::string& path, void (Program::*how)(const std::string&));
  void take_operand(const std::string& operand);
  void take_standard_input();
  void take_path(const std::string& path);
  void take_directory(const std::string& path);

  Input open(const std::string& path) const;
  /// Whether output goes beside the input and takes its place.
  bool in_place() const;
  void refuse_terminal() const;
  bool may_be_replaced(const Input& input);
  /// Of the file beside the input; empty if the input is to be left alone.
  std::string name_for(Input& input);
  std::string decompressed(Input& input) const;

  /// To the file `path`, or to standard output if that is empty.
  void convert(Input& input, const std::string& path);
  void list(Input& input);
  std::time_t time_of(Input& input) const;
  void to_standard_output(Input& input);
  void to_file(Input& input, const std::string& path);
  Converted run(Input& input, const Write& write);
  void report(const Input& input, const Converted& done, const std::string& what_then);
  /// False if it stays.
  bool remove(const Input& input);

  const Options& options_;
  Messages messages_;
  Progress progress_;
  Listing listing_;
};

}  // namespace pargzip::tool
