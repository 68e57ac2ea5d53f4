// The recorded registrations of workers with the original's coordinator (accepted, wrong key, revdial version 1), sent
// to ours byte by byte: the answers must be the recorded ones but for the date.
#include <build/base/builder_key.h>
#include <doctest/doctest.h>
#include <rapidjson/document.h>

#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "golden/differences.h"
#include "hub_world.h"

using namespace build;

namespace {

struct Registration {
  std::string request, answer;
};

/// Of each connection that begins with a registration: what was sent first, and the first answer.
std::vector<Registration> registrations(const std::filesystem::path& file) {
  const std::string text = testing::read_file(file);
  rapidjson::Document transcript;
  transcript.Parse(text.data(), text.size());
  REQUIRE(transcript.IsArray());
  std::map<int, Registration> by_connection;
  for (const auto& entry : transcript.GetArray()) {
    const std::string direction = entry["dir"].GetString();
    const std::string data(entry["data"].GetString(), entry["data"].GetStringLength());
    Registration& registration = by_connection[entry["conn"].GetInt()];
    if (direction == "client->server" && registration.request.empty()) registration.request = data;
    if (direction == "server->client" && registration.answer.empty()) registration.answer = data;
  }
  std::vector<Registration> result;
  for (const auto& [connection, registration] : by_connection)
    if (registration.request.starts_with("GET /reverse ")) result.push_back(registration);
  return result;
}

std::string without_date(std::string text) {
  for (std::size_t at = 0; (at = text.find("\r\nDate: ", at)) != std::string::npos;)
    text.erase(at, text.find("\r\n", at + 2) - at);
  return text;
}

/// Our answer: its head and body, or what was sent instead of them up to the end of the head of a 101.
std::string ask(const std::string& request) {
  // The keys in the recording are derived from the public development key.
  testing::HubWorld world(true);
  std::string answer;
  const auto exchange = [&]() -> io::Task<> {
    const io::StreamPtr client = world.connect();
    const io::asio::const_buffer bytes = io::asio::buffer(request);
    co_await client->write(bytes);
    std::vector<char> buffer(4096);
    while (true) {
      const io::asio::mutable_buffer into(buffer.data(), buffer.size());
      const std::size_t count = co_await client->read_some(into);
      if (count == 0) break;
      answer.append(buffer.data(), count);
      const std::size_t end = answer.find("\r\n\r\n");
      if (end != std::string::npos && answer.substr(0, answer.find('\r')).find(" 101 ") != std::string::npos) {
        answer.resize(end + 4);
        break;
      }
    }
    client->close();
    co_await world.stop();
  };
  world.loop.run_until_done(exchange());
  return answer;
}

}  // namespace

TEST_CASE("recorded registrations are answered as the original did") {
  const auto folder = testing::golden("coordinator", "golden_registrations");
  if (!folder) return;
  const auto listed = testing::listed_differences(XBUILD_DIFFERENCES, "coordinator registration");
  std::size_t replayed = 0, different = 0;
  for (const Registration& registration : registrations(*folder / "transcript.json")) {
    const std::string expected = without_date(registration.answer), ours = without_date(ask(registration.request));
    const std::string name = expected.substr(0, expected.find('\r'));
    CAPTURE(name);
    ++replayed;
    const auto difference = listed.find(name);
    if (difference == listed.end()) {
      CHECK(ours == expected);
      continue;
    }
    ++different;
    CHECK(testing::table_cell(expected) == difference->second.recorded);
    CHECK(testing::table_cell(ours) == difference->second.ours);
  }
  std::cout << "replayed " << replayed << ", listed differences " << different << "\n";
  CHECK(replayed == 3);
  CHECK(different == listed.size());
}
