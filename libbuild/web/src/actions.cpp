// What changes something: cancelling and retrying a build, by JSON for programs and by a form for browsers.

#include <limits>
#include <utility>

#include "json.h"
#include "pages.h"
#include "text.h"

namespace build::web {

namespace {

using coordinator::ControlAnswer;
using Outcome = ControlAnswer::Outcome;

io::Task<ControlAnswer> carry_out(FarmControl& control, Action action, const net::Request& request) {
  const auto number = parse_number(request.path_param("id"), std::numeric_limits<std::int64_t>::max());
  if (!number) throw net::HttpError(404, "There is no such build.");
  const model::BuildId build{*number};
  std::string by = request.user().empty() ? "somebody" : request.user();
  // Not one expression: the two are different coroutines.
  if (action == Action::cancel) co_return co_await control.cancel_build(build, std::move(by));
  co_return co_await control.retry_build(build, std::move(by));
}

}  // namespace

io::Task<Answer> act_by_json(FarmControl& control, Action action, net::Request& request) {
  const ControlAnswer answer = co_await carry_out(control, action, request);
  if (answer.outcome == Outcome::unknown) throw net::HttpError(404, answer.sentence);
  if (answer.outcome == Outcome::refused) throw net::HttpError(409, answer.sentence);
  Json json;
  json.open_object().field("done", true).field("sentence", answer.sentence).close_object();
  co_return Answer{200, kJsonType, json.str()};
}

io::Task<Answer> act_by_form(FarmControl& control, Action action, net::Request& request, net::Response& response) {
  const ControlAnswer answer = co_await carry_out(control, action, request);
  if (answer.outcome == Outcome::unknown) throw net::HttpError(404, answer.sentence);
  if (answer.outcome == Outcome::refused) throw net::HttpError(409, answer.sentence);
  // A path of digits only: carry_out() has made sure of that.
  response.fields().set("Location", "/build/" + request.path_param("id"));
  co_return Answer{303, kTextType, answer.sentence + "\n"};
}

}  // namespace build::web
