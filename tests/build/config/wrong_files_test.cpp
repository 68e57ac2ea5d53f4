#include <build/config/farm_config.h>
#include <doctest/doctest.h>

#include <string>

using namespace build;

namespace {

struct Wrong {
  std::string text;
  std::string message;
};

// Lines 1 to 9; what a case adds begins at line 10.
constexpr const char* kStart =
    "[coordinator]\n"
    "state_dir = 'state'\n"
    "[[builder]]\n"
    "name = 'linux'\n"
    "host_type = 'host-linux'\n"
    "[[builder]]\n"
    "name = 'mac'\n"
    "host_type = 'host-mac'\n"
    "\n";

// Lines 10 to 12 of such a file.
#define REPOSITORY "[[repository]]\nname = 'zlib'\nurl = '/srv/zlib'\n"
// Three more.
#define STEP "[[repository.step]]\nname = 'test'\ncommand = 'make test'\n"

const Wrong kWholeFiles[] = {
    {"", "f:1: the file has no [coordinator]; state_dir, at least, must be in it"},
    {"[coordinator]\n",
     "f:1: [coordinator] has no state_dir: the folder for the farm's database, logs, mirrors and keys"},
    {"coordinator = 1\n", "f:1: write [coordinator] above its lines, once"},
    {"[[coordinator]]\nstate_dir='s'\n", "f:1: write [coordinator] above its lines, once"},
    {"\n[coordinator]\nstate_dir = 's'\nlisten\n", "f:4: Error while parsing key-value pair: expected '=', saw '\\n'"},
    {"[coordinator]\nstate_dir = 's'\nstate_dir = 't'\n",
     "f:3: Error while parsing key-value pair: cannot redefine existing string 'state_dir'"},
    {"[coordinator]\nstate_dir = \"s\n",
     "f:2: Error while parsing string: unescaped control characters other than TAB (U+0009) are explicitly prohibited"},
    {"[coordinator]\nstate_dir = 's'\nworkers = 2\n",
     "f:3: [coordinator] has no \"workers\"; it has listen, web_listen, state_dir, tls_certificate, tls_key, "
     "tls_names, "
     "master_key_file, max_attempts, lease, drain_limit"},
    {"[coordinator]\nstate_dir = 's'\nzzz = 1\nlisten_ = ':1'\naaa = 1\n",
     "f:3: [coordinator] has no \"zzz\"; it has listen, web_listen, state_dir, tls_certificate, tls_key, tls_names, "
     "master_key_file, max_attempts, lease, drain_limit"},
    {"[coordinator]\nstate_dir = 's'\nlistn = ':1'\n",
     "f:3: [coordinator] has no \"listn\" (did you mean \"listen\"?)"},
    {"[coordinator]\nstate_dir = 7\n", "f:2: state_dir of [coordinator] must be text in quotes, not a number"},
    {"[coordinator]\nstate_dir = ''\n", "f:2: state_dir of [coordinator] is empty"},
    {"[coordinator]\nstate_dir = \"a\\u0000b\"\n",
     "f:2: state_dir of [coordinator] holds a control character: \"a?b\""},
    {"[coordinator]\nstate_dir = 's'\nlisten = 'localhost'\n",
     "f:3: listen \"localhost\" is no address and port, for example \"127.0.0.1:8119\""},
    {"[coordinator]\nstate_dir = 's'\nweb_listen = ':65536'\n",
     "f:3: web_listen \":65536\" is no address and port, for example \"127.0.0.1:8119\""},
    {"[coordinator]\nstate_dir = 's'\nlisten = ':http'\n",
     "f:3: listen \":http\" is no address and port, for example \"127.0.0.1:8119\""},
    {"[coordinator]\nstate_dir = 's'\ntls_certificate = 'c'\n",
     "f:3: [coordinator] has tls_certificate but no tls_key: give both, or none and one is made on the first start"},
    {"[coordinator]\nstate_dir = 's'\ntls_key = 'c'\n",
     "f:3: [coordinator] has tls_key but no tls_certificate: give both, or none and one is made on the first start"},
    {"[coordinator]\nstate_dir = 's'\ntls_key = 'c'\ntls_certificate = 'c'\ntls_names = ['a']\n",
     "f:5: tls_names are for a certificate that is made on the first start, but tls_certificate is given"},
    {"[coordinator]\nstate_dir = 's'\ntls_names = 'a'\n",
     "f:3: tls_names of [coordinator] must be a list, for example [\"one\", \"two\"], not text"},
    {"[coordinator]\nstate_dir = 's'\ntls_names = [\n'a',\n'b',\n'a']\n",
     "f:6: tls_names of [coordinator] names \"a\" twice"},
    {"[coordinator]\nstate_dir = 's'\ntls_names = ['a', 2]\n",
     "f:3: tls_names of [coordinator] must be text in quotes, not a number"},
    {"[coordinator]\nstate_dir = 's'\nmax_attempts = 0\n",
     "f:3: max_attempts of [coordinator] must be a whole number from 1 to 100, not 0"},
    {"[coordinator]\nstate_dir = 's'\nmax_attempts = '3'\n",
     "f:3: max_attempts of [coordinator] must be a whole number from 1 to 100, not text"},
    {"[coordinator]\nstate_dir = 's'\nmax_attempts = 1.5\n",
     "f:3: max_attempts of [coordinator] must be a whole number from 1 to 100, not a number"},
    {"[coordinator]\nstate_dir = 's'\nlease = 30\n",
     "f:3: lease of [coordinator] must be text in quotes, not a number"},
    {"[coordinator]\nstate_dir = 's'\nlease = '0s'\n", "f:3: lease \"0s\" is too short: it must be at least 1s"},
    {"[coordinator]\nstate_dir = 's'\nlease = '721h'\n", "f:3: lease \"721h\" is too long: it must be at most 720h"},
    {"[coordinator]\nstate_dir = 's'\nlease = 'forever'\n",
     "f:3: lease \"forever\" is no length of time: write, for example, \"90s\", \"30m\" or \"1h30m\""},
    {"[coordinator]\nstate_dir = 's'\n[[builder]]\nhost_type = 'h'\n",
     "f:3: [[builder]] has no name: what the dashboard calls it"},
    {"[coordinator]\nstate_dir = 's'\n[[builder]]\nname = 'linux'\n",
     "f:3: builder \"linux\" has no host_type: the kind of worker it needs"},
    {"[coordinator]\nstate_dir = 's'\n[builder]\nname = 'linux'\n",
     "f:3: write [[builder]] above each builder, not [builder]"},
    {"builder = ['linux']\n[coordinator]\nstate_dir = 's'\n", "f:1: write [[builder]] above each builder"},
    {"[coordinator]\nstate_dir = 's'\n" REPOSITORY STEP,
     "f:3: repository \"zlib\" has no builder: the file needs a [[builder]]"},
};

const Wrong kAfterStart[] = {
    {"[[builder]]\nname = 'linux'\nhost_type = 'h'\n", "f:11: there are two builders called \"linux\""},
    {"[[builder]]\nname = '-rf'\nhost_type = 'h'\n",
     "f:11: name \"-rf\" cannot be a name: use letters, digits, '.', '_' and '-', with a letter, digit or '_' first, "
     "at most 100"},
    {"[[builder]]\nname = 'a b'\nhost_type = 'h'\n",
     "f:11: name \"a b\" cannot be a name: use letters, digits, '.', '_' and '-', with a letter, digit or '_' first, "
     "at most 100"},
    {"[[builder]]\nname = 'b'\nhost_type = '../h'\n",
     "f:12: host_type \"../h\" cannot be a name: use letters, digits, '.', '_' and '-', with a letter, digit or '_' "
     "first, at most 100"},
    {"[[builder]]\nname = 'b'\nhost_tipe = 'h'\n",
     "f:12: [[builder]] has no \"host_tipe\" (did you mean \"host_type\"?)"},
    {"[[builder]]\nname = 'b'\nhost_type = 'h'\nenv = ['A=b']\n", "f:13: write [builder.env] above its lines, once"},
    {"[[builder]]\nname = 'b'\nhost_type = 'h'\n[builder.env]\nA = 1\n",
     "f:14: A of env of builder \"b\" must be text in quotes, not a number"},
    {"[[builder]]\nname = 'b'\nhost_type = 'h'\n[builder.env]\n'A=B' = ''\n",
     "f:14: \"A=B\" in env of builder \"b\" cannot be the name of an environment variable"},
    {"[[builder]]\nname = 'b'\nhost_type = 'h'\n[builder.env]\nXBUILD_COMMIT = 'x'\n",
     "f:14: XBUILD_COMMIT in env of builder \"b\": names that begin with XBUILD_ are set by the farm"},
    {"[[builder]]\nname = 'b'\nhost_type = 'h'\n[builder.env]\nA = \"\\u0000\"\n",
     "f:14: A of env of builder \"b\" holds a NUL character"},
    {"[[repository]]\nurl = '/srv/zlib'\n" STEP, "f:10: [[repository]] has no name: what the dashboard calls it"},
    {"[[repository]]\nname = 'zlib'\n" STEP,
     "f:10: repository \"zlib\" has no url: a path, or a file:, https:, http:, ssh: or git: URL"},
    {REPOSITORY,
     "f:10: repository \"zlib\" has no step: write [[repository.step]] below it, with a name and a command"},
    {REPOSITORY STEP REPOSITORY STEP, "f:17: there are two repositories called \"zlib\""},
    {REPOSITORY "builders = ['linux', 'mca']\n" STEP,
     "f:13: repository \"zlib\" names builder \"mca\", and there is no [[builder]] of that name (did you mean "
     "\"mac\"?)"},
    {REPOSITORY "builders = [\n'linux',\n'windows']\n" STEP,
     "f:15: repository \"zlib\" names builder \"windows\", and there is no [[builder]] of that name"},
    {REPOSITORY "builders = ['mac', 'mac']\n" STEP, "f:13: builders of repository \"zlib\" names \"mac\" twice"},
    {REPOSITORY "builders = []\n" STEP, "f:13: repository \"zlib\" has no builder: leave builders out for all of them"},
    {REPOSITORY "branches = 'main'\n" STEP,
     "f:13: branches of repository \"zlib\" must be a list, for example [\"one\", \"two\"], not text"},
    {REPOSITORY "branches = ['--all']\n" STEP,
     "f:13: \"--all\" in branches of repository \"zlib\" cannot be the name of a branch"},
    {REPOSITORY "branches = ['refs/*']\n" STEP,
     "f:13: \"refs/*\" in branches of repository \"zlib\" cannot be the name of a branch"},
    {REPOSITORY "first_sight = -1\n" STEP,
     "f:13: first_sight of repository \"zlib\" must be a whole number from 0 to 1000, not -1"},
    {REPOSITORY "poll_interval = 30\n" STEP,
     "f:13: poll_interval of repository \"zlib\" must be text in quotes, not a number"},
    {REPOSITORY "poll_interval = '0'\n" STEP, "f:13: poll_interval \"0\" is too short: it must be at least 1s"},
    {REPOSITORY "poll-interval = '30s'\n" STEP,
     "f:13: [[repository]] has no \"poll-interval\" (did you mean \"poll_interval\"?)"},
    {REPOSITORY STEP "time_limit = '30'\n",
     "f:16: time_limit \"30\" is no length of time: write, for example, \"90s\", \"30m\" or \"1h30m\""},
    {REPOSITORY STEP "time_limit = '30 minutes'\n",
     "f:16: time_limit \"30 minutes\" is no length of time: write, for example, \"90s\", \"30m\" or \"1h30m\""},
    {REPOSITORY STEP "time_limit = '-5m'\n", "f:16: time_limit \"-5m\" is too short: it must be at least 1s"},
    {REPOSITORY STEP "time_limit = '721h'\n", "f:16: time_limit \"721h\" is too long: it must be at most 720h"},
    {REPOSITORY STEP "time_limit = '99999999999999999999h'\n",
     "f:16: time_limit \"99999999999999999999h\" is no length of time: write, for example, \"90s\", \"30m\" or "
     "\"1h30m\""},
    {REPOSITORY STEP "time_limit = '1.5s'\n", "f:16: time_limit \"1.5s\" is no whole number of seconds"},
    {REPOSITORY STEP "timeout = '5m'\n",
     "f:16: [[repository.step]] of repository \"zlib\" has no \"timeout\"; it has name, command, time_limit"},
    {REPOSITORY "[[repository.step]]\nname = 'test'\n",
     "f:13: step \"test\" of repository \"zlib\" has no command: what /bin/sh runs in the source tree"},
    {REPOSITORY "[[repository.step]]\nname = 'test'\ncommand = \" \\n\"\n",
     "f:15: command of step \"test\" of repository \"zlib\" is empty"},
    {REPOSITORY "[[repository.step]]\nname = 'test'\ncommand = ['make', 'test']\n",
     "f:15: command of step \"test\" of repository \"zlib\" must be text in quotes, not a list"},
    {REPOSITORY "[[repository.step]]\ncommand = 'make'\n",
     "f:13: [[repository.step]] of repository \"zlib\" has no name: what its log is called"},
    {REPOSITORY STEP STEP, "f:17: repository \"zlib\" has two steps called \"test\""},
    {REPOSITORY "[[repository.step]]\nname = 'source'\ncommand = 'make'\n",
     "f:14: a step of repository \"zlib\" is called \"source\", as is the farm's own first step"},
    {REPOSITORY "[repository.step]\nname = 'test'\ncommand = 'make'\n",
     "f:13: write [[repository.step]] above each step, not [repository.step]"},
};

// Line 10 and on are a token's.
#define TOKEN "[[access.token]]\nname = 'ci'\nrole = 'read'\n"
#define DIGEST "sha256 = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'\n"

const Wrong kAccess[] = {
    {"[access]\nread = 'some'\n", "f:11: read of [access] must be \"all\" or \"token\", not \"some\""},
    {"[access]\nlocal = 'yes'\n", "f:11: local of [access] must be true or false, not text"},
    {"[access]\nreed = 'all'\n", "f:11: [access] has no \"reed\" (did you mean \"read\"?)"},
    {"[[access]]\n", "f:10: write [access] above its lines, once"},
    {"[access]\ntoken = 'x'\n", "f:11: write [[access.token]] above each token, not [access.token]"},
    {TOKEN, "f:10: token \"ci\" has no sha256: the token's SHA-256 in hexadecimal"},
    {TOKEN "sha256 = 'secret'\n",
     "f:13: sha256 of token \"ci\" must be 64 lower-case hexadecimal digits, as \"printf %s TOKEN | sha256sum\" "
     "prints"},
    {"[[access.token]]\nname = 'ci'\nrole = 'write'\n" DIGEST,
     "f:12: role of token \"ci\" must be \"read\" or \"act\", not \"write\""},
    {"[[access.token]]\nname = 'admin'\nrole = 'act'\n" DIGEST,
     "f:11: a token cannot be called \"admin\": that name has a meaning of its own"},
    {"[[access.token]]\nrole = 'act'\n" DIGEST, "f:10: [[access.token]] has no name: who it was given to"},
    {TOKEN DIGEST TOKEN DIGEST, "f:15: there are two tokens called \"ci\""},
};

std::string message_of(const std::string& text) {
  try {
    config::parse(text, "f", "/");
  } catch (const config::ConfigError& error) {
    return error.what();
  }
  return "(accepted)";
}

}  // namespace

