#include <build/buildlet/client.h>

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <stdexcept>

namespace build::buildlet {

namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void write(Writer& out, const std::string& value) {
  out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}

void write(Writer& out, const char* key, const std::string& value) {
  if (value.empty()) return;
  out.Key(key);
  write(out, value);
}

void write(Writer& out, const char* key, const std::vector<std::string>& values) {
  out.Key(key);
  out.StartArray();
  for (const std::string& value : values) write(out, value);
  out.EndArray();
}

void write(Writer& out, const char* key, io::Duration time) {
  if (time.count() <= 0) return;
  out.Key(key);
  out.Double(std::chrono::duration<double>(time).count());
}

std::string text_of(const rapidjson::Value& object, const char* key) {
  const auto found = object.FindMember(key);
  return found != object.MemberEnd() && found->value.IsString() ? found->value.GetString() : "";
}

io::Duration seconds_of(const rapidjson::Value& object, const char* key) {
  const auto found = object.FindMember(key);
  const double seconds = found != object.MemberEnd() && found->value.IsNumber() ? found->value.GetDouble() : 0;
  return std::chrono::duration_cast<io::Duration>(std::chrono::duration<double>(seconds));
}

RunUsage usage_of(const rapidjson::Value& result) {
  RunUsage usage{.user = seconds_of(result, "userSeconds"),
                 .system = seconds_of(result, "systemSeconds"),
                 .wall = seconds_of(result, "wallSeconds")};
  const auto memory = result.FindMember("peakMemory");
  if (memory != result.MemberEnd() && memory->value.IsUint64()) usage.peak_memory = memory->value.GetUint64();
  return usage;
}

}  // namespace

std::string encode_run_request(const model::RunId& id, const RunSpec& spec) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  out.StartObject();
  write(out, "id", id.value);
  write(out, "cmd", spec.cmd);
  write(out, "args", spec.args);
  write(out, "env", spec.env);
  write(out, "dir", spec.dir);
  if (spec.path) write(out, "path", *spec.path);
  if (spec.level == RunSpec::Level::system) write(out, "mode", std::string("sys"));
  write(out, "timeLimit", spec.time_limit);
  write(out, "silenceLimit", spec.silence_limit);
  write(out, "linger", spec.linger);
  if (spec.output_cap > 0) {
    out.Key("outputCap");
    out.Uint64(spec.output_cap);
  }
  write(out, "user", spec.user);
  if (spec.sandbox) {
    out.Key("sandbox");
    out.Bool(true);
  }
  out.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::optional<RunResult> parse_run_answer(std::string_view json) {
  rapidjson::Document document;
  document.Parse(json.data(), json.size());
  if (document.HasParseError() || !document.IsObject()) throw std::runtime_error("the worker's answer is no run");
  if (text_of(document, "state") == "running") return std::nullopt;
  const auto found = document.FindMember("result");
  if (found == document.MemberEnd() || !found->value.IsObject())
    throw std::runtime_error("the worker's answer has neither a running state nor a result");
  const rapidjson::Value& result = found->value;
  const std::string ending = text_of(result, "ending"), text = text_of(result, "text");
  const std::string fault = text_of(document, "workerFault");
  RunResult parsed{.outcome = RunOutcome::failed, .text = text, .killed = text_of(result, "killed")};
  const auto code = result.FindMember("code");
  const bool zero = code != result.MemberEnd() && code->value.IsInt() && code->value.GetInt() == 0;
  if (ending == "not started") parsed.outcome = RunOutcome::could_not_run;
  if (ending == "lost") parsed.outcome = RunOutcome::lost;
  if (ending == "exited" && zero && parsed.killed.empty()) parsed.outcome = RunOutcome::succeeded;
  if (parsed.outcome == RunOutcome::succeeded) parsed.text.clear();
  if (!fault.empty() && parsed.outcome != RunOutcome::succeeded) {
    parsed.outcome = RunOutcome::lost;
    parsed.text += ", and " + fault;
  }
  if (ending != "lost") parsed.usage = usage_of(result);
  return parsed;
}

}  // namespace build::buildlet
