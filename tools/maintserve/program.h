#pragma once

#include <build/base/log.h>
#include <io/service_manager.h>
#include <maintner/web_site.h>

#include <filesystem>
#include <memory>
#include <string>

#include "corpus_source.h"

namespace maintserve {

struct Options {
  SourceOptions source;
  std::string listen = ":8080";
  std::filesystem::path queries;  ///< empty: none
  maintner::WebSiteLimits limits;
  std::filesystem::path certificate, private_key;  ///< empty: no TLS
  std::filesystem::path ready_file;
  build::base::LogOptions logging;
  io::ServiceManager::Place service;
};

class Program {
 public:
  /// Loads the corpus. Throws if that, or the address, is of no use.
  explicit Program(Options options);
  ~Program();

  /// Until a signal. Returns the exit code.
  int run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace maintserve
