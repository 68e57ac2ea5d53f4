#include <build/runs/records.h>

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>
#include <utility>

namespace build::runs {

namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

constexpr std::array<std::pair<Ending, std::string_view>, 4> kEndings{{{Ending::exited, "exited"},
                                                                       {Ending::signaled, "signaled"},
                                                                       {Ending::not_started, "not started"},
                                                                       {Ending::lost, "lost"}}};

void write(Writer& out, const char* key, const std::string& value) {
  out.Key(key);
  out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}

void write(Writer& out, const char* key, const std::vector<std::string>& values) {
  out.Key(key);
  out.StartArray();
  for (const std::string& value : values) out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  out.EndArray();
}

void write(Writer& out, const char* key, std::int64_t value) {
  out.Key(key);
  out.Int64(value);
}

void write(Writer& out, const char* key, bool value) {
  out.Key(key);
  out.Bool(value);
}

/// An object whose members have the types that are asked for.
class Object {
 public:
  Object(std::string_view json, const char* what) : what_(what) {
    document_.Parse(json.data(), json.size());
    if (document_.HasParseError() || !document_.IsObject()) throw std::runtime_error(what_ + " is no JSON object");
  }

  std::string text(const char* key) const {
    const rapidjson::Value& value = member(key, &rapidjson::Value::IsString);
    return {value.GetString(), value.GetStringLength()};
  }
  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> all;
    for (const rapidjson::Value& value : member(key, &rapidjson::Value::IsArray).GetArray()) {
      if (!value.IsString()) wrong(key);
      all.emplace_back(value.GetString(), value.GetStringLength());
    }
    return all;
  }
  std::int64_t number(const char* key) const { return member(key, &rapidjson::Value::IsInt64).GetInt64(); }
  std::uint64_t size(const char* key) const { return member(key, &rapidjson::Value::IsUint64).GetUint64(); }
  bool flag(const char* key) const { return member(key, &rapidjson::Value::IsBool).GetBool(); }
  bool has(const char* key) const { return document_.HasMember(key); }

 private:
  using Test = bool (rapidjson::Value::*)() const;

  const rapidjson::Value& member(const char* key, Test is_right) const {
    const auto found = document_.FindMember(key);
    if (found == document_.MemberEnd() || !(found->value.*is_right)()) wrong(key);
    return found->value;
  }
  [[noreturn]] void wrong(const char* key) const {
    throw std::runtime_error(what_ + " lacks \"" + key + "\", or it is of another kind");
  }

  std::string what_;
  rapidjson::Document document_;
};

std::chrono::milliseconds limit_from(const Object& object, const char* key) {
  return std::chrono::milliseconds(object.number(key));
}

}  // namespace

bool is_run_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= 100 && id.front() != '.' && std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

std::string_view name_of(Ending ending) {
  for (const auto& [value, name] : kEndings)
    if (value == ending) return name;
  return "";
}

std::string to_json(const Command& command) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  out.StartObject();
  write(out, "id", command.id);
  write(out, "program", command.program);
  write(out, "argv", command.argv);
  write(out, "environment", command.environment);
  write(out, "directory", command.directory);
  write(out, "input", command.input);
  if (command.terminal) {
    write(out, "rows", std::int64_t{command.terminal->rows});
    write(out, "columns", std::int64_t{command.terminal->columns});
  }
  write(out, "timeLimit", std::int64_t{command.time_limit.count()});
  write(out, "silenceLimit", std::int64_t{command.silence_limit.count()});
  write(out, "linger", std::int64_t{command.linger.count()});
  write(out, "outputCap", static_cast<std::int64_t>(command.output_cap));
  write(out, "user", command.user);
  write(out, "noNetwork", command.no_network);
  write(out, "lease", static_cast<std::int64_t>(command.lease));
  write(out, "ephemeral", command.ephemeral);
  write(out, "request", command.request);
  out.EndObject();
  return buffer.GetString();
}

Command command_from_json(std::string_view json) {
  const Object in(json, "a run's command");
  Command command;
  command.id = in.text("id");
  command.program = in.text("program");
  command.argv = in.texts("argv");
  command.environment = in.texts("environment");
  command.directory = in.text("directory");
  command.input = in.flag("input");
  if (in.has("rows")) {
    command.terminal =
        TerminalSize{static_cast<std::uint16_t>(in.size("rows")), static_cast<std::uint16_t>(in.size("columns"))};
  }
  command.time_limit = limit_from(in, "timeLimit");
  command.silence_limit = limit_from(in, "silenceLimit");
  command.linger = limit_from(in, "linger");
  command.output_cap = in.size("outputCap");
  command.user = in.text("user");
  command.no_network = in.flag("noNetwork");
  command.lease = in.size("lease");
  command.ephemeral = in.flag("ephemeral");
  command.request = in.text("request");
  if (command.argv.empty()) throw std::runtime_error("a run's command has no argv[0]");
  return command;
}

std::string to_json(const Result& result) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  out.StartObject();
  write(out, "ending", std::string(name_of(result.ending)));
  write(out, "code", std::int64_t{result.code});
  write(out, "signal", std::int64_t{result.signal});
  write(out, "text", result.text);
  write(out, "killed", result.killed);
  write(out, "userMicroseconds", std::int64_t{result.user.count()});
  write(out, "systemMicroseconds", std::int64_t{result.system.count()});
  write(out, "peakMemory", static_cast<std::int64_t>(result.peak_memory));
  write(out, "wallMicroseconds", std::int64_t{result.wall.count()});
  out.EndObject();
  return buffer.GetString();
}

Result result_from_json(std::string_view json) {
  const Object in(json, "a run's result");
  Result result;
  const std::string ending = in.text("ending");
  const auto known = std::find_if(kEndings.begin(), kEndings.end(), [&](const auto& e) { return e.second == ending; });
  if (known == kEndings.end()) throw std::runtime_error("a run's result has an unknown ending: " + ending);
  result.ending = known->first;
  result.code = static_cast<int>(in.number("code"));
  result.signal = static_cast<int>(in.number("signal"));
  result.text = in.text("text");
  result.killed = in.text("killed");
  result.user = std::chrono::microseconds(in.number("userMicroseconds"));
  result.system = std::chrono::microseconds(in.number("systemMicroseconds"));
  result.peak_memory = in.size("peakMemory");
  result.wall = std::chrono::microseconds(in.number("wallMicroseconds"));
  return result;
}

}  // namespace build::runs
