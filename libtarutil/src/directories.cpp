#include "directories.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

namespace tarutil {

Directories::Directories(int directory_fd, Beneath::Method method) : method_(method) {
  levels_.push_back({"", std::make_shared<const Fd>(Beneath(directory_fd, method).open(".", O_PATH | O_DIRECTORY))});
}

Directories::Handle Directories::open(std::string_view cleaned) {
  if (cleaned == ".") return levels_.front().directory;
  std::size_t level = 1;
  for (std::string_view rest = cleaned; !rest.empty(); ++level) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view name = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (level < levels_.size() && levels_[level].name == name) continue;
    levels_.resize(level);
    const auto end = static_cast<std::size_t>(name.data() + name.size() - cleaned.data());
    std::string own(name);
    Handle directory = step_into(levels_.back(), own, cleaned.substr(0, end));
    levels_.push_back({std::move(own), std::move(directory)});
  }
  return levels_[level - 1].directory;
}

Directories::Handle Directories::step_into(const Level& parent, const std::string& name,
                                           std::string_view so_far) const {
  const int directory = parent.directory->get();
  const bool made = ::mkdirat(directory, name.c_str(), 0755) == 0;
  if (!made && errno != EEXIST) throw PathError("mkdir", std::string(so_far), errno);
  Fd fd;
  try {
    fd = Beneath(directory, method_).open(name, O_DIRECTORY | (made ? O_RDONLY : O_PATH));
  } catch (const PathError& error) {
    // Something else has that name; a link is not looked behind.
    const int number = error.code().value() == ELOOP ? ENOTDIR : error.code().value();
    throw PathError("mkdir", std::string(so_far), number);
  }
  // The umask had a say.
  if (made && ::fchmod(fd.get(), 0755) != 0) throw PathError("chmod", std::string(so_far), errno);
  return std::make_shared<const Fd>(std::move(fd));
}

}  // namespace tarutil
