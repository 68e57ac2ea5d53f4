// Who may do what: every kind of principal before every kind of request.
#include <build/base/digest.h>
#include <build/web/access.h>
#include <doctest/doctest.h>

#include "farmhouse.h"

namespace build::web {

using namespace std::chrono_literals;

namespace {

constexpr const char* kAdmin = "5ec7e7ad51a0";

config::AccessConfig settings(config::AccessConfig::Read read) {
  config::AccessConfig config;
  config.read = read;
  config.tokens = {{"rita", config::TokenConfig::Role::read, base::sha256_hex("reading")},
                   {"alma", config::TokenConfig::Role::act, base::sha256_hex("acting")}};
  return config;
}

/// A farm whose server is guarded, with one more route that changes something.
struct Guarded : Farmhouse {
  explicit Guarded(config::AccessConfig::Read read = config::AccessConfig::Read::token)
      : access({.clock = clock, .random = random, .farm = *this}, settings(read), kAdmin) {
    access.add_routes(router);
    router.add("POST", "/change", [this](net::Request& request, net::Response& response) {
      changed_by.push_back(request.user());
      return response.send(200, "changed");
    });
    serve(access.guard(router));
  }

  int status(const std::string& target, io::Fields fields = {}, const std::string& method = "GET") {
    return ask(target, std::move(fields), method).head.status;
  }

