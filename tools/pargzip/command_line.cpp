// How it works: a table of flags. A word that is a whole long name after one or two dashes is that flag; any other
// after one dash is a bundle of short ones, of which the first that takes a value takes what is left of the word.

#include "command_line.h"

#include "exit_code.h"

#include <build/base/build_info.h>
#include <build/base/nearest.h>
#include <pargzip/writer.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pargzip::tool {

namespace {

constexpr unsigned kMaxThreads = 1024;
constexpr std::size_t kMaxSuffix = 30;
constexpr int kBestOfGzip = 9;

struct BadFlag : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Ending { none, help, version, license };

struct Reading {
  Options& options;
  Ending ending = Ending::none;
  std::string flag = {};  ///< the one that is being read, as it was typed
};

using Take = std::function<void(Reading&, std::string_view value)>;

[[noreturn]] void refuse(const Reading& reading, std::string_view value, const std::string& wanted) {
  throw BadFlag("flag " + reading.flag + ": \"" + std::string(value) + "\" is not " + wanted);
}

/// Splits "64K" into 64 and "K"; 0 if it does not begin with a number that fits.
std::uint64_t leading_number(std::string_view text, std::string_view& rest) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  rest = text.substr(static_cast<std::size_t>(end - text.data()));
  return error == std::errc() ? value : 0;
}

void take_threads(Reading& reading, std::string_view value) {
  std::string_view rest;
  const std::uint64_t count = leading_number(value, rest);
  if (count < 1 || count > kMaxThreads || !rest.empty())
    refuse(reading, value, "a number between 1 and " + std::to_string(kMaxThreads));
  reading.options.threads = static_cast<unsigned>(count);
}

void take_chunk_size(Reading& reading, std::string_view value) {
  std::string_view unit;
  const std::uint64_t count = leading_number(value, unit);
  const bool mega = unit == "M" || unit == "m", kilo = unit.empty() || unit == "K" || unit == "k";
  const std::size_t scale = std::size_t{1} << (mega ? 20 : 10);
  if (count < 1 || count > kMaxChunkSize / scale || (!mega && !kilo))
    refuse(reading, value, "a size between 1K and " + std::to_string(kMaxChunkSize >> 20) + "M");
  reading.options.chunk_size = count * scale;
}

void take_suffix(Reading& reading, std::string_view value) {
  if (value.empty() || value.size() > kMaxSuffix || value.find('/') != value.npos) refuse(reading, value, "a suffix");
  reading.options.suffix = value;
}

void take_output(Reading& reading, std::string_view value) {
  if (value.empty()) refuse(reading, value, "a file");
  if (value == "-")
    reading.options.to_stdout = true;
  else
    reading.options.output = value;
}

Take set(bool Options::*field, bool value = true) {
  return [=](Reading& reading, std::string_view) { reading.options.*field = value; };
}

/// -v and -q undo each other.
Take talk(bool much) {
  return [=](Reading& reading, std::string_view) {
    reading.options.verbose = much;
    reading.options.quiet = !much;
  };
}

/// -l counts more than -t, and -t more than -d, as with gzip.
Take work(Work work) {
  return [=](Reading& reading, std::string_view) { reading.options.work = std::max(reading.options.work, work); };
}

Take level(int level) {
  return [=](Reading& reading, std::string_view) { reading.options.level = level; };
}

Take end(Ending ending) {
  return [=](Reading& reading, std::string_view) { reading.ending = ending; };
}

void ignore(Reading&, std::string_view) {}

struct Flag {
  char letter;
  std::vector<std::string> names;
  std::string placeholder;  ///< empty: takes no value
  std::string help;
  Take take;
};

