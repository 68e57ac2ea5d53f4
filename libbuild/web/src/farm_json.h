// What the farm says of a build at the moment, as several JSON documents have it.
#pragma once

#include <build/farm/farm.h>

#include <optional>

#include "json.h"

namespace build::web {

/// "away", null if its worker is not.
inline void write_away(Json& json, const std::optional<farm::Away>& away) {
  json.key("away");
  if (!away) {
    json.value(std::optional<std::string>());
    return;
  }
  json.open_object().field("sentence", away->sentence).field("hostname", away->hostname).field("why", away->why);
  json.field("since", away->since).field("until", away->until).close_object();
}

}  // namespace build::web
