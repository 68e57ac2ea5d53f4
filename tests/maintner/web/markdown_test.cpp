#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "chart.h"
#include "markdown.h"
#include "web_world.h"

using namespace maintner;
using testing::has;
using testing::WebWorld;

namespace {

struct Texts : WebWorld {
  Texts() {
    for (int number = 1; number <= 3; ++number)
      records.issue("go", number, [](GithubIssueMutation& issue) { issue.title = "an issue"; });
    records.change("go.googlesource.com/go", 7, "new", "sys: do it\n");
    load();
  }

  std::string markdown(std::string_view text) {
    return write([&](web::Html& html, const web::Context& context, const web::Surroundings& around) {
      web::write_markdown(html, context, around, text);
    });
  }
  std::string linked(std::string_view text) {
    return write([&](web::Html& html, const web::Context& context, const web::Surroundings& around) {
      web::write_text(html, context, around, text);
    });
  }

 private:
  std::string write(auto writer) {
    const View view = corpus->view();
    const web::Context context{
        .view = view, .catalog = catalog, .queries = queries, .sql_time = {}, .sql_rows = 0, .gone = gone};
    web::Html html;
    writer(html, context, web::Surroundings{.repo = view.github().repo("golang", "go"), .server = {}});
    return html.str();
  }
};

}  // namespace

TEST_CASE("Markdown becomes elements") {
  Texts world;
  CHECK(has(world.markdown("# Title\n\ntext"), "<h2>Title</h2>\n<p>text</p>"));
  CHECK(has(world.markdown("### low\n\n# high\n\n### low"), "<h2>low</h2>\n<h2>high</h2>\n<h3>low</h3>"));
  CHECK(has(world.markdown("a\nb"), "a<br>\nb"));
  CHECK(has(world.markdown("~~gone~~ **b** *e*"), "<del>gone</del> <strong>b</strong> <em>e</em>"));
  CHECK(has(world.markdown("| a | b |\n|---|---|\n| 1 | 2 |"), "<td>1</td><td>2</td>"));
  CHECK(has(world.markdown("- [x] done\n- [ ] not"), "checked>"));
  CHECK(has(world.markdown("3. c\n4. d"), "<ol start=\"3\">"));
  CHECK(has(world.markdown("```go\na < b #1\n```"), "<pre tabindex=\"0\"><code>a &lt; b #1\n</code></pre>"));
  CHECK(has(world.markdown("> quoted"), "<blockquote>"));
}

TEST_CASE("Markdown that is hostile becomes text") {
  Texts world;
  for (const char* const text : {"<script>alert(1)</script>",
                                 "<img src=x onerror=alert(1)>",
                                 "<svg/onload=alert(1)>",
                                 "[x](javascript:alert(1))",
                                 "[x](JaVaScRiPt:alert(1))",
                                 "[x](data:text/html,<script>alert(1)</script>)",
                                 "![x](javascript:alert(1))",
                                 "<a href=\"javascript:alert(1)\">x</a>",
                                 "[x](https://e.example/\"onmouseover=alert(1))",
                                 "[x]: javascript:alert(1)\n\n[x]",
                                 "<javascript:alert(1)>",
                                 "[x](vbscript:x)",
                                 "[x](//evil.example)",
                                 "<style>*{display:none}</style>",
                                 "<iframe src=https://evil.example></iframe>",
                                 "`<script>`",
                                 "<details open ontoggle=alert(1)>",
                                 "![x](https://e.example/a.png\" onerror=\"x)",
                                 "[x](https://e.example/ 'a\"onx=1')",
                                 "[x](java\nscript:alert(1))"}) {
    CAPTURE(text);
    const std::string page = world.markdown(text);
    CAPTURE(page);
    for (const char* const bad : {"<script", "<img", "<svg", "<iframe", "<style", "href=\"javascript", "href=\"JaVa",
                                  "href=\"data", "href=\"vb", "href=\"//", "\"onmouseover", "<details"})
      CHECK(!has(page, bad));
    for (std::size_t tag = page.find('<'); tag != std::string::npos; tag = page.find('<', tag + 1))
      CHECK(page.substr(tag, page.find('>', tag) - tag).find(" on") == std::string::npos);
  }
}

