#pragma once

#include <build/base/log.h>
#include <io/service_manager.h>
#include <maintner/segment_store.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace maintnerd {

struct Options {
  std::filesystem::path data_dir;  ///< the segments
  std::filesystem::path log;       ///< that is copied into them; empty: none
  std::int64_t segment_size = maintner::SegmentStore::kSegmentSize;
  std::string listen = "localhost:6343";
  std::filesystem::path certificate, private_key;  ///< empty: no TLS
  std::filesystem::path ready_file;
  build::base::LogOptions logging;
  io::ServiceManager::Place service;
};

class Program {
 public:
  /// Throws if the segments, the log or the address are of no use.
  explicit Program(Options options);
  ~Program();

  /// Until a signal. Returns the exit code.
  int run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace maintnerd
