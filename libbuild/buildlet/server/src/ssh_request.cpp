#include <build/buildlet/ssh.h>
#include <build/net/basic_auth.h>
#include <tarutil/path_rule.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace build::buildlet {

namespace {

constexpr std::size_t kMaxUserName = 32;
constexpr std::size_t kMaxKey = 8 * 1024;
constexpr std::array<std::string_view, 7> kKeyKinds{"ssh-ed25519",
                                                    "ecdsa-sha2-nistp256",
                                                    "ecdsa-sha2-nistp384",
                                                    "ecdsa-sha2-nistp521",
                                                    "sk-ssh-ed25519@openssh.com",
                                                    "sk-ecdsa-sha2-nistp256@openssh.com",
                                                    "ssh-rsa"};

[[noreturn]] void refuse_key(const std::string& why) { throw io::HttpError(400, "adding ssh authorized key: " + why); }

bool is_user_name(std::string_view text) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  return !text.empty() && text.size() <= kMaxUserName && text.front() != '-' && text.front() != '.' &&
         text.find_first_not_of(kAllowed) == std::string_view::npos;
}

// What a key's bytes begin with: the length and name of their kind.
bool is_of_kind(const std::string& bytes, std::string_view kind) {
  if (bytes.size() < 4 + kind.size()) return false;
  std::size_t length = 0;
  for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  return length == kind.size() && std::string_view(bytes).substr(4, length) == kind;
}

// "ssh-ed25519 AAAA...", without the comment, so that nothing but a key goes into the file.
std::string checked_key(std::string_view text) {
  if (text.size() > kMaxKey) refuse_key("the key is longer than 8 KiB");
  const std::size_t kind_end = text.find(' ');
  const std::string_view kind = text.substr(0, kind_end);
  if (kind_end == std::string_view::npos || std::find(kKeyKinds.begin(), kKeyKinds.end(), kind) == kKeyKinds.end()) {
    refuse_key("the key does not begin with a kind of key that is known here");
  }
  const std::string_view rest = text.substr(kind_end + 1);
  const std::string_view coded = rest.substr(0, rest.find(' '));
  const auto bytes = net::decode_base64(coded);
  if (!bytes || !is_of_kind(*bytes, kind)) refuse_key("the key is not of the kind that it begins with");
  return std::string(kind) + " " + std::string(coded);
}

// A path as sshd's configuration takes it.
std::string quoted_path(const std::filesystem::path& path) {
  std::string text = "\"";
  for (const char c : path.string()) {
    if (c == '"' || c == '\n' || c == '\\') {
      throw std::invalid_argument("sshd cannot be told of the path " + tarutil::quoted(path.string()));
    }
    text += c == '%' ? "%%" : std::string(1, c);
  }
  return text + "\"";
}

std::string set_environment(const base::Environment& environment) {
  std::string line;
  for (const std::string& entry : environment) {
    if (entry.find_first_of("\"\\\n\r") == std::string::npos) line += " \"" + entry + "\"";
  }
  return line.empty() ? "" : "SetEnv" + line + "\n";
}

}  // namespace

SshRequest parse_ssh_request(const io::Fields& fields) {
  SshRequest request;
  request.user = fields.get("X-Go-Ssh-User");
  const std::string key = fields.get("X-Go-Authorized-Key");
  if (request.user.empty() || key.empty()) {
    throw io::HttpError(502, "nobody could log in: X-Go-Ssh-User and X-Go-Authorized-Key say who may");
  }
  if (fields.values("X-Go-Ssh-User").size() > 1 || fields.values("X-Go-Authorized-Key").size() > 1) {
    refuse_key("there is more than one user or key");
  }
  if (!is_user_name(request.user)) refuse_key(tarutil::quoted(request.user) + " is no user's name");
  request.authorized_key = checked_key(key);
  return request;
}

std::string sshd_configuration(const std::string& user, const std::filesystem::path& keys, KeysReadBy read_by,
                               const base::Environment& environment) {
  // The keys lie below the worker's private directory, into which only root and the worker itself can look.
  const std::string source = read_by == KeysReadBy::user
                                 ? "AuthorizedKeysFile " + quoted_path(keys) + "\nAuthorizedKeysCommand none\n"
                                 : "AuthorizedKeysFile none\nAuthorizedKeysCommandUser root\n"
                                   "AuthorizedKeysCommand /bin/cat " +
                                       quoted_path(keys) + "\n";
  return "AllowUsers " + user + "\n" + source +
         "StrictModes no\n"
         "PubkeyAuthentication yes\n"
         "PasswordAuthentication no\n"
         "KbdInteractiveAuthentication no\n"
         "HostbasedAuthentication no\n"
         "PermitRootLogin prohibit-password\n"
         "UsePAM no\n"
         "UseDNS no\n"
         "PidFile none\n"
         "PermitUserEnvironment no\n"
         "PermitUserRC no\n"
         "AllowAgentForwarding no\n"
         "X11Forwarding no\n"
         "PrintMotd no\n"
         "PrintLastLog no\n"
         "LoginGraceTime 60\n"
         "Subsystem sftp internal-sftp\n" +
         set_environment(environment);
}

}  // namespace build::buildlet