TEST_CASE("a wrong file is refused with its line and a sentence that helps") {
  for (const Wrong& wrong : kWholeFiles) {
    CAPTURE(wrong.text);
    CHECK(message_of(wrong.text) == wrong.message);
  }
}

TEST_CASE("wrong builders, repositories and steps are refused with their line and a sentence that helps") {
  CHECK(message_of(std::string(kStart) + REPOSITORY STEP) == "(accepted)");
  for (const Wrong& wrong : kAfterStart) {
    CAPTURE(wrong.text);
    CHECK(message_of(kStart + wrong.text) == wrong.message);
  }
}

TEST_CASE("wrong access is refused with its line and a sentence that helps, and no secret in it") {
  CHECK(message_of(std::string(kStart) + TOKEN DIGEST REPOSITORY STEP) == "(accepted)");
  for (const Wrong& wrong : kAccess) {
    CAPTURE(wrong.text);
    CHECK(message_of(kStart + wrong.text) == wrong.message);
  }
}

TEST_CASE("hostile files are refused, not followed into the ground") {
  CHECK(message_of("a = " + std::string(100'000, '[')) != "(accepted)");
  CHECK(message_of(std::string("\xff\xfe\0\0", 4)) != "(accepted)");
  CHECK(message_of("[coordinator]\nstate_dir = 's'\n[" + std::string(50'000, 'x') + "]\n") != "(accepted)");
}
