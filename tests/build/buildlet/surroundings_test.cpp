// What a worker finds around it: the machine's numbers and a cloud's metadata.
#include <build/buildlet/cloud_metadata.h>
#include <build/buildlet/machine.h>
#include <build/net/server.h>
#include <io/event_loop.h>

#include <doctest/doctest.h>

#include <map>
#include <stdexcept>
#include <string>

#include "build/buildlet/worker_fixture.h"

using namespace build;
using namespace build::buildlet;
using testing::value_of;

namespace {

EnvironmentLookup variables(std::map<std::string, std::string> all) {
  return [all = std::move(all)](const std::string& name) {
    const auto found = all.find(name);
    return found == all.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
}

template <typename F>
std::string error_of(F call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

/// A metadata server of both kinds.
struct Metadata {
  using Files = std::map<std::string, std::string>;
  explicit Metadata(Files files) : files(std::move(files)) {
    io::spawn(loop.executor(), server.serve(listener), [](std::exception_ptr) {});
  }
  ~Metadata() { loop.run_until_done(server.stop()); }

  io::Task<> answer(net::Request& request, net::Response& response) {
    const std::string flavor = request.fields().get("Metadata-Flavor"),
                      token = request.fields().get("X-aws-ec2-metadata-token");
    asked += request.method() + " " + request.path() + " " + flavor + token + "\n";
    const auto found = files.find(request.path());
    if (found == files.end()) throw io::HttpError(404, "none");
    if (found->second == "broken") throw io::HttpError(503, "broken");
    co_await response.send(200, found->second);
  }
  CloudMetadata fetch(Cloud cloud) {
    const io::HostPort address{"127.0.0.1", std::to_string(listener.port())};
    return value_of(loop, fetch_cloud_metadata(loop.executor(), clock, cloud, address));
  }

  std::map<std::string, std::string> files;
  std::string asked;
  io::RealClock clock;
  io::EventLoop loop;
  net::Server server{loop.executor(), clock, [this](net::Request& q, net::Response& r) { return answer(q, r); }};
  io::TcpListener listener{loop.executor(), io::HostPort{"127.0.0.1", "0"}};
};

}  // namespace

TEST_CASE("numbers are read from what the kernel says, and left out where it says something else") {
  MachineNumbers numbers;
  read_loadavg("1.25 0.50 0.10 1/234 5678\n", numbers);
  read_meminfo("MemTotal:        8000000 kB\nMemFree: 1 kB\nMemAvailable:    4000000 kB\n", numbers);
  CHECK(numbers.load == doctest::Approx(1.25));
  CHECK(numbers.memory == 8'000'000ull * 1024);
  CHECK(numbers.memory_available == 4'000'000ull * 1024);
  read_memory_group("max\n", "5\n", numbers);
  CHECK(numbers.memory == 8'000'000ull * 1024);
  read_memory_group("1000000\n", "400000\n", numbers);
  CHECK(numbers.memory == 1'000'000);
  CHECK(numbers.memory_available == 600'000);
  const MachineNumbers before = numbers;
  read_loadavg("nonsense", numbers);
  read_meminfo("XMemTotal: 5 kB\nMemAvailable: many\n", numbers);
  read_memory_group("", "", numbers);
  CHECK(numbers.load == before.load);
  CHECK(numbers.memory == before.memory);
}

TEST_CASE("a worker short of memory refuses commands, and says so in numbers") {
  MachineNumbers numbers;
  CHECK(!out_of_memory(numbers));  // nothing is known
  numbers.memory = 8ull << 30;
  numbers.memory_available = (32 << 20) - 1;
  ServerOptions options = testing::WorkerFixture::default_options();
  options.machine = [&numbers] { return numbers; };
  testing::WorkerFixture worker(options);
  Worker client = worker.client();
  const auto run = [&] {
    const auto started = client.start(model::RunId("r"), testing::shell("true"));
    return value_of(worker.loop, testing::follow_all(*started)).result;
  };
  CHECK(run().outcome == RunOutcome::lost);
  CHECK(run().text.starts_with("503 Service Unavailable: the worker is short of memory: 33554431 of 8589934592 bytes"));
  numbers.memory_available = 32 << 20;
  CHECK(run().outcome == RunOutcome::succeeded);
}

TEST_CASE("the machine's own numbers are there") {
  testing::WorkerFixture worker;
  const MachineNumbers numbers = read_machine(worker.workdir);
  CHECK(numbers.processors > 0);
  CHECK(numbers.memory >= numbers.memory_available);
  CHECK(numbers.memory > 0);
  CHECK(numbers.disk >= numbers.disk_available);
  CHECK(numbers.disk > 0);
}

TEST_CASE("which cloud this is, is read and not tried") {
  testing::TempDir dmi;
  CHECK(detect_cloud(variables({}), dmi.path()) == Cloud::none);
  testing::write_file(dmi / "product_name", "Google Compute Engine\n");
  CHECK(detect_cloud(variables({}), dmi.path()) == Cloud::google);
  CHECK(detect_cloud(variables({{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}}), dmi.path()) == Cloud::none);
  testing::write_file(dmi / "product_name", "t3.micro\n");
  testing::write_file(dmi / "sys_vendor", "Amazon EC2\n");
  CHECK(detect_cloud(variables({}), dmi.path()) == Cloud::amazon);
  CHECK(detect_cloud(variables({{"AWS_EC2_METADATA_DISABLED", "true"}}), dmi.path()) == Cloud::none);
  CHECK(detect_cloud(variables({{"GCE_METADATA_HOST", "h"}}), dmi / "nosuch") == Cloud::google);
  CHECK(metadata_server(Cloud::google, variables({})).str() == "169.254.169.254:80");
  CHECK(metadata_server(Cloud::google, variables({{"GCE_METADATA_HOST", "h"}})).str() == "h:80");
  CHECK(metadata_server(Cloud::amazon, variables({{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://h:81/"}})).str() ==
        "h:81");
  CHECK_THROWS(metadata_server(Cloud::amazon, variables({{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "https://h"}})));
}

TEST_CASE("Google's attributes and Amazon's user data are asked for as the original does") {
  Metadata google(Metadata::Files{{"/computeMetadata/v1/instance/attributes/password", "secret"},
                                  {"/computeMetadata/v1/instance/attributes/tls-cert", "C"}});
  CHECK(google.fetch(Cloud::google).values ==
        std::map<std::string, std::string>{{"password", "secret"}, {"tls-cert", "C"}});
  CHECK(google.asked.find("GET /computeMetadata/v1/instance/attributes/tls-key Google\n") != std::string::npos);
  Metadata amazon(
      Metadata::Files{{"/latest/api/token", "TOKEN"}, {"/latest/user-data", R"({"tls_password":"secret"})"}});
  CHECK(amazon.fetch(Cloud::amazon).values == std::map<std::string, std::string>{{"password", "secret"}});
  CHECK(amazon.asked == "PUT /latest/api/token \nGET /latest/user-data TOKEN\n");
  Metadata nothing(Metadata::Files{{"/latest/api/token", "TOKEN"}});
  CHECK(nothing.fetch(Cloud::amazon).values.empty());
  Metadata broken(Metadata::Files{{"/computeMetadata/v1/instance/attributes/password", "broken"}});
  CHECK(error_of([&] { broken.fetch(Cloud::google); }).ends_with("attributes/password and answered 503"));
}

TEST_CASE("user data are JSON, plain or in base64") {
  const std::string json = R"({"metadata":{"password":"m","tls-cert":"c","x":"y"},"tls_password":"p","tls_key":7})";
  const std::map<std::string, std::string> expected{{"password", "p"}, {"tls-cert", "c"}};
  CHECK(parse_ec2_user_data(json + "\n") == expected);
  CHECK(parse_ec2_user_data("eyJ0bHNfY2VydCI6IkMifQ==") == std::map<std::string, std::string>{{"tls-cert", "C"}});
  CHECK(parse_ec2_user_data(" \n").empty());
  for (const std::string& bad :
       {std::string("#!/bin/sh\n"), std::string("[]"), std::string("{"), std::string("{}\0x", 4), std::string("e30"),
        std::string(100'000, '['), "{\"a\":" + std::string(100'000, '[')}) {
    CHECK_THROWS_AS(parse_ec2_user_data(bad), std::invalid_argument);
  }
}
