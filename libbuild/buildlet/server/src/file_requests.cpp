// How a listing works: a step is one entry's line or, for digests, one block of a file; the line is ended when its file
// has been read.
#include <build/buildlet/exec_request.h>
#include <build/buildlet/file_requests.h>
#include <tarutil/path_rule.h>

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <ctime>
#include <memory>
#include <new>
#include <vector>

#include <unistd.h>

namespace build::buildlet {

namespace {

constexpr std::size_t kBlock = 64 * 1024;
constexpr std::size_t kLinesPerCall = 32 * 1024;
constexpr std::size_t kInputPerCall = 8 * 1024 * 1024;

// "2017-07-14T02:40:00Z"
std::string rfc3339(std::time_t seconds) {
  std::tm utc{};
  if (::gmtime_r(&seconds, &utc) == nullptr) return "0000-01-01T00:00:00Z";
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return std::string(text.data(), size);
}

class Sha1 {
 public:
  Sha1() : context_(EVP_MD_CTX_new()) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha1(), nullptr) != 1) throw std::bad_alloc();
  }
  void add(const char* bytes, std::size_t size) { EVP_DigestUpdate(context_.get(), bytes, size); }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += "0123456789abcdef"[digest[i] >> 4];
      text += "0123456789abcdef"[digest[i] & 15];
    }
    return text;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace

void check_path_parameter(const std::string& name, const std::string& path) {
  if (const auto problem = tarutil::relative_path_problem(path)) {
    throw io::HttpError(400, "invalid '" + name + "' parameter: " + *problem);
  }
}

std::optional<mode_t> parse_go_file_mode(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::uint32_t mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  // Go's ModeType: directory, symbolic link, device, named pipe, socket, character device, irregular.
  constexpr std::uint32_t kTypes = 1u << 31 | 1u << 27 | 1u << 26 | 1u << 25 | 1u << 24 | 1u << 21 | 1u << 19;
  if ((mode & kTypes) != 0) return std::nullopt;
  return mode & 0777;
}

WriteRequest parse_write_request(const io::Params& query) {
  WriteRequest request;
  request.path = query.get("path");
  check_path_parameter("path", request.path);
  const auto mode = parse_go_file_mode(query.get("mode"));
  if (!mode) throw io::HttpError(400, "bad mode");
  request.mode = *mode;
  return request;
}

ListRequest parse_list_request(const io::Params& query) {
  ListRequest request;
  const std::string dir = query.get("dir");
  if (!dir.empty()) check_path_parameter("dir", dir);
  request.dir = tarutil::cleaned_path(dir.empty() ? "." : dir);
  request.recursive = parse_go_bool(query.get("recursive")).value_or(false);
  request.digest = parse_go_bool(query.get("digest")).value_or(false);
  for (const std::string& skip : query.all("skip")) request.skip.insert(skip);
  return request;
}

struct Listing::Impl {
  Impl(int directory_fd, ListRequest what) : request(std::move(what)), walk(directory_fd, request.dir) {}

  // How many bytes of files were read.
  std::size_t step(std::string& out) {
    if (digest) return hash_block(out);
    const std::optional<tarutil::TreeEntry> entry = walk.next();
    if (!entry) {
      done = true;
      return 0;
    }
    const bool directory = S_ISDIR(entry->status.st_mode);
    const bool unspeakable = entry->path.find_first_of("\t\n\r") != std::string::npos;
    const bool skipped = unspeakable || (directory && request.skip.contains(entry->path));
    if (directory && (skipped || !request.recursive)) walk.skip();
    if (!skipped) begin_line(*entry, out);
    return 0;
  }

  void begin_line(const tarutil::TreeEntry& entry, std::string& out) {
    const mode_t mode = entry.status.st_mode;
    out += tarutil::mode_text(mode) + "\t" + entry.path;
    if (S_ISDIR(mode)) out += '/';
    if (S_ISREG(mode)) {
      out += "\t" + std::to_string(entry.status.st_size) + "\t" + rfc3339(entry.status.st_mtim.tv_sec);
      if (request.digest) {
        path = entry.path;
        file = walk.open_file();
        digest.emplace();
        return;  // the line goes on when the file has been read
      }
    }
    out += '\n';
  }

  std::size_t hash_block(std::string& out) {
    ssize_t got = 0;
    do {
      got = ::read(file.get(), block.data(), block.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) throw tarutil::PathError("read", path, errno);
    if (got > 0) {
      digest->add(block.data(), static_cast<std::size_t>(got));
      return static_cast<std::size_t>(got);
    }
    out += "\t" + digest->hex() + "\n";
    digest.reset();
    file.reset();
    return 0;
  }

  ListRequest request;
  tarutil::TreeWalk walk;
  std::string path;  // of the file being read
  tarutil::Fd file;
  std::optional<Sha1> digest;
  std::vector<char> block = std::vector<char>(kBlock);
  bool done = false;
};

Listing::Listing(int directory_fd, ListRequest request)
    : impl_(std::make_unique<Impl>(directory_fd, std::move(request))) {}

Listing::~Listing() = default;

bool Listing::next(std::string& out) {
  const std::size_t before = out.size();
  std::size_t read = 0;
  while (!impl_->done && out.size() - before < kLinesPerCall && read < kInputPerCall) read += impl_->step(out);
  return !impl_->done;
}

}  // namespace build::buildlet
