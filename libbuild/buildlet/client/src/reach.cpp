#include <build/base/digest.h>
#include <build/buildlet/reach.h>

#include <memory>
#include <utility>

namespace build::buildlet {

namespace {

io::HostPort full_address(const Access& access) {
  io::HostPort address = access.address;
  if (address.port.empty()) address.port = access.pair ? "443" : "80";
  return address;
}

}  // namespace

std::string password_of(const io::CertificatePem& pair) { return base::sha1_hex(pair.private_key); }

DialWorker dial_at(io::Executor executor, io::Clock& clock, const Access& access, io::Duration limit) {
  const io::HostPort address = full_address(access);
  std::shared_ptr<io::TlsClientContext> tls;
  if (access.pair) {
    io::TlsTrust trust{.kind = io::TlsTrust::Kind::same_key, .ca_file = {}, .fingerprint = {}, .certificate = {}};
    trust.certificate = access.pair->certificate;
    tls = std::make_shared<io::TlsClientContext>(trust);
  }
  return [executor, &clock, address, tls, limit]() -> io::Task<io::StreamPtr> {
    io::StreamPtr stream = co_await io::tcp_connect(executor, clock, address, limit);
    if (tls) stream = co_await tls->connect(std::move(stream), address.host, clock, limit);
    co_return stream;
  };
}

DirectWorker::DirectWorker(io::Executor executor, io::Clock& clock, const Access& access, WorkerLimits limits)
    : Worker(clock, dial_at(executor, clock, access, limits.head), full_address(access).str(), limits) {
  if (!access.password.empty()) {
    use_password(access.user, access.password);
  } else if (access.pair) {
    use_password(access.user, password_of(*access.pair));
  }
}

}  // namespace build::buildlet
