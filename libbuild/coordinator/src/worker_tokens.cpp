#include <build/base/builder_key.h>
#include <build/base/digest.h>
#include <build/base/file.h>
#include <build/base/ids.h>
#include <build/coordinator/worker_tokens.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace build::coordinator {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kTokenPrefix = "xbw_";
constexpr std::size_t kTokenBytes = 32;
constexpr std::size_t kMaxTokenFile = 4096;
constexpr std::size_t kMaxTokens = 10'000;
constexpr std::size_t kMaxWorkerName = 100;

std::string text_of(const WorkerToken& token) {
  return "host_type=" + token.host_type.value + "\nsha256=" + token.sha256 +
         "\ncreated=" + std::to_string(token.created.time_since_epoch().count()) + "\n";
}

/// The value of the line that begins with `name` and "=".
std::optional<std::string> line_value(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == '=') {
      return std::string(line.substr(name.size() + 1));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::nullopt;
}

}  // namespace

fs::path worker_tokens_directory(const fs::path& state_dir) { return state_dir / "worker-tokens"; }

bool is_worker_name(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  return !name.empty() && name.size() <= kMaxWorkerName && name.front() != '.' && name.front() != '-' &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::string add_worker_token(const fs::path& directory, const std::string& name, const model::HostType& host_type,
                             base::RandomSource& random, model::Time now) {
  if (!is_worker_name(name)) {
    throw std::invalid_argument("\"" + name +
                                "\" is no worker's name: it has letters, digits, '-', '_' and '.', at most 100, and "
                                "begins with a letter, a digit or '_'");
  }
  if (!host_type.empty() && !is_worker_name(host_type.value)) {
    throw std::invalid_argument("\"" + host_type.value + "\" is no host type");
  }
  base::ensure_private_directory(directory);
  const std::string token = std::string(kTokenPrefix) + base::random_id(random, kTokenBytes);
  const WorkerToken record{.name = name, .host_type = host_type, .sha256 = base::sha256_hex(token), .created = now};
  // Two at the same time do not get the same name: the second link fails.
  const fs::path file = directory / name, made = directory / ("." + base::random_id(random));
  base::write_file_atomically(made, text_of(record), 0600);
  const bool taken = ::link(made.c_str(), file.c_str()) != 0;
  const int error = errno;
  fs::remove(made);
  if (taken && error == EEXIST) {
    throw std::invalid_argument("there is a worker \"" + name + "\" already; revoke its token first");
  }
  if (taken) throw std::system_error(error, std::generic_category(), "making " + file.string());
  return token;
}

bool revoke_worker_token(const fs::path& directory, const std::string& name) {
  return is_worker_name(name) && fs::remove(directory / name);
}

std::optional<WorkerToken> parse_worker_token(const std::string& name, std::string_view text) {
  const auto host_type = line_value(text, "host_type"), sha256 = line_value(text, "sha256");
  const auto created = line_value(text, "created");
  if (!host_type || !sha256 || !created || !base::is_lower_hex(*sha256, 64)) return std::nullopt;
  if (!host_type->empty() && !is_worker_name(*host_type)) return std::nullopt;
  std::int64_t milliseconds = 0;
  const auto [end, error] = std::from_chars(created->data(), created->data() + created->size(), milliseconds);
  if (error != std::errc() || end != created->data() + created->size()) return std::nullopt;
  return WorkerToken{.name = name,
                     .host_type = model::HostType(*host_type),
                     .sha256 = *sha256,
                     .created = model::Time(std::chrono::milliseconds(milliseconds))};
}

std::vector<WorkerToken> read_worker_tokens(const fs::path& directory, std::vector<std::string>& complaints) {
  std::vector<WorkerToken> tokens;
  std::error_code none;
  for (fs::directory_iterator entry(directory, none), end; !none && entry != end; entry.increment(none)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.')) continue;  // being made
    if (tokens.size() == kMaxTokens) {
      complaints.push_back("there are more than " + std::to_string(kMaxTokens) + " tokens in " + directory.string());
      break;
    }
    std::optional<WorkerToken> token;
    try {
      if (is_worker_name(name)) token = parse_worker_token(name, base::read_file(entry->path(), kMaxTokenFile));
    } catch (const std::exception& error) {
      if (!fs::exists(entry->path())) continue;  // revoked just now
      complaints.emplace_back(error.what());
      continue;
    }
    if (token) {
      tokens.push_back(std::move(*token));
    } else {
      complaints.push_back(entry->path().string() + " is no worker's token");
    }
  }
  if (none && none != std::errc::no_such_file_or_directory) {
    throw std::system_error(none, "reading the workers' tokens in " + directory.string());
  }
  std::sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return tokens;
}

const WorkerToken* find_worker_token(const std::vector<WorkerToken>& tokens, std::string_view presented) {
  if (!presented.starts_with(kTokenPrefix)) return nullptr;
  const std::string sha256 = base::sha256_hex(presented);
  const WorkerToken* found = nullptr;
  for (const WorkerToken& token : tokens) {
    if (base::constant_time_equal(token.sha256, sha256)) found = &token;
  }
  return found;
}

}  // namespace build::coordinator
