// The directories that an extraction works in: made where missing, and kept open while the archive stays below them.
#pragma once

#include <tarutil/beneath.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tarutil {

class Directories {
 public:
  /// Open as long as somebody holds it.
  using Handle = std::shared_ptr<const Fd>;

  Directories(int directory_fd, Beneath::Method method);

  /// The directory `cleaned`; what is missing on the way is made with exactly 0755. Symbolic links are never followed.
  /// Throws PathError as Beneath::make_directories() does.
  Handle open(std::string_view cleaned);

 private:
  struct Level {
    std::string name;
    Handle directory;
  };
  Handle step_into(const Level& parent, const std::string& name, std::string_view so_far) const;

  Beneath::Method method_;
  /// From the top, whose name is empty, to where the archive was last. One descriptor for each, so at most as many as
  /// names may be deep.
  std::vector<Level> levels_;
};

}  // namespace tarutil
