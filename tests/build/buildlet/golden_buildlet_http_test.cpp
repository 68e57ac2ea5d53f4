// The exchanges recorded with the original's buildlet, replayed over TCP against our handlers.
//
// They form one sequence that starts from an empty work directory, and some are hostile: the work directory lies
// several levels deep in a directory made for this test, and all else is read-only (confine.h). Compared are status,
// header fields and their order, decoded body (of archives: their members) and trailers; the borders of chunks depend
// on timing and are not. Our work directory stands in for the recorded one.
#include <build/base/log.h>
#include <build/buildlet/server.h>
#include <build/buildlet/work_directory.h>
#include <build/net/server.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event_loop.h>
#include <io/http1.h>
#include <io/tcp.h>

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "build/buildlet/processes.h"
#include "golden/differences.h"
#include "support/archive_listing.h"
#include "support/confine.h"
#include "support/supervisor.h"
#include "support/support.h"

using namespace build;
namespace fs = std::filesystem;

namespace {

constexpr const char* kRecordedWorkdir = "/tmp/workdir";
constexpr const char* kArchiveDate = "2017-07-14T02:40:00Z";  // kArchiveTime, in listings
constexpr const char* kGoneMark = "PEERMARK=1";
constexpr const char* kRecordedArchives = "127.0.0.1:5999";  // where the recorded worker fetched from

// From here on the recorded server asked for a password.
constexpr int kFirstWithPassword = 114;
constexpr const char* kStatusBeginning = "{\"Version\":28";
constexpr const char* kPassword = "s3cret";
constexpr long kArchiveTime = 1'500'000'000;  // of everything that the recorded archives brought

struct Exchange {
  int number = 0;
  std::string name, request, response;
};

std::vector<Exchange> load(const fs::path& folder) {
  std::map<std::string, Exchange> sorted;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".request") continue;
    Exchange exchange;
    exchange.name = entry.path().stem();
    exchange.number = std::stoi(exchange.name.substr(0, 3));
    exchange.request = testing::read_file(entry.path());
    exchange.response = testing::read_file(fs::path(entry.path()).replace_extension(".response"));
    sorted[exchange.name] = std::move(exchange);
  }
  std::vector<Exchange> exchanges;
  exchanges.reserve(sorted.size());
  for (auto& [name, exchange] : sorted) exchanges.push_back(std::move(exchange));
  return exchanges;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// Members of a tar.gz, one a line; whoever packed it is the owner, and times of fresh files vary.
std::string archive_text(const std::string& bytes) {
  std::string text;
  for (const testing::ArchiveMember& member : testing::archive_members(bytes)) {
    const bool own = member.owner == 0 ? member.user == "root" : member.owner == static_cast<long>(::geteuid());
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", member.mode);
    text += (member.type == AE_IFDIR   ? "d"
             : member.type == AE_IFLNK ? "l"
                                       : "-") +
            std::string(mode) + " " + (own ? "own" : "foreign") + " " +
            (member.mtime == kArchiveTime ? "archived" : "fresh") + " " + member.name +
            (member.link.empty() ? "" : " -> " + member.link) + " " + std::to_string(member.content.size()) +
            " bytes: " + member.content + "\n";
  }
  return text;
}

// Times of files that the exchanges made vary: those that stand in a listing become "(fresh)".
std::string without_fresh_times(const std::string& body) {
  static const std::regex time("\t\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ");
  std::string text;
  auto at = body.begin();
  for (std::sregex_iterator it(body.begin(), body.end(), time), end; it != end; ++it) {
    text.append(at, (*it)[0].first);
    text += it->str().substr(1) == kArchiveDate ? it->str() : "\t(fresh)";
    at = (*it)[0].second;
  }
  return text.append(at, body.end());
}

