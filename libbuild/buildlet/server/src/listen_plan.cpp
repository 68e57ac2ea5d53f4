#include <build/base/file.h>
#include <build/buildlet/listen_plan.h>

#include <algorithm>
#include <stdexcept>

namespace build::buildlet {

namespace {

constexpr std::size_t kMaxMetadataFile = 64 * 1024;
constexpr const char* kAutomaticAddress = "localhost:5936";

bool only_this_machine(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace

std::string metadata_value(const std::string& key, const EnvironmentLookup& environment) {
  std::string name = "META_" + key;
  std::replace(name.begin(), name.end(), '-', '_');
  std::string value = environment(name).value_or("");
  if (!value.starts_with('@')) return value;
  try {
    value = base::read_file(value.substr(1), kMaxMetadataFile);
  } catch (const std::exception& error) {
    throw std::runtime_error("the file that " + name + " names is of no use: " + error.what());
  }
  value.erase(value.find_last_not_of("\r\n") + 1);
  if (value.empty()) throw std::runtime_error("the file that " + name + " names is empty");
  return value;
}

namespace {

io::HostPort listen_address(const std::string& flag, Cloud cloud, bool tls) {
  if (flag != "AUTO") return io::HostPort::parse(flag);
  if (cloud == Cloud::none) return io::HostPort::parse(kAutomaticAddress);
  return io::HostPort{"", tls ? "443" : "80"};
}

void check_identity(const io::CertificatePem& identity, const ListenFlags& flags) {
  if (identity.certificate.empty() != identity.private_key.empty()) {
    throw std::invalid_argument(std::string("META_tls_cert and META_tls_key belong together: ") +
                                (identity.certificate.empty() ? "META_tls_cert" : "META_tls_key") + " is missing");
  }
  if (identity.certificate.empty() && !flags.client_ca.empty()) {
    throw std::invalid_argument("-client-ca needs TLS: META_tls_cert and META_tls_key give the worker's certificate");
  }
}

std::string warning_about(const ListenPlan& plan) {
  if (plan.password.empty() && plan.client_ca.empty()) {
    return "INSECURE: no password is asked: everybody who reaches this worker runs commands as this user";
  }
  if (!plan.tls && !only_this_machine(plan.address.host)) {
    return "the password crosses the network in the clear: META_tls_cert and META_tls_key give encryption";
  }
  return {};
}

}  // namespace

ListenPlan plan_listening(const ListenFlags& flags, const EnvironmentLookup& environment, const CloudMetadata& cloud) {
  const auto metadata = [&](const char* key) {
    const std::string value = metadata_value(key, environment);
    const auto found = cloud.values.find(key);
    return value.empty() && found != cloud.values.end() ? found->second : value;
  };
  ListenPlan plan;
  io::CertificatePem identity{metadata("tls-cert"), metadata("tls-key")};
  check_identity(identity, flags);
  plan.address = listen_address(flags.address, cloud.cloud, !identity.certificate.empty());
  plan.password = metadata("password");
  plan.client_ca = flags.client_ca;
  if (plan.password.empty() && plan.client_ca.empty() && !flags.insecure) {
    throw std::invalid_argument(
        "listening on " + plan.address.str() +
        " without a password would let everybody who reaches it run commands as this user: set META_password "
        "(\"@FILE\" for what a file holds), or ask for certificates with -client-ca, or add -insecure");
  }
  if (!identity.certificate.empty()) plan.tls = std::move(identity);
  plan.warning = warning_about(plan);
  return plan;
}

}  // namespace build::buildlet
