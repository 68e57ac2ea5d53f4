#pragma once

#include <cstdint>
#include <map>
#include <string>

/// How many there were in each month, by "2021-02".
using Months = std::map<std::string, std::uint64_t>;

/// The month that a time of UTC is in; empty where no calendar has it.
std::string month_of(std::int64_t seconds);
/// Months in which there was nothing, between the first and the last, as 0.
Months without_gaps(const Months& months);
/// A line each, with a bar as long as `width` characters for the largest.
std::string text_chart(const Months& months, std::size_t width);
/// A picture of itself, for browsers, with a title.
std::string svg_chart(const Months& months, const std::string& title);
