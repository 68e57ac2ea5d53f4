// The threads of a Reader or Writer.
#pragma once

#include <functional>
#include <thread>
#include <vector>

namespace pargzip {

/// How many threads `asked` means: 0 is one for each core that this process may use.
unsigned threads_for(unsigned asked);

/// They take no signals: those are the program's business.
class Threads {
 public:
  Threads() = default;
  /// Waits for all of them; their owner has told them to end.
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  /// Throws std::system_error.
  void start(std::function<void()> work);
  std::size_t size() const { return threads_.size(); }

 private:
  std::vector<std::thread> threads_;
};

}  // namespace pargzip
