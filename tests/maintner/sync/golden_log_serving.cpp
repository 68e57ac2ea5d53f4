// What the original's log daemon and its follower said to each other, said again by ours: the daemon's answers to the
// recorded requests, and what our follower asks of our server when the original's asked the same of its own.
//
// The recording has the beginnings of the segment's pieces only. Ours is the same log, framed again, and a record more
// that makes it as long; so heads, ranges and sizes must be the recorded ones, and digests ours. How the original
// encodes a mutation differs in a few bytes from there on, so contents are compared with our own file.
#include <rapidjson/document.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "follower_world.h"
#include "golden/differences.h"

using namespace maintner;
using testing::Asked;
using testing::FollowerWorld;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kRecordedSize = 747'647;

struct Message {
  int connection = 0;
  bool from_client = false;
  std::string bytes;     ///< the first of them
  std::size_t size = 0;  ///< of all
};

std::vector<Message> recorded(const fs::path& folder) {
  rapidjson::Document document;
  const std::string text = testing::read_file(folder / "transcript.json");
  document.Parse(text.data(), text.size());
  REQUIRE(document.IsArray());
  std::vector<Message> messages;
  for (const rapidjson::Value& item : document.GetArray()) {
    const std::string direction = item["dir"].GetString();
    if (direction == "note") continue;
    const rapidjson::Value& data = item["data"];
    messages.push_back({item["conn"].GetInt(), direction == "client->server",
                        std::string(data.GetString(), data.GetStringLength()), item["bytes"].GetUint64()});
  }
  return messages;
}

/// A store with the small log's records in one segment, and one more.
void fill(SegmentStore& store, const fs::path& small) {
  std::string log;
  for (const fs::path& file : log_files(small)) {
    RecordFile records(file);
    while (const auto record = records.next()) {
      store.append(record->payload);
      log += framed(log.size(), record->payload);
    }
  }
  for (std::size_t size = 0;; ++size) {
    const std::string payload(size, 'x');
    const std::uint64_t end = log.size() + framed(log.size(), payload).size();
    REQUIRE(end <= kRecordedSize);
    if (end < kRecordedSize) continue;
    store.append(payload);
    break;
  }
  store.commit();
  REQUIRE(store.segments()->size == kRecordedSize);
}

std::string head_of(const std::string& message) {
  return message.substr(0, std::min(message.find("\r\n\r\n"), message.size() - 4) + 4);
}

std::string without_date(std::string text) {
  const std::size_t at = text.find("Date: ");
  if (at != std::string::npos) text.erase(at, text.find("\r\n", at) + 2 - at);
  return text;
}

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

/// A request with what decides about its answer.
std::string name_of(const std::string& request) {
  std::string name = request.substr(0, request.find(" HTTP/"));
  const std::size_t range = request.find("Range: ");
  if (range != std::string::npos) name += " " + request.substr(range, request.find("\r\n", range) - range);
  return name;
}

std::string in_short(const std::string& answer) {
  const std::size_t location = answer.find("Location: ");
  std::string text = answer.substr(0, answer.find("\r\n"));
  if (location != std::string::npos)
    return text + " " + answer.substr(location, answer.find("\r\n", location) - location);
  std::string body = testing::body_of(answer);
  while (body.ends_with('\n')) body.pop_back();
  return text + " " + body;
}

}  // namespace

TEST_CASE("the server answers what was recorded of the original's, and the follower asks what its follower asked") {
  const auto folder = testing::golden("log-serving", "golden_log_serving");
  const auto small = testing::golden("maintner-small", "golden_log_serving");
  if (!folder || !small) return;
  const std::vector<Message> messages = recorded(*folder);
  const auto listed = testing::listed_differences(XBUILD_DIFFERENCES, "log-serving");
  FollowerWorld world;
  fill(world.store, *small);
  const Segment served = world.store.segments()->segments[0];
  const std::string content = testing::read_file(served.file);
  const std::string recorded_digest = "d7e58b33171261e9d13b249cc29a4a868edf2430ee1004e08876c9b9";

  std::map<int, std::vector<std::string>> asked_by_original;
  int replayed = 0, different = 0;
  for (auto message = messages.begin(); message != messages.end(); ++message) {
    if (!message->from_client) continue;
    const std::string& request = message->bytes;
    if (request.find("Go-http-client") != std::string::npos) {
      asked_by_original[message->connection].push_back(name_of(request));
      continue;
    }
    const auto first = std::find_if(message, messages.end(), [&](const Message& each) {
      return !each.from_client && each.connection == message->connection;
    });
    REQUIRE(first != messages.end());
    ++replayed;
    CAPTURE(name_of(request));
    const auto peer = world.connect();
    peer->send(request);
    if (request.find("waitsizenot=747647") != std::string::npos) world.advance(LogServer::kLongPoll);
    REQUIRE(world.until([&] { return world.is_whole(peer->received(), request.starts_with("HEAD ")); }));
    const std::string answer = without_date(peer->take());
    std::string expected = without_date(first->bytes);
    replace_all(expected, recorded_digest, served.sha224);
    const auto difference = listed.find(name_of(request));
    if (difference != listed.end()) {
      ++different;
      CHECK(in_short(expected) == difference->second.recorded);
      CHECK(in_short(answer) == difference->second.ours);
      continue;
    }
    CHECK(head_of(answer) == head_of(expected));
    const std::size_t range = answer.find("Content-Range: bytes ");
    if (answer.find("application/octet-stream") == std::string::npos)
      CHECK(testing::body_of(answer) == testing::body_of(expected));
    else if (!request.starts_with("HEAD "))
      CHECK(testing::body_of(answer) ==
            content.substr(range == std::string::npos ? 0 : std::stoul(answer.substr(range + 21)),
                           testing::body_of(answer).size()));
  }

  // The original's follower, with an empty cache, and again with what it has got. Each then waits for news.
  std::vector<std::unique_ptr<Follower>> followers;
  std::vector<std::shared_ptr<FollowerWorld::Wait>> waits;
  for (const auto& [connection, requests] : asked_by_original) {
    CAPTURE(connection);
    world.asked.clear();
    followers.push_back(world.follow());
    const auto list = world.next(*followers.back());
    REQUIRE(list);
    CHECK(list->size == kRecordedSize);
    CHECK(list->segments[0].file.filename() == "0000.growing.mutlog");
    CHECK(testing::read_file(list->segments[0].file) == content);
    waits.push_back(world.begin_next(*followers.back()));
    CHECK(world.until([&] { return world.logs.waiting() == waits.size(); }));
    std::vector<std::string> ours;
    for (const Asked& each : world.asked)
      ours.push_back("GET " + each.target + (each.range.empty() ? "" : " Range: " + each.range));
    CHECK(ours == requests);
    replayed += static_cast<int>(requests.size());
  }
  world.add("news");
  for (const auto& wait : waits) CHECK(world.ends(wait));
  std::cout << "replayed " << replayed << ", listed differences " << different << "\n";
  CHECK(replayed == 26);
  CHECK(different == static_cast<int>(listed.size()));
}
