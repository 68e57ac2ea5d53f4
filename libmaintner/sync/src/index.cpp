#include "index.h"

#include <maintner/segments.h>

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <stdexcept>

namespace maintner {

namespace {

constexpr std::string_view kObjectStore = "https://storage.googleapis.com/";

const rapidjson::Value* member(const rapidjson::Value& object, const char* name) {
  const auto found = object.FindMember(name);
  return found == object.MemberEnd() ? nullptr : &found->value;
}

std::string text_of(const rapidjson::Value& object, const char* name) {
  const rapidjson::Value* const value = member(object, name);
  if (value == nullptr || !value->IsString()) return {};
  return {value->GetString(), value->GetStringLength()};
}

}  // namespace

std::vector<ListedSegment> parse_index(const Url& server, std::string_view json, std::uint64_t max_segment) {
  const auto refuse = [&](const std::string& why) {
    return std::runtime_error("unmarshaling " + server.text() + " JSON: " + why);
  };
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (document.HasParseError())
    throw refuse(std::string(rapidjson::GetParseError_En(document.GetParseError())) + " at byte " +
                 std::to_string(document.GetErrorOffset()));
  if (!document.IsArray()) throw refuse("it is no array");
  std::vector<ListedSegment> list;
  for (const rapidjson::Value& item : document.GetArray()) {
    const std::string which = "segment " + std::to_string(list.size());
    if (!item.IsObject()) throw refuse(which + " is no object");
    ListedSegment segment;
    const rapidjson::Value *const number = member(item, "number"), *const size = member(item, "size"),
                                  *const frozen = member(item, "frozen");
    if (number == nullptr || !number->IsUint64() || number->GetUint64() != list.size())
      throw refuse(which + " does not have that number");
    segment.number = list.size();
    if (size == nullptr || !size->IsUint64()) throw refuse(which + " has no size");
    segment.size = size->GetUint64();
    if (segment.size > max_segment)
      throw refuse(which + " has " + std::to_string(segment.size) + " bytes, more than the " +
                   std::to_string(max_segment) + " that are taken");
    segment.sha224 = text_of(item, "sha224");
    if (!is_sha224(segment.sha224)) throw refuse(which + " has no SHA-224");
    const std::string url = text_of(item, "url");
    try {
      segment.url = resolve(server, url);
    } catch (const std::invalid_argument& error) {
      throw refuse(which + ": " + error.what());
    }
    if (server.tls && !segment.url.tls) throw refuse(which + ": " + segment.url.text() + " is not encrypted");
    segment.frozen = url.starts_with(kObjectStore) || (frozen != nullptr && frozen->IsTrue());
    list.push_back(std::move(segment));
  }
  return list;
}

}  // namespace maintner