std::vector<Flag> make_flags() {
  return {
      {'c', {"stdout", "to-stdout"}, "", "write to standard output and keep the input", set(&Options::to_stdout)},
      {'d', {"decompress", "uncompress"}, "", "decompress", work(Work::decompress)},
      {'t', {"test"}, "", "check compressed files and write nothing", work(Work::test)},
      {'l', {"list"}, "", "print what compressed files hold; with -v also check value and time", work(Work::list)},
      {'o', {"output"}, "FILE", "write to FILE and keep the input, of which there is one", take_output},
      {'f',
       {"force"},
       "",
       "overwrite; take links, and what is compressed already; use terminals; with -dc copy what is not gzip",
       set(&Options::force)},
      {'k', {"keep"}, "", "keep the input", set(&Options::keep)},
      {'r', {"recursive"}, "", "take all files below directories", set(&Options::recursive)},
      {'S', {"suffix"}, "SUFFIX", "use this suffix instead of .gz", take_suffix},
      {'n', {"no-name"}, "", "neither store nor restore name and time (the default)", set(&Options::name, false)},
      {'N', {"name"}, "", "store or restore name and time", set(&Options::name)},
      {'1', {"fast"}, "", "the least time; -0 to -12 are levels, -0 stores only, -6 is the default", level(1)},
      {'9', {"best"}, "", "small; -10 to -12 are still smaller and much slower", level(kBestOfGzip)},
      {'p', {"processes"}, "N", "use N threads (default: one for each core)", take_threads},
      {'b',
       {"blocksize"},
       "SIZE",
       "compress chunks of SIZE, a number of KiB or one with K or M (default 1M)",
       take_chunk_size},
      {'Y', {"synchronous"}, "", "have the output on the disk before the input is removed", set(&Options::synchronous)},
      {'v', {"verbose"}, "", "say what became of each file", talk(true)},
      {'q', {"quiet", "silent"}, "", "no warnings and no progress", talk(false)},
      {'a', {"ascii"}, "", "ignored, as by gzip", ignore},
      {'i', {"independent"}, "", "ignored: chunks are independent", ignore},
      {'h', {"help"}, "", "print this help", end(Ending::help)},
      {'V', {"version"}, "", "print the version", end(Ending::version)},
      {'L', {"license"}, "", "print the license", end(Ending::license)},
  };
}

class Parser {
 public:
  Parser(Options& options, std::vector<std::string> words)
      : flags_(make_flags()), words_(std::move(words)), reading_{options} {}

  Ending parse() {
    while (next_ < words_.size()) {
      const std::string word = words_[next_++];
      if (word == "--") break;
      if (word.size() < 2 || word[0] != '-')
        reading_.options.operands.push_back(word);
      else
        take_flag(word);
    }
    for (; next_ < words_.size(); ++next_) reading_.options.operands.push_back(words_[next_]);
    if (reading_.ending == Ending::none) check(reading_.options);
    return reading_.ending;
  }

 private:
  void take_flag(const std::string& word) {
    const bool two_dashes = word[1] == '-';
    const std::string text = word.substr(two_dashes ? 2 : 1);
    const std::size_t equals = text.find('=');
    const Flag* flag = by_name(text.substr(0, equals), two_dashes);
    if (flag == nullptr) {
      if (two_dashes) unknown(text);
      return take_bundle(text);
    }
    reading_.flag = "-" + text.substr(0, equals);
    if (flag->placeholder.empty() && equals != text.npos) throw BadFlag("flag " + reading_.flag + " takes no value");
    take(*flag, equals == text.npos ? nullptr : &text[equals + 1]);
  }

