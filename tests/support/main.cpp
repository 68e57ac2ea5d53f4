#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>

#include <unistd.h>

#include "support/support.h"

// Exit code 77 tells ctest "skipped": something the tests need is not here, and everything else passed.
int main(int argc, char** argv) {
  // doctest says which test it was that did not end, which it cannot when ctest has lost patience.
  if (const char* const limit = std::getenv("XBUILD_TEST_SECONDS")) {
    std::signal(SIGALRM, [](int) { std::abort(); });
    ::alarm(static_cast<unsigned>(std::atoi(limit)));
  }
  const int result = doctest::Context(argc, argv).run();
  return result == 0 && testing::anything_skipped() ? 77 : result;
}
