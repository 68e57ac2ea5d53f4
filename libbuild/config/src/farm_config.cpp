// The file is parsed into a tree by toml++, then read table by table in the order of the man page. Each table's keys
// are listed once, in the constants below; a key that is not there is refused before anything else is looked at.
#include <build/config/farm_config.h>

#include "section.h"

#include <build/base/file.h>

#include <algorithm>
#include <array>
#include <set>

namespace build::config {

namespace {

constexpr std::size_t kMaxFileSize = 1024 * 1024;
/// The farm's own first step.
constexpr std::string_view kSourceStep = "source";

constexpr std::array<std::string_view, 5> kTopKeys{"coordinator", "access", "retention", "builder", "repository"};
constexpr std::array<std::string_view, 3> kRetentionKeys{"log_days", "log_megabytes", "result_days"};
constexpr std::array<std::string_view, 10> kCoordinatorKeys{
    "listen",    "web_listen",      "state_dir",    "tls_certificate", "tls_key",
    "tls_names", "master_key_file", "max_attempts", "lease",           "drain_limit"};
constexpr std::array<std::string_view, 4> kAccessKeys{"read", "local", "hsts", "token"};
constexpr std::array<std::string_view, 3> kTokenKeys{"name", "role", "sha256"};
constexpr std::array<std::string_view, 4> kBuilderKeys{"name", "host_type", "sandbox", "env"};
constexpr std::array<std::string_view, 7> kRepositoryKeys{"name",        "url",           "branches", "builders",
                                                          "first_sight", "poll_interval", "step"};
constexpr std::array<std::string_view, 3> kStepKeys{"name", "command", "time_limit"};

std::string read_address(const Section& section, std::string_view key, std::string standard) {
  const auto given = section.text(key);
  if (!given) return standard;
  const std::string& address = *given;
  const auto colon = address.rfind(':');
  const std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
  const bool digits = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoi(port) > 65535)
    section.refuse(
        key, std::string(key) + " " + in_quotes(address) + " is no address and port, for example \"127.0.0.1:8119\"");
  return address;
}

void read_coordinator(const std::string& file, const toml::table& table, const std::filesystem::path& base,
                      FarmConfig& config) {
  const Section section(file, table, "[coordinator]", kCoordinatorKeys);
  config.listen = read_address(section, "listen", config.listen);
  config.web_listen = read_address(section, "web_listen", config.web_listen);
  const auto state_dir = section.path("state_dir", base);
  if (!state_dir)
    section.refuse("state_dir",
                   "[coordinator] has no state_dir: the folder for the farm's database, logs, mirrors and keys");
  config.state_dir = *state_dir;
  config.tls_certificate = section.path("tls_certificate", base).value_or("");
  config.tls_key = section.path("tls_key", base).value_or("");
  if (config.tls_certificate.empty() != config.tls_key.empty()) {
    const bool no_key = config.tls_key.empty();
    section.refuse(no_key ? "tls_certificate" : "tls_key",
                   std::string("[coordinator] has ") +
                       (no_key ? "tls_certificate but no tls_key" : "tls_key but no tls_certificate") +
                       ": give both, or none and one is made on the first start");
  }
  config.master_key_file = section.path("master_key_file", base).value_or("");
  config.tls_names = section.list("tls_names").value_or(std::vector<std::string>{});
  if (!config.tls_names.empty() && !config.tls_certificate.empty())
    section.refuse("tls_names",
                   "tls_names are for a certificate that is made on the first start, but tls_certificate is given");
  config.max_attempts = section.integer("max_attempts", 1, 100).value_or(config.max_attempts);
  config.lease = section.duration("lease").value_or(config.lease);
  config.drain_limit = section.duration("drain_limit", std::chrono::seconds(0)).value_or(config.drain_limit);
}

RetentionConfig read_retention(const std::string& file, const toml::table& table) {
  constexpr int kMaxDays = 36500, kMaxMegabytes = 2'000'000'000;
  constexpr std::uint64_t kMegabyte = 1'000'000;
  const Section section(file, table, "[retention]", kRetentionKeys);
  RetentionConfig retention;
  if (const auto days = section.integer("log_days", 0, kMaxDays)) retention.log_age = std::chrono::days(*days);
  if (const auto size = section.integer("log_megabytes", 0, kMaxMegabytes))
    retention.log_bytes = static_cast<std::uint64_t>(*size) * kMegabyte;
  if (const auto days = section.integer("result_days", 0, kMaxDays)) retention.result_age = std::chrono::days(*days);
  return retention;
}

/// What the coordinator calls those whose name does not come from the file.
constexpr std::array<std::string_view, 2> kTakenTokenNames{"admin", "local"};

TokenConfig read_token(const std::string& file, const toml::table& table) {
  Section section(file, table, "[[access.token]]", kTokenKeys);
  TokenConfig token;
  token.name = section.required_name("name", "who it was given to");
  section.set_title("token " + in_quotes(token.name));
  if (std::find(kTakenTokenNames.begin(), kTakenTokenNames.end(), token.name) != kTakenTokenNames.end())
    section.refuse("name",
                   "a token cannot be called " + in_quotes(token.name) + ": that name has a meaning of its own");
  const std::string role = section.required_text("role", "\"read\" or \"act\"");
  if (role != "read" && role != "act")
    section.refuse("role", "role of " + section.title() + " must be \"read\" or \"act\", not " + in_quotes(role));
  token.role = role == "act" ? TokenConfig::Role::act : TokenConfig::Role::read;
  token.sha256 = section.required_text("sha256", "the token's SHA-256 in hexadecimal");
  const bool hex = token.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!hex || token.sha256.size() != 64)
    section.refuse("sha256",
                   "sha256 of " + section.title() +
                       " must be 64 lower-case hexadecimal digits, as \"printf %s TOKEN | sha256sum\" prints");
  return token;
}

