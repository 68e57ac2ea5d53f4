// A Run that the worker keeps whatever becomes of connections: POST /runs and what goes with it.
#pragma once

#include <build/buildlet/run.h>
#include <io/clock.h>

#include <cstdint>
#include <optional>
#include <string>

#include "worker_link.h"

namespace build::buildlet {

class SupervisedRun final : public Run {
 public:
  SupervisedRun(const WorkerLink& link, model::RunId id, RunSpec spec, std::uint64_t lease);

  io::Task<RunOutput> follow(std::uint64_t offset, io::asio::mutable_buffer into) override;
  io::Task<RunResult> result() override;
  void kill() noexcept override;
  void let_go() noexcept override;
  bool kept() const noexcept override { return true; }
  const model::RunId& id() const noexcept override { return id_; }

 private:
  struct Reply {
    int status = 0;
    std::string text;
  };

  io::RequestHead request(std::string method, std::string target) const;
  io::Task<Reply> exchange(io::RequestHead head, std::string body);
  /// One step of the way to the next byte. Throws if the worker is out of reach.
  io::Task<std::optional<RunOutput>> step(std::uint64_t offset, io::asio::mutable_buffer into);
  io::Task<> begin();
  io::Task<> open_output(std::uint64_t offset);
  io::Task<std::optional<RunOutput>> read(io::asio::mutable_buffer into);
  io::Task<> fetch_result();
  io::Task<> send_kill();
  /// The worker said no.
  void refuse(const Reply& reply);
  io::Task<> pause(const std::string& why);
  void lose(const std::string& why);

  const WorkerLink& link_;
  model::RunId id_;
  RunSpec spec_;
  std::uint64_t lease_;
  bool begun_ = false;
  bool killed_ = false;
  bool let_go_ = false;
  Connection output_;       ///< gives output from next_ on
  std::uint64_t next_ = 0;  ///< also the offset of the last piece's end
  bool output_over_ = false;
  std::optional<io::Instant> away_since_;
  io::Duration pause_{0};
  std::optional<RunResult> result_;
};

}  // namespace build::buildlet
