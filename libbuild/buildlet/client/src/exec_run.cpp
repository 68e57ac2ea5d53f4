// A run goes through three states: not begun; begun, with a connection and no result; over, with a result. kill()
// closes the connection and leaves the rest to the call that is waiting on it, or to the next one.
#include "exec_run.h"

#include <array>
#include <exception>
#include <stdexcept>

namespace build::buildlet {

ExecRun::ExecRun(const WorkerLink& link, model::RunId id, RunSpec spec)
    : link_(link), id_(std::move(id)), spec_(std::move(spec)) {}

io::Task<RunOutput> ExecRun::follow(std::uint64_t offset, io::asio::mutable_buffer into) {
  if (offset != next_) {
    throw std::invalid_argument("the output of run " + id_.value + " can be read on from offset " +
                                std::to_string(next_) + " only, not from " + std::to_string(offset) +
                                ": it is carried over /exec, which cannot give output again");
  }
  if (!begun_) co_await begin();
  if (result_) co_return RunOutput{offset, 0};
  const std::size_t n = co_await read_output(into);
  next_ += n;
  co_return RunOutput{offset, n};
}

io::Task<RunResult> ExecRun::result() {
  std::array<char, 32 * 1024> dropped;
  while (!result_) {
    const io::asio::mutable_buffer into = io::asio::buffer(dropped);
    co_await follow(next_, into);
  }
  co_return *result_;
}

void ExecRun::kill() noexcept {
  if (result_) return;
  killed_ = true;
  if (connection_) connection_->close();
}

io::Task<> ExecRun::begin() {
  begun_ = true;
  if (killed_) lose("killed");
  if (spec_.sandbox) lose("worker " + link_.hostname + " does not keep runs, and only such a worker has a sandbox");
  if (result_) co_return;
  try {
    co_await send_and_read_head();
  } catch (const std::exception& error) {
    lose("the command could not be sent to worker " + link_.hostname + ": " + error.what());
  }
}

io::Task<> ExecRun::send_and_read_head() {
  connection_ = co_await link_.connect();
  if (killed_) {
    lose("killed");
    co_return;
  }
  const std::string body = encode_exec_form(spec_);
  io::RequestHead head = link_.request("POST", "/exec", 0);
  head.fields.set("Content-Length", std::to_string(body.size()));
  head.fields.set("Content-Type", "application/x-www-form-urlencoded");
  co_await connection_->send_head(head);
  co_await connection_->send_body(body);
  co_await connection_->finish_body();
  const io::ResponseHead answer = co_await connection_->read_head(link_.limits.head);
  if (answer.status == 200) {
    connection_->set_body_timeout(io::Duration::zero());  // a command may be silent for as long as it likes
    co_return;
  }
  const std::string text = co_await read_beginning(connection_->body(), kMaxErrorText);
  const bool refused = answer.status >= 400 && answer.status < 500;
  end({refused ? RunOutcome::could_not_run : RunOutcome::lost, refusal_text(answer, text)});
}

io::Task<std::size_t> ExecRun::read_output(io::asio::mutable_buffer into) {
  try {
    const std::size_t n = co_await connection_->body().read_some(into);
    if (n > 0) co_return n;
    const io::Fields& trailers = connection_->body().trailers();
    RunResult result = result_of_process_state(trailers.get("Process-State"));
    const std::string fault = trailers.get("X-Xbuild-Worker-Fault");
    if (!fault.empty() && result.outcome != RunOutcome::succeeded) {
      result = {RunOutcome::lost, result.text + ", and " + fault.substr(0, kMaxErrorText)};
    }
    end(std::move(result));
  } catch (const std::exception& error) {
    lose("the connection to worker " + link_.hostname +
         " broke while the command ran, which it cannot survive over /exec: " + error.what());
  }
  co_return 0;
}

void ExecRun::lose(const std::string& why) { end({RunOutcome::lost, killed_ ? "killed" : why}); }

void ExecRun::end(RunResult result) {
  result_ = std::move(result);
  connection_.reset();
}

}  // namespace build::buildlet
