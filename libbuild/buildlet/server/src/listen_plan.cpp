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

ListenPlan plan_listening(const ListenFlags& flags, const EnvironmentLookup& environment) {
  ListenPlan plan;
  plan.address = io::HostPort::parse(flags.address == "AUTO" ? kAutomaticAddress : flags.address);
  plan.password = metadata_value("password", environment);
  if (plan.password.empty() && !flags.allow_unauthenticated) {
    throw std::invalid_argument("listening on " + plan.address.str() +
                                " without a password would let everybody who reaches it run commands as this user: set "
                                "META_password (\"@FILE\" for what a file holds), or add -allow-unauthenticated");
  }
  io::CertificatePem identity{metadata_value("tls-cert", environment), metadata_value("tls-key", environment)};
  if (identity.certificate.empty() != identity.private_key.empty()) {
    throw std::invalid_argument(std::string("META_tls_cert and META_tls_key belong together: ") +
                                (identity.certificate.empty() ? "META_tls_cert" : "META_tls_key") + " is missing");
  }
  if (!identity.certificate.empty()) plan.tls = std::move(identity);
  if (plan.password.empty()) {
    plan.warning = "no password is asked: everybody who reaches this worker runs commands as this user";
  } else if (!plan.tls && !only_this_machine(plan.address.host)) {
    plan.warning = "the password crosses the network in the clear: META_tls_cert and META_tls_key give encryption";
  }
  return plan;
}

}  // namespace build::buildlet
