// maintwatch: shows what happens in a project, as it happens.
#include <build/base/cli.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event_loop.h>
#include <maintner/follower.h>
#include <maintner/mutation.h>
#include <maintner/mutation_json.h>
#include <maintner/reclog.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "describe.h"

namespace {

using namespace maintner;
namespace base = build::base;
namespace fs = std::filesystem;

constexpr int kExitTrouble = 1;
constexpr io::Duration kPause = std::chrono::seconds{1};

struct Flags {
  std::string server = "https://maintner.golang.org/logs";
  fs::path ca_file;
  maintwatch::Wanted wanted;
  bool json = false;
  std::int64_t count = 0;
};

/// A directory that goes when this does.
class Temporary {
 public:
  Temporary() {
    std::string name = (fs::temp_directory_path() / "maintwatch.XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw std::system_error(errno, std::generic_category(),
                              "cannot make a directory in " + fs::temp_directory_path().string());
    path_ = name;
  }
  ~Temporary() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

std::string bytes_of(const Segment& segment, std::uint64_t begin) {
  std::string bytes(static_cast<std::size_t>(segment.size - begin), '\0');
  const base::UniqueFd own(segment.open ? -1 : ::open(segment.file.c_str(), O_RDONLY | O_CLOEXEC));
  const int fd = segment.open ? segment.open->get() : own.get();
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(begin + done));
    if (n <= 0)
      throw std::system_error(n == 0 ? EIO : errno, std::generic_category(), "cannot read " + segment.file.string());
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

class Watch {
 public:
  explicit Watch(Flags flags) : flags_(std::move(flags)) {}

  int run() {
    const Temporary temporary;
    loop_.on_signals({SIGINT, SIGTERM}, [this](int) {
      stopped_ = true;
      loop_.stop();
    });
    for (int attempt = 0; !stopped_ && !enough(); ++attempt) {
      try {
        follow(temporary.path() / std::to_string(attempt));
      } catch (const HistorySplit& error) {
        complain(error.what());
      } catch (const std::invalid_argument&) {
        throw;
      } catch (const std::exception& error) {
        if (stopped_) break;
        if (attempt == 0 && !seen_) throw;
        complain(error.what());
        loop_.run_until_done(clock_.sleep_for(kPause));
      }
    }
    return 0;
  }

 private:
  bool enough() const { return flags_.count > 0 && shown_ >= flags_.count; }

  static void complain(const std::string& what) { std::cerr << "maintwatch: " << what << "; restarting\n"; }

  void follow(const fs::path& cache) {
    FollowerOptions options;
    options.server = flags_.server;
    options.cache = cache;
    options.trust = io::trust_in(flags_.ca_file, "");
    options.environment = [](const std::string& name) -> std::optional<std::string> {
      const char* const value = std::getenv(name.c_str());
      return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
    options.tail = true;
    options.log = [](const std::string& sentence) { std::cerr << "maintwatch: " << sentence << "\n"; };
    Follower follower(loop_.executor(), clock_, pool_, options);
    auto before = next(follower);
    seen_ = true;
    while (!enough()) {
      const auto now = next(follower);
      for (std::size_t i = before->segments.empty() ? 0 : before->segments.size() - 1; i < now->segments.size(); ++i)
        show(now->segments[i], i < before->segments.size() ? before->segments[i].size : 0);
      std::cout << std::flush;
      if (!std::cout) throw std::invalid_argument("cannot write to standard output");
      before = now;
    }
  }

  std::shared_ptr<const SegmentList> next(Follower& follower) {
    std::shared_ptr<const SegmentList> list;
    const auto wait = [&]() -> io::Task<> { list = co_await follower.next(); };
    loop_.run_until_done(wait());
    return list;
  }

  void show(const Segment& segment, std::uint64_t begin) {
    const std::string bytes = bytes_of(segment, begin);
    RecordReader records(bytes, begin);
    while (!enough()) {
      const auto record = records.next();
      if (!record) return;
      std::string line;
      try {
        const Mutation mutation = decode_mutation(record->payload);
        if (!flags_.wanted.matches(mutation)) continue;
        line = flags_.json ? to_json(mutation) : maintwatch::describe(mutation);
      } catch (const std::exception& error) {
        std::cerr << "maintwatch: record at offset " << record->offset << " of segment " << segment.number << ": "
                  << error.what() << "\n";
        continue;
      }
      std::cout << line << "\n";
      ++shown_;
    }
  }

  Flags flags_;
  io::RealClock clock_;
  io::EventLoop loop_;
  io::BlockingPool pool_{1};
  bool stopped_ = false, seen_ = false;
  std::int64_t shown_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  base::CommandLine cli("maintwatch", "Shows what happens in a project, as it happens.");
  cli.text("server", flags.server, "URL", "where the project's log is served");
  cli.path("ca-file", flags.ca_file, "FILE", "trust the server if its certificate is signed by one of these (PEM)");
  cli.text("repo", flags.wanted.repo, "OWNER/NAME", "what concerns this repository of GitHub's");
  cli.integer("issue", flags.wanted.issue, "N", "what concerns the issue of that number", 1, INT32_MAX);
  cli.text("project", flags.wanted.project, "HOST/NAME", "what concerns this project of Gerrit's, too");
  cli.toggle("json", flags.json, "print each mutation as a line of JSON");
  cli.integer("count", flags.count, "N", "end after so many", 1, INT64_MAX);
  cli.example("maintwatch -repo golang/go", "what happens to the issues of Go");
  cli.example("maintwatch -server http://localhost:6343/logs -repo golang/go -json",
              "for a program, of a server of one's own");
  if (const auto exit_code = cli.parse(argc, argv)) return *exit_code;
  try {
    return Watch(std::move(flags)).run();
  } catch (const std::exception& error) {
    std::cerr << "maintwatch: " << error.what() << "\n";
    return kExitTrouble;
  }
}
