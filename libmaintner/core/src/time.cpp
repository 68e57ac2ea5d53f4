#include <maintner/view.h>

#include <charconv>
#include <chrono>

namespace maintner {

namespace {

constexpr std::int64_t kMinute = 60, kHour = 3600, kDay = 86'400;

/// Whether it begins as `form` does, in which "0" is any digit.
bool looks_like(std::string_view text, std::string_view form) {
  if (text.size() < form.size()) return false;
  for (std::size_t i = 0; i < form.size(); ++i)
    if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i]) return false;
  return true;
}

int number_in(std::string_view text, std::size_t at, std::size_t size) {
  int number = 0;
  std::from_chars(text.data() + at, text.data() + at + size, number);
  return number;
}

/// Takes the fraction of a second off the beginning; false if it is none.
bool take_fraction(std::string_view& text, std::int32_t& nanos) {
  if (!text.starts_with('.')) return true;
  text.remove_prefix(1);
  std::size_t digits = 0;
  for (std::int32_t unit = 100'000'000; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; unit /= 10)
    nanos += unit * (text[digits++] - '0');
  text.remove_prefix(digits);
  return digits > 0 && digits <= 9;
}

/// What "Z", or "+01:00", is to be taken off to be in UTC.
std::optional<std::int64_t> zone_of(std::string_view text) {
  if (text == "Z") return 0;
  constexpr std::string_view kForm = "+00:00";
  if (text.size() != kForm.size() || (text[0] != '+' && text[0] != '-') || !looks_like(text.substr(1), "00:00"))
    return std::nullopt;
  const std::int64_t offset = number_in(text, 1, 2) * kHour + number_in(text, 4, 2) * kMinute;
  return text[0] == '-' ? -offset : offset;
}

}  // namespace

std::optional<Time> time_from(std::string_view text) {
  constexpr std::string_view kDate = "0000-00-00", kClock = "T00:00:00";
  if (!looks_like(text, kDate)) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(number_in(text, 0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number_in(text, 5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number_in(text, 8, 2)))};
  if (!date.ok()) return std::nullopt;
  Time time{std::chrono::sys_days(date).time_since_epoch().count() * kDay, 0};
  text.remove_prefix(kDate.size());
  if (text.empty()) return time;
  if (!looks_like(text, kClock)) return std::nullopt;
  const int hour = number_in(text, 1, 2), minute = number_in(text, 4, 2), second = number_in(text, 7, 2);
  if (hour > 23 || minute > 59 || second > 60) return std::nullopt;
  text.remove_prefix(kClock.size());
  if (!take_fraction(text, time.nanos)) return std::nullopt;
  const auto zone = zone_of(text);
  if (!zone) return std::nullopt;
  time.seconds += hour * kHour + minute * kMinute + second - *zone;
  return time;
}

std::string to_string(Time time) {
  // What has a year of four digits.
  constexpr std::int64_t kFirst = -62'167'219'200, kLast = 253'402'300'799;
  if (time.seconds < kFirst || time.seconds > kLast || time.nanos < 0 || time.nanos >= 1'000'000'000)
    return "@" + std::to_string(time.seconds);
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::seconds(time.seconds));
  const std::chrono::year_month_day date{std::chrono::sys_days(day)};
  const auto second = static_cast<unsigned>(time.seconds - day.count() * kDay);
  std::string text = "0000-00-00T00:00:00";
  const auto put = [&text](std::size_t end, unsigned number) {
    for (; number > 0; number /= 10) text[--end] = static_cast<char>('0' + number % 10);
  };
  put(4, static_cast<unsigned>(static_cast<int>(date.year())));
  put(7, static_cast<unsigned>(date.month()));
  put(10, static_cast<unsigned>(date.day()));
  put(13, second / kHour);
  put(16, second / kMinute % 60);
  put(19, second % 60);
  if (time.nanos != 0) {
    text += ".000000000";
    put(text.size(), static_cast<unsigned>(time.nanos));
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + "Z";
}

}  // namespace maintner
