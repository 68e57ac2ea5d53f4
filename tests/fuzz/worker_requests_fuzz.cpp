// What a worker reads of GET /ls, PUT /write, /connect-ssh, of a URL that it is to fetch, a redirect, a form in parts
// and an Authorization field: nothing but HttpError 400 may come out (502 of /connect-ssh, std::invalid_argument of
// URLs), and what is accepted stays below the work directory, has nothing but permission bits, and cannot break a line.
#include <build/buildlet/cloud_metadata.h>
#include <build/buildlet/file_requests.h>
#include <build/buildlet/http_url.h>
#include <build/buildlet/multipart.h>
#include <build/buildlet/ssh.h>
#include <build/net/basic_auth.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
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

bool one_word(std::string_view text) { return text.find_first_of("\r\n\t \"") == std::string_view::npos; }

void try_url(std::string_view text) {
  try {
    const buildlet::HttpUrl url = buildlet::parse_http_url(text);
    require(one_word(url.host) && one_word(url.port) && url.target.starts_with('/'));
    require(url.target.find_first_of("\r\n ") == std::string::npos && url.str().size() <= text.size() + 16);
    require(buildlet::parse_http_url(url.str()).str() == url.str());
  } catch (const std::invalid_argument&) {
  }
  try {
    const buildlet::HttpUrl to = buildlet::redirected_url(buildlet::parse_http_url("https://h/a/b?c"), text);
    require(to.target.starts_with('/') && to.target.find_first_of("\r\n ") == std::string::npos);
  } catch (const std::invalid_argument&) {
  }
  buildlet::kind_of_address(text);
}

// The user, a line break, the key.
void try_ssh(std::string_view text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  io::Fields fields;
  fields.add("X-Go-Ssh-User", std::string(text.substr(0, end)));
  fields.add("X-Go-Authorized-Key", std::string(text.substr(std::min(end + 1, text.size()))));
  try {
    const buildlet::SshRequest request = buildlet::parse_ssh_request(fields);
    require(one_word(request.user) && !request.user.starts_with('-'));
    require(request.authorized_key.find_first_of("\r\n\"") == std::string::npos);
    require(std::count(request.authorized_key.begin(), request.authorized_key.end(), ' ') == 1);
  } catch (const io::HttpError& refused) {
    require(refused.status() == 400 || refused.status() == 502);
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
  try_url(text);
  try_ssh(text);
  refuses_only_with_400([&] {
    require(buildlet::parse_multipart_form("multipart/form-data; boundary=XX", text).size() <= size);
    buildlet::parse_multipart_form(text, "--XX--");
  });
  try {
    require(buildlet::parse_ec2_user_data(text).size() <= 3);
  } catch (const std::invalid_argument&) {
  }
  if (const auto mode = buildlet::parse_go_file_mode(text)) require((*mode & ~mode_t{0777}) == 0);
  if (const auto credentials = net::parse_basic_credentials(text)) {
    require(credentials->user.find(':') == std::string::npos);
    require(credentials->user.size() + credentials->password.size() < size);
  }
  return 0;
}
