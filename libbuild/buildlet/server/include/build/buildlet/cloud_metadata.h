// What a cloud tells the machines that it makes about themselves: password and certificate of a worker that listens.
//
// On Google's cloud they are instance attributes, on Amazon's a JSON object in the user data, as the original's
// launchers put them there. On other machines nothing is asked; which cloud this is is read from the firmware's tables,
// not tried.
#pragma once

#include <build/buildlet/worker_state.h>
#include <io/clock.h>
#include <io/tcp.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace build::buildlet {

enum class Cloud { none, google, amazon };

struct CloudMetadata {
  Cloud cloud = Cloud::none;
  /// Of the keys password, tls-cert and tls-key those that are there.
  std::map<std::string, std::string> values;
};

/// From the files sys_vendor and product_name below `dmi`. Google's counts only outside of Kubernetes
/// (KUBERNETES_SERVICE_HOST), whose pods are not the machine; GCE_METADATA_HOST says that there is a server of
/// Google's kind, AWS_EC2_METADATA_DISABLED=true that there is none of Amazon's. Blocks for a moment.
Cloud detect_cloud(const EnvironmentLookup& environment, const std::filesystem::path& dmi = "/sys/class/dmi/id");

/// Where the cloud's metadata are served: 169.254.169.254:80, or what GCE_METADATA_HOST (HOST or HOST:PORT) or
/// AWS_EC2_METADATA_SERVICE_ENDPOINT (http://HOST:PORT) says.
io::HostPort metadata_server(Cloud cloud, const EnvironmentLookup& environment);

/// Asks the server; a key that it does not have is left out. Throws std::runtime_error with a sentence if it cannot be
/// asked, or answers something else: a worker must not take silence for an empty password.
io::Task<CloudMetadata> fetch_cloud_metadata(io::Executor executor, io::Clock& clock, Cloud cloud, io::HostPort server);

/// Of Amazon's user data: a JSON object, or base64 of one, with the keys tls_cert, tls_key, tls_password, and metadata,
/// a map. Values that are no strings are passed over. Throws std::invalid_argument for anything else; no user data
/// at all are an empty map.
std::map<std::string, std::string> parse_ec2_user_data(std::string_view text);

}  // namespace build::buildlet
