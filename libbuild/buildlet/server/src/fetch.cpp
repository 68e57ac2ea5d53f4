#include <build/base/subprocess.h>
#include <build/base/version.h>
#include <build/buildlet/fetch.h>
#include <io/tcp.h>
#include <tarutil/path_rule.h>

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <stdexcept>
#include <utility>

namespace build::buildlet {

namespace {

constexpr int kFailed = 500;  // as the original answers

// "10.0.0.1:80", "[::1]:80"
std::string address_of_peer(const std::string& peer) {
  std::string address = peer.substr(0, peer.rfind(':'));
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  return address;
}

bool is_redirect(int status) {
  constexpr std::array kRedirects{301, 302, 303, 307, 308};
  return std::find(kRedirects.begin(), kRedirects.end(), status) != kRedirects.end();
}

// What went wrong while connecting, as Go says it.
std::string dial_error(const HttpUrl& url, const boost::system::error_code& code) {
  const std::string what = "dial tcp " + io::HostPort{url.host, url.port}.str() + ": ";
  if (code.category() == boost::system::system_category()) return what + "connect: " + base::error_text(code.value());
  return what + code.message();
}

}  // namespace

Fetch::Fetch(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, FetchOptions options)
    : executor_(std::move(executor)), clock_(clock), pool_(pool), options_(std::move(options)) {}

Fetch::~Fetch() = default;

void Fetch::cancel() noexcept {
  cancelled_ = true;
  if (connection_) connection_->close();
}

void Fetch::check_running() const {
  if (cancelled_) throw std::runtime_error(deadline_ && deadline_->expired() ? "it took too long" : "it was given up");
}

io::Task<> Fetch::open(std::string url) {
  asked_ = std::move(url);
  deadline_ = std::make_unique<io::Deadline>(clock_, executor_, options_.time, [this] { cancel(); });
  std::string why;
  try {
    HttpUrl first = parse_http_url(asked_);
    stream_ = co_await connect(first);
    co_await follow(std::move(first));
    co_return;
  } catch (const io::HttpError&) {
    throw;
  } catch (const std::exception& error) {
    why = error.what();
  }
  throw io::HttpError(kFailed, "fetching URL " + asked_ + ": Get " + tarutil::quoted(asked_) + ": " + why);
}

io::Task<> Fetch::follow(HttpUrl url) {
  for (int hop = 0;; ++hop) {
    const io::ResponseHead head = co_await ask(url);
    if (head.status == 200) co_return;
    const std::string location = head.fields.get("Location");
    if (!is_redirect(head.status) || location.empty()) {
      const std::string reason = head.reason.empty() ? std::string(io::reason_phrase(head.status)) : head.reason;
      throw io::HttpError(kFailed, "writetgz: fetching provided URL " + tarutil::quoted(asked_) + ": " +
                                       std::to_string(head.status) + " " + reason);
    }
    if (hop == options_.redirects) {
      throw std::runtime_error("stopped after " + std::to_string(options_.redirects) + " redirects");
    }
    const HttpUrl from = std::exchange(url, redirected_url(url, location));
    const AddressKind from_kind = kind_;
    stream_ = co_await connect(url);
    const std::string objection = redirect_objection(from, from_kind, url, kind_);
    if (!objection.empty()) throw std::runtime_error(objection);
  }
}

// The connection, of which it is known whom it leads to. The server has been told nothing yet.
io::Task<io::StreamPtr> Fetch::connect(const HttpUrl& url) {
  check_running();
  const io::HostPort address{url.host, url.port};
  io::StreamPtr stream;
  std::string why;
  try {
    stream = co_await io::tcp_connect(executor_, clock_, address, options_.connect);
  } catch (const boost::system::system_error& error) {
    why = dial_error(url, error.code());
  }
  if (!stream) throw std::runtime_error(why);
  check_running();
  kind_ = kind_of_address(address_of_peer(stream->peer()));
  if (kind_ == AddressKind::nobody) {
    throw std::runtime_error("nothing is fetched from " + stream->peer() + ", an address without a route");
  }
  co_return stream;
}

// What the server on stream_ answers to a GET of `url`.
io::Task<io::ResponseHead> Fetch::ask(const HttpUrl& url) {
  if (url.secure) {
    if (!tls_) {
      // Reading the system's certificates takes a while.
      auto make = [this] { tls_ = std::make_unique<io::TlsClientContext>(options_.trust); };
      co_await pool_.run(make);
    }
    stream_ = co_await tls_->connect(std::move(stream_), url.host, clock_, options_.connect);
  }
  check_running();
  net::ClientLimits limits;
  limits.head_timeout = options_.answer;
  limits.body_timeout = options_.stall;
  connection_ = std::make_unique<net::ClientConnection>(std::move(stream_), clock_, limits);
  io::RequestHead head;
  head.target = url.target;
  head.fields.add("Host", url.authority());
  head.fields.add("User-Agent", "xbuild/" + std::string(base::version()));
  head.fields.add("Connection", "close");
  co_await connection_->send_head(head);
  co_return co_await connection_->read_head();
}

io::Task<std::size_t> Fetch::read_some(io::asio::mutable_buffer into) {
  std::string why;
  try {
    check_running();
    const std::size_t n = co_await connection_->body().read_some(into);
    received_ += n;
    if (received_ <= options_.bytes) co_return n;
    why = "it is longer than " + std::to_string(options_.bytes) + " bytes";
  } catch (const std::exception& error) {
    why = error.what();
  }
  if (deadline_->expired())
    why = "it took longer than " + std::to_string(options_.time / std::chrono::seconds{1}) + " s";
  throw io::HttpError(kFailed, "fetching URL " + asked_ + ": " + why);
}

}  // namespace build::buildlet
