// Where the corpus comes from: files, looked at again and again, or a log server, followed.
#pragma once

#include <maintner/live_corpus.h>
#include <maintner/view.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace maintserve {

struct SourceOptions {
  std::filesystem::path log;                    ///< files; empty: the server
  std::filesystem::path snapshot;               ///< with which it begins; empty: none
  maintner::FollowerOptions follower;           ///< if it is the server
  std::function<void(const std::string&)> say;  ///< told of what is worth it, in any thread
  std::function<void()> changed;                ///< called in any thread when there is a newer view
};

class CorpusSource {
 public:
  virtual ~CorpusSource() = default;
  /// The newest; from any thread.
  virtual maintner::View view() const = 0;
  /// Looks whether there is something new, one thread at a time; does nothing where that comes by itself. Throws what
  /// Corpus::update() and the loading of a log that has become another one throw; then all is as before.
  virtual void look() = 0;
};

/// Blocks until all that is there is loaded. Throws if it cannot be.
std::unique_ptr<CorpusSource> open_source(const SourceOptions& options);

}  // namespace maintserve
