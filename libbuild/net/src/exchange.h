// One request and its answer: what Request and Response are faces of.
#pragma once

#include "body_source.h"
#include "wire.h"

#include <build/net/server.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace build::net {

class Exchange {
 public:
  /// What the connection has to say in the matter.
  struct Context {
    std::shared_ptr<Wire> wire;
    const ServerLimits& limits;
    std::function<bool()> may_keep_alive;
  };

  /// Throws HttpError for a head that is malformed beyond what the codec looks at.
  Exchange(Context context, io::RequestHead head);
  /// Stops watching for the client.
  ~Exchange();

  const io::RequestHead& head() const { return head_; }
  const std::string& raw_path() const { return raw_path_; }
  const std::string& path() const { return path_; }
  const std::string& raw_query() const { return raw_query_; }
  const io::Params& query() const { return query_; }
  Wire& wire() { return *context_.wire; }
  BodyReader& body() { return body_; }

  io::Fields& fields() { return fields_; }
  io::Task<> send(int status, std::string body);
  io::Task<> send_error(int status, std::string text);
  io::Task<> start(int status);
  io::Task<> write(std::string_view text);
  io::Task<> finish(io::Fields trailers);
  io::Task<io::StreamPtr> hijack(std::string raw_head);
  void on_client_gone(std::function<void()> gone);

  bool started() const { return state_ != State::fresh; }
  int status() const { return status_; }
  bool finished() const { return state_ == State::finished; }
  bool hijacked() const { return state_ == State::hijacked; }
  /// Some of the answer could not be sent, so no more of it can be.
  bool broken() const { return state_ == State::broken; }
  /// After finish: whether another request may follow on the connection.
  bool keep_alive() const { return keep_alive_; }
  /// Skips what the handler has not read of the body; false if there is too much of it.
  io::Task<bool> drain_body();

 private:
  enum class State { fresh, streaming, finished, hijacked, broken };

  bool client_speaks_11() const { return head_.minor >= 1; }
  void decide_keep_alive();
  std::string answer_head(int status, std::optional<std::uint64_t> length, std::string_view sniffed);
  io::Task<> put(std::string bytes);
  void require(bool condition, const char* rule) const;

  Context context_;
  io::RequestHead head_;
  std::string raw_path_, path_, raw_query_;
  io::Params query_;
  std::shared_ptr<BodySource> source_;
  BodyReader body_;

  State state_ = State::fresh;
  io::Fields fields_;
  int status_ = 0;
  bool keep_alive_ = false;
  bool chunked_ = false;
  bool body_allowed_ = true;  // false: the answer's head stands alone, whatever the handler writes
  std::optional<std::uint64_t> length_left_;
  bool watched_ = false;
};

}  // namespace build::net
