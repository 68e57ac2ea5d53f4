#include <build/base/file.h>
#include <build/buildlet/cloud_metadata.h>
#include <build/buildlet/exec_request.h>
#include <build/buildlet/http_url.h>
#include <build/net/basic_auth.h>
#include <build/net/client.h>

#include <rapidjson/document.h>

#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

namespace build::buildlet {

namespace {

constexpr io::Duration kMetadataLimit = std::chrono::seconds{5};
constexpr std::size_t kMaxMetadata = 256 * 1024;
constexpr const char* kMetadataKeys[] = {"password", "tls-cert", "tls-key"};

std::string dmi_text(const std::filesystem::path& file) {
  try {
    return base::read_file(file, 4096);
  } catch (const std::exception&) {
    return {};  // many machines have no such tables
  }
}

bool is_true(const std::optional<std::string>& value) { return value && parse_go_bool(*value).value_or(false); }

/// One exchange; the body of a 200, nullopt for a 404.
class MetadataServer {
 public:
  MetadataServer(io::Executor executor, io::Clock& clock, io::HostPort server)
      : executor_(std::move(executor)), clock_(clock), server_(std::move(server)) {}

  io::Task<std::optional<std::string>> ask(std::string method, std::string target, io::Field field) {
    io::RequestHead head;
    head.method = std::move(method);
    head.target = std::move(target);
    head.fields.add("Host", server_.host);
    head.fields.add(std::move(field.name), std::move(field.value));
    const std::string what = "the cloud's metadata server " + server_.str() + " was asked for " + head.target;
    net::SimpleResponse answer;
    std::string why;
    try {
      io::StreamPtr stream = co_await io::tcp_connect(executor_, clock_, server_, kMetadataLimit);
      net::ClientLimits limits;
      limits.head_timeout = limits.body_timeout = limits.write_timeout = kMetadataLimit;
      net::ClientConnection connection(std::move(stream), clock_, limits);
      std::string no_body;
      answer = co_await connection.request(std::move(head), std::move(no_body), kMaxMetadata);
    } catch (const std::exception& error) {
      why = error.what();
    }
    if (!why.empty()) throw std::runtime_error(what + ": " + why);
    if (answer.head.status == 404) co_return std::nullopt;
    if (answer.head.status != 200) {
      throw std::runtime_error(what + " and answered " + std::to_string(answer.head.status));
    }
    co_return std::move(answer.body);
  }

 private:
  io::Executor executor_;
  io::Clock& clock_;
  io::HostPort server_;
};

void keep_string(const rapidjson::Value& object, const char* name, const char* key,
                 std::map<std::string, std::string>& values) {
  const auto found = object.FindMember(name);
  if (found == object.MemberEnd() || !found->value.IsString() || found->value.GetStringLength() == 0) return;
  values[key] = std::string(found->value.GetString(), found->value.GetStringLength());
}

std::string without_ending_blanks(std::string text) {
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

}  // namespace

Cloud detect_cloud(const EnvironmentLookup& environment, const std::filesystem::path& dmi) {
  const bool pod = !environment("KUBERNETES_SERVICE_HOST").value_or("").empty();
  const bool google = !environment("GCE_METADATA_HOST").value_or("").empty() ||
                      dmi_text(dmi / "product_name").starts_with("Google Compute Engine");
  if (google && !pod) return Cloud::google;
  if (is_true(environment("AWS_EC2_METADATA_DISABLED"))) return Cloud::none;
  const bool amazon = !environment("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or("").empty() ||
                      dmi_text(dmi / "sys_vendor").starts_with("Amazon EC2");
  return amazon ? Cloud::amazon : Cloud::none;
}

io::HostPort metadata_server(Cloud cloud, const EnvironmentLookup& environment) {
  if (cloud == Cloud::google) {
    const std::string host = environment("GCE_METADATA_HOST").value_or("");
    if (!host.empty()) return io::HostPort::parse(host.find(':') == std::string::npos ? host + ":80" : host);
  } else {
    const std::string endpoint = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or("");
    if (!endpoint.empty()) {
      const HttpUrl url = parse_http_url(endpoint);
      if (url.secure) throw std::invalid_argument("AWS_EC2_METADATA_SERVICE_ENDPOINT is no http:// URL");
      return {url.host, url.port};
    }
  }
  return {"169.254.169.254", "80"};
}

std::map<std::string, std::string> parse_ec2_user_data(std::string_view text) {
  std::string plain = without_ending_blanks(std::string(text));
  if (plain.empty()) return {};
  if (!plain.starts_with('{')) plain = net::decode_base64(plain).value_or("");
  rapidjson::Document document;
  // Iterative: nesting costs heap, not stack. RapidJSON would take a NUL for the end of the text.
  document.Parse<rapidjson::kParseIterativeFlag>(plain.data(), plain.size());
  if (plain.find('\0') != std::string::npos || document.HasParseError() || !document.IsObject()) {
    throw std::invalid_argument("the machine's user data are no JSON object, nor base64 of one");
  }
  std::map<std::string, std::string> values;
  const auto metadata = document.FindMember("metadata");
  if (metadata != document.MemberEnd() && metadata->value.IsObject()) {
    for (const char* key : kMetadataKeys) keep_string(metadata->value, key, key, values);
  }
  keep_string(document, "tls_password", "password", values);
  keep_string(document, "tls_cert", "tls-cert", values);
  keep_string(document, "tls_key", "tls-key", values);
  return values;
}

io::Task<CloudMetadata> fetch_cloud_metadata(io::Executor executor, io::Clock& clock, Cloud cloud,
                                             io::HostPort server) {
  CloudMetadata metadata{.cloud = cloud, .values = {}};
  MetadataServer asked(executor, clock, std::move(server));
  if (cloud == Cloud::google) {
    for (const char* key : kMetadataKeys) {
      io::Field field{"Metadata-Flavor", "Google"};
      std::string target = std::string("/computeMetadata/v1/instance/attributes/") + key;
      auto value = co_await asked.ask("GET", std::move(target), std::move(field));
      if (value && !value->empty()) metadata.values[key] = std::move(*value);
    }
  } else if (cloud == Cloud::amazon) {
    io::Field lifetime{"X-aws-ec2-metadata-token-ttl-seconds", "60"};
    const auto token = co_await asked.ask("PUT", "/latest/api/token", std::move(lifetime));
    io::Field with{"X-aws-ec2-metadata-token", without_ending_blanks(token.value_or(""))};
    const auto data = co_await asked.ask("GET", "/latest/user-data", std::move(with));
    metadata.values = parse_ec2_user_data(data.value_or(""));
  }
  co_return metadata;
}

}  // namespace build::buildlet
