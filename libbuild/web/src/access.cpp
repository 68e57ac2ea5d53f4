#include <build/base/builder_key.h>
#include <build/base/digest.h>
#include <build/web/access.h>

#include <array>
#include <stdexcept>
#include <utility>

#include "credentials.h"
#include "pages.h"
#include "sessions.h"

namespace build::web {

namespace {

using config::AccessConfig;

constexpr std::string_view kCookie = "xbuild_session";
constexpr std::size_t kMaxLoginForm = 4096;

struct Principal {
  std::string name;
  enum class Role { nobody, read, act } role = Role::nobody;
  /// What a page of another site could make a browser send along.
  bool by_cookie = false;
};

/// Workers prove themselves by their keys; a load balancer and a browser that is to sign in have nothing to show. The
/// path as it was sent: what is written in another way is not open.
bool is_open(const net::Request& request) {
  constexpr std::array<std::string_view, 7> kOpen{"/clear-results", "/reverse", "/revdial",    "/healthz",
                                                  "/login",         "/logout",  "/favicon.svg"};
  for (const std::string_view path : kOpen)
    if (request.raw_path() == path) return true;
  return request.raw_path().starts_with("/static/");
}

bool reads(const net::Request& request) { return request.method() == "GET" || request.method() == "HEAD"; }

std::string host_of(const std::string& peer) { return peer.substr(0, peer.rfind(':')); }

bool is_local(const net::Request& request) {
  // A proxy on this machine would make everybody local.
  for (const char* field : {"Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"})
    if (request.fields().has(field)) return false;
  return is_loopback_peer(request.peer()) && is_loopback_host(request.fields().get("Host"));
}

bool wants_page(const net::Request& request) {
  return !request.raw_path().starts_with("/api/") &&
         request.fields().get("Accept").find("text/html") != std::string::npos;
}

}  // namespace

struct Access::Impl {
  Seams seams;
  AccessConfig config;
  std::string admin_digest;
  Sessions sessions;
  TryLimit tries;

  struct Token {
    std::string name, digest;
    Principal::Role role;
  };

  std::vector<Token> tokens() const {
    std::vector<Token> all{{"admin", admin_digest, Principal::Role::act}};
    for (const config::TokenConfig& token : config.tokens)
      all.push_back({token.name, token.sha256,
                     token.role == config::TokenConfig::Role::act ? Principal::Role::act : Principal::Role::read});
    return all;
  }

  /// All are compared, so that how long it takes says nothing.
  std::optional<Token> find_token(const std::string& presented) const {
    const std::string digest = base::sha256_hex(presented);
    std::optional<Token> found;
    for (Token& token : tokens())
      if (base::constant_time_equal(token.digest, digest)) found = std::move(token);
    return presented.empty() ? std::nullopt : found;
  }

  std::optional<Token> token_named(std::string_view name) const {
    for (Token& token : tokens())
      if (token.name == name) return std::move(token);
    return std::nullopt;
  }

  /// Throws 429 for a peer that was wrong too often.
  std::optional<Token> try_token(const net::Request& request, net::Response& response, const std::string& presented) {
    const std::string host = host_of(request.peer());
    if (const auto wait = tries.wait_of(host); wait.count() > 0) {
      response.fields().set("Retry-After", std::to_string(wait.count()));
      throw net::HttpError(
          429, "Too many wrong tokens came from your address; try again in " + std::to_string(wait.count()) + " s.");
    }
    std::optional<Token> token = find_token(presented);
    if (token) {
      tries.right(host);
    } else {
      tries.wrong(host);
    }
    return token;
  }

  std::optional<Token> signed_in(const net::Request& request) {
    const std::string cookie = cookie_value(request.fields(), kCookie);
    if (cookie.empty()) return std::nullopt;
    const auto digest_of = [this](std::string_view name) {
      const std::optional<Token> token = token_named(name);
      return token ? token->digest : std::string();
    };
    const std::string name = sessions.check(cookie, digest_of);
    return name.empty() ? std::nullopt : token_named(name);
  }

  Principal principal_of(const net::Request& request, net::Response& response) {
    const Presented presented = presented_token(request.fields());
    if (presented.given) {
      const std::optional<Token> token = try_token(request, response, presented.token);
      return token ? Principal{token->name, token->role} : Principal{};
    }
    if (const std::optional<Token> token = signed_in(request)) return {token->name, token->role, true};
    if (config.local && is_local(request)) return {"local", Principal::Role::act};
    return {"", config.read == AccessConfig::Read::all ? Principal::Role::read : Principal::Role::nobody};
  }

  /// Throws 403 for what another site's page caused.
  static void check_sender(const net::Request& request, bool by_cookie) {
    const Sender sender = sender_of(request.fields());
    if (sender == Sender::other)
      throw net::HttpError(403, "This was sent by a page of another site, so it is not done.");
    if (sender == Sender::program && by_cookie)
      throw net::HttpError(403, "With a cookie, a request to change something must say by Origin where it comes from.");
  }