  base::SeededRandom random{1};
  Access access;
  std::vector<std::string> changed_by;
};

io::Fields with(std::initializer_list<std::pair<const char*, std::string>> pairs) {
  io::Fields result;
  for (const auto& [name, value] : pairs) result.add(name, value);
  return result;
}
io::Fields bearer(const std::string& token) { return with({{"Authorization", "Bearer " + token}}); }

io::Task<> post(net::ClientConnection& connection, io::RequestHead head, std::string body,
                net::SimpleResponse& answer) {
  answer = co_await connection.request(std::move(head), std::move(body));
}

net::SimpleResponse send_form(Farmhouse& house, const std::string& target, const std::string& form,
                              io::Fields fields = {}) {
  const auto connection = house.dial();
  io::RequestHead head;
  head.method = "POST";
  head.target = target;
  head.fields = std::move(fields);
  head.fields.set("Host", "farm");
  head.fields.set("Content-Type", "application/x-www-form-urlencoded");
  net::SimpleResponse answer;
  house.loop.run_until_done(post(*connection, std::move(head), form, answer));
  connection->close();
  house.settle();
  return answer;
}

/// "name=value" of the cookie that signing in gives.
std::string sign_in(Farmhouse& house, const std::string& token) {
  const std::string set = send_form(house, "/login", "token=" + token).head.fields.get("Set-Cookie");
  return set.substr(0, set.find(';'));
}

}  // namespace

TEST_CASE("without a token nothing is to be had but what must be open") {
  Guarded house;
  house.commits({"one"});
  for (const char* path : {"/", "/build/1", "/api/v1/status", "/api/v1/builds/1/events", "/nothing", "/metrics",
                           "/readyz", "/Login", "/login/", "/%6Cogin", "/static%2F..%2Fapi", "//healthz"})
    CHECK_MESSAGE(house.status(path) == 401, path);
  for (const char* path : {"/healthz", "/login", "/static/site.css", "/favicon.svg"})
    CHECK_MESSAGE(house.status(path) == 200, path);
  CHECK(house.status("/change", {}, "POST") == 401);
  CHECK(house.changed_by.empty());
}

TEST_CASE("programs are told how to come, browsers are led to the way in") {
  Guarded house;
  const net::SimpleResponse api = house.ask("/api/v1/status");
  CHECK(api.head.fields.values("WWW-Authenticate") ==
        std::vector<std::string>{"Bearer realm=\"xbuild\"", "Basic realm=\"xbuild\""});
  CHECK(api.body.starts_with("{\"error\":\"A token is needed"));
  const net::SimpleResponse script = house.ask("/api/v1/status", with({{"Sec-Fetch-Mode", "cors"}}));
  CHECK(script.head.fields.values("WWW-Authenticate").size() == 1);
  const net::SimpleResponse page = house.ask("/build/1?a=b", with({{"Accept", "text/html,*/*"}}));
  CHECK(page.head.status == 303);
  CHECK(page.head.fields.get("Location") == "/login?next=%2Fbuild%2F1%3Fa%3Db");
}

TEST_CASE("a token that reads does not act, one that acts does both, and its name is known") {
  Guarded house;
  CHECK(house.status("/", bearer("reading")) == 200);
  CHECK(house.status("/change", bearer("reading"), "POST") == 403);
  CHECK(house.status("/", bearer("acting")) == 200);
  CHECK(house.status("/change", bearer("acting"), "POST") == 200);
  CHECK(house.status("/change", bearer(kAdmin), "POST") == 200);
  CHECK(house.status("/change", with({{"Authorization", "Basic OmFjdGluZw=="}}), "POST") == 200);
  CHECK(house.changed_by == std::vector<std::string>{"alma", "admin", "alma"});
  CHECK(house.status("/", bearer("readin")) == 401);
  CHECK(house.status("/", bearer(base::sha256_hex("reading"))) == 401);
}

TEST_CASE("where everybody may read, a wrong token is refused all the same, and nobody may act") {
  Guarded house(config::AccessConfig::Read::all);
  CHECK(house.status("/") == 200);
  CHECK(house.status("/", bearer("wrong")) == 401);
  CHECK(house.status("/change", {}, "POST") == 401);
  CHECK(house.status("/change", {}, "DELETE") == 401);
  CHECK(house.changed_by.empty());
}

TEST_CASE("a browser changes a token for a cookie, which reads and acts from our own pages only") {
  Guarded house;
  const net::SimpleResponse answer = send_form(house, "/login", "token=acting&next=%2Fbuild%2F7");
  CHECK(answer.head.status == 303);
  CHECK(answer.head.fields.get("Location") == "/build/7");
  const std::string set = answer.head.fields.get("Set-Cookie");
  CHECK(set.find("; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800") != std::string::npos);
  CHECK(set.find("acting") == std::string::npos);
  const std::string cookie = set.substr(0, set.find(';'));
  CHECK(house.status("/", with({{"Cookie", cookie}})) == 200);
  CHECK(house.page_with("/login", with({{"Cookie", cookie}})).find("signed in as alma") != std::string::npos);
  CHECK(house.status("/change", with({{"Cookie", cookie}}), "POST") == 403);
  CHECK(house.status("/change", with({{"Cookie", cookie}, {"Host", "farm"}, {"Origin", "http://evil"}}), "POST") ==
        403);
  CHECK(house.status(
            "/change",
            with({{"Cookie", cookie}, {"Host", "farm"}, {"Origin", "http://farm"}, {"Sec-Fetch-Site", "same-site"}}),
            "POST") == 403);
  CHECK(house.changed_by.empty());
  CHECK(house.status("/change", with({{"Cookie", cookie}, {"Host", "farm"}, {"Origin", "http://farm"}}), "POST") ==
        200);
  CHECK(house.changed_by == std::vector<std::string>{"alma"});
  // HTTP Basic is what a browser sends by itself, too.
  CHECK(house.status("/change", with({{"Authorization", "Bearer acting"}, {"Host", "farm"}, {"Origin", "http://evil"}}),
                     "POST") == 403);
}

TEST_CASE("a build's page offers what can be done about it to those who may, and the way in to nobody we know") {
  Guarded house(config::AccessConfig::Read::all);
  house.commits({"one"});
  house.connect("alpha");
  const std::string cancel = "method=\"post\" action=\"/build/1/cancel\"", retry = "action=\"/build/1/retry\"";
  const auto has = [&house](const io::Fields& fields, const std::string& text, const std::string& build = "1") {
    const std::string page = house.page_with("/build/" + build, fields);
    CHECK(tag_fault(page) == "");
    return page.find(text) != std::string::npos;
  };
  const io::Fields cookie = with({{"Cookie", sign_in(house, "acting")}});
  for (const model::BuildState state : {model::BuildState::running, model::BuildState::finished}) {
    CAPTURE(model::name_of(state));
    const bool finished = state == model::BuildState::finished;
    if (finished) house.end(1, model::AttemptOutcome::ok);
    REQUIRE(house.store->build(model::BuildId{1}).value().build.state == state);
    for (const io::Fields& fields : {bearer("acting"), bearer(kAdmin), cookie}) {
      CHECK(has(fields, cancel) == !finished);
      CHECK(has(fields, retry) == finished);
      CHECK_FALSE(has(fields, "/login"));
    }
    for (const io::Fields& fields : {bearer("reading"), io::Fields()}) {
      CHECK_FALSE(has(fields, "<form"));
      CHECK(has(fields, "href=\"/login?next=/build/1\"") == fields.get("Authorization").empty());
    }
  }
  CHECK(house.store->build(model::BuildId{2}).value().build.state == model::BuildState::waiting);
  CHECK(has(bearer("acting"), "action=\"/build/2/cancel\"", "2"));
}

TEST_CASE("a build's form acts for who sent it from our own page, and leads back") {
  Guarded house(config::AccessConfig::Read::all);
  const std::string cookie = sign_in(house, "acting");
  for (const std::string action : {"cancel", "retry"}) {
    const std::string path = "/build/1/" + action;
    const net::SimpleResponse done = send_form(house, path, "", with({{"Cookie", cookie}, {"Origin", "http://farm"}}));
    CHECK(done.head.status == 303);
    CHECK(done.head.fields.get("Location") == "/build/1");
    CHECK(house.wanted.back() == action + " 1 by alma");
    CHECK(send_form(house, path, "", with({{"Cookie", cookie}, {"Origin", "http://evil"}})).head.status == 403);
    CHECK(send_form(house, path, "", bearer("reading")).head.status == 403);
    CHECK(send_form(house, path, "").head.status == 401);
  }
  CHECK(house.wanted.size() == 2);
}

TEST_CASE("a cookie ends with its time, with signing out, and with its token") {
  Guarded house;
  const auto reads = [&house](const std::string& cookie) {
    return house.status("/", with({{"Cookie", cookie}})) == 200;
  };
  const std::string first = sign_in(house, "acting"), second = sign_in(house, "acting");
  CHECK(reads(first));
  const io::Fields own = with({{"Cookie", first}, {"Origin", "http://farm"}});
  CHECK(send_form(house, "/logout", "", own).head.fields.get("Set-Cookie").find("Max-Age=0") != std::string::npos);
  CHECK_FALSE(reads(first));
  CHECK(reads(second));
  for (std::size_t i = 0; i < second.size(); ++i) {
    std::string forged = second;
    forged[i] = forged[i] == '1' ? '2' : '1';
    CHECK_FALSE(reads(forged));
  }
  house.clock.advance(7 * 24h, [&house] { house.settle(); });
  CHECK_FALSE(reads(second));
  const std::string third = sign_in(house, "acting");
  config::AccessConfig other = settings(config::AccessConfig::Read::token);
  other.tokens.back().sha256 = base::sha256_hex("a new token for alma");
  house.access.set_config(other);
  CHECK_FALSE(reads(third));
}

TEST_CASE("who guesses has to wait, longer each time, and is told so; right tokens count again afterwards") {
  Guarded house;
  for (int i = 0; i < 6; ++i) CHECK(house.status("/", bearer("guess")) == 401);
  const net::SimpleResponse limited = house.ask("/", bearer("reading"));
  CHECK(limited.head.status == 429);
  CHECK(limited.head.fields.get("Retry-After") == "1");
  CHECK(house.status("/healthz", bearer("guess")) == 200);
  house.clock.advance(1s, [&house] { house.settle(); });
  CHECK(house.status("/", bearer("guess")) == 401);
  CHECK(house.ask("/", bearer("guess")).head.fields.get("Retry-After") == "2");
  CHECK(send_form(house, "/login", "token=reading").head.status == 429);
  house.clock.advance(2s, [&house] { house.settle(); });
  CHECK(house.status("/", bearer("reading")) == 200);
  CHECK(house.status("/", bearer("guess")) == 401);
}

TEST_CASE("signing in with what is no token says so, and leads nowhere else") {
  Guarded house;
  for (const std::string& form : {std::string(), std::string("token="), std::string("token=x&next=//evil"),
                                  std::string("%%%"), "token=" + std::string(3000, 'a')})
    CHECK(send_form(house, "/login", form).head.status == 403);
  house.clock.advance(1h, [&house] { house.settle(); });
  CHECK(send_form(house, "/login", "token=" + std::string(5000, 'a')).head.status == 413);
  CHECK(send_form(house, "/login", "token=acting&next=//evil").head.fields.get("Location") == "/");
  CHECK(send_form(house, "/login", "token=acting", with({{"Origin", "http://evil"}})).head.status == 403);
  CHECK(house.page_with("/login?next=%22%3E%3Cscript%3E", {}).find("<script>") == std::string::npos);
}

TEST_CASE("no answer and no error holds a token") {
  Guarded house;
  for (const char* path : {"/", "/api/v1/status", "/login", "/nothing"})
    for (const char* token : {"acting", "reading", kAdmin, "wrongwrong"}) {
      const net::SimpleResponse answer = house.ask(path, bearer(token));
      CHECK(answer.body.find(token) == std::string::npos);
    }
}

}  // namespace build::web
