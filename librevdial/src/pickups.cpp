#include <io/secret.h>
#include <revdial/pickups.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <unordered_map>

namespace revdial {

namespace {

bool is_token(std::string_view token) noexcept {
  return token.size() == kTokenDigits && std::all_of(token.begin(), token.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string_view first_half(std::string_view token) noexcept { return token.substr(0, kTokenDigits / 2); }
std::string_view second_half(std::string_view token) noexcept { return token.substr(kTokenDigits / 2); }

}  // namespace

std::string make_pickup_token(const RandomBytes& random) {
  std::array<std::byte, kTokenDigits / 2> bytes{};
  random(bytes);
  std::string token;
  for (const std::byte byte : bytes) {
    constexpr std::string_view kHex = "0123456789abcdef";
    token += kHex[std::to_integer<unsigned>(byte) >> 4U];
    token += kHex[std::to_integer<unsigned>(byte) & 0xFU];
  }
  return token;
}

/// A token is a secret, and how long a look-up takes says something about the key it used. So the first half
/// finds the entry, and the second, 64 bits that no timing tells, decides.
struct Pickups::Table {
  struct Entry {
    std::string second_half;
    Taker* taker;
  };
  std::unordered_multimap<std::string, Entry> entries;
};

Pickups::Pickups() : table_(std::make_unique<Table>()) {}
Pickups::~Pickups() = default;

std::size_t Pickups::size() const noexcept { return table_->entries.size(); }

Pickups::Taker* Pickups::find(std::string_view token) const {
  if (!is_token(token)) return nullptr;
  Taker* found = nullptr;
  const auto [begin, end] = table_->entries.equal_range(std::string(first_half(token)));
  for (auto it = begin; it != end; ++it) {
    if (io::equal_in_constant_time(it->second.second_half, second_half(token))) found = it->second.taker;
  }
  return found != nullptr && found->expects(token) ? found : nullptr;
}

bool Pickups::knows(std::string_view token) const { return find(token) != nullptr; }

PickupResult Pickups::offer(std::string_view token, io::StreamPtr connection) {
  if (Taker* taker = find(token)) return taker->take(token, std::move(connection));
  connection->close();
  return PickupResult::unknown_token;
}

void Pickups::add(std::string_view token, Taker& taker) {
  if (!is_token(token)) {
    throw std::invalid_argument("a token for a revdial pick-up is not 32 lower-case hexadecimal digits");
  }
  if (find(token) != nullptr) throw std::invalid_argument("the same token for a revdial pick-up exists");
  table_->entries.emplace(first_half(token), Table::Entry{std::string(second_half(token)), &taker});
}

void Pickups::remove(std::string_view token) noexcept {
  const auto [begin, end] = table_->entries.equal_range(std::string(first_half(token)));
  for (auto it = begin; it != end; ++it) {
    if (it->second.second_half != second_half(token)) continue;
    table_->entries.erase(it);
    return;
  }
}

PickupAnswer check_pickup(bool secure, std::string_view method, std::string_view token, const Pickups& pickups) {
  if (!secure) return {.status = 500, .text = "handler requires TLS", .allow = {}};
  if (method != "GET") {
    return {.status = 405, .text = "expected GET request to revdial conn handler", .allow = "GET"};
  }
  if (!pickups.knows(token)) return {.status = 400, .text = "unknown dialer", .allow = {}};
  return {.status = 101, .text = {}, .allow = {}};
}

}  // namespace revdial
