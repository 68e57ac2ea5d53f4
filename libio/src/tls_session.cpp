// OpenSSL reads from and writes to a BIO of ours, which is two plain buffers: `in_` (what the transport gave and
// OpenSSL has not taken yet) and `out_` (records that wait for the transport). So no OpenSSL call ever blocks, and
// every wait is a coroutine of ours:
//   fill()  one transport read into the empty in_;  flush()  transport writes until out_ is empty.
// At most one of each is under way; whoever needs a second one waits for changed_ and looks again. That is what
// makes a read and a write that overlap safe, whichever of them TLS makes send or receive.
// The session is shared by the stream and the coroutines inside it, so it goes after the last of them.
#include "tls_session.h"
#include "failure.h"

#include <io/event.h>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

namespace io {

using boost::system::system_error;

namespace {

constexpr std::size_t kIdleBuffer = 2 * 1024;       // all that an idle connection holds
constexpr std::size_t kLargestBuffer = 64 * 1024;   // reached by doubling while reads fill it
constexpr std::size_t kLargestPending = 64 * 1024;  // of out_, before who produces it waits for the transport

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"  // the base's is protected, and this class is final
class TlsCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "tls"; }
  std::string message(int value) const override {
    switch (static_cast<TlsError>(value)) {
      case TlsError::truncated:
        return "the connection ended without TLS's end mark (cut off)";
      case TlsError::protocol:
        return "TLS failed";
    }
    return "unknown TLS error";
  }
};
#pragma GCC diagnostic pop

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(SslPtr ssl, StreamPtr transport, std::unique_ptr<Verdict> verdict);

  Task<> handshake(Clock& clock, Duration limit, std::string who);
  Task<std::size_t> read_some(asio::mutable_buffer into);
  Task<> write(asio::const_buffer from);
  Task<> shutdown_write();
  void close() noexcept;

  ByteStream& transport() { return *transport_; }

 private:
  static int bio_write(BIO* bio, const char* data, int size);
  static int bio_read(BIO* bio, char* into, int size);
  static long bio_ctrl(BIO* bio, int command, long, void*);
  static BIO_METHOD* bio_method();

  Task<> step_handshake();
  Task<> fill();
  Task<> flush();
  void flush_in_background();
  void check_readable(const char* what) const;
  void check_writable(const char* what) const;
  [[noreturn]] void fail(int ssl_error, const char* what);

  StreamPtr transport_;
  std::unique_ptr<Verdict> verdict_;
  std::string peer_;
  Event changed_;
  std::vector<char> in_;
  std::size_t in_begin_ = 0, in_end_ = 0;
  std::size_t next_buffer_ = kIdleBuffer;
  std::string out_;
  bool filling_ = false;
  bool flushing_ = false;
  bool transport_ended_ = false;
  bool closed_ = false;
  std::exception_ptr fatal_;        // TLS itself failed: nothing works any more
  std::exception_ptr write_error_;  // the transport took no more; what it gives is still read
  SslPtr ssl_;                      // last, so that it goes first
};

Session::Session(SslPtr ssl, StreamPtr transport, std::unique_ptr<Verdict> verdict)
    : transport_(std::move(transport)),
      verdict_(std::move(verdict)),
      peer_(transport_->peer()),
      changed_(transport_->executor()),
      ssl_(std::move(ssl)) {
  BIO* bio = BIO_new(bio_method());
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), verdict_.get());
}

int Session::bio_write(BIO* bio, const char* data, int size) {
  static_cast<Session*>(BIO_get_data(bio))->out_.append(data, static_cast<std::size_t>(size));
  return size;
}

int Session::bio_read(BIO* bio, char* into, int size) {
  auto& session = *static_cast<Session*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const std::size_t count = std::min(static_cast<std::size_t>(size), session.in_end_ - session.in_begin_);
  if (count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(into, session.in_.data() + session.in_begin_, count);
  session.in_begin_ += count;
  return static_cast<int>(count);
}

long Session::bio_ctrl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* Session::bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "coroutine buffers");
    if (made == nullptr) throw std::bad_alloc();
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_ctrl);
    return made;
  }();
  return method;
}

void Session::check_readable(const char* what) const {
  if (closed_) throw Failure(asio::error::operation_aborted, what + peer_);
  if (fatal_) std::rethrow_exception(fatal_);
}

void Session::check_writable(const char* what) const {
  check_readable(what);
  if (write_error_) std::rethrow_exception(write_error_);
}

void Session::fail(int ssl_error, const char* what) {
  const std::string reason = take_openssl_error("OpenSSL error " + std::to_string(ssl_error));
  fatal_ = std::make_exception_ptr(Failure(TlsError::protocol, what + peer_ + " (" + reason + ")"));
  flush_in_background();  // the alert that tells the peer why
  std::rethrow_exception(fatal_);
}

// Reads once from the transport into the empty buffer, or waits until somebody else has.
Task<> Session::fill() {
  const auto self = shared_from_this();
  if (in_begin_ < in_end_) co_return;
  if (transport_ended_) throw Failure(TlsError::truncated, "read from " + peer_);
  if (filling_) {
    co_await changed_.wait();
    co_return;
  }
  struct Busy {
    explicit Busy(Session& session) : session(session) { session.filling_ = true; }
    ~Busy() {
      session.filling_ = false;
      session.changed_.notify_all();
    }
    Session& session;
  };
  const Busy busy(*this);
  if (in_.size() != next_buffer_) in_ = std::vector<char>(next_buffer_);
  in_begin_ = in_end_ = 0;
  const asio::mutable_buffer room(in_.data(), in_.size());
  const std::size_t count = co_await transport_->read_some(room);
  transport_ended_ = count == 0;
  in_end_ = count;
  next_buffer_ = count == in_.size() ? std::min(2 * count, kLargestBuffer) : kIdleBuffer;
}

