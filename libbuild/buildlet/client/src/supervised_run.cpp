// How it works: follow() takes one step after the other: begin the run (or find it begun), open its output at the
// offset wanted, read; when the output has come to its end, ask for the result. A step that fails because the worker is
// out of reach is taken again, until that has lasted too long.
#include "supervised_run.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>
#include <vector>

namespace build::buildlet {

namespace {

constexpr io::Duration kFirstPause = std::chrono::milliseconds{50}, kLongestPause = std::chrono::seconds{2};
constexpr std::size_t kMaxAnswer = 64 * 1024;

}  // namespace

SupervisedRun::SupervisedRun(const WorkerLink& link, model::RunId id, RunSpec spec, std::uint64_t lease)
    : link_(link), id_(std::move(id)), spec_(std::move(spec)), lease_(lease) {}

io::Task<RunOutput> SupervisedRun::follow(std::uint64_t offset, io::asio::mutable_buffer into) {
  if (output_ && offset != next_) output_.reset();
  while (!result_) {
    if (let_go_) {
      lose("nobody follows it any more");
      break;
    }
    std::string trouble;
    try {
      if (killed_) {
        co_await send_kill();
        result_ = RunResult{RunOutcome::lost, "killed"};
        break;
      }
      const std::optional<RunOutput> piece = co_await step(offset, into);
      away_since_.reset();
      if (piece) co_return *piece;
    } catch (const WorkerGone& error) {
      lose(error.what());
    } catch (const std::runtime_error& error) {  // whatever the dialing failed with, or a malformed answer
      trouble = error.what();
    }
    if (!trouble.empty()) co_await pause(trouble);
  }
  co_return RunOutput{offset, 0};
}

io::Task<RunResult> SupervisedRun::result() {
  std::vector<char> dropped(32 * 1024);
  while (!result_) {
    const io::asio::mutable_buffer into(dropped.data(), dropped.size());
    co_await follow(next_, into);
  }
  co_return *result_;
}

void SupervisedRun::kill() noexcept {
  killed_ = true;
  if (output_) output_->close();
}

void SupervisedRun::let_go() noexcept {
  let_go_ = true;
  if (output_) output_->close();
}

void SupervisedRun::lose(const std::string& why) {
  if (killed_)
    result_ = RunResult{RunOutcome::lost, "killed"};
  else
    result_ = RunResult{.outcome = RunOutcome::lost,
                        .text = "worker " + link_.hostname + " was out of reach: " + why,
                        .out_of_reach = true};
}

io::Task<std::optional<RunOutput>> SupervisedRun::step(std::uint64_t offset, io::asio::mutable_buffer into) {
  if (!begun_) {
    co_await begin();
  } else if (output_over_) {
    co_await fetch_result();
  } else if (!output_) {
    co_await open_output(offset);
  } else {
    co_return co_await read(into);
  }
  co_return std::nullopt;
}

io::RequestHead SupervisedRun::request(std::string method, std::string target) const {
  return link_.request(std::move(method), std::move(target), lease_);
}

io::Task<SupervisedRun::Reply> SupervisedRun::exchange(io::RequestHead head, std::string body) {
  const Connection connection = co_await link_.connect();
  if (head.method != "GET") head.fields.set("Content-Length", std::to_string(body.size()));
  co_await connection->send_head(head);
  if (!body.empty()) {
    co_await connection->send_body(body);
    co_await connection->finish_body();
  }
  const io::ResponseHead answer = co_await connection->read_head(link_.limits.head);
  std::string text = co_await read_beginning(connection->body(), kMaxAnswer);
  if (answer.status != 200) text = refusal_text(answer, text.substr(0, kMaxErrorText));
  co_return Reply{answer.status, std::move(text)};
}

io::Task<> SupervisedRun::begin() {
  io::RequestHead head = request("POST", "/runs");
  head.fields.set("Content-Type", "application/json");
  std::string body = encode_run_request(id_, spec_);
  const Reply answer = co_await exchange(std::move(head), std::move(body));
  if (answer.status == 200)
    begun_ = true;
  else
    refuse(answer);
}

void SupervisedRun::refuse(const Reply& answer) {
  // 409: the lease is somebody else's by now, or the id is. That is no fault of the command's.
  const bool commands_fault = answer.status >= 400 && answer.status < 500 && answer.status != 409 && !begun_;
  result_ = RunResult{commands_fault ? RunOutcome::could_not_run : RunOutcome::lost,
                      "worker " + link_.hostname + " refused the run: " + answer.text};
}

io::Task<> SupervisedRun::open_output(std::uint64_t offset) {
  Connection connection = co_await link_.connect();
  io::RequestHead head = request("GET", "/runs/" + id_.value + "/output?offset=" + std::to_string(offset));
  co_await connection->send_head(head);
  const io::ResponseHead answer = co_await connection->read_head(link_.limits.head);
  if (answer.status != 200) {
    const std::string text = co_await read_beginning(connection->body(), kMaxErrorText);
    refuse({answer.status, refusal_text(answer, text)});
    co_return;
  }
  const std::string begins = answer.fields.get("X-Xbuild-Offset");
  next_ = offset;
  std::from_chars(begins.data(), begins.data() + begins.size(), next_);
  connection->set_body_timeout(io::Duration::zero());  // a command may be silent for as long as it likes
  output_ = std::move(connection);
  if (killed_ || let_go_) output_->close();
}

io::Task<std::optional<RunOutput>> SupervisedRun::read(io::asio::mutable_buffer into) {
  std::size_t size = 0;
  std::exception_ptr broken;
  try {
    size = co_await output_->body().read_some(into);
  } catch (const std::exception&) {
    broken = std::current_exception();
  }
  if (broken) {
    output_.reset();
    std::rethrow_exception(broken);
  }
  if (size > 0) {
    const RunOutput piece{next_, size};
    next_ += size;
    co_return piece;
  }
  const std::string next = output_->body().trailers().get("X-Xbuild-Next");
  output_.reset();
  if (next == "end") output_over_ = true;
  // Otherwise there is a gap: what follows is asked for, and its offset tells.
  co_return std::nullopt;
}

io::Task<> SupervisedRun::fetch_result() {
  io::RequestHead head = request("GET", "/runs/" + id_.value);
  std::string no_body;
  const Reply answer = co_await exchange(std::move(head), std::move(no_body));
  if (answer.status != 200) {
    refuse(answer);
    co_return;
  }
  result_ = parse_run_answer(answer.text);
  if (!result_) output_over_ = false;  // it was not over: the output is looked at again
}

io::Task<> SupervisedRun::send_kill() {
  if (!begun_) co_return;
  io::RequestHead head = request("POST", "/runs/" + id_.value + "/kill");
  std::string no_body;
  co_await exchange(std::move(head), std::move(no_body));
}

io::Task<> SupervisedRun::pause(const std::string& why) {
  const io::Instant now = link_.clock.now();
  if (!away_since_) {
    away_since_ = now;
    pause_ = kFirstPause;
  }
  if (killed_ || now - *away_since_ >= link_.limits.absence) {
    lose(why);
    co_return;
  }
  co_await link_.clock.sleep_for(pause_);
  pause_ = std::min(pause_ * 2, kLongestPause);
}

}  // namespace build::buildlet
