#include <build/base/file.h>
#include <build/buildlet/exec_request.h>
#include <build/buildlet/worker_state.h>

#include <array>
#include <exception>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include <unistd.h>

namespace build::buildlet {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxSmallFile = 64 * 1024;
constexpr std::size_t kIdDigits = 32;

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kBlanks) - first + 1));
}

fs::path home(const EnvironmentLookup& environment) {
  const auto value = environment("HOME");
  if (value && !value->empty()) return *value;
  return ::getuid() == 0 ? "/root" : "/";
}

// It goes into a header line.
std::string secret_in(const std::string& text, const std::string& where, const std::string& what) {
  std::string secret = trimmed(text);
  if (secret.empty()) throw std::runtime_error(where + " holds no " + what);
  for (const char c : secret) {
    if (c <= ' ' || c >= 0x7f) throw std::runtime_error(where + " holds something that is no " + what);
  }
  return secret;
}

std::string read_key(const fs::path& file, const std::string& host_type) {
  std::string text;
  try {
    text = base::read_file(file, kMaxSmallFile);
  } catch (const std::exception& error) {
    throw std::runtime_error(std::string("no builder key for host type ") + host_type + ": " + error.what() +
                             " (make one with \"genbuilderkey " + host_type +
                             "\" where the coordinator runs; name its file with -key-file or in GO_BUILD_KEY_PATH)");
  }
  return secret_in(text, "the builder key file " + file.string(), "key");
}

}  // namespace

fs::path default_state_dir(const std::string& host_type, const EnvironmentLookup& environment) {
  const fs::path leaf = fs::path("xbuild") / ("buildlet-" + host_type);
  const auto state = environment("XDG_STATE_HOME");
  if (state && fs::path(*state).is_absolute()) return *state / leaf;
  const auto user_home = environment("HOME");
  if (user_home && fs::path(*user_home).is_absolute()) return fs::path(*user_home) / ".local/state" / leaf;
  throw std::runtime_error(
      "neither XDG_STATE_HOME nor HOME says where state is kept: name a directory with -state-dir");
}

std::string load_worker_id(const fs::path& state_dir, base::RandomSource& random) {
  const fs::path file = state_dir / "worker-id";
  if (!fs::exists(file)) {
    std::string id = base::random_id(random);
    base::write_file_atomically(file, id + "\n", 0600);
    return id;
  }
  std::string id = trimmed(base::read_file(file, kMaxSmallFile));
  if (!base::is_lower_hex(id, kIdDigits)) {
    throw std::runtime_error("the file " + file.string() + " holds no worker id; delete it to get a new one");
  }
  return id;
}

std::string load_builder_key(const fs::path& key_file, const std::string& host_type,
                             const EnvironmentLookup& environment) {
  if (!key_file.empty()) return read_key(key_file, host_type);
  const auto path = environment("GO_BUILD_KEY_PATH");
  if (!path || path->empty()) return read_key(home(environment) / (".gobuildkey-" + host_type), host_type);
  const bool delete_after = parse_go_bool(environment("GO_BUILD_KEY_DELETE_AFTER_READ").value_or("")).value_or(false);
  std::string key;
  std::exception_ptr failed;
  try {
    key = read_key(*path, host_type);
  } catch (const std::exception&) {
    failed = std::current_exception();
  }
  // Deleted even if it could not be used, as the original does: it was meant to be gone by now.
  std::error_code not_deleted;
  if (delete_after) fs::remove(*path, not_deleted);
  if (failed) std::rethrow_exception(failed);
  if (not_deleted) {
    throw std::runtime_error("the builder key file " + *path +
                             " could not be deleted after reading: " + not_deleted.message());
  }
  return key;
}

std::string load_worker_token(const fs::path& token_file, const EnvironmentLookup& environment) {
  if (!token_file.empty()) {
    return secret_in(base::read_file(token_file, kMaxSmallFile), "the token file " + token_file.string(), "token");
  }
  const std::string value = environment("GO_BUILDLET_TOKEN").value_or("");
  return value.empty() ? "" : secret_in(value, "GO_BUILDLET_TOKEN", "token");
}

std::string worker_hostname(const std::string& flag, const EnvironmentLookup& environment) {
  if (!flag.empty()) return flag;
  const auto variable = environment("HOSTNAME");
  if (variable && !variable->empty()) return *variable;
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0') return name.data();
  return "buildlet";
}

void check_host_type(const std::string& host_type) {
  constexpr std::size_t kMaxLength = 100;
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  const bool good = !host_type.empty() && host_type.size() <= kMaxLength && host_type.front() != '.' &&
                    host_type.front() != '-' && host_type.find_first_not_of(kAllowed) == std::string::npos;
  if (!good) {
    throw std::invalid_argument("the host type \"" + host_type +
                                "\" is none: it has letters, digits, '-', '_' and '.', at most 100, and begins with a "
                                "letter, a digit or '_'");
  }
}

}  // namespace build::buildlet
