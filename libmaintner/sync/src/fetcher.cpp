#include "fetcher.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace maintner {

namespace net = build::net;

namespace {

constexpr io::Duration kConnectLimit = std::chrono::seconds{20};
constexpr int kMostRedirections = 10;
constexpr int kFirstRedirection = 300, kFirstError = 400, kFirstServerError = 500;

bool is_no_network(const boost::system::error_code& error) {
  namespace failure = boost::asio::error;
  return error == failure::host_not_found || error == failure::host_not_found_try_again ||
         error == failure::network_unreachable;
}

std::string origin_of(const Url& url) { return (url.tls ? "https://" : "http://") + url.host_field; }

}  // namespace

[[noreturn]] void rethrow_as_fetch_error(const Url& url) {
  const std::string where = url.text() + ": ";
  try {
    throw;
  } catch (const FetchError&) {
    throw;
  } catch (const net::ConnectionLost& error) {
    throw FetchError(FetchError::Kind::again, where + error.what());
  } catch (const io::HttpError& error) {
    throw FetchError(FetchError::Kind::again, where + error.what());
  } catch (const boost::system::system_error& error) {
    if (error.code() == boost::asio::error::operation_aborted) throw;
    throw FetchError(is_no_network(error.code()) ? FetchError::Kind::no_network : FetchError::Kind::again,
                     where + error.what());
  } catch (const std::invalid_argument& error) {
    throw FetchError(FetchError::Kind::final, where + error.what());
  } catch (const std::runtime_error& error) {  // a certificate that is not accepted, a proxy that refuses
    throw FetchError(FetchError::Kind::final, where + error.what());
  }
}

Fetcher::Fetcher(io::Executor executor, io::Clock& clock, const io::TlsTrust& trust, io::Environment environment)
    : executor_(std::move(executor)), clock_(clock), tls_(trust), environment_(std::move(environment)) {}

io::Task<> Fetcher::connect(const Url& url) {
  connection_.reset();
  std::optional<io::Proxy> proxy;
  if (url.tls && environment_) proxy = io::proxy_for(url.address, environment_);
  io::StreamPtr stream = co_await io::connect_via(std::move(proxy), executor_, clock_, url.address, kConnectLimit);
  if (url.tls) stream = co_await tls_.connect(std::move(stream), url.address.host, clock_, kConnectLimit);
  connection_ = std::make_unique<net::ClientConnection>(std::move(stream), clock_);
  connected_to_ = origin_of(url);
}

io::Task<io::ResponseHead> Fetcher::ask(const Url& url, const std::string& range, io::Duration head_limit) {
  io::RequestHead head;
  head.target = url.target;
  head.fields.add("Host", url.host_field);
  head.fields.add("User-Agent", "xbuild-maintner");
  if (!range.empty()) head.fields.add("Range", range);
  co_await connection_->send_head(std::move(head));
  co_return co_await connection_->read_head(head_limit);
}

io::Task<Fetcher::Answer> Fetcher::get(Url url, std::string range, io::Duration head_limit) {
  for (int redirections = 0;; ++redirections) {
    Answer answer;
    try {
      const bool kept = connection_ != nullptr && connection_->reusable() && connected_to_ == origin_of(url);
      if (!kept) co_await connect(url);
      bool closed = false;
      try {
        answer.head = co_await ask(url, range, head_limit);
      } catch (const net::ConnectionLost& error) {
        if (!kept || error.why() == net::ConnectionLost::Why::timeout) throw;
        closed = true;  // between two requests, as a server may
      }
      if (closed) {
        co_await connect(url);
        answer.head = co_await ask(url, range, head_limit);
      }
    } catch (const std::exception&) {
      connection_.reset();
      rethrow_as_fetch_error(url);
    }
    const int status = answer.head.status;
    const std::string location = answer.head.fields.get("Location");
    if (status <= kFirstRedirection || status >= kFirstError || location.empty()) {
      if (status >= kFirstError) {
        connection_.reset();
        throw FetchError(status >= kFirstServerError ? FetchError::Kind::again : FetchError::Kind::final,
                         url.text() + ": " + std::to_string(status) + " " + answer.head.reason);
      }
      answer.url = url;
      answer.body = &connection_->body();
      co_return answer;
    }
    connection_.reset();
    if (redirections == kMostRedirections)
      throw FetchError(FetchError::Kind::final, url.text() + ": redirected too often");
    Url next;
    try {
      next = resolve(url, location);
    } catch (const std::invalid_argument&) {
      rethrow_as_fetch_error(url);
    }
    if (url.tls && !next.tls)
      throw FetchError(FetchError::Kind::final,
                       url.text() + ": redirects to " + next.text() + ", which is not encrypted");
    url = std::move(next);
  }
}

}  // namespace maintner
