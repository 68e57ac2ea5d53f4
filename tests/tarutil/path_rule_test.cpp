#include <tarutil/path_rule.h>

#include <doctest/doctest.h>

using namespace tarutil;

TEST_CASE("names that leave the directory, or name nothing, are refused in the original's words") {
  struct Case {
    std::string name;
    const char* problem;
  };
  const Case cases[] = {
      {"", "path not provided"},
      {"/", "path \"/\" is not relative"},
      {"/x", "path \"/x\" is not relative"},
      {"//x", "path \"//x\" is not relative"},
      {"/..", "path \"/..\" is not relative"},
      {"..", "path \"..\" refers to a parent directory"},
      {"../", "path \"../\" refers to a parent directory"},
      {"./..", "path \"./..\" refers to a parent directory"},
      {"../x", "path \"../x\" refers to a parent directory"},
      {"a/../..", "path \"a/../..\" refers to a parent directory"},
      {"a/..//../x", "path \"a/..//../x\" refers to a parent directory"},
      {"a/b/../../../c", "path \"a/b/../../../c\" refers to a parent directory"},
      {"../a/../..", "path \"../a/../..\" refers to a parent directory"},
      {std::string("a\0b", 3), "path \"a\\x00b\" contains a NUL byte"},
  };
  for (const Case& each : cases) CHECK(relative_path_problem(each.name) == each.problem);
}

TEST_CASE("names that stay inside are taken and cleaned by the letter") {
  struct Case {
    const char *name, *cleaned;
  };
  const Case cases[] = {
      {"a", "a"},
      {".", "."},
      {"./", "."},
      {"a/", "a"},
      {"a//b", "a/b"},
      {"./a/./b", "a/b"},
      {"a/../b", "b"},
      {"a/b/../..", "."},
      {"...", "..."},
      {"..a", "..a"},
      {"a/..b/c", "a/..b/c"},
      {"a\\..\\..\\b", "a\\..\\..\\b"},
      {"C:\\x", "C:\\x"},
      {" ", " "},
      {"-rf", "-rf"},
  };
  for (const Case& each : cases) {
    CHECK(relative_path_problem(each.name) == std::nullopt);
    CHECK(cleaned_path(each.name) == each.cleaned);
  }
}

TEST_CASE("names are quoted as Go quotes them") {
  CHECK(quoted("plain name") == "\"plain name\"");
  CHECK(quoted("a\"b\\c") == "\"a\\\"b\\\\c\"");
  CHECK(quoted("\n\t\x01\x7f") == "\"\\n\\t\\x01\\x7f\"");
  CHECK(quoted("\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82") == "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82\"");
  CHECK(quoted("latin\xe9") == "\"latin\\xe9\"");
  CHECK(quoted("\xc0\xaf") == "\"\\xc0\\xaf\"");           // overlong
  CHECK(quoted("\xed\xa0\x80") == "\"\\xed\\xa0\\x80\"");  // surrogate
  CHECK(quoted("\xe2\x80\xae") == "\"\\u202e\"");          // turns the reading direction
  CHECK(quoted("\xc2") == "\"\\xc2\"");
}
