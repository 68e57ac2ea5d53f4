// What a worker reads of GET /ls, PUT /write and of an Authorization field: nothing but HttpError 400 may come out, and
// what is accepted stays below the work directory and has nothing but permission bits.
#include <build/buildlet/file_requests.h>
#include <build/net/basic_auth.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace build;

void require(bool condition) {
  if (!condition) std::abort();
}

void stays_below(const std::string& path) {
  require(!path.empty() && !path.starts_with('/') && path.find('\0') == std::string::npos);
  int depth = 0;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string part = path.substr(at, slash - at);
    if (part == "..") require(--depth >= 0);
    if (!part.empty() && part != "." && part != "..") ++depth;
    at = slash + 1;
  }
}

template <typename F>
void refuses_only_with_400(F parse) {
  try {
    parse();
  } catch (const io::HttpError& refused) {
    require(refused.status() == 400);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const io::Params query = io::parse_query(text);
  refuses_only_with_400([&] {
    const buildlet::WriteRequest request = buildlet::parse_write_request(query);
    stays_below(request.path);
    require((request.mode & ~mode_t{0777}) == 0);
  });
  refuses_only_with_400([&] {
    const buildlet::ListRequest request = buildlet::parse_list_request(query);
    stays_below(request.dir);
    require(request.skip.size() <= query.size());
  });
  if (const auto mode = buildlet::parse_go_file_mode(text)) require((*mode & ~mode_t{0777}) == 0);
  if (const auto credentials = net::parse_basic_credentials(text)) {
    require(credentials->user.find(':') == std::string::npos);
    require(credentials->user.size() + credentials->password.size() < size);
  }
  return 0;
}
