// Where the lines of logs begin, so that any line of a long log is found without reading the log from its beginning.
//
// A log is read once, as far as somebody asks; what is kept of it is a number for each 64 KiB, so a log of 1 GiB takes
// 128 KiB of memory. The index forgets the logs that nobody asked for the longest. A line ends with a line feed and
// with nothing else. Lives on the log store's executor; the store must outlive it and every call.
#pragma once

#include <build/livelog/log_store.h>

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

namespace build::livelog {

class LineIndex {
 public:
  /// Keeps at most `max_logs` logs, at least 1.
  explicit LineIndex(LogStore& logs, std::size_t max_logs = 100) : logs_(logs), max_logs_(max_logs) {}
  LineIndex(const LineIndex&) = delete;
  LineIndex& operator=(const LineIndex&) = delete;

  /// The number, from 1, of the line that the byte at `offset` belongs to (or would, at the log's end). Throws
  /// std::out_of_range for an unknown log and for an offset beyond its end, std::runtime_error when the disk fails.
  io::Task<std::uint64_t> line_at(model::RunId run, std::uint64_t offset);

  /// Where line `line`, from 1, begins: at most the log's size. nullopt if the log has fewer lines now; one that ends
  /// with a line feed has an empty line behind it. Throws like line_at().
  io::Task<std::optional<std::uint64_t>> offset_of(model::RunId run, std::uint64_t line);

 private:
  /// What is known of a log: how many line feeds lie before each multiple of 64 KiB, as far as it was read.
  struct Marks {
    model::RunId run;
    std::vector<std::uint64_t> before{0};
  };

  std::shared_ptr<Marks> marks_of(const model::RunId& run);
  /// Reads on until a mark lies behind `offset` or behind line `line`, or no whole 64 KiB are left.
  io::Task<> extend(std::shared_ptr<Marks> marks, std::uint64_t offset, std::uint64_t line);
  /// Up to `size` bytes; fewer only at the log's end.
  io::Task<std::string> read(model::RunId run, std::uint64_t offset, std::size_t size);

  LogStore& logs_;
  std::size_t max_logs_;
  std::list<std::shared_ptr<Marks>> recent_;  ///< the one that was asked for last comes first
};

}  // namespace build::livelog
