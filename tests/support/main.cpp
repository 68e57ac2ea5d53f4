#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "support/support.h"

// Exit code 77 tells ctest "skipped": something the tests need is not here, and everything else passed.
int main(int argc, char** argv) {
  const int result = doctest::Context(argc, argv).run();
  return result == 0 && testing::anything_skipped() ? 77 : result;
}
