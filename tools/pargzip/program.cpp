#include "program.h"

#include "gzip_header.h"
#include "names.h"
#include "output.h"

#include <pargzip/reader.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pargzip::tool {

namespace {

/// What the library says, without the "gzip: " that it begins with: "pargzip: FILE: " is to stand there.
std::string sentence_of(const ReadError& error) {
  if (error.kind() == ReadErrorKind::not_gzip) return "not in gzip format";
  const std::string sentence = error.what();
  return sentence.starts_with("gzip: ") ? sentence.substr(6) : sentence;
}

std::optional<std::uint32_t> check_value(const Input& input, const Converted& done) {
  unsigned char bytes[4];
  if (!input.size() || done.in < 8 || ::pread(input.fd(), bytes, 4, static_cast<off_t>(done.in - 8)) != 4)
    return std::nullopt;
  return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | static_cast<std::uint32_t>(bytes[3]) << 24;
}

std::string ratio(const Converted& done, Work work) {
  const double part =
      work == Work::compress ? saved(done.out, done.in, done.header) : saved(done.in, done.out, done.header);
  char text[32];
  std::snprintf(text, sizeof text, "%5.1f%%", part * 100);
  return text;
}

}  // namespace

Program::Program(const Options& options, Now now)
    : options_(options),
      messages_(options.quiet),
      progress_(std::move(now), Progress::style_of_stderr(options.quiet)),
      listing_(std::cout, options.verbose ? Listing::Columns::all : Listing::Columns::sizes,
               options.quiet ? Listing::Frame::none : Listing::Frame::head_and_total) {}

int Program::run() {
  if (options_.operands.empty()) take("-", &Program::take_operand);
  for (const std::string& operand : options_.operands) take(operand, &Program::take_operand);
  if (options_.work == Work::list) {
    listing_.end();
    if (!std::cout.flush()) messages_.error("stdout", "could not be written");
  }
  return messages_.exit_code();
}

void Program::take(const std::string& path, void (Program::*how)(const std::string&)) {
  try {
    (this->*how)(path);
  } catch (const FileError& error) {
    progress_.end();
    messages_.error(error.name(), error.what());
  }
}

void Program::take_operand(const std::string& operand) { operand == "-" ? take_standard_input() : take_path(operand); }

void Program::take_standard_input() {
  if (!options_.force && options_.work != Work::compress && ::isatty(STDIN_FILENO) != 0)
    throw FileError("stdin", "compressed data is not read from a terminal; -f forces it");
  if (!options_.output) refuse_terminal();
  Input input = Input::standard();
  convert(input, options_.output ? *options_.output : "");
}

void Program::take_path(const std::string& path) {
  Input input = open(path);
  if (S_ISDIR(input.status().st_mode)) {
    if (options_.recursive) return take_directory(path);
    return messages_.warning(path, "is a directory -- ignored");
  }
  const bool reads_only = options_.work == Work::test || options_.work == Work::list;
  if (reads_only && options_.recursive && compressed_suffix(input.name(), options_.suffix).empty()) return;
  std::string output = options_.output.value_or("");
  if (in_place()) {
    if (!may_be_replaced(input)) return;
    output = name_for(input);
    if (output.empty()) return;
  }
  if (output.empty()) refuse_terminal();
  convert(input, output);
}

Input Program::open(const std::string& path) const {
  // Where the input is kept, it does not matter by what name.
  const auto links = in_place() && !options_.force ? Input::Links::refuse : Input::Links::follow;
  if (auto input = Input::open(path, links)) return std::move(*input);
  const bool may_lack_suffix = options_.work != Work::compress && compressed_suffix(path, options_.suffix).empty();
  if (errno != ENOENT || !may_lack_suffix) throw FileError(path);
  for (const std::string& name : with_suffixes(path, options_.suffix)) {
    if (auto input = Input::open(name, links)) return std::move(*input);
    if (errno != ENOENT) throw FileError(name);
  }
  throw FileError(path + options_.suffix);
}

void Program::take_directory(const std::string& path) {
  std::vector<std::string> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator i(path, error), end; !error && i != end; i.increment(error))
    entries.push_back(i->path().string());
  if (error) throw FileError(path, error.message());
  // All names first: what is made meanwhile is not to be taken.
  std::sort(entries.begin(), entries.end());
  for (const std::string& entry : entries) take(entry, &Program::take_path);
}

bool Program::in_place() const {
  return !options_.to_stdout && !options_.output && options_.work != Work::test && options_.work != Work::list;
}

void Program::refuse_terminal() const {
  if (!options_.force && options_.work == Work::compress && ::isatty(STDOUT_FILENO) != 0)
    throw FileError("stdout", "compressed data is not written to a terminal; -f forces it");
}

