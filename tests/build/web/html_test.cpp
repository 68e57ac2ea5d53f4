#include <build/base/utf8.h>
#include <build/web/html.h>
#include <doctest/doctest.h>

#include <vector>

namespace build::web {

namespace {

std::string escaped(std::string_view bytes) { return Html().text(bytes).str(); }

std::string log_markup(std::string_view bytes) {
  Html html;
  write_log(html, bytes);
  return html.str();
}

std::string bytes_of(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes += static_cast<char>(value);
  return bytes;
}

}  // namespace

TEST_CASE("text becomes neither markup nor the end of an attribute") {
  CHECK(escaped("a < b && \"c\" > 'd'") == "a &lt; b &amp;&amp; &quot;c&quot; &gt; &#39;d&#39;");
  CHECK(escaped("<script>alert(1)</script>") == "&lt;script&gt;alert(1)&lt;/script&gt;");
  CHECK(escaped("&lt;") == "&amp;lt;");
  CHECK(Html().markup("<a href=\"").text("x\" onclick=\"y").markup("\">").number(-7).str() ==
        "<a href=\"x&quot; onclick=&quot;y\">-7");
}

TEST_CASE("bytes that are not text are shown for what they are") {
  struct Case {
    std::string bytes, shown;
  };
  const std::vector<Case> cases = {
      {"plain\ttext\n", "plain\ttext\n"},
      {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
      {bytes_of({'a', 0, 'b'}),
       "a\xE2\x90\x80"
       "b"},
      {bytes_of({0x1B, 0x08, 0x7F, '\r'}), "\xE2\x90\x9B\xE2\x90\x88\xE2\x90\xA1\xE2\x90\x8D"},
      {bytes_of({0xFF, 'x', 0xC3}), "\xEF\xBF\xBDx\xEF\xBF\xBD"},
      {bytes_of({0xC0, 0xAF}), "\xEF\xBF\xBD\xEF\xBF\xBD"},                    // overlong
      {bytes_of({0xE0, 0x80, 0xBC}), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},  // overlong '<'
      {bytes_of({0xED, 0xA0, 0x80}), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},  // a surrogate
      {bytes_of({0xF4, 0x90, 0x80, 0x80}), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {bytes_of({0xE2, '<', 'b'}), "\xEF\xBF\xBD<b"},  // does not swallow what follows
      {bytes_of({0xC2, 0x85}), "\xEF\xBF\xBD"},        // a C1 control
      {"a\xE2\x80\xAE"
       "b",
       "a[U+202E]b"},  // right to left from here
      {"\xE2\x81\xA6\xE2\x80\x8B\xEF\xBB\xBF", "[U+2066][U+200B][U+FEFF]"},
      {bytes_of({0xF3, 0xA0, 0x81, 0x81}), "[U+E0041]"},  // an invisible letter
  };
  for (const Case& c : cases) {
    CAPTURE(c.bytes);
    CHECK(readable(c.bytes) == c.shown);
  }
  CHECK(build::base::valid_utf8(bytes_of({'a', 0, 0xFF})) == bytes_of({'a', 0, 0xEF, 0xBF, 0xBD}));
}

TEST_CASE("long text is clipped between characters") {
  CHECK(clipped("abc", 3) == "abc");
  CHECK(clipped("abcd", 3) == "abc\xE2\x80\xA6");
  CHECK(clipped("\xC3\xA9\xC3\xA9\xC3\xA9", 2) == "\xC3\xA9\xC3\xA9\xE2\x80\xA6");
  CHECK(clipped("", 0).empty());
}

TEST_CASE("a log keeps its colours as classes and loses all other terminal sequences") {
  struct Case {
    std::string bytes, markup;
  };
  const std::vector<Case> cases = {
      {"plain\r\nlines\rover", "plain\nlines\nover"},
      {"\x1B[31mred\x1B[0m not", "<span class=\"a1\">red</span> not"},
      {"\x1B[1;92mok\x1B[22m!\x1B[39m.", "<span class=\"a10 bold\">ok</span><span class=\"a10\">!</span>."},
      {"\x1B[38;5;3my\x1B[38;5;200mz\x1B[38;2;1;2;3mw", "<span class=\"a3\">y</span>zw"},
      {"\x1B[48;5;1mx\x1B[44my", "xy"},
      {"\x1B[4mu\x1B[24;3mi\x1B[23;2md\x1B[m-",
       "<span class=\"underline\">u</span><span class=\"italic\">i</span><span class=\"dim\">d</span>-"},
      {"a\x1B[2K\x1B[1Ab\x1B[?25lc\x1B(Bd\x1B=e", "abcde"},
      {"\x1B]0;a title\a\x1B]8;;http://x/\x1B\\link\x1B]8;;\x1B\\", "link"},
      {"\x1B]never ends\nnext", "\nnext"},
      {"cut\x1B[3", "cut"},
      {"cut\x1B", "cut"},
      {"\x1B[31m<b>\x1B[0m", "<span class=\"a1\">&lt;b&gt;</span>"},
      {"\x1B[\"><script>m", "cript&gt;m"},
      {"\x1B[99999999999999999999mx", "x"},
      {"\x1B[3\x1B[1mx", "<span class=\"bold\">x</span>"},
      {"\x1B\x1B[1mx", "<span class=\"bold\">x</span>"},
      {bytes_of({0x1B, 0xC3, 0xA9}), "\xC3\xA9"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.markup);
    CHECK(log_markup(c.bytes) == c.markup);
  }
  // A sequence without an end swallows nothing but itself.
  CHECK(log_markup("\x1B[" + std::string(10000, '1') + "x") == std::string(10000, '1') + "x");
  CHECK(log_markup("\x1B]" + std::string(10000, 't') + "x") == std::string(10000, 't') + "x");
}

TEST_CASE("the lines of a log are numbered, whatever is in them") {
  const auto lines = [](std::string_view bytes, LineNames names) {
    Html html;
    write_log_lines(html, bytes, names);
    return html.str();
  };
  const auto line = [](const std::string& number, const std::string& content) {
    return "<span id=\"L" + number + "\"><a href=\"#L" + number + "\" tabindex=\"-1\">" + number + "</a>" + content +
           "</span>";
  };
  const LineNames names{.prefix = "L"};
  CHECK(lines("", names).empty());
  CHECK(lines("a\n\nb", names) == line("1", "a\n") + line("2", "\n") + line("3", "b"));
  CHECK(lines("a\r\nb\rc\n", names) == line("1", "a\n") + line("2", "b\nc\n"));
  // A colour goes on in the next line, which is another element.
  CHECK(lines("\x1B[31mred\nred\x1B[0m not\n", names) ==
        line("1", "<span class=\"a1\">red\n</span>") + line("2", "<span class=\"a1\">red</span> not\n"));
  CHECK(lines("x\n", {.prefix = "L", .first = 7}) == line("7", "x\n"));
  CHECK(lines("x\n", {.prefix = "L", .first = 7, .ids = LineNames::Ids::no, .page = "/log?from=7"}) ==
        "<span><a href=\"/log?from=7#L7\" tabindex=\"-1\">7</a>x\n</span>");
}

TEST_CASE("of what is not all there yet, the whole part is told") {
  for (const std::string_view whole :
       {"", "abc", "a\n", "\x1B[0m", "\x1B[1ma", "\x1B]0;t\a", "\x1B]0;t\x1B\\", "\xC3\xA9", "\xFF", "a\xE2x"})
    CHECK(whole_length(whole) == whole.size());
  for (const std::string_view begun :
       {"\x1B", "\x1B[", "\x1B[31;", "\x1B]0;t", "\x1B(", "\xC3", "\xF0\x9F\x98", "\r"}) {
    CHECK(whole_length(begun) == 0);
    CHECK(whole_length("ab" + std::string(begun)) == 2);
  }
  CHECK(whole_length("\x1B]" + std::string(5000, 't')) == 5002);  // never ends: it is none
}

TEST_CASE("a cut log is shown from a whole line on, or at least from a whole character") {
  CHECK(first_whole_line("half\nwhole\n") == 5);
  CHECK(first_whole_line("\xA9"
                         "a" +
                         std::string(5000, 'b')) == 1);
  CHECK(first_whole_line(std::string(5000, 'b')) == 0);
  CHECK(first_whole_line("") == 0);
}

}  // namespace build::web