TEST_CASE("images are links, known HTML is left out, comments too") {
  Texts world;
  CHECK(has(world.markdown("![a cat](https://e.example/cat.png)"),
            "<a href=\"https://e.example/cat.png\" rel=\"nofollow noopener noreferrer\" class=\"image\">a cat</a>"));
  CHECK(has(world.markdown("<img width=3 src=\"https://e.example/x.png\">"), "href=\"https://e.example/x.png\""));
  CHECK(has(world.markdown("<details><summary>go env</summary><br><pre>\nGOOS=linux\n</pre></details>"), "GOOS=linux"));
  CHECK(!has(world.markdown("<details><summary>go env</summary>\n"), "summary"));
  CHECK(!has(world.markdown("<!-- please answer -->\n\ntext"), "answer"));
  CHECK(has(world.markdown("a map<string> here"), "map&lt;string&gt;"));
  CHECK(has(world.markdown("<<<<a"), "&lt;&lt;&lt;&lt;a"));
}

TEST_CASE("nesting without end, and texts without end, are borne") {
  Texts world;
  const std::string deep = world.markdown(std::string(20'000, '>'));
  CHECK(deep.size() < 10'000);
  for (const std::string& part : {std::string("["), std::string("*a "), std::string("- "), std::string("<a"),
                                  std::string("!["), std::string("`")}) {
    CAPTURE(part);
    std::string text;
    while (text.size() < 30'000) text += part;
    CHECK(has(world.markdown(text), "</div>"));
  }
  std::string rules;
  while (rules.size() < 60'000) rules += "|\n|-\n";
  CHECK(has(world.markdown(rules), "<pre>|\n|-\n"));
  CHECK(has(world.markdown(std::string(web::kMaxMarkdown + 1, '*')), "<pre>***"));
}

TEST_CASE("texts lead to what they name, if it is known") {
  Texts world;
  CHECK(world.linked("#1") == "<a href=\"/golang/go/1\">#1</a>");
  CHECK(world.linked("(#1)") == "(<a href=\"/golang/go/1\">#1</a>)");
  CHECK(world.linked("golang/go#2.") == "<a href=\"/golang/go/2\">golang/go#2</a>.");
  CHECK(world.linked("CL 7") == "<a href=\"/go.googlesource.com/go/7\">CL 7</a>");
  CHECK(world.linked("golang.org/cl/7") == "<a href=\"/go.googlesource.com/go/7\">golang.org/cl/7</a>");
  CHECK(world.linked("see https://go-review.googlesource.com/c/go/+/7.") ==
        "see <a href=\"/go.googlesource.com/go/7\">https://go-review.googlesource.com/c/go/+/7</a>.");
  CHECK(world.linked("https://github.com/golang/go/issues/3") ==
        "<a href=\"/golang/go/3\">https://github.com/golang/go/issues/3</a>");
  CHECK(world.linked("https://e.example/a_(b)?x=\"y") ==
        "<a href=\"https://e.example/a_(b)?x=\" rel=\"nofollow noopener "
        "noreferrer\">https://e.example/a_(b)?x=</a>&quot;y");
  const std::string hash = testing::LogWriter::hash_of(7, 'a');
  CHECK(world.linked(hash) == "<a href=\"/-/commit/" + hash + "\">" + hash + "</a>");
  CHECK(world.linked(hash.substr(0, 8)) == "<a href=\"/-/commit/" + hash + "\">" + hash.substr(0, 8) + "</a>");
  for (const char* const plain : {"#99", "x#1", "#1x", "golang/net#1", "CL 99", "CL7", "xCL 7", "a000000", "deadbeef",
                                  "#2147483648", "https://", "golang/go#", "http:// x"}) {
    CAPTURE(plain);
    CHECK(world.linked(plain) == plain);
  }
  CHECK(world.linked("<b>&") == "&lt;b&gt;&amp;");
}

TEST_CASE("a chart bears what a result may have") {
  web::Html html;
  web::write_chart(html, {.x = {}, .series = {}}, web::ChartKind::line);
  CHECK(html.str().empty());
  web::write_chart(html, {.x = {"a", "b"}, .series = {{"n", {std::nullopt, std::nullopt}}}}, web::ChartKind::line);
  CHECK(html.str().empty());
  const double infinite = std::numeric_limits<double>::infinity();
  web::write_chart(html, {.x = {"<a>", "b", "c", "d"}, .series = {{"\"n\"", {-5, infinite, std::nan(""), 1e18}}}},
                   web::ChartKind::bars);
  CHECK(has(html.str(), "&lt;a&gt;"));
  CHECK(has(html.str(), "&quot;n&quot;"));
  CHECK(!has(html.str(), "inf"));
  CHECK(!has(html.str(), "nan"));
  web::Chart large;
  large.series.resize(20);
  for (int i = 0; i < 10'000; ++i) {
    large.x.push_back(std::to_string(i));
    for (auto& series : large.series) series.values.push_back(0);
  }
  web::Html picture;
  web::write_chart(picture, large, web::ChartKind::line);
  CHECK(picture.str().size() < 400'000);
}