  void take_bundle(const std::string& text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        const bool two_digits = text[i] == '1' && text[i + 1] >= '0' && text[i + 1] <= '2';
        reading_.options.level = two_digits ? 10 + (text[++i] - '0') : text[i] - '0';
        continue;
      }
      const Flag* flag = by_letter(text[i]);
      if (flag == nullptr) unknown(text, text[i]);
      reading_.flag = std::string("-") + text[i];
      const bool has_rest = !flag->placeholder.empty() && i + 1 < text.size();
      take(*flag, has_rest ? &text[i + 1] : nullptr);
      if (has_rest) return;
    }
  }

  /// `value` if it came in the same word.
  void take(const Flag& flag, const char* value) {
    if (flag.placeholder.empty()) return flag.take(reading_, "");
    if (value == nullptr && next_ == words_.size()) throw BadFlag("flag " + reading_.flag + " needs a value");
    flag.take(reading_, value == nullptr ? words_[next_++] : value);
  }

  const Flag* by_letter(char letter) const {
    for (const Flag& flag : flags_)
      if (flag.letter == letter) return &flag;
    return nullptr;
  }

  const Flag* by_name(const std::string& name, bool beginning_is_enough) const {
    const Flag* begun = nullptr;
    for (const Flag& flag : flags_) {
      for (const std::string& each : flag.names) {
        if (each == name) return &flag;
        if (!beginning_is_enough || name.empty() || !each.starts_with(name) || begun == &flag) continue;
        if (begun != nullptr) throw BadFlag("flag -" + name + " may be several flags");
        begun = &flag;
      }
    }
    return begun;
  }

  [[noreturn]] void unknown(const std::string& text, char letter = 0) const {
    std::vector<std::string> names;
    for (const Flag& flag : flags_) names.insert(names.end(), flag.names.begin(), flag.names.end());
    const std::string* near = text.size() < 3 ? nullptr : build::base::nearest_name(text, names);
    if (near != nullptr) throw BadFlag("unknown flag -" + text + ", did you mean -" + *near + "?");
    throw BadFlag("unknown flag -" + (letter == 0 || text.size() == 1 ? text : letter + (" in -" + text)));
  }

  static void check(const Options& options) {
    if (!options.output) return;
    if (options.operands.size() > 1) throw BadFlag("flag -o is for one input, here are several");
    if (options.work == Work::test || options.work == Work::list) throw BadFlag("flag -o is of no use with -t and -l");
    if (options.to_stdout) throw BadFlag("flags -o and -c exclude each other");
    if (options.recursive) throw BadFlag("flags -o and -r exclude each other");
  }

  std::vector<Flag> flags_;
  std::vector<std::string> words_;
  std::size_t next_ = 0;
  Reading reading_;
};

std::string help() {
  std::string text =
      "Compresses and decompresses files in gzip's format, with several threads.\n\n"
      "Usage: pargzip [flags] [FILE...]\n\n"
      "Without FILE, or where FILE is -, standard input is read and standard output written.\n\n"
      "Flags (-flag and --flag are the same, short ones can be bundled):\n";
  for (const Flag& flag : make_flags()) {
    text += std::string("  -") + flag.letter;
    for (const std::string& name : flag.names) text += ", --" + name;
    text += (flag.placeholder.empty() ? "" : " " + flag.placeholder) + "\n        " + flag.help + "\n";
  }
  return text +
         "\nExamples:\n"
         "  pargzip -k notes.txt\n        make notes.txt.gz and keep notes.txt\n"
         "  pargzip -dc logs.gz | grep error\n        decompress to standard output\n"
         "  tar -cf - src | pargzip -9 -o src.tar.gz\n        compress what another program writes\n";
}

}  // namespace

std::optional<int> parse_command_line(int argc, const char* const* argv, Options& options, std::ostream& out,
                                      std::ostream& err) {
  try {
    switch (Parser(options, {argv + 1, argv + argc}).parse()) {
      case Ending::none:
        return std::nullopt;
      case Ending::help:
        out << help() << std::flush;
        break;
      case Ending::version:
        out << "pargzip (xbuild) " << build::base::version_text() << "\n" << std::flush;
        break;
      case Ending::license:
        out << "BSD-3-Clause\n" << std::flush;
        break;
    }
    return out.good() ? kExitOk : kExitError;
  } catch (const BadFlag& error) {
    err << "pargzip: " << error.what() << "; pargzip -help shows the usage\n";
    return kExitError;
  }
}

}  // namespace pargzip::tool
