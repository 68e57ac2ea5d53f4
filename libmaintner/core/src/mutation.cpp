// How it works: one template goes by the fields of a message's schema (schema.h), and a field's C++ type says how it
// stands on the wire.
#include <maintner/mutation.h>

#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>

#include "schema.h"

namespace maintner {

namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class T>
constexpr bool kIsNumber = std::is_arithmetic_v<T>;
template <class T>
constexpr bool kIsText = std::is_same_v<T, std::string_view>;
template <class T>
constexpr bool kIsNumbers = std::is_same_v<T, std::vector<std::int64_t>>;

std::string_view view_of(protozero::data_view view) { return {view.data(), view.size()}; }

// ---- reading

/// Groups are of a time before proto3. Some library may have written one, which is not known to us then.
constexpr int kMaxGroups = 100;

constexpr unsigned kGroupBegins = 3, kGroupEnds = 4, kWireTypeMask = 7;

bool begins_group(const char* tag) { return (static_cast<unsigned char>(*tag) & kWireTypeMask) == kGroupBegins; }

struct BadGroup : protozero::exception {
  const char* what() const noexcept override { return "a group that does not end, or too many of them"; }
};

/// Behind the group that begins at `at`.
const char* skip_group(const char* at, const char* end) {
  std::vector<std::uint64_t> open;
  do {
    const char* const begin = at;
    const std::uint64_t tag = protozero::decode_varint(&at, end);
    if ((tag & kWireTypeMask) == kGroupBegins) {
      if (open.size() == kMaxGroups) throw BadGroup();
      open.push_back(tag >> 3U);
    } else if ((tag & kWireTypeMask) == kGroupEnds) {
      if (open.back() != tag >> 3U) throw BadGroup();
      open.pop_back();
    } else {
      pbf_reader in(begin, static_cast<std::size_t>(end - begin));
      in.next();
      in.skip();
      at = in.data().data();
    }
  } while (!open.empty());
  return at;
}

/// Of one payload.
class Decoder {
 public:
  explicit Decoder(std::string_view payload) : payload_(payload) {}

  template <class Message>
  void decode(pbf_reader in, Message& message) const {
    const char* at = in.data().data();
    const char* const end = at + in.length();
    if constexpr (requires { message.bytes; }) message.bytes = view_of(in.data());
    try {
      while (at != end) at = take_field(at, end, message);
    } catch (const protozero::exception& error) {
      throw MutationError(std::string("no ") + Schema<Message>::name + ": " + error.what() + ", at byte " +
                          std::to_string(at - payload_.data()) + " of " + std::to_string(payload_.size()));
    }
  }

 private:
  /// Returns where the next one begins.
  template <class Message>
  const char* take_field(const char* begin, const char* end, Message& message) const {
    const char* behind = nullptr;
    if (begins_group(begin)) {
      behind = skip_group(begin, end);
    } else {
      pbf_reader in(begin, static_cast<std::size_t>(end - begin));
      in.next();
      const bool known =
          std::apply([&](const auto&... field) { return (take(in, message, field) || ...); }, Schema<Message>::fields);
      if (known) return in.data().data();
      in.skip();
      behind = in.data().data();
    }
    message.unknown.emplace_back(begin, static_cast<std::size_t>(behind - begin));
    return behind;
  }

  template <class Value>
  void read(pbf_reader& in, Value& value) const {
    if constexpr (std::is_same_v<Value, bool>) {
      value = in.get_uint64() != 0;
    } else if constexpr (kIsNumber<Value>) {
      value = static_cast<Value>(in.get_int64());
    } else if constexpr (kIsText<Value>) {
      value = view_of(in.get_view());
    } else if constexpr (IsOptional<Value>::value) {
      if (!value) value.emplace();  // one that comes twice is merged
      decode(in.get_message(), *value);
    } else if constexpr (kIsText<typename Value::value_type>) {
      value.push_back(view_of(in.get_view()));
    } else {
      decode(in.get_message(), value.emplace_back());
    }
  }

  /// False if the current field is another one, or is not what it should be.
  template <class Message, class F>
  bool take(pbf_reader& in, Message& message, const F& field) const {
    if (in.tag() != F::number) return false;
    auto& value = message.*field.member;
    using Value = std::remove_reference_t<decltype(value)>;
    if constexpr (kIsNumbers<Value>) {
      if (in.wire_type() == pbf_wire_type::length_delimited) {
        for (const std::int64_t number : in.get_packed_int64()) value.push_back(number);
        return true;
      }
      if (in.wire_type() != pbf_wire_type::varint) return false;
      value.push_back(in.get_int64());
      return true;
    } else {
      constexpr auto kWireType = kIsNumber<Value> ? pbf_wire_type::varint : pbf_wire_type::length_delimited;
      if (in.wire_type() != kWireType) return false;
      read(in, value);
      return true;
    }
  }

  std::string_view payload_;
};

// ---- writing

/// Appends to a string.
class Encoder {
 public:
  explicit Encoder(std::string& bytes) : bytes_(bytes) {}

  template <class Message>
  void encode(protozero::pbf_writer& out, const Message& message) const {
    std::apply([&](const auto&... field) { (write(out, field.number, message.*field.member), ...); },
               Schema<Message>::fields);
    for (const std::string_view field : message.unknown) bytes_.append(field);
  }

 private:
  template <class Message>
  void write_message(protozero::pbf_writer& out, std::uint32_t number, const Message& message) const {
    const std::size_t before = bytes_.size();
    {
      protozero::pbf_writer inner(out, number);
      encode(inner, message);
    }
    // protozero leaves out what is empty; that it is there says something.
    if (bytes_.size() == before) out.add_string(number, "", 0);
  }

  template <class Value>
  void write(protozero::pbf_writer& out, std::uint32_t number, const Value& value) const {
    if constexpr (std::is_same_v<Value, bool>) {
      if (value) out.add_bool(number, true);
    } else if constexpr (kIsNumber<Value>) {
      if (value != 0) out.add_int64(number, value);
    } else if constexpr (kIsText<Value>) {
      if (!value.empty()) out.add_string(number, value.data(), value.size());
    } else if constexpr (IsOptional<Value>::value) {
      if (value) write_message(out, number, *value);
    } else if constexpr (kIsNumbers<Value>) {
      if (!value.empty()) out.add_packed_int64(number, value.begin(), value.end());
    } else {
      for (const auto& each : value) write_element(out, number, each);
    }
  }

  template <class Element>
  void write_element(protozero::pbf_writer& out, std::uint32_t number, const Element& element) const {
    if constexpr (kIsText<Element>)
      out.add_string(number, element.data(), element.size());
    else
      write_message(out, number, element);
  }

  std::string& bytes_;
};

template <class Message>
Message decoded(std::string_view bytes) {
  Message message;
  Decoder(bytes).decode(pbf_reader(bytes.data(), bytes.size()), message);
  return message;
}

}  // namespace

Mutation decode_mutation(std::string_view payload) { return decoded<Mutation>(payload); }
GithubIssueEvent decode_event(std::string_view bytes) { return decoded<GithubIssueEvent>(bytes); }
GithubReview decode_review(std::string_view bytes) { return decoded<GithubReview>(bytes); }

std::string encode(const Mutation& mutation) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  Encoder(bytes).encode(out, mutation);
  return bytes;
}

}  // namespace maintner
