// The chunks of a Writer on their way through its threads, in a ring: filled in turn, compressed by whoever is free,
// and delivered in turn.
//
// Of the ring's 2 x threads chunks, those from tail_ up to head_ are under way. A chunk belongs to the caller's thread
// unless it is queued or being compressed.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <span>
#include <vector>

#include <pargzip/writer.h>

#include "buffer.h"
#include "member.h"
#include "threads.h"

namespace pargzip {

class ChunkLine {
 public:
  using Deliver = std::function<void(std::span<const char> member)>;

  /// `deliver` is called by the thread that calls add() and drain(); what it throws comes out of them.
  ChunkLine(const WriterOptions& options, Deliver deliver);
  ~ChunkLine();

  /// Takes a copy of `input`, to become one member with what append() brought before; at most chunk_size of both. Waits
  /// for a free chunk.
  void append(std::span<const char> input);
  /// What was appended is a chunk.
  void close_chunk();
  /// How much was appended to the open chunk.
  std::size_t open_size() const { return open_size_; }
  /// `input` is a chunk of its own; with one thread it is not copied.
  void whole_chunk(std::span<const char> input);
  /// The same on this thread, at once; only while no other chunk is under way.
  void compress_here(std::span<const char> input);
  /// Delivers everything.
  void drain();
  /// Nothing more is compressed or delivered.
  void stop();

 private:
  struct Chunk {
    Buffer input, output;
    std::size_t input_size = 0;
    std::uint64_t number = 0;
    std::span<const char> member;
    std::exception_ptr error;
    bool done = false;
  };

  Chunk& open_chunk();
  void deliver_oldest(std::unique_lock<std::mutex>& lock);
  void start_thread_if_needed();
  void work();
  Chunk& at(std::size_t index) { return chunks_[index % chunks_.size()]; }

  const unsigned thread_count_;
  const std::size_t chunk_size_;
  const int level_;
  const bool sized_;
  const Deliver deliver_;
  std::unique_ptr<MemberMaker> own_maker_;
  std::size_t open_size_ = 0;
  std::uint64_t here_ = 0;           ///< chunks compressed on the caller's thread
  std::size_t head_ = 0, tail_ = 0;  ///< the open chunk; the oldest one not yet delivered

  std::vector<Chunk> chunks_;
  std::mutex mutex_;
  std::condition_variable queued_, done_;
  std::deque<Chunk*> queue_;
  unsigned idle_ = 0;
  bool stopping_ = false;
  Threads threads_;
};

}  // namespace pargzip
