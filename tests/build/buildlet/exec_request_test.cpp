#include <build/buildlet/client.h>
#include <build/buildlet/exec_request.h>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace build::buildlet;

namespace {

ExecContext context() {
  ExecContext context;
  context.workdir = "/w/d";
  context.environment = {"PATH=/usr/bin:/bin", "HOME=/root", "WORKDIR=/w/d"};
  context.goroot_bootstrap = "/w/d/go1.4";
  context.find_executable = [](const std::string& name) -> std::optional<std::string> {
    if (name == "pwd" || name == "both") return "/usr/bin/" + name;
    if (name == "/w/d/here" || name == "/w/d/both") return name;
    return std::nullopt;
  };
  return context;
}

ExecRequest resolve(const std::string& body, const std::string& query = "") {
  Form form;
  form.query = io::parse_query(query);
  form.body = io::parse_query(body);
  return resolve_exec(form, context());
}

std::string variable(const ExecRequest& request, const std::string& name) {
  std::string value = "(none)";
  for (const std::string& entry : request.environment) {
    if (entry.starts_with(name + "=")) value = entry.substr(name.size() + 1);
  }
  return value;
}

}  // namespace

TEST_CASE("a command is absolute, below the work directory, or looked up") {
  struct Row {
    const char *body, *command, *dir;
  };
  const Row rows[] = {
      {"cmd=/bin/echo", "/bin/echo", "/bin"},
      {"cmd=/bin//../bin/./echo", "/bin/echo", "/bin"},
      {"cmd=/echo", "/echo", "/"},
      {"cmd=/../../echo", "/echo", "/"},
      {"cmd=tree/pkg/tool.sh", "/w/d/tree/pkg/tool.sh", "/w/d/tree/pkg"},
      {"cmd=tree/../tool.sh", "/w/d/tool.sh", "/w/d"},
      {"cmd=./pwd", "/w/d/pwd", "/w/d"},
      {"cmd=pwd", "/usr/bin/pwd", "/usr/bin"},
      {"cmd=here", "/w/d/here", "/w/d"},
      {"cmd=both", "/w/d/both", "/w/d"},
      {"cmd=both&mode=sys", "/usr/bin/both", "/w/d"},
      {"cmd=pwd&mode=sys", "/usr/bin/pwd", "/w/d"},
      {"cmd=pwd&dir=.", "/usr/bin/pwd", "/w/d"},
      {"cmd=pwd&dir=tree/", "/usr/bin/pwd", "/w/d/tree"},
      {"cmd=pwd&dir=/usr/", "/usr/bin/pwd", "/usr"},
      {"cmd=pwd&dir=/", "/usr/bin/pwd", "/"},
      {"cmd=pwd&dir=a/../b", "/usr/bin/pwd", "/w/d/b"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.body);
    const ExecRequest request = resolve(row.body);
    CHECK(request.command == row.command);
    CHECK(request.dir == row.dir);
    CHECK(request.argv == std::vector<std::string>{row.command});
    CHECK(variable(request, "PWD") == row.dir);
  }
}

TEST_CASE("what cannot be run is refused in the original's words") {
  struct Row {
    const char* body;
    int status;
    const char* text;
  };
  const Row rows[] = {
      {"", 400, "invalid 'cmd' parameter: requires 'cmd' parameter"},
      {"cmd=", 400, "invalid 'cmd' parameter: requires 'cmd' parameter"},
      {"cmd=../bin/sh", 400,
       "invalid 'cmd' parameter: invalid 'cmd' parameter: path \"../bin/sh\" refers to a parent directory"},
      {"cmd=..", 400, "invalid 'cmd' parameter: invalid 'cmd' parameter: path \"..\" refers to a parent directory"},
      {"cmd=a/../../b", 400,
       "invalid 'cmd' parameter: invalid 'cmd' parameter: path \"a/../../b\" refers to a parent directory"},
      {"mode=sys&cmd=tree/x", 400, "invalid 'cmd' parameter: 'sys' mode requires absolute or system 'cmd' path"},
      {"cmd=nosuch", 422, "invalid 'cmd' parameter: command \"nosuch\" not found"},
      {"mode=sys&cmd=here", 422, "invalid 'cmd' parameter: command \"here\" not found"},
      {"cmd=pwd&dir=../x", 400,
       "invalid 'dir' parameter: invalid 'dir' parameter: path \"../x\" refers to a parent directory"},
      {"cmd=a%00b", 400, "invalid 'cmd' parameter: \"a\\x00b\" contains a NUL byte"},
      {"cmd=/a%00b", 400, "invalid 'cmd' parameter: \"/a\\x00b\" contains a NUL byte"},
      {"cmd=pwd&cmdArg=%00", 400, "invalid 'cmdArg' parameter: \"\\x00\" contains a NUL byte"},
      {"cmd=pwd&env=A%3D%00", 400, "invalid 'env' parameter: \"A=\\x00\" contains a NUL byte"},
      {"cmd=pwd&path=%00", 400, "invalid 'path' parameter: \"\\x00\" contains a NUL byte"},
      {"cmd=pwd&dir=/%00", 400, "invalid 'dir' parameter: \"/\\x00\" contains a NUL byte"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.body);
    int status = 0;
    std::string text;
    try {
      resolve(row.body);
    } catch (const ExecRefused& refused) {
      status = refused.status;
      text = refused.what();
    }
    CHECK(status == row.status);
    CHECK(text == row.text);
  }
}