// Takes one message off the front of `bytes` and writes it down in a form that can be compared.
std::string take_message(std::string& bytes, const std::string& method, const std::string& workdir,
                         const std::string& archives) {
  const std::size_t head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string::npos) return std::exchange(bytes, {});
  io::ResponseHead head = io::parse_response_head(std::string_view(bytes).substr(0, head_end + 4));
  bytes.erase(0, head_end + 4);
  const io::BodyFraming framing = io::framing_of(head, method);
  std::string body, trailers;
  if (framing.kind == io::BodyFraming::Kind::chunked) {
    io::ChunkDecoder decoder;
    while (!bytes.empty() && !decoder.done()) {
      const io::ChunkDecoder::Step step = decoder.feed(bytes);
      body += step.data;
      bytes.erase(0, step.consumed);
    }
    for (const io::Field& field : decoder.trailers()) trailers += "\n[" + field.name + ": " + field.value + "]";
    if (!decoder.done()) trailers += "\n[cut off]";
  } else if (framing.kind != io::BodyFraming::Kind::none) {
    const bool all = framing.kind == io::BodyFraming::Kind::until_close;
    body = bytes.substr(0, all ? std::string::npos : framing.length);
    bytes.erase(0, body.size());
  }
  if (head.fields.get("Content-Type") == "application/x-gzip") body = archive_text(body);
  if (head.fields.get("Content-Type").starts_with("text/plain")) body = without_fresh_times(body);
  // What the status says besides its version is our own: clients of the original do not read it.
  if (body.starts_with(kStatusBeginning)) body = std::string(kStatusBeginning) + "}";
  replace_all(body, workdir, kRecordedWorkdir);
  replace_all(trailers, workdir, kRecordedWorkdir);
  replace_all(body, archives, kRecordedArchives);
  std::string text = "HTTP/" + std::to_string(head.major) + "." + std::to_string(head.minor) + " " +
                     std::to_string(head.status) + " " + head.reason + "\n";
  for (const io::Field& field : head.fields) {
    std::string value = field.value;
    if (field.name == "Date") value = "(date)";
    // The work directory's name may have changed it.
    // So may the way an archive is compressed and a file's time is written.
    if (field.name == "Content-Length" && method != "HEAD") value = std::to_string(body.size());
    text += field.name + ": " + value + "\n";
  }
  return text + "\n" + body + trailers;
}

std::string comparable(std::string bytes, const std::string& request, const std::string& workdir,
                       const std::string& archives) {
  const std::string method = request.substr(0, request.find(' '));
  std::string text;
  while (!bytes.empty()) text += take_message(bytes, method, workdir, archives);
  return text;
}

// What stands in the table of differences, on one line: the status and what follows the head.
std::string summary(const std::string& text) {
  const std::size_t line = text.find('\n');
  const std::size_t body = text.find("\n\n");
  if (line == std::string::npos || body == std::string::npos) return text;
  std::string out;
  for (const char c : text.substr(0, line) + ": " + text.substr(body + 2)) {
    const bool blank = c == ' ' || c == '\n';
    if (!blank) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

struct World {
  explicit World(std::string with_password = {})
      : password(std::move(with_password)),
        workdir(temp / "workdir", temp / "work-directories", buildlet::WorkDirectory::Found::keep),
        server(loop.executor(), clock, pool, workdir, temp.path(), options(), log),
        http(loop.executor(), clock, routes()),
        listener(loop.executor(), io::HostPort{"127.0.0.1", "0"}),
        archives(loop.executor(), clock, archive_routes()),
        archives_listener(loop.executor(), io::HostPort{"127.0.0.1", "0"}) {
    io::spawn(loop.executor(), http.serve(listener), [](std::exception_ptr) {});
    io::spawn(loop.executor(), archives.serve(archives_listener), [](std::exception_ptr) {});
  }

  ~World() {
    loop.run_until_done(server.stop());
    loop.run_until_done(http.stop());
    loop.run_until_done(archives.stop());
  }

  net::Router archive_routes() {
    net::Router router;
    router.add("GET", "/t.tgz", [this](net::Request&, net::Response& response) {
      return response.send(200, "application/x-gzip", archive);
    });
    return router;
  }
  std::string archives_address() const { return "127.0.0.1:" + std::to_string(archives_listener.port()); }

  buildlet::ServerOptions options() {
    buildlet::ServerOptions options;
    // That of the recorded process.
    options.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                           "USER=root", "AWS_EC2_METADATA_DISABLED=true", "LANG=C"};
    options.on_halt = [this] { halted = true; };
    options.password = password;
    return options;
  }

  net::Router routes() {
    net::Router router;
    server.add_routes(router);
    return router;
  }

  // Sends the bytes of a request and reads to the end of the connection, or to the end of the first head.
  enum class Until { end, head };
  io::Task<> talk(std::string request, Until until, std::string& answer) {
    const io::HostPort address{"127.0.0.1", std::to_string(listener.port())};
    io::StreamPtr stream = co_await io::tcp_connect(loop.executor(), clock, address, std::chrono::seconds{5});
    const std::string_view bytes = request;
    co_await stream->write(bytes);
    std::string buffer(64 * 1024, '\0');
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    while (until == Until::end || answer.find("\r\n\r\n") == std::string::npos) {
      const std::size_t n = co_await stream->read_some(into);
      if (n == 0) break;
      answer.append(buffer, 0, n);
    }
    stream->close();
  }

  std::string ask(const std::string& request, Until until) {
    std::string answer;
    loop.run_until_done(talk(request, until, answer));
    return answer;
  }

  template <typename F>
  bool wait_until(F condition, io::Duration limit = std::chrono::seconds{10}) {
    const io::Instant end = clock.now() + limit;
    while (!condition()) {
      if (clock.now() > end) return false;
      loop.run_until_done(clock.sleep_for(std::chrono::milliseconds{1}));
    }
    return true;
  }

  fs::path below(const char* name) const { return fs::path(workdir.path()) / name; }

  std::string password;
  testing::TempDir temp;
  io::EventLoop loop;
  io::RealClock clock;
  io::BlockingPool pool;
  bool halted = false;
  base::Logger log{[this] { return clock.wall_now(); }, [](std::string_view) {}};
  buildlet::WorkDirectory workdir;
  buildlet::Server server;
  net::Server http;
  io::TcpListener listener;
  std::string archive;  // what is to be fetched
  net::Server archives;
  io::TcpListener archives_listener;
};

// The same request for what our server of archives has.
std::string asking_ours(std::string request, const World& world) {
  const std::string recorded = io::percent_encode(kRecordedArchives),
                    ours = io::percent_encode(world.archives_address());
  if (request.find(recorded) == std::string::npos) return request;
  replace_all(request, recorded, ours);
  const std::size_t body = request.size() - (request.find("\r\n\r\n") + 4);
  return std::regex_replace(request, std::regex("Content-Length: \\d+"), "Content-Length: " + std::to_string(body));
}

// What the recording did by hand.
void prepare(World& world, const Exchange& exchange) {
  if (exchange.number == 56) fs::create_symlink("tree/pkg/a.txt", world.below("alink"));
}

// What can only be seen on the file system.
void check_aftermath(World& world, int number) {
  const fs::path workdir = world.workdir.path();
  if (number == 33) CHECK(testing::read_file(workdir / "VERSION").size() == 9);
  if (number == 97) CHECK(fs::exists(workdir / "tree/pkg/tool.sh"));
  if (number == 98) CHECK(fs::exists(workdir / "hello.txt"));
  if (number == 100) CHECK((!fs::exists(workdir / "hello.txt") && !fs::exists(workdir / "tree")));
  if (number == 101) CHECK(!fs::exists(workdir / "empty"));
  if (number == 102) CHECK((!fs::exists(workdir) || fs::is_empty(workdir)));
  if (number == 113) CHECK(world.wait_until([&] { return world.halted; }));
}

// Which processes of a command are left after its client has gone.
std::string survivors(World& world) {
  // The client may have gone before the command had begun.
  world.wait_until([] { return !testing::processes_with(kGoneMark).empty(); }, std::chrono::seconds{1});
  CHECK(world.wait_until([&] { return world.server.running() == 0; }));
  // As long as the recording waited; the recorded survivor lives longer.
  world.wait_until([] { return testing::processes_with(kGoneMark).empty(); }, std::chrono::seconds{1});
  std::string list;
  for (const std::string& process : testing::processes_with(kGoneMark)) list += (list.empty() ? "" : ", ") + process;
  return "\nstill running: " + (list.empty() ? "nothing" : list);
}

}  // namespace

