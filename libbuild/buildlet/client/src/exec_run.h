// A Run that is carried over one POST /exec.
#pragma once

#include <build/buildlet/run.h>

#include <memory>
#include <optional>
#include <string>

#include "worker_link.h"

namespace build::buildlet {

class ExecRun final : public Run {
 public:
  ExecRun(const WorkerLink& link, model::RunId id, RunSpec spec);

  io::Task<RunOutput> follow(std::uint64_t offset, io::asio::mutable_buffer into) override;
  io::Task<RunResult> result() override;
  void kill() noexcept override;
  void let_go() noexcept override { kill(); }
  bool kept() const noexcept override { return false; }
  const model::RunId& id() const noexcept override { return id_; }

 private:
  /// Dials, sends the request and waits for the 200. Sets result_ if it does not come to that.
  io::Task<> begin();
  io::Task<> send_and_read_head();
  io::Task<std::size_t> read_output(io::asio::mutable_buffer into);
  /// The run is over; the connection goes.
  void end(RunResult result);
  void lose(const std::string& why);

  const WorkerLink& link_;
  model::RunId id_;
  RunSpec spec_;
  bool begun_ = false;
  bool killed_ = false;
  std::uint64_t next_ = 0;  // offset of the byte that follow() gives next
  Connection connection_;
  std::optional<RunResult> result_;
};

}  // namespace build::buildlet
