// How it works: each flag is a boost::program_options option whose notifier writes to the target. The notation is
// Go's, by a style parser of our own: the library's styles take an unknown -flag for an operand, "-flag=" for
// a flag without value, and "-switch false" for one flag.

#include <build/base/build_info.h>
#include <build/base/cli.h>
#include <build/base/nearest.h>

#include <boost/program_options.hpp>

#include <algorithm>
#include <charconv>
#include <iostream>
#include <set>
#include <sstream>
#include <utility>

namespace build::base {

namespace po = boost::program_options;

namespace {

constexpr std::string_view kOperands = "(operands)";

/// A flag, or a value of one, that is wrong; the sentence is complete but for the program's name.
struct BadFlag : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] void refuse(const std::string& flag, const std::string& value, const std::string& wanted) {
  throw BadFlag("flag -" + flag + ": \"" + value + "\" is not " + wanted);
}

bool parse_switch(const std::string& flag, const std::string& value) {
  // What Go's strconv.ParseBool takes.
  for (const char* yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (value == yes) return true;
  }
  for (const char* no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (value == no) return false;
  }
  refuse(flag, value, "true or false");
}

std::string without_dashes(std::string text) {
  text.erase(0, text.find_first_not_of('-'));
  return text.substr(0, text.find('='));
}

struct FlagHelp {
  std::string name, placeholder, help, standard;
};

}  // namespace

struct CommandLine::Impl {
  std::string program, summary, version_text;
  po::options_description options;
  std::vector<FlagHelp> flags;
  std::set<std::string, std::less<>> given, switches;
  std::vector<std::pair<std::string, std::string>> examples;
  std::vector<std::string>* operands = nullptr;
  std::string operand_placeholder, operand_help;
  Count operand_count;
  bool help_asked = false, version_asked = false;
  std::ostream* err = &std::cerr;

  void add(std::string name, std::string placeholder, std::string help, std::string standard,
           std::function<void(const std::string&)> take) {
    auto* value = po::value<std::vector<std::string>>()->notifier([take](const std::vector<std::string>& values) {
      for (const std::string& each : values) take(each);
    });
    options.add_options()(name.c_str(), value);
    flags.push_back({std::move(name), std::move(placeholder), std::move(help), std::move(standard)});
  }

  void add_switch(std::string name, std::string help, std::string standard, std::function<void(bool)> take) {
    auto* value = po::value<std::vector<std::string>>()->notifier([take, name](const std::vector<std::string>& values) {
      for (const std::string& each : values) take(parse_switch(name, each));
    });
    switches.insert(name);
    options.add_options()(name.c_str(), value);
    flags.push_back({std::move(name), "", std::move(help), std::move(standard)});
  }

  std::string nearest(const std::string& unknown) const {
    std::vector<std::string> names;
    names.reserve(flags.size());
    for (const FlagHelp& flag : flags) names.push_back(flag.name);
    const std::string* name = nearest_name(unknown, names);
    return name == nullptr ? std::string() : *name;
  }

  int complain(std::string_view sentence) const {
    *err << program << ": " << sentence << "; " << program << " -help shows the usage\n";
    return kExitUsage;
  }

  std::optional<std::string> operand_problem() const {
    const std::size_t count = operands == nullptr ? 0 : operands->size();
    if (count > operand_count.max) return "unexpected argument \"" + (*operands)[operand_count.max] + "\"";
    if (count < operand_count.min) return "missing argument " + operand_placeholder;
    return std::nullopt;
  }

  /// Takes one flag in Go's notation, with its value, off the front of `arguments`; nothing if there is none.
  std::vector<po::option> take_flag(std::vector<std::string>& arguments) const {
    const std::string first = arguments.front();
    if (first.size() < 2 || first[0] != '-' || first == "--") return {};
    po::option option;
    option.string_key = without_dashes(first);
    option.original_tokens.push_back(first);
    arguments.erase(arguments.begin());
    if (options.find_nothrow(option.string_key, false) == nullptr) {
      const std::string near = nearest(option.string_key);
      throw BadFlag("unknown flag -" + option.string_key + (near.empty() ? "" : ", did you mean -" + near + "?"));
    }
    const std::size_t equals = first.find('=');
    if (equals != std::string::npos) {
      option.value.push_back(first.substr(equals + 1));
    } else if (switches.contains(option.string_key)) {
      option.value.push_back("true");  // -halt false is the switch and an operand, as in Go
    } else if (!arguments.empty()) {
      option.value.push_back(arguments.front());
      arguments.erase(arguments.begin());
    } else {
      throw BadFlag("flag -" + option.string_key + " needs a value");
    }
    return {option};
  }

  po::variables_map read(int argc, const char* const* argv) const {
    po::options_description all = options;
    all.add_options()(kOperands.data(), po::value<std::vector<std::string>>());
    po::positional_options_description rest;
    rest.add(kOperands.data(), -1);
    po::command_line_parser parser(argc, argv);
    parser.options(all).positional(rest).style(po::command_line_style::allow_long |
                                               po::command_line_style::long_allow_adjacent);
    parser.extra_style_parser([this](std::vector<std::string>& arguments) { return take_flag(arguments); });
    po::variables_map values;
    po::store(parser.run(), values);
    return values;
  }
};

CommandLine::CommandLine(std::string program, std::string summary) : impl_(std::make_unique<Impl>()) {
  impl_->version_text = program + " (xbuild) " + base::version_text();
  impl_->program = std::move(program);
  impl_->summary = std::move(summary);
  impl_->operand_count = {.min = 0, .max = 0};
}

CommandLine::~CommandLine() = default;