// Returns when the transport has taken everything that was in out_ when it was called.
Task<> Session::flush() {
  const auto self = shared_from_this();
  while (flushing_ || !out_.empty()) {
    if (closed_) throw Failure(asio::error::operation_aborted, "write to " + peer_);
    if (write_error_) std::rethrow_exception(write_error_);
    if (flushing_) {
      co_await changed_.wait();
      continue;
    }
    struct Busy {
      explicit Busy(Session& session) : session(session) { session.flushing_ = true; }
      ~Busy() {
        session.flushing_ = false;
        session.changed_.notify_all();
      }
      Session& session;
    };
    const Busy busy(*this);
    const std::string records = std::exchange(out_, std::string());
    const asio::const_buffer bytes(records.data(), records.size());
    try {
      co_await transport_->write(bytes);
    } catch (const std::exception&) {
      write_error_ = std::current_exception();
      throw;
    }
  }
}

Task<> keep_flushing([[maybe_unused]] std::shared_ptr<Session> kept, Task<> flush) { co_await std::move(flush); }

// What OpenSSL sends while it reads must not make the reader wait: if both peers did, and both transports were
// full, neither would ever read again. A failure stays in write_error_, where the next write finds it.
void Session::flush_in_background() {
  if (out_.empty() || flushing_ || closed_ || write_error_) return;
  spawn(transport_->executor(), keep_flushing(shared_from_this(), flush()), [](std::exception_ptr) {});
}

Task<> Session::step_handshake() {
  for (;;) {
    check_writable("TLS handshake with ");
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    const int error = SSL_get_error(ssl_.get(), result);
    if (result != 1 && error != SSL_ERROR_WANT_READ) fail(error, "TLS handshake with ");
    co_await flush();
    if (result == 1) co_return;
    co_await fill();
  }
}

Task<> Session::handshake(Clock& clock, Duration limit, std::string who) {
  const auto self = shared_from_this();
  const Deadline deadline(clock, transport_->executor(), limit, [this] { close(); });
  std::exception_ptr error;
  try {
    co_await step_handshake();
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  if (error) {
    try {
      co_await flush();  // the alert, as far as it goes
    } catch (const boost::system::system_error&) {
      // The handshake's own error says more.
    }
  }
  if (deadline.expired()) throw Failure(asio::error::timed_out, "TLS handshake with " + who);
  if (!error) co_return;
  close();
  if (!verdict_->refusal.empty()) {
    throw std::runtime_error("TLS handshake with " + who +
                             ": the server's certificate is not accepted: " + verdict_->refusal);
  }
  std::rethrow_exception(error);
}

Task<std::size_t> Session::read_some(asio::mutable_buffer into) {
  const auto self = shared_from_this();
  if (into.size() == 0) co_return 0;
  for (;;) {
    check_readable("read from ");
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &count);
    const int error = SSL_get_error(ssl_.get(), result);
    if (result != 1 && error == SSL_ERROR_ZERO_RETURN) co_return 0;
    if (result != 1 && error != SSL_ERROR_WANT_READ) fail(error, "read from ");
    flush_in_background();
    if (result == 1) co_return count;
    if (out_.size() > kLargestPending) co_await flush();
    co_await fill();
  }
}

Task<> Session::write(asio::const_buffer from) {
  const auto self = shared_from_this();
  while (from.size() > 0) {
    check_writable("write to ");
    if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) {
      throw Failure(asio::error::shut_down, "write to " + peer_);
    }
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_write_ex(ssl_.get(), from.data(), std::min(from.size(), kLargestPending), &count);
    const int error = SSL_get_error(ssl_.get(), result);
    if (result != 1 && error != SSL_ERROR_WANT_READ) fail(error, "write to ");
    co_await flush();
    if (result == 1) {
      from += count;
    } else {
      co_await fill();  // half of a handshake message has been read: TLS wants its rest first
    }
  }
}

Task<> Session::shutdown_write() {
  const auto self = shared_from_this();
  check_writable("shut down ");
  if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) co_return;
  ERR_clear_error();
  const int result = SSL_shutdown(ssl_.get());
  if (result < 0) fail(SSL_get_error(ssl_.get(), result), "shut down ");
  co_await flush();
}

void Session::close() noexcept {
  closed_ = true;
  transport_->close();
  changed_.notify_all();
}

class TlsStream final : public ByteStream {
 public:
  explicit TlsStream(std::shared_ptr<Session> session) : session_(std::move(session)) {}
  ~TlsStream() override { close(); }

  Executor executor() override { return session_->transport().executor(); }
  Task<std::size_t> read_some(asio::mutable_buffer into) override { return session_->read_some(into); }
  Task<> write(asio::const_buffer from) override { return session_->write(from); }
  Task<> shutdown_write() override { return session_->shutdown_write(); }
  void close() noexcept override { session_->close(); }
  void set_user_timeout(std::chrono::milliseconds limit) noexcept override {
    session_->transport().set_user_timeout(limit);
  }
  bool secure() const noexcept override { return true; }
  std::string peer() const override { return session_->transport().peer(); }

 private:
  std::shared_ptr<Session> session_;
};

}  // namespace

const boost::system::error_category& tls_category() noexcept {
  static const TlsCategory category;
  return category;
}

Task<StreamPtr> start_tls(SslPtr ssl, StreamPtr transport, std::unique_ptr<Verdict> verdict, std::string who,
                          Clock& clock, Duration limit) {
  auto session = std::make_shared<Session>(std::move(ssl), std::move(transport), std::move(verdict));
  co_await session->handshake(clock, limit, std::move(who));
  co_return std::make_unique<TlsStream>(std::move(session));
}

}  // namespace io
