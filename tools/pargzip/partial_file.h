// The file that is being written has a name of its own until it is complete. A signal that ends the program removes it.
#pragma once

#include "file.h"

#include <string>

namespace pargzip::tool {

/// From now on SIGINT, SIGTERM, SIGHUP and what else ends a program remove the partial file there is, if there is one,
/// and then end the program as they would have. A signal that is ignored stays so (nohup).
void remove_partial_file_on_signals();

/// A new file beside the one that it will become, readable by nobody else. There is one at a time. While it is made,
/// named or removed, no thread but the caller's may run: only this one holds signals back.
class PartialFile {
 public:
  enum class Existing { keep, replace };

  /// `directory` is borrowed. Throws FileError about `name`, which is the final path as it is to be shown.
  PartialFile(int directory, std::string leaf, std::string name);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  int fd() const { return fd_.get(); }
  /// Gives it its name. False if there is one already that is to be kept. Throws FileError.
  bool put_in_place(Existing existing);

 private:
  int directory_;
  std::string leaf_, name_, temporary_;
  Fd fd_;
};

}  // namespace pargzip::tool
