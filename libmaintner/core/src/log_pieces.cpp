// How it works: a record's header says at what offset it stands. So a place where records begin can be found from
// anywhere in a file, and what cannot be read is passed over up to there.
#include "log_pieces.h"

#include <maintner/reclog.h>

#include <algorithm>

#include "prefetch.h"

namespace maintner {

namespace {

/// Whether whole records follow each other from `at` on, `count` of them, or up to the end.
bool records_begin(std::string_view file, std::uint64_t at, int count) {
  RecordReader reader(file.substr(at), at);
  try {
    for (int i = 0; i < count; ++i)
      if (!reader.next()) return i > 0;
    return true;
  } catch (const RecordError&) {
    return false;
  }
}

/// The first place from `at` on where `count` records begin; the end if there is none.
std::uint64_t next_records(std::string_view file, std::uint64_t at, int count) {
  for (at = file.find("REC@", at); at != file.npos; at = file.find("REC@", at + 1))
    if (records_begin(file, at, count)) return at;
  return file.size();
}

/// The same for a torn end. What is there may have been written by anybody, as a comment for instance: so it counts
/// only if all is whole up to the end, which he cannot have known.
std::uint64_t next_records_to_end(std::string_view file, std::uint64_t at) {
  constexpr int kTries = 8;
  for (int i = 0; i < kTries; ++i) {
    at = next_records(file, at, 1);
    if (at == file.size() || records_begin(file, at, INT32_MAX)) return at;
    ++at;
  }
  return file.size();
}

}  // namespace

void read_piece(LogSpace& space, LogPiece& piece) {
  std::uint64_t begin = piece.begin;
  while (true) {
    RecordReader reader(piece.file.substr(begin), begin);
    try {
      while (reader.offset() < piece.end) {
        const auto record = reader.next();
        if (!record) break;
        // The next header is somewhere else in memory: it may be on its way meanwhile.
        prefetch(record->payload.data() + record->payload.size());
        const std::uint64_t position = space.position_of(piece.file.data()) + record->offset;
        digest_record(space, record->payload, position, piece.digest);
      }
      piece.real_end = reader.offset();
      return;
    } catch (const RecordError& error) {
      const bool is_torn = error.fault() == RecordError::Fault::torn;
      // A record that seems to be torn may have lost its size alone; then the others follow it.
      const std::uint64_t next = is_torn && piece.last ? next_records_to_end(piece.file, error.offset() + 1)
                                                       : next_records(piece.file, error.offset() + 1, 2);
      if (is_torn && piece.last && next == piece.file.size()) {
        piece.torn = error.what();
        piece.real_end = error.offset();
        return;
      }
      std::string why = error.what();
      if (next < piece.file.size() || !is_torn)
        why += "; passed over " + std::to_string(next - error.offset()) + " bytes";
      piece.digest.faults.push_back({space.position_of(piece.file.data()) + error.offset(), std::move(why)});
      begin = next;
      if (begin >= piece.end) {
        piece.real_end = begin;
        return;
      }
    }
  }
}

std::vector<LogPiece> pieces_of(std::string_view file, std::uint64_t begin, bool last, std::uint64_t size) {
  std::vector<LogPiece> pieces;
  while (begin < file.size()) {
    std::uint64_t end = file.size();
    if (file.size() - begin > size + size / 2) end = std::max(next_records(file, begin + size, 2), begin + 1);
    LogPiece& piece = pieces.emplace_back();
    piece.file = file;
    piece.last = last;
    piece.begin = begin;
    piece.end = end;
    begin = end;
  }
  return pieces;
}

}  // namespace maintner
