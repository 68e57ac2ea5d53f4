// The original's way to have a commit built again: POST /clear-results?builder=B&hash=H&key=K, always answered with 200
// and {"Response": ..., "Error": ...}. The key proves the sender: the farm's master key, or the builder's, derived from
// it. So this path is open to those without a token.

#include <build/base/builder_key.h>
#include <build/base/ids.h>

#include <utility>

#include "json.h"
#include "pages.h"

namespace build::web {

namespace {

Answer envelope(const std::string& error) {
  Json json;
  json.open_object().field("Response", std::optional<std::string>()).field("Error", error).close_object();
  return {200, kJsonType, json.str()};
}

bool is_key_of(const std::string& key, const std::string& master_key, const std::string& builder) {
  const bool master = base::constant_time_equal(key, master_key);
  const bool derived = base::constant_time_equal(key, base::builder_key(master_key, builder));
  return master || derived;
}

}  // namespace

io::Task<Answer> clear_results(FarmControl& control, const std::string& master_key, net::Request& request) {
  const io::Params& query = request.query();
  std::string builder = query.get("builder"), hash = query.get("hash");
  if (builder.empty()) co_return envelope("missing builder");
  // The original repeats the key it was given; ours does not let a secret with a slip of the pen come back.
  if (!is_key_of(query.get("key"), master_key, builder))
    co_return envelope("invalid key for builder \"" + builder + "\"");
  if (!base::is_lower_hex(hash, 40) && !base::is_lower_hex(hash, 64))
    co_return envelope("no commit hash: \"" + hash + "\"");
  model::BuilderName name(builder);
  model::CommitHash commit(hash);
  std::string by = "the key of " + builder;
  const coordinator::ControlAnswer answer =
      co_await control.clear_results(std::move(name), std::move(commit), std::move(by));
  // That there was nothing to clear is no error.
  const bool refused = answer.outcome == coordinator::ControlAnswer::Outcome::refused;
  co_return envelope(refused ? answer.sentence : "");
}

}  // namespace build::web
