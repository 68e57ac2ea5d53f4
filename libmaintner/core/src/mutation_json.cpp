#include <maintner/mutation_json.h>

#include <build/base/utf8.h>

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "schema.h"

namespace maintner {

namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

/// As RFC 3339 has it; empty if no calendar has this time.
std::string calendar_text(const Timestamp& time) {
  constexpr std::int64_t kFirst = -62167219200, kLast = 253402300799;  // the years 0 to 9999
  if (time.seconds < kFirst || time.seconds > kLast || time.nanos < 0 || time.nanos > 999'999'999) return {};
  const std::chrono::sys_seconds at{std::chrono::seconds(time.seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(at - day);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%09d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(time.nanos));
  std::string shortest = text.data();
  shortest.erase(shortest.find_last_not_of('0') + 1);
  if (shortest.ends_with('.')) shortest.pop_back();
  return shortest + "Z";
}

class Printer {
 public:
  explicit Printer(Writer& out) : out_(out) {}

  void print(std::string_view text) const {
    const std::string valid = build::base::valid_utf8(text);
    out_.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
  }
  void print(bool value) const { out_.Bool(value); }
  void print(std::int64_t value) const { out_.Int64(value); }
  void print(std::int32_t value) const { out_.Int(value); }
  void print(const BoolChange& change) const { print(change.val); }
  void print(const StringChange& change) const { print(change.val); }

  void print(const Timestamp& time) const {
    if (const std::string text = calendar_text(time); !text.empty())
      print(std::string_view(text));
    else
      print_members(time);
  }

  template <class Message>
  void print(const Message& message) const {
    print_members(message);
  }

 private:
  template <class Message>
  void print_members(const Message& message) const {
    out_.StartObject();
    std::apply([&](const auto&... field) { (print_member(field.name, message.*field.member), ...); },
               Schema<Message>::fields);
    out_.EndObject();
  }

  template <class Value>
  void print_member(const char* name, const Value& value) const {
    if (value == Value()) return;
    out_.Key(name);
    print(value);
  }
  template <class Value>
  void print_member(const char* name, const std::optional<Value>& value) const {
    if (!value) return;
    out_.Key(name);
    print(*value);
  }
  template <class Value>
  void print_member(const char* name, const std::vector<Value>& values) const {
    if (values.empty()) return;
    out_.Key(name);
    out_.StartArray();
    for (const Value& value : values) print(value);
    out_.EndArray();
  }

  Writer& out_;
};

}  // namespace

std::string to_json(const Mutation& mutation) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  Printer(out).print(mutation);
  return {buffer.GetString(), buffer.GetSize()};
}

std::string to_json(std::string_view text) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  Printer(out).print(text);
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace maintner
