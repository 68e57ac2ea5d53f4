#include "golden_session.h"

#include <doctest/doctest.h>

#include <rapidjson/document.h>

#include "golden/differences.h"
#include "support/support.h"

#include <iostream>
#include <stdexcept>
#include <utility>

namespace testing {

namespace {

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

/// With the line ends visible, so that it fits in a table's cell.
std::string visible(std::string text) {
  replace_all(text, "\\", "\\\\");
  replace_all(text, "\r", "\\r");
  replace_all(text, "\n", "\\n");
  return table_cell("`" + text + "`");
}

}  // namespace

std::string RecordedSession::bytes(int connection, RecordedEvent::Kind direction) const {
  std::string all;
  for (const RecordedEvent& event : events) {
    if (event.connection == connection && event.kind == direction) all += event.data;
  }
  return all;
}

RecordedSession load_session(const std::filesystem::path& file) {
  rapidjson::Document document;
  const std::string text = read_file(file);
  document.Parse(text.data(), text.size());
  if (document.HasParseError() || !document.HasMember("events")) {
    throw std::runtime_error(file.string() + " is no recorded session");
  }
  RecordedSession session;
  for (const auto& item : std::as_const(document)["events"].GetArray()) {
    RecordedEvent event;
    event.ms = item["t_ms"].GetInt();
    event.connection = item["conn"].GetInt();
    const std::string direction = item["dir"].GetString();
    if (direction != "note") {
      event.kind = direction == "listener->dialer" ? RecordedEvent::Kind::to_dialer : RecordedEvent::Kind::to_listener;
    }
    event.data.assign(item["data"].GetString(), item["data"].GetStringLength());
    RecordedEvent* last = session.events.empty() ? nullptr : &session.events.back();
    if (event.data == "\r\n" && last != nullptr && last->connection == event.connection && last->kind == event.kind) {
      last->data += event.data;
      continue;
    }
    session.events.push_back(std::move(event));
  }
  const std::string marker = "revdial.dialer=";
  const std::size_t at = text.find(marker);
  if (at == std::string::npos) throw std::runtime_error(file.string() + " names no dialer");
  session.dialer_id = text.substr(at + marker.size(), 32);
  return session;
}

void Tally::compare(const std::string& what, std::string recorded, std::string ours) {
  ++replayed_;
  if (recorded == ours) return;
  replace_all(recorded, dialer_id_, "<id>");
  replace_all(ours, dialer_id_, "<id>");
  differences_[what] = {visible(recorded), visible(ours)};
}

void Tally::finish(const std::string& differences_file, const std::string& data) {
  const auto listed = listed_differences(differences_file, data);
  std::size_t found = 0;
  for (const auto& [what, difference] : differences_) {
    const auto row = listed.find(what);
    if (row != listed.end() && row->second == Difference{difference.first, difference.second}) {
      ++found;
      continue;
    }
    FAIL_CHECK("not listed: | " << data << " | " << what << " | " << difference.first << " | " << difference.second
                                << " |");
  }
  for (const auto& [what, row] : listed) {
    if (!differences_.contains(what)) FAIL_CHECK("listed, but it does not occur: | " << data << " | " << what << " |");
  }
  std::cout << "replayed " << replayed_ << ", listed differences " << found << '\n';
}

}  // namespace testing
