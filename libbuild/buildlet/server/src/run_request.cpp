#include <build/base/environment.h>
#include <build/buildlet/run_request.h>

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace build::buildlet {

namespace {

using rapidjson::Value;

constexpr double kLongestLimit = 30 * 24 * 3600.0;  // seconds
constexpr std::uint64_t kSmallestCap = 1 << 20, kLargestCap = 64ull << 30;
constexpr int kLargestTerminal = 10000;

[[noreturn]] void refuse(const std::string& member, const std::string& why) {
  throw ExecRefused(400, "invalid \"" + member + "\" in the run: " + why);
}

std::string text_of(const std::string& member, const Value& value) {
  if (!value.IsString()) refuse(member, "it is no text");
  return {value.GetString(), value.GetStringLength()};
}

bool flag_of(const std::string& member, const Value& value) {
  if (!value.IsBool()) refuse(member, "it is neither true nor false");
  return value.GetBool();
}

std::vector<std::string> texts_of(const std::string& member, const Value& value) {
  if (!value.IsArray()) refuse(member, "it is no list");
  std::vector<std::string> texts;
  for (const Value& each : value.GetArray()) texts.push_back(text_of(member, each));
  return texts;
}

std::chrono::milliseconds seconds_of(const std::string& member, const Value& value) {
  if (!value.IsNumber() || !(value.GetDouble() >= 0) || value.GetDouble() > kLongestLimit)
    refuse(member, "it is no number of seconds up to 30 days");
  // A limit below a millisecond is one of a millisecond: 0 means none.
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(value.GetDouble() * 1000)));
}

std::uint64_t cap_of(const std::string& member, const Value& value) {
  if (!value.IsUint64() || value.GetUint64() < kSmallestCap || value.GetUint64() > kLargestCap)
    refuse(member, "it is no number of bytes from 1 MiB to 64 GiB");
  return value.GetUint64();
}

runs::TerminalSize terminal_of(const std::string& member, const Value& value) {
  const auto size = [&](const char* name) {
    const auto found = value.FindMember(name);
    if (found == value.MemberEnd() || !found->value.IsInt() || found->value.GetInt() < 1 ||
        found->value.GetInt() > kLargestTerminal)
      refuse(member, std::string("it has no ") + name + " from 1 to 10000");
    return static_cast<std::uint16_t>(found->value.GetInt());
  };
  if (!value.IsObject()) refuse(member, "it is no object");
  return {size("rows"), size("columns")};
}

/// What goes through the rules of /exec, and what does not.
struct Request {
  Form form;
  runs::Command command;
  bool sandbox = false;
};

void take(Request& request, const std::string& member, const Value& value) {
  const auto add = [&](const char* name, std::vector<std::string> texts) {
    for (std::string& text : texts) request.form.body.add(name, std::move(text));
  };
  if (member == "id") {
    request.command.id = text_of(member, value);
    if (!runs::is_run_id(request.command.id)) refuse(member, "letters, digits, '-', '_' and '.', not first, up to 100");
  } else if (member == "cmd" || member == "dir" || member == "mode") {
    add(member.c_str(), {text_of(member, value)});
  } else if (member == "args") {
    add("cmdArg", texts_of(member, value));
  } else if (member == "env") {
    add("env", texts_of(member, value));
  } else if (member == "path") {
    std::vector<std::string> path = texts_of(member, value);
    if (path.empty()) path.emplace_back("$EMPTY");
    add("path", std::move(path));
  } else if (member == "stdin") {
    request.command.input = flag_of(member, value);
  } else if (member == "terminal") {
    request.command.terminal = terminal_of(member, value);
  } else if (member == "timeLimit") {
    request.command.time_limit = seconds_of(member, value);
  } else if (member == "silenceLimit") {
    request.command.silence_limit = seconds_of(member, value);
  } else if (member == "linger") {
    request.command.linger = seconds_of(member, value);
  } else if (member == "outputCap") {
    request.command.output_cap = cap_of(member, value);
  } else if (member == "sandbox") {
    request.sandbox = flag_of(member, value);
  } else if (member == "user") {
    request.command.user = text_of(member, value);
  } else {
    refuse(member, "there is no such member");
  }
}

}  // namespace

RunRequest resolve_run(std::string_view json, const ExecContext& context) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseValidateEncodingFlag>(json.data(), json.size());
  if (document.HasParseError() || !document.IsObject()) throw ExecRefused(400, "the run is no JSON object");
  Request request;
  std::vector<std::string> seen;
  for (const auto& [name, value] : document.GetObject()) {
    const std::string member(name.GetString(), name.GetStringLength());
    if (std::find(seen.begin(), seen.end(), member) != seen.end()) refuse(member, "it is there twice");
    seen.push_back(member);
    take(request, member, value);
  }
  if (request.command.id.empty()) refuse("id", "there is none");
  if (request.command.user.find('\0') != std::string::npos) refuse("user", "it contains a NUL byte");
  runs::Command& command = request.command;
  fill(command, resolve_exec(request.form, context));
  command.request = json;
  return {std::move(command), request.sandbox};
}

std::string describe_result(const runs::Result& result) {
  const auto seconds = [](std::chrono::microseconds time) { return static_cast<double>(time.count()) / 1e6; };
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> out(buffer);
  const auto text = [&out](const char* key, std::string_view value) {
    out.Key(key);
    out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  const auto number = [&out](const char* key, double value) {
    out.Key(key);
    out.Double(value);
  };
  out.StartObject();
  text("ending", runs::name_of(result.ending));
  if (result.ending == runs::Ending::exited) {
    out.Key("code");
    out.Int(result.code);
  }
  if (result.ending == runs::Ending::signaled) {
    out.Key("signal");
    out.Int(result.signal);
  }
  text("text", result.text);
  if (!result.killed.empty()) text("killed", result.killed);
  number("userSeconds", seconds(result.user));
  number("systemSeconds", seconds(result.system));
  number("wallSeconds", seconds(result.wall));
  out.Key("peakMemory");
  out.Uint64(result.peak_memory);
  out.EndObject();
  return buffer.GetString();
}

}  // namespace build::buildlet