AccessConfig read_access(const std::string& file, const toml::table& table) {
  const Section section(file, table, "[access]", kAccessKeys);
  AccessConfig access;
  const std::string read = section.text("read").value_or("all");
  if (read != "all" && read != "token")
    section.refuse("read", "read of [access] must be \"all\" or \"token\", not " + in_quotes(read));
  access.read = read == "all" ? AccessConfig::Read::all : AccessConfig::Read::token;
  access.local = section.boolean("local").value_or(access.local);
  access.hsts = section.boolean("hsts").value_or(access.hsts);
  std::set<std::string> names;
  for (const toml::table* token : section.tables("token", "access.token")) {
    access.tokens.push_back(read_token(file, *token));
    if (const std::string& name = access.tokens.back().name; !names.insert(name).second)
      refuse(file, token->get("name")->source(), "there are two tokens called " + in_quotes(name));
  }
  return access;
}

bool is_variable_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || digit(c); });
}

std::map<std::string, std::string> read_environment(const std::string& file, const toml::table& table,
                                                    const std::string& owner) {
  std::map<std::string, std::string> environment;
  std::vector<std::string_view> names;
  for (const auto& [key, node] : table) names.push_back(key.str());
  const Section section(file, table, "env of " + owner, names);
  for (const std::string_view name : names) {
    if (!is_variable_name(name))
      section.refuse(name, in_quotes(name) + " in env of " + owner + " cannot be the name of an environment variable");
    if (name.starts_with("XBUILD_"))
      section.refuse(name,
                     std::string(name) + " in env of " + owner + ": names that begin with XBUILD_ are set by the farm");
    environment.emplace(name, *section.free_text(name));
  }
  return environment;
}

BuilderConfig read_builder(const std::string& file, const toml::table& table) {
  Section section(file, table, "[[builder]]", kBuilderKeys);
  BuilderConfig builder;
  builder.name = model::BuilderName(section.required_name("name", "what the dashboard calls it"));
  section.set_title("builder " + in_quotes(builder.name.value));
  builder.host_type = model::HostType(section.required_name("host_type", "the kind of worker it needs"));
  builder.sandbox = section.boolean("sandbox").value_or(false);
  if (const toml::table* env = section.table("env", "builder.env"))
    builder.environment = read_environment(file, *env, section.title());
  return builder;
}

/// The rules of git-check-ref-format that a person is likely to meet.
bool is_branch_name(std::string_view text) {
  const auto forbidden = [](char c) { return std::string_view(" ~^:?*[\\").find(c) != std::string_view::npos; };
  return text.size() <= 200 && text.front() != '-' && text.front() != '/' && text.back() != '/' && text.back() != '.' &&
         text.find("..") == std::string_view::npos && text.find("//") == std::string_view::npos &&
         text.find("@{") == std::string_view::npos && std::none_of(text.begin(), text.end(), forbidden);
}

StepConfig read_step(const std::string& file, const toml::table& table, const std::string& owner) {
  Section section(file, table, "[[repository.step]] of " + owner, kStepKeys);
  StepConfig step;
  step.name = section.required_name("name", "what its log is called");
  section.set_title("step " + in_quotes(step.name) + " of " + owner);
  if (step.name == kSourceStep)
    section.refuse("name", "a step of " + owner + " is called \"source\", as is the farm's own first step");
  const auto command = section.free_text("command");
  if (!command) section.refuse("command", section.title() + " has no command: what /bin/sh runs in the source tree");
  if (command->find_first_not_of(" \t\r\n") == std::string::npos)
    section.refuse("command", "command of " + section.title() + " is empty");
  step.command = *command;
  step.time_limit = section.duration("time_limit").value_or(step.time_limit);
  return step;
}

std::vector<model::BuilderName> read_builder_names(const Section& section, const std::vector<BuilderConfig>& builders) {
  std::vector<std::string> known;
  known.reserve(builders.size());
  for (const BuilderConfig& builder : builders) known.push_back(builder.name.value);
  const auto names = section.list("builders").value_or(known);
  if (names.empty())
    section.refuse("builders",
                   section.title() + " has no builder: " +
                       (known.empty() ? "the file needs a [[builder]]" : "leave builders out for all of them"));
  std::vector<model::BuilderName> result;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::find(known.begin(), known.end(), names[i]) == known.end())
      section.refuse_item("builders", i,
                          section.title() + " names builder " + in_quotes(names[i]) +
                              ", and there is no [[builder]] of that name" + suggestion(names[i], known));
    result.emplace_back(names[i]);
  }
  return result;
}