TEST_CASE("cmd, mode, dir and debug may come from the URL, lists only from the body") {
  const ExecRequest request =
      resolve("cmdArg=frombody&env=A%3Db", "mode=sys&cmd=/bin/echo&cmdArg=fromquery&env=A%3Dq&path=/q&debug=1&dir=/d");
  CHECK(request.argv == std::vector<std::string>{"/bin/echo", "frombody"});
  CHECK(request.dir == "/d");
  CHECK(request.debug);
  CHECK(variable(request, "A") == "b");
  CHECK(variable(request, "PATH") == "/usr/bin:/bin");
  // The body's value comes first.
  CHECK(resolve("cmd=/a", "cmd=/b").command == "/a");
}

TEST_CASE("the environment has the agent's, ours, the client's, the caches and the path, later ones winning") {
  const ExecRequest request = resolve("cmd=pwd&mode=sys&env=FOO%3Dbar&env=FOO%3Dbaz&env=HOME%3D/n&env=TMPDIR%3D/mine");
  CHECK(request.environment == std::vector<std::string>{"PATH=/usr/bin:/bin", "WORKDIR=/w/d",
                                                        "GOROOT_BOOTSTRAP=/w/d/go1.4", "FOO=baz", "HOME=/n",
                                                        "TMPDIR=/w/d/tmp", "GOCACHE=/w/d/gocache",
                                                        "GOPLSCACHE=/w/d/goplscache", "PWD=/w/d"});
}

TEST_CASE("path elements are expanded once, and empty ones dropped") {
  const auto path = [](const std::string& body) { return variable(resolve("cmd=pwd&mode=sys&" + body), "PATH"); };
  CHECK(path("path=$WORKDIR/go/bin&path=$PATH&path=$EMPTY&path=/opt/x") == "/w/d/go/bin:/usr/bin:/bin:/opt/x");
  CHECK(path("path=$EMPTY") == "");
  CHECK(path("path=") == "");
  CHECK(path("env=PATH%3D/c&path=$PATH&path=/d") == "/c:/d");
  CHECK(path("env=PATH%3D$WORKDIR&path=$PATH") == "$WORKDIR");
  CHECK(path("path=a$WORKDIR$EMPTYb$$PAT") == "a/w/db$$PAT");
}

TEST_CASE("the debug line quotes as the original does") {
  ExecRequest request;
  request.command = "/bin/echo";
  request.argv = {"/bin/echo", "a \"b\"\n"};
  request.environment = {"A=\xff"};
  request.dir = "/w";
  CHECK(debug_line(request) ==
        ":: Running /bin/echo with args [\"/bin/echo\" \"a \\\"b\\\"\\n\"] and env [\"A=\\xff\"] in dir /w\n\n");
}

TEST_CASE("builder keys, metadata and tokens are no child's business") {
  const std::vector<std::string> kept =
      without_secrets({"PATH=/bin", "GO_BUILD_KEY_PATH=/k", "GO_BUILD_KEY_DELETE_AFTER_READ=1", "META_password=p",
                       "META_tls_key=k", "GO_BUILDLET_TOKEN=t", "GO_BUILDER_ENV=x", "METAL=1"});
  CHECK(kept == std::vector<std::string>{"PATH=/bin", "GO_BUILDER_ENV=x", "METAL=1"});
}

TEST_CASE("booleans are Go's") {
  for (const char* yes : {"1", "t", "T", "true", "TRUE", "True"}) CHECK(parse_go_bool(yes) == true);
  for (const char* no : {"0", "f", "F", "false", "FALSE", "False"}) CHECK(parse_go_bool(no) == false);
  for (const char* neither : {"", "yes", "tRUE", " 1", "2"}) CHECK(parse_go_bool(neither) == std::nullopt);
}

TEST_CASE("the form of a run is the one the original's client sends") {
  RunSpec spec;
  spec.cmd = "tree/all.bash";
  spec.args = {"-v", "a b"};
  spec.env = {"A=1", "B=ü"};
  CHECK(encode_exec_form(spec) ==
        "cmd=tree%2Fall.bash&cmdArg=-v&cmdArg=a+b&debug=false&dir=&env=A%3D1&env=B%3D%C3%BC"
        "&mode=");
  spec.args.clear();
  spec.env.clear();
  spec.dir = "x";
  spec.path.emplace();
  spec.level = RunSpec::Level::system;
  spec.print_command_first = true;
  CHECK(encode_exec_form(spec) == "cmd=tree%2Fall.bash&debug=true&dir=x&mode=sys&path=%24EMPTY");
}

TEST_CASE("a process state tells an end of the command from a start that failed") {
  const auto outcome = [](const char* text) { return result_of_process_state(text).outcome; };
  CHECK(outcome("ok") == RunOutcome::succeeded);
  CHECK(outcome("exit status 3") == RunOutcome::failed);
  CHECK(outcome("signal: segmentation fault (core dumped)") == RunOutcome::failed);
  CHECK(outcome("fork/exec /x: no such file or directory") == RunOutcome::could_not_run);
  CHECK(outcome("chdir /d: no such file or directory") == RunOutcome::could_not_run);
  CHECK(outcome("") == RunOutcome::lost);
  CHECK(result_of_process_state("exit status 3").text == "exit status 3");
}