void CommandLine::text(std::string name, std::string& target, std::string placeholder, std::string help) {
  impl_->add(name, placeholder, help, target, [&target](const std::string& value) { target = value; });
}

void CommandLine::path(std::string name, std::filesystem::path& target, std::string placeholder, std::string help) {
  impl_->add(name, placeholder, help, target.string(), [&target](const std::string& value) { target = value; });
}

void CommandLine::integer(std::string name, std::int64_t& target, std::string placeholder, std::string help,
                          std::int64_t min, std::int64_t max) {
  auto take = [name, &target, min, max](const std::string& value) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size()) refuse(name, value, "a whole number");
    if (number < min || number > max) {
      refuse(name, value, "between " + std::to_string(min) + " and " + std::to_string(max));
    }
    target = number;
  };
  impl_->add(name, placeholder, help, std::to_string(target), take);
}

void CommandLine::duration(std::string name, std::chrono::nanoseconds& target, std::string placeholder,
                           std::string help) {
  auto take = [name, &target](const std::string& value) {
    const auto length = parse_duration(value);
    if (!length) refuse(name, value, "a duration such as 300ms, 90s or 1h30m");
    target = *length;
  };
  std::ostringstream standard;
  standard << std::chrono::duration<double>(target).count() << "s";
  impl_->add(name, placeholder, help, standard.str(), take);
}

void CommandLine::choice(std::string name, std::vector<std::string> choices, std::string standard, std::string help,
                         std::function<void(const std::string&)> take) {
  std::string list = choices.front();
  for (std::size_t i = 1; i < choices.size(); ++i) list += "|" + choices[i];
  auto checked = [name, choices, list, take](const std::string& value) {
    if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
      const std::string* near = nearest_name(value, choices);
      refuse(name, value, "one of " + list + (near == nullptr ? "" : ", did you mean " + *near + "?"));
    }
    take(value);
  };
  impl_->add(name, list, help, standard, checked);
}

void CommandLine::toggle(std::string name, bool& target, std::string help) {
  impl_->add_switch(name, help, target ? "true" : "", [&target](bool on) { target = on; });
}

void CommandLine::repeated(std::string name, std::vector<std::string>& target, std::string placeholder,
                           std::string help) {
  impl_->add(name, placeholder, help + " (may be repeated)", "",
             [&target](const std::string& value) { target.push_back(value); });
}

void CommandLine::positional(std::vector<std::string>& target, std::string placeholder, std::string help, Count count) {
  impl_->operands = &target;
  impl_->operand_placeholder = std::move(placeholder);
  impl_->operand_help = std::move(help);
  impl_->operand_count = count;
}

void CommandLine::example(std::string command, std::string what) {
  impl_->examples.emplace_back(std::move(command), std::move(what));
}

void CommandLine::version_text(std::string text) { impl_->version_text = std::move(text); }

std::optional<int> CommandLine::parse(int argc, const char* const* argv) {
  return parse(argc, argv, std::cout, std::cerr);
}

std::optional<int> CommandLine::parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  impl_->err = &err;
  if (!impl_->options.find_nothrow("help", false)) {
    impl_->add_switch("help", "print this help", "", [impl = impl_.get()](bool on) { impl->help_asked = on; });
    impl_->add_switch("h", "the same", "", [impl = impl_.get()](bool on) { impl->help_asked = on; });
    impl_->add_switch("version", "print the version", "", [impl = impl_.get()](bool on) { impl->version_asked = on; });
    impl_->flags.erase(impl_->flags.end() - 2);  // -h goes without saying
  }
  try {
    po::variables_map values = impl_->read(argc, argv);
    if (impl_->operands != nullptr && values.count(kOperands.data()) != 0) {
      *impl_->operands = values[kOperands.data()].as<std::vector<std::string>>();
    }
    po::notify(values);
    for (const auto& [name, value] : values) impl_->given.insert(name);
    if (impl_->help_asked || impl_->version_asked) {
      out << (impl_->help_asked ? help() : impl_->version_text + "\n") << std::flush;
      return 0;
    }
    if (impl_->operands == nullptr && values.count(kOperands.data()) != 0) {
      return impl_->complain("unexpected argument \"" +
                             values[kOperands.data()].as<std::vector<std::string>>().front() + "\"");
    }
  } catch (const po::error& error) {
    return impl_->complain(error.what());
  } catch (const BadFlag& error) {
    return impl_->complain(error.what());
  }
  if (const auto problem = impl_->operand_problem()) return impl_->complain(*problem);
  return std::nullopt;
}

bool CommandLine::given(std::string_view name) const { return impl_->given.contains(name); }

int CommandLine::usage_error(std::string_view sentence) const { return impl_->complain(sentence); }

std::string CommandLine::help() const {
  std::ostringstream text;
  text << impl_->summary << "\n\nUsage: " << impl_->program << " [flags]";
  if (impl_->operands != nullptr) {
    text << ' ' << impl_->operand_placeholder << (impl_->operand_count.max > 1 ? "..." : "");
  }
  text << "\n\n";
  if (!impl_->operand_help.empty())
    text << "  " << impl_->operand_placeholder << "\n        " << impl_->operand_help << "\n\n";
  text << "Flags (-flag and --flag are the same):\n";
  for (const FlagHelp& flag : impl_->flags) {
    text << "  -" << flag.name << (flag.placeholder.empty() ? "" : " " + flag.placeholder) << "\n        " << flag.help;
    if (!flag.standard.empty()) text << " (default " << flag.standard << ")";
    text << "\n";
  }
  if (!impl_->examples.empty()) text << "\nExamples:\n";
  for (const auto& [command, what] : impl_->examples) text << "  " << command << "\n        " << what << "\n";
  return text.str();
}

}  // namespace build::base