  /// Answers those who may not; false for them.
  io::Task<bool> admit(net::Request& request, net::Response& response) {
    if (config.hsts && request.secure()) response.fields().set("Strict-Transport-Security", "max-age=31536000");
    if (is_open(request)) co_return true;
    std::optional<Answer> refusal;
    try {
      const Principal principal = principal_of(request, response);
      const Principal::Role needed = reads(request) ? Principal::Role::read : Principal::Role::act;
      if (principal.role < needed) {
        refusal = refuse(request, response, principal);
      } else {
        if (!reads(request)) check_sender(request, principal.by_cookie);
        request.set_user(principal.name);
        request.set_may_act(principal.role == Principal::Role::act);
      }
    } catch (const net::HttpError& error) {
      refusal = error_answer(seams.farm, seams.clock.wall_now(), request, error.status(), error.what());
    }
    if (!refusal) co_return true;
    co_await send_answer(response, std::move(*refusal));
    co_return false;
  }

  Answer refuse(const net::Request& request, net::Response& response, const Principal& principal) const {
    if (!principal.name.empty())
      return error_answer(seams.farm, seams.clock.wall_now(), request, 403,
                          "Your token \"" + principal.name + "\" may read, but not change anything.");
    if (wants_page(request)) {
      const std::string next =
          reads(request) ? request.raw_path() + (request.raw_query().empty() ? "" : "?" + request.raw_query()) : "/";
      response.fields().set("Location", "/login?next=" + io::percent_encode(local_path(next)));
      return {303, kTextType, "Sign in first.\n"};
    }
    response.fields().add("WWW-Authenticate", "Bearer realm=\"xbuild\"");
    // A browser would ask for a name and a password, of which there are none, for each request of a script.
    if (!request.fields().has("Sec-Fetch-Mode")) response.fields().add("WWW-Authenticate", "Basic realm=\"xbuild\"");
    return error_answer(seams.farm, seams.clock.wall_now(), request, 401,
                        reads(request)
                            ? "A token is needed to read here: send it as \"Authorization: Bearer TOKEN\"."
                            : "A token is needed to change anything: send it as \"Authorization: Bearer TOKEN\".");
  }

  io::Task<> show_login(net::Request& request, net::Response& response) {
    const std::optional<Token> token = signed_in(request);
    Answer answer = login_page(
        seams.farm, seams.clock.wall_now(),
        {.next = local_path(request.query().get("next")), .signed_in_as = token ? token->name : "", .trouble = {}});
    co_await send_answer(response, std::move(answer));
  }

  std::string cookie_field(const net::Request& request, const std::string& value, std::chrono::seconds lifetime) const {
    std::string field = std::string(kCookie) + "=" + value +
                        "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(lifetime.count());
    if (request.secure()) field += "; Secure";
    return field;
  }

  io::Task<> sign_in(net::Request& request, net::Response& response) {
    std::optional<Answer> answer;
    try {
      check_sender(request, false);
      const io::Params form = co_await request.read_form(kMaxLoginForm);
      const std::string next = local_path(form.get("next"));
      if (const std::optional<Token> token = try_token(request, response, form.get("token"))) {
        response.fields().set("Set-Cookie",
                              cookie_field(request, sessions.begin(token->name, token->digest), Sessions::kLifetime));
        response.fields().set("Location", next);
        answer = Answer{303, kTextType, "Signed in.\n"};
      } else {
        answer = login_page(seams.farm, seams.clock.wall_now(),
                            {.next = next, .signed_in_as = {}, .trouble = "There is no such token."});
        answer->status = 403;
      }
    } catch (const net::HttpError& error) {
      answer = error_answer(seams.farm, seams.clock.wall_now(), request, error.status(), error.what());
    }
    co_await send_answer(response, std::move(*answer));
  }

  io::Task<> sign_out(net::Request& request, net::Response& response) {
    Answer answer{303, kTextType, "Signed out.\n"};
    try {
      check_sender(request, true);
      if (signed_in(request)) sessions.end(cookie_value(request.fields(), kCookie));
      response.fields().set("Set-Cookie", cookie_field(request, "", std::chrono::seconds::zero()));
      response.fields().set("Location", "/login");
    } catch (const net::HttpError& error) {
      answer = error_answer(seams.farm, seams.clock.wall_now(), request, error.status(), error.what());
    }
    co_await send_answer(response, std::move(answer));
  }
};

Access::Access(Seams seams, config::AccessConfig config, const std::string& admin_token)
    : impl_(new Impl{.seams = seams,
                     .config = std::move(config),
                     .admin_digest = base::sha256_hex(admin_token),
                     .sessions = Sessions(seams.clock, seams.random, base::hmac_sha256_hex(admin_token, "cookies")),
                     .tries = TryLimit(seams.clock)}) {}
Access::~Access() = default;

void Access::set_config(config::AccessConfig config) { impl_->config = std::move(config); }

void Access::add_routes(net::Router& router) {
  Impl* impl = impl_.get();
  router.add("GET", "/login",
             [impl](net::Request& request, net::Response& response) { return impl->show_login(request, response); });
  router.add("POST", "/login",
             [impl](net::Request& request, net::Response& response) { return impl->sign_in(request, response); });
  router.add("POST", "/logout",
             [impl](net::Request& request, net::Response& response) { return impl->sign_out(request, response); });
}

net::Handler Access::guard(net::Handler inner) {
  return [impl = impl_.get(), inner = std::move(inner)](net::Request& request, net::Response& response) -> io::Task<> {
    // The handler object outlives its calls, so what it holds may be used after a wait.
    if (co_await impl->admit(request, response)) co_await inner(request, response);
  };
}

}  // namespace build::web
