// A recorded revdial session, and the count of what was compared with it.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace testing {

struct RecordedEvent {
  enum class Kind { note, to_dialer, to_listener };
  int ms = 0;
  int connection = 0;  ///< -1: the dialer's program, -2: a probe of the pick-up handler
  Kind kind = Kind::note;
  std::string data;
};

struct RecordedSession {
  std::vector<RecordedEvent> events;
  std::string dialer_id;
  /// All bytes that went one way on one connection.
  std::string bytes(int connection, RecordedEvent::Kind direction) const;
};

/// Pieces that make up one message (the two writes of a 101) are joined.
RecordedSession load_session(const std::filesystem::path& file);

/// Compares ours with the recording, once per message or outcome. Ids become <id>.
class Tally {
 public:
  explicit Tally(std::string dialer_id) : dialer_id_(std::move(dialer_id)) {}

  void compare(const std::string& what, std::string recorded, std::string ours);
  /// Prints "replayed N, listed differences M"; checks the differences against the list.
  void finish(const std::string& differences_file, const std::string& data);

 private:
  std::string dialer_id_;
  int replayed_ = 0;
  std::map<std::string, std::pair<std::string, std::string>> differences_;
};

}  // namespace testing