RepositoryConfig read_repository(const std::string& file, const toml::table& table, const std::filesystem::path& base,
                                 const std::vector<BuilderConfig>& builders) {
  Section section(file, table, "[[repository]]", kRepositoryKeys);
  RepositoryConfig repository;
  repository.name = model::RepositoryName(section.required_name("name", "what the dashboard calls it"));
  section.set_title("repository " + in_quotes(repository.name.value));
  repository.url = section.required_text("url", "a path, or a file:, https:, http:, ssh: or git: URL");
  if (const auto& url = repository.url; url == "." || url == ".." || url.starts_with("./") || url.starts_with("../"))
    repository.url = *section.path("url", base);
  const auto branches = section.list("branches").value_or(std::vector<std::string>{});
  for (std::size_t i = 0; i < branches.size(); ++i) {
    if (!is_branch_name(branches[i]))
      section.refuse_item(
          "branches", i,
          in_quotes(branches[i]) + " in branches of " + section.title() + " cannot be the name of a branch");
    repository.branches.emplace_back(branches[i]);
  }
  repository.builders = read_builder_names(section, builders);
  repository.first_sight = section.integer("first_sight", 0, 1000).value_or(repository.first_sight);
  repository.poll_interval = section.duration("poll_interval").value_or(repository.poll_interval);
  std::set<std::string> step_names;
  for (const toml::table* step : section.tables("step", "repository.step")) {
    repository.steps.push_back(read_step(file, *step, section.title()));
    if (const std::string& name = repository.steps.back().name; !step_names.insert(name).second)
      refuse(file, step->get("name")->source(), section.title() + " has two steps called " + in_quotes(name));
  }
  if (repository.steps.empty())
    section.refuse("step",
                   section.title() + " has no step: write [[repository.step]] below it, with a name and a command");
  return repository;
}

FarmConfig read_farm(const std::string& file, const toml::table& root, const std::filesystem::path& base) {
  const Section top(file, root, "the file", kTopKeys);
  FarmConfig config;
  const toml::table* coordinator = top.table("coordinator", "coordinator");
  if (!coordinator) top.refuse("coordinator", "the file has no [coordinator]; state_dir, at least, must be in it");
  read_coordinator(file, *coordinator, base, config);
  if (const toml::table* table = top.table("retention", "retention")) config.retention = read_retention(file, *table);
  if (const toml::table* access = top.table("access", "access")) config.access = read_access(file, *access);

  std::set<std::string> names;
  for (const toml::table* table : top.tables("builder", "builder")) {
    config.builders.push_back(read_builder(file, *table));
    if (const std::string& name = config.builders.back().name.value; !names.insert(name).second)
      refuse(file, table->get("name")->source(), "there are two builders called " + in_quotes(name));
  }
  names.clear();
  for (const toml::table* table : top.tables("repository", "repository")) {
    config.repositories.push_back(read_repository(file, *table, base, config.builders));
    if (const std::string& name = config.repositories.back().name.value; !names.insert(name).second)
      refuse(file, table->get("name")->source(), "there are two repositories called " + in_quotes(name));
  }
  return config;
}

}  // namespace

FarmConfig load(const std::filesystem::path& file) {
  return parse(base::read_file(file, kMaxFileSize), file.string(), std::filesystem::absolute(file).parent_path());
}

FarmConfig parse(const std::string& text, const std::string& name, const std::filesystem::path& base) {
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    refuse(name, error.source(), std::string(error.description()));
  }
  return read_farm(name, root, base);
}

std::vector<std::string> keep_what_needs_a_restart(const FarmConfig& current, FarmConfig& next) {
  std::vector<std::string> sentences;
  const auto keep = [&](const char* name, const auto& old, auto& given) {
    if (given == old) return;
    given = old;
    sentences.push_back(std::string(name) + " has changed and is taken over by the next start only");
  };
  keep("listen", current.listen, next.listen);
  keep("web_listen", current.web_listen, next.web_listen);
  keep("state_dir", current.state_dir, next.state_dir);
  keep("tls_certificate", current.tls_certificate, next.tls_certificate);
  keep("tls_key", current.tls_key, next.tls_key);
  keep("tls_names", current.tls_names, next.tls_names);
  keep("master_key_file", current.master_key_file, next.master_key_file);
  return sentences;
}

std::vector<std::string> known_keys() {
  std::vector<std::string> keys;
  const auto add = [&](std::string_view table, std::span<const std::string_view> names) {
    for (const std::string_view name : names) keys.push_back(std::string(table) + "." + std::string(name));
  };
  add("coordinator", kCoordinatorKeys);
  add("retention", kRetentionKeys);
  add("access", kAccessKeys);
  add("access.token", kTokenKeys);
  add("builder", kBuilderKeys);
  add("repository", kRepositoryKeys);
  add("repository.step", kStepKeys);
  return keys;
}

}  // namespace build::config
