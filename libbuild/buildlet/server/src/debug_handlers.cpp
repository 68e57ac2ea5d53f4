// GET /debug/x and /debug/goroutines. Both are for people who look for what is wrong with a worker or with the way to
// it, and ask for the password like everything else.
#include <build/buildlet/server.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace build::buildlet {

namespace {

constexpr std::int64_t kMostX = 1 << 20;

// As Go's strconv.Atoi with its error ignored: 0 for what is no number, the nearest one for what does not fit.
std::int64_t number_in(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || text.empty() || text.front() == '-') return 0;
  if (error == std::errc::result_out_of_range) value = INT64_MAX;
  return negative ? -value : value;
}

std::string first_line(const std::filesystem::path& file) {
  std::string line;
  std::ifstream in(file);
  std::getline(in, line);
  return line;
}

// Beside the goroutines of the original, its threads and what they wait for. Blocks for a moment.
std::string describe_threads() {
  std::string text;
  std::error_code error;
  namespace fs = std::filesystem;
  for (fs::directory_iterator task("/proc/self/task", error), end; !error && task != end; task.increment(error)) {
    const std::string stat = first_line(task->path() / "stat");
    const std::size_t name_end = stat.rfind(") ");
    const std::string state = name_end == std::string::npos ? "?" : stat.substr(name_end + 2, 1);
    text += "thread " + task->path().filename().string() + " " + first_line(task->path() / "comm") + " state " + state;
    const std::string waits = first_line(task->path() / "wchan");
    text += (waits.empty() || waits == "0" ? "" : " in " + waits) + "\n";
  }
  return text;
}

}  // namespace

io::Task<> Server::handle_debug_x(net::Request& request, net::Response& response) {
  const Form form = co_await read_form(request);
  const std::int64_t n = number_in(form.value("n"));
  if (n < 0) throw net::AbortExchange();
  std::string body(static_cast<std::size_t>(std::min(n, kMostX)), 'X');
  co_await response.send(200, "text/plain; charset=utf-8", std::move(body));
}

io::Task<> Server::handle_debug_goroutines(net::Request&, net::Response& response) {
  std::string body = "commands running: " + std::to_string(running_.size()) +
                     "\nrequests at work: " + std::to_string(gate_.inside()) +
                     "\ndraining: " + (drain_ ? "yes" : "no") + "\n";
  const auto look = [] { return describe_threads(); };
  body += co_await pool_.run(look);
  co_await response.send(200, "text/plain; charset=utf-8", std::move(body));
}

}  // namespace build::buildlet
