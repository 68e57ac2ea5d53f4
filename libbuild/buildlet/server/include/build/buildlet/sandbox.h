// A command in a box (bubblewrap): it sees the system read-only, one directory of its own, and no other process.
//
// A box is for keeping builds from each other and from the rest of the machine by mistake or by curiosity; against
// somebody who means it, a virtual machine is the box.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace build::buildlet {

struct Sandbox {
  std::filesystem::path bwrap = "/usr/bin/bwrap";
  std::filesystem::path workdir;  ///< absolute; the one directory that can be written
  std::string directory;          ///< absolute; where the command runs, as it is called inside
  enum class Network { shared, none } network = Network::shared;
  /// More directories that can be written, and that can be read; they are where they are outside. Missing ones are
  /// passed over.
  std::vector<std::filesystem::path> writable, readable;
  /// Directories in whose place there is an empty one; homes, /root, /run and /tmp always are among them.
  std::vector<std::filesystem::path> hidden;
  /// Files in whose place there is an empty one.
  std::vector<std::filesystem::path> secrets;
};

/// The command line that runs `argv` in that box. argv[0] is the file to execute, absolute. The environment is handed
/// on as it is. In the box: `/` read-only with devices, /proc and /tmp of its own; namespaces of its own for
/// processes, IPC, host name and, where asked for, network; no way to gain rights (set-id programs do nothing); and
/// everything in it ends when bwrap ends. bwrap ends as the command does, with 128 and its number for a signal. Throws
/// std::invalid_argument for a path that is not absolute, or an empty argv.
std::vector<std::string> sandboxed(const Sandbox& sandbox, const std::vector<std::string>& argv);

}  // namespace build::buildlet