bool Program::may_be_replaced(const Input& input) {
  const struct stat& status = input.status();
  std::string why;
  if (!S_ISREG(status.st_mode)) {
    why = "is not a directory or a regular file";
  } else if ((status.st_mode & S_ISUID) != 0) {
    why = "is set-user-ID on execution";
  } else if ((status.st_mode & S_ISGID) != 0) {
    why = "is set-group-ID on execution";
  } else if (!options_.force && (status.st_mode & S_ISVTX) != 0) {
    why = "has the sticky bit set";
  } else if (!options_.force && status.st_nlink > 1) {
    why = "has " + std::to_string(status.st_nlink - 1) + " other link" + (status.st_nlink > 2 ? "s" : "");
  }
  if (why.empty()) return true;
  messages_.warning(input.name(), why + " -- ignored");
  return false;
}

std::string Program::name_for(Input& input) {
  const std::string& name = input.name();
  const std::string_view suffix = compressed_suffix(name, options_.suffix);
  const bool say = options_.verbose || (!options_.recursive && !options_.quiet);
  if (options_.work == Work::compress) {
    if (suffix.empty() || options_.force) return name + options_.suffix;
    // It is as wanted: no warning.
    if (say) messages_.remark(name, "already has " + std::string(suffix) + " suffix -- unchanged");
    return "";
  }
  if (suffix.empty()) {
    if (say || !options_.recursive) messages_.warning(name, "unknown suffix -- ignored");
    return "";
  }
  return decompressed(input);
}

std::string Program::decompressed(Input& input) const {
  if (options_.name) {
    const auto header = read_header(input.peek());
    if (header && !header->name.empty()) {
      const Place place = place_of(input.name());
      return input.name().find('/') == std::string::npos ? header->name : place.directory + "/" + header->name;
    }
  }
  return decompressed_name(input.name(), options_.suffix).value_or(input.name());
}

void Program::convert(Input& input, const std::string& path) {
  progress_.begin(input.name(), input.size());
  switch (options_.work) {
    case Work::list:
      return list(input);
    case Work::test:
      return report(input, run(input, [](std::span<const char>) {}), " OK");
    case Work::compress:
    case Work::decompress:
      path.empty() ? to_standard_output(input) : to_file(input, path);
  }
}

void Program::list(Input& input) {
  const Converted done = run(input, [](std::span<const char>) {});
  progress_.end();
  const std::string name = input.is_standard() ? "stdout" : decompressed(input);
  listing_.add(name, done, check_value(input, done), time_of(input));
}

std::time_t Program::time_of(Input& input) const {
  const auto header = read_header(input.peek());
  return options_.name && header && header->time != 0 ? static_cast<std::time_t>(header->time)
                                                      : input.status().st_mtime;
}

void Program::to_standard_output(Input& input) {
  const auto write = [](std::span<const char> bytes) { write_all(STDOUT_FILENO, bytes, "stdout"); };
  report(input, run(input, write), "");
}

void Program::to_file(Input& input, const std::string& path) {
  // Before a question is asked, and before anything is made.
  const std::span<const char> beginning = input.peek();
  if (options_.work == Work::decompress && !beginning.empty() && !is_gzip(beginning))
    throw FileError(input.name(), "not in gzip format");
  const std::unique_ptr<Output> output = Output::make(path, options_, messages_);
  if (output == nullptr) return;
  const Converted done = run(input, [&](std::span<const char> bytes) { output->write(bytes); });
  progress_.end();
  const auto header = options_.work == Work::decompress && options_.name ? read_header(beginning) : std::nullopt;
  output->finish(input, header ? header->time : 0, messages_);
  const bool replaced = in_place() && !options_.keep && remove(input);
  report(input, done, (replaced ? " -- replaced with " : " -- created ") + path);
}

Converted Program::run(Input& input, const Write& write) {
  if (options_.work == Work::compress) return compress(input, write, options_, progress_);
  const std::span<const char> beginning = input.peek();
  // As zcat -f does, for programs that read files of both kinds.
  if (options_.work == Work::decompress && options_.force && options_.to_stdout && !is_gzip(beginning))
    return copy(input, write, progress_);
  try {
    const Converted done = decompress(input, write, options_, progress_);
    if (done.trailing_garbage) {
      progress_.end();
      messages_.warning(input.name(), "decompression OK, trailing garbage ignored");
    }
    return done;
  } catch (const ReadError& error) {
    throw FileError(input.name(), sentence_of(error));
  }
}

void Program::report(const Input& input, const Converted& done, const std::string& what_then) {
  progress_.end();
  if (!options_.verbose) return;
  const std::string part = options_.work == Work::test ? "" : ratio(done, options_.work);
  messages_.say((input.is_standard() ? "" : printable(input.name()) + ":\t") + part + printable(what_then) + "\n");
}

bool Program::remove(const Input& input) {
  struct stat now {};
  const bool same =
      ::lstat(input.name().c_str(), &now) == 0 &&
      (S_ISLNK(now.st_mode) || (now.st_dev == input.status().st_dev && now.st_ino == input.status().st_ino));
  if (same && ::unlink(input.name().c_str()) == 0) return true;
  messages_.warning(input.name(), same ? FileError("").what() : "is another file now -- kept");
  return false;
}

}  // namespace pargzip::tool
