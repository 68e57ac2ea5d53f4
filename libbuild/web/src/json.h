// JSON output: RapidJSON's writer with our types, always valid UTF-8 and harmless to look at (json_quoted).
#pragma once

#include <build/model/ids.h>
#include <build/web/html.h>

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text.h"

namespace build::web {

/// Calls follow the document's order; objects and arrays are opened and closed by hand.
class Json {
 public:
  Json& open_object() { return writer_.StartObject(), *this; }
  Json& close_object() { return writer_.EndObject(), *this; }
  Json& open_array() { return writer_.StartArray(), *this; }
  Json& close_array() { return writer_.EndArray(), *this; }
  Json& key(std::string_view name) {
    return writer_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size())), *this;
  }

  Json& value(std::string_view bytes) {
    const std::string text = json_quoted(bytes);
    return writer_.RawValue(text.data(), text.size(), rapidjson::kStringType), *this;
  }
  Json& value(const char* text) { return value(std::string_view(text)); }
  Json& value(const std::string& text) { return value(std::string_view(text)); }
  Json& value(std::int64_t number) { return writer_.Int64(number), *this; }
  Json& value(int number) { return writer_.Int(number), *this; }
  Json& value(std::uint64_t number) { return writer_.Uint64(number), *this; }
  Json& value(bool flag) { return writer_.Bool(flag), *this; }
  Json& value(model::Time time) { return value(rfc3339(time)); }
  template <typename Tag>
  Json& value(const model::Name<Tag>& name) {
    return value(name.value);
  }
  template <typename Tag>
  Json& value(model::Number<Tag> number) {
    return value(number.value);
  }
  /// null if there is none.
  template <typename T>
  Json& value(const std::optional<T>& optional) {
    return optional ? value(*optional) : (writer_.Null(), *this);
  }
  template <typename T>
  Json& field(std::string_view name, const T& v) {
    return key(name).value(v);
  }

  /// One line, with its end.
  std::string str() const { return line() + "\n"; }
  std::string line() const { return std::string(buffer_.GetString(), buffer_.GetSize()); }

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

}  // namespace build::web
