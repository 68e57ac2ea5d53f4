// Files to and from a worker.
#include <build/buildlet/client.h>

#include <array>
#include <charconv>
#include <memory>
#include <string_view>
#include <utility>

#include "worker_link.h"

namespace build::buildlet {

namespace {

constexpr std::size_t kMaxListLine = 64 * 1024;

/// "-rw-r--r--<tab>a/b<tab>12<tab>2017-07-14T02:40:00Z<tab>da39...", of a directory "drwxr-xr-x<tab>a/".
DirEntry parse_entry(std::string_view line) {
  DirEntry entry{.line = std::string(line), .mode = {}, .name = {}, .size = {}, .time = {}, .digest = {}};
  std::array<std::string_view, 5> fields;
  for (std::string_view& field : fields) {
    field = line.substr(0, line.find('\t'));
    line.remove_prefix(std::min(line.size(), field.size() + 1));
  }
  entry.mode = fields[0];
  entry.name = fields[1];
  std::uint64_t size = 0;
  const char* const end = fields[2].data() + fields[2].size();
  if (!fields[2].empty() && std::from_chars(fields[2].data(), end, size).ptr == end) entry.size = size;
  entry.time = fields[3];
  entry.digest = fields[4];
  return entry;
}

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  return line;
}

}  // namespace

io::Task<> Worker::put(std::string path, BodySource body, unsigned permissions) {
  const std::string mode = std::to_string(permissions & 0777);
  Call call(*link_, "PUT", "/write?mode=" + mode + "&path=" + io::percent_encode(path), lease_);
  co_await call.send(body, link_->limits.unpack);
}

io::Task<> Worker::put_tgz(std::string dir, BodySource body) {
  Call call(*link_, "PUT", dir.empty() ? "/writetgz" : "/writetgz?dir=" + io::percent_encode(dir), lease_);
  co_await call.send(body, link_->limits.unpack);
}

io::Task<> Worker::put_tgz_from_url(std::string dir, std::string url) {
  Call call(*link_, "POST", dir.empty() ? "/writetgz" : "/writetgz?dir=" + io::percent_encode(dir), lease_);
  io::Params form;
  form.add("url", std::move(url));
  std::string body = form.encode();
  co_await call.exchange(std::move(body), link_->limits.fetch);
}

io::Task<BodySource> Worker::get_tgz(std::string dir) {
  // "." and not nothing: since version 26 the original's workers refuse an empty one.
  Call call(*link_, "GET", "/tgz?dir=" + io::percent_encode(dir.empty() ? "." : dir), lease_);
  const std::shared_ptr<net::ClientConnection> connection = co_await call.open(link_->limits.head);
  co_return [connection, call](io::asio::mutable_buffer into) { return call.read_some(*connection, into); };
}

io::Task<> Worker::list(std::string dir, ListOptions options, std::function<void(const DirEntry&)> each) {
  std::string target = "/ls?";
  if (options.digest) target += "digest=true&";
  target += "dir=" + io::percent_encode(dir.empty() ? "." : dir);
  if (options.recursive) target += "&recursive=true";
  for (const std::string& skip : options.skip) target += "&skip=" + io::percent_encode(skip);
  Call call(*link_, "GET", target, lease_);
  const Connection connection = co_await call.open(link_->limits.head);
  std::string held, buffer(kMaxListLine, '\0');
  while (true) {
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const std::size_t n = co_await call.read_some(*connection, into);
    if (n == 0) break;
    held.append(buffer, 0, n);
    std::size_t begin = 0;
    for (std::size_t end; (end = held.find('\n', begin)) != held.npos; begin = end + 1)
      each(parse_entry(trimmed(std::string_view(held).substr(begin, end - begin))));
    held.erase(0, begin);
    if (held.size() > kMaxListLine) call.broke("a line of the listing is longer than 64 KiB");
  }
  if (!trimmed(held).empty()) each(parse_entry(trimmed(held)));
}

}  // namespace build::buildlet
