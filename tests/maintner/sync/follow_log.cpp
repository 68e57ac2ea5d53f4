// For tests that cut and kill: follows a server until an issue has come, and prints a digest of all that the corpus
// says.
//
//   follow_log SERVER CACHE OWNER/NAME NUMBER    or, of a log as it lies in files:   follow_log DIRECTORY
#include <build/base/digest.h>
#include <maintner/live_corpus.h>

#include <chrono>
#include <exception>
#include <iostream>
#include <optional>
#include <string>

#include "maintner/summary_of_view.h"

using namespace maintner;

namespace {

void print(const View& view) {
  std::cout << build::base::sha256_hex(testing::summary_of(view)) << " after " << view.version() << std::endl;
}

bool has_issue(const View& view, const std::string& name, std::int32_t number) {
  const std::size_t slash = name.find('/');
  const std::optional<Repo> repo = view.github().repo(name.substr(0, slash), name.substr(slash + 1));
  return repo && repo->issue(number);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 2) {
      print(Corpus(argv[1]).view());
      return 0;
    }
    if (argc != 5) return 2;
    LiveCorpusOptions options;
    options.follower.server = argv[1];
    options.follower.cache = argv[2];
    options.follower.log = [](const std::string& sentence) { std::cerr << sentence << std::endl; };
    LiveCorpus corpus(options);
    while (!has_issue(corpus.view(), argv[3], std::stoi(argv[4]))) corpus.wait_for_update(std::chrono::seconds(1));
    print(corpus.view());
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "follow_log: " << error.what() << "\n";
    return 1;
  }
}