TEST_CASE("our handlers answer as the original's did, but for the differences listed") {
  const auto folder = testing::golden("buildlet-http", "golden_buildlet_http");
  if (!folder) return;
  // Among them is a request to delete /etc.
  if (!testing::confinement.safe()) {
    testing::skip("golden_buildlet_http", "it sends hostile requests, is root, and may not make a mount namespace");
    return;
  }
  auto listed = testing::listed_differences(XBUILD_DIFFERENCES, "buildlet-http");
  std::string archive;
  int replayed = 0, found = 0;
  auto world = std::make_unique<World>();
  for (const Exchange& exchange : load(*folder)) {
    CAPTURE(exchange.name);
    ++replayed;
    if (exchange.number == 31) archive = exchange.request.substr(exchange.request.find("\r\n\r\n") + 4);
    if (exchange.number == kFirstWithPassword) world = std::make_unique<World>(kPassword);
    world->archive = archive;
    prepare(*world, exchange);
    const bool goes_away = exchange.number == 93 || exchange.number == 94;
    const std::string bytes =
        world->ask(asking_ours(exchange.request, *world), goes_away ? World::Until::head : World::Until::end);
    std::string ours = comparable(bytes, exchange.request, world->workdir.path(), world->archives_address());
    std::string recorded = comparable(exchange.response, exchange.request, kRecordedWorkdir, kRecordedArchives);
    if (goes_away) {
      ours += survivors(*world);
      recorded += exchange.number == 93 ? "\nstill running: nothing" : "\nstill running: sleep 3";
    }
    check_aftermath(*world, exchange.number);
    const auto row = listed.find(exchange.name);
    if (row == listed.end()) {
      CHECK(ours == recorded);
      continue;
    }
    ++found;
    CHECK(ours != recorded);
    CHECK(row->second.recorded == testing::table_cell(summary(recorded)));
    CHECK(row->second.ours == testing::table_cell(summary(ours)));
    listed.erase(row);
  }
  for (const auto& [name, difference] : listed) FAIL_CHECK("listed, but not replayed: " << name);
  CHECK(replayed == 122);
  std::cout << "replayed " << replayed << ", listed differences " << found << "\n";
}
