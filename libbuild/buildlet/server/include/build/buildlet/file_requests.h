// GET /ls and PUT /write: from parameters to what is asked, and the listing itself.
#pragma once

#include <io/http1.h>
#include <tarutil/walk.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace build::buildlet {

/// "invalid 'dir' parameter: path not provided", as an HttpError 400, unless `path` is usable below the work directory.
void check_path_parameter(const std::string& name, const std::string& path);

struct WriteRequest {
  std::string path;  ///< below the work directory, as sent
  mode_t mode = 0;   ///< the nine permission bits
};

/// From `path` and `mode`. Throws io::HttpError 400.
WriteRequest parse_write_request(const io::Params& query);

/// The decimal form of Go's os.FileMode: nullopt if it is no number, does not fit or says that the file is anything but
/// a regular one. Set-id and sticky bits are dropped: nobody gets a set-id file from afar.
std::optional<mode_t> parse_go_file_mode(std::string_view text);

struct ListRequest {
  std::string dir;  ///< cleaned; "." is the work directory
  bool recursive = false;
  bool digest = false;
  std::set<std::string> skip;  ///< directories, relative to dir, that are left out with what is in them
};

/// From `dir`, `recursive`, `digest` and `skip`. Throws io::HttpError 400.
ListRequest parse_list_request(const io::Params& query);

/// The lines of GET /ls, piece by piece. Blocks; one thread at a time. Names with a line break or a tab cannot be told
/// in this format and are left out: they could be taken for something else.
class Listing {
 public:
  /// `directory_fd` is borrowed and stays open.
  Listing(int directory_fd, ListRequest request);
  ~Listing();

  /// Appends the next lines to `out`, possibly none, after reading at most some megabytes for digests. False if that
  /// was all. Throws as tarutil::TreeWalk does.
  bool next(std::string& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace build::buildlet
