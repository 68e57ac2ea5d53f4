#include <maintner/sql.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>
#include <variant>

#include "chart.h"
#include "layout.h"
#include "saved_queries.h"

namespace maintner::web {

using build::html::clipped;
using build::html::count_text;

namespace {

constexpr std::size_t kMaxStatement = 16 * 1024;
constexpr std::size_t kMaxCell = 500;       ///< characters of a cell that are shown
constexpr std::size_t kMaxTable = 4 << 20;  ///< bytes of a table's HTML
constexpr std::size_t kNone = static_cast<std::size_t>(-1);

std::string cell_text(const SqlValue& value) {
  if (const auto* const number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* const text = std::get_if<std::string_view>(&value)) return std::string(*text);
  if (const auto* const number = std::get_if<double>(&value)) {
    std::array<char, 40> shown{};
    std::snprintf(shown.data(), shown.size(), "%.10g", *number);
    return shown.data();
  }
  return {};
}

std::optional<double> number_of(const SqlValue& value) {
  if (const auto* const number = std::get_if<std::int64_t>(&value)) return static_cast<double>(*number);
  if (const auto* const number = std::get_if<double>(&value)) return *number;
  return std::nullopt;
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Rows as they come: a table with links where a column's name says what is in it.
class ResultTable {
 public:
  ResultTable(const Context& context) : context_(context) {}

  /// Whether more are wanted.
  bool add(const std::vector<std::string>& names, std::span<const SqlValue> row) {
    if (rows_ == context_.sql_rows || html_.str().size() > kMaxTable) {
      more_ = true;
      return false;
    }
    if (rows_++ == 0) begin(names);
    html_.markup("<tr>");
    for (std::size_t i = 0; i < row.size(); ++i) cell(names[i], i, row);
    html_.markup("</tr>\n");
    take_for_chart(names, row);
    return !context_.gone;
  }

  void write(Html& html, const std::vector<std::string>& names, const std::string& chart) {
    if (rows_ == 0) begin(names);
    close_table(html_);
    if (!chart.empty()) draw(html, chart == "bars" ? ChartKind::bars : ChartKind::line);
    html.markup("<p class=\"paging\"><span class=\"soft\">").text(count_text(rows_));
    html.markup(rows_ == 1 ? Html::Literal(" row") : Html::Literal(" rows"));
    if (more_) html.markup("; what follows is left out");
    html.markup("</span></p>\n").part(html_);
  }

 private:
  void begin(const std::vector<std::string>& names) {
    html_.markup(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Result\">\n<table class=\"list "
        "result\">\n<thead><tr>");
    for (const std::string& name : names) html_.markup("<th scope=\"col\">").text(name).markup("</th>");
    html_.markup("</tr></thead>\n<tbody>\n");
    const auto find = [&](std::string_view name) {
      const auto at = std::find(names.begin(), names.end(), name);
      return at == names.end() ? kNone : static_cast<std::size_t>(at - names.begin());
    };
    repo_ = find("repo");
    project_ = find("project");
    number_ = find("number");
    issue_ = find("issue");
  }

  std::optional<std::int64_t> integer(std::span<const SqlValue> row, std::size_t column) const {
    if (column == kNone) return std::nullopt;
    const auto* const number = std::get_if<std::int64_t>(&row[column]);
    return number == nullptr || *number < 1 ? std::nullopt : std::optional(*number);
  }
  std::string_view text(std::span<const SqlValue> row, std::size_t column) const {
    const auto* const found = column == kNone ? nullptr : std::get_if<std::string_view>(&row[column]);
    return found == nullptr ? std::string_view() : *found;
  }

  /// "golang/go" as "/golang/go".
  static std::string repo_path(std::string_view repo) {
    const std::size_t slash = repo.find('/');
    if (slash == std::string_view::npos) return {};
    return "/" + io::percent_encode(repo.substr(0, slash)) + "/" + io::percent_encode(repo.substr(slash + 1));
  }
  static std::string project_path(std::string_view project) {
    const std::size_t slash = project.find('/');
    return slash == std::string_view::npos ? std::string()
                                           : path_of(project.substr(0, slash), project.substr(slash + 1));
  }

  /// Where a cell leads; empty if nowhere.
  std::string path_for(std::string_view name, std::size_t column, std::span<const SqlValue> row) const {
    const std::string_view value = text(row, column);
    if (column == repo_ && value.find('/') != std::string_view::npos) return repo_path(value);
    if (column == project_) return project_path(value);
    if (column == issue_ || is_one_of(name, {"number", "title", "subject"})) return thing_path(column, row);
    if (is_one_of(name,
                  {"user", "actor", "login", "assignee", "reviewer", "closed_by", "author", "author_email", "owner"}))
      return value.empty() || value.size() > kMaxValueLength ? std::string() : path_of_person(value);
    if (value.size() == 40 && hash_from_hex(value)) return "/-/commit/" + std::string(value);
    return {};
  }

  std::string thing_path(std::size_t column, std::span<const SqlValue> row) const {
    const auto number = integer(row, column == issue_ || number_ == kNone ? issue_ : number_);
    if (!number) return {};
    const bool of_change = project_ != kNone && column != issue_;
    const std::string path = of_change ? project_path(text(row, project_)) : repo_path(text(row, repo_));
    return path.empty() ? path : path + "/" + std::to_string(*number);
  }

  void cell(const std::string& name, std::size_t column, std::span<const SqlValue> row) {
    const SqlValue& value = row[column];
    if (std::holds_alternative<std::monostate>(value)) {
      html_.markup("<td class=\"soft\">NULL</td>");
      return;
    }
    html_.markup(number_of(value) ? Html::Literal("<td class=\"count\">") : Html::Literal("<td>"));
    const std::string path = path_for(name, column, row);
    if (!path.empty()) html_.markup("<a href=\"").text(path).markup("\">");
    html_.text(clipped(std::string_view(cell_text(value)).substr(0, 8 * kMaxCell), kMaxCell));
    if (!path.empty()) html_.markup("</a>");
    html_.markup("</td>");
  }

  void take_for_chart(const std::vector<std::string>& names, std::span<const SqlValue> row) {
    if (chart_.series.empty())
      for (std::size_t i = 1; i < names.size(); ++i) chart_.series.push_back({names[i], {}});
    chart_.x.push_back(cell_text(row[0]).substr(0, 100));
    for (std::size_t i = 1; i < row.size(); ++i) chart_.series[i - 1].values.push_back(number_of(row[i]));
  }

  void draw(Html& html, ChartKind kind) {
    // Columns without a number say nothing.
    std::erase_if(chart_.series, [](const Chart::Series& series) {
      return std::none_of(series.values.begin(), series.values.end(),
                          [](const auto& value) { return value.has_value(); });
    });
    if (chart_.series.empty())
      html.markup(
          "<p class=\"gap\">There is nothing to draw: the first column is x, those with numbers behind it are "
          "y.</p>\n");
    write_chart(html, chart_, kind);
  }

  const Context& context_;
  Html html_;
  Chart chart_;
  std::size_t rows_ = 0;
  bool more_ = false;
  std::size_t repo_ = kNone, project_ = kNone, number_ = kNone, issue_ = kNone;
};

void write_sql_error(Html& html, const std::string& statement, const SqlError& error) {
  html.markup("<div class=\"failure\" role=\"alert\"><p>").text(clipped(error.what(), 500)).markup("</p>\n");
  if (error.place() && *error.place() <= statement.size()) {
    const std::string_view all(statement);
    std::size_t end = *error.place();
    while (end < all.size() && static_cast<unsigned char>(all[end]) > 0x20 && end - *error.place() < 60) ++end;
    html.markup("<pre>").text(all.substr(0, *error.place())).markup("<mark>");
    html.text(end == *error.place() ? std::string_view("\xE2\x80\xB8")
                                    : all.substr(*error.place(), end - *error.place()));
    html.markup("</mark>").text(all.substr(end)).markup("</pre>\n");
  }
  html.markup("</div>\n");
}

void write_statement_form(Html& html, const std::string& statement, const std::string& chart) {
  html.markup("<form class=\"statement\" method=\"get\"><label>One SELECT statement of SQLite\xE2\x80\x99s");
  html.markup("<textarea name=\"q\" rows=\"8\" spellcheck=\"false\" maxlength=\"16384\">\n").text(statement);
  html.markup("</textarea></label>\n<div class=\"filter\">");
  write_choice(html, "Chart", "chart", chart, {{"", "none"}, {"line", "line"}, {"bars", "bars"}});
  html.markup("<button>Run</button></div></form>\n");
}

void write_saved(Html& html, const std::vector<SavedQuery>& saved, const std::string& open) {
  html.markup("<section><h2>Statements to begin with</h2>\n<ul class=\"plain saved\">");
  for (const SavedQuery& query : saved) {
    io::Params params;
    params.add("saved", query.name);
    if (query.text.find("-- chart: line") != std::string::npos) params.add("chart", "line");
    if (query.text.find("-- chart: bars") != std::string::npos) params.add("chart", "bars");
    html.markup("<li><a href=\"/-/sql?").text(params.encode()).markup("\"");
    if (query.name == open) html.markup(" aria-current=\"page\"");
    html.markup(">").text(query.title).markup("</a></li>\n");
  }
  html.markup("</ul></section>\n<details><summary>The tables</summary>\n<pre>");
  for (const std::string& table : SqlTables::schema()) html.text(table).markup(";\n");
  html.markup("</pre></details>\n");
}

void write_result(Html& html, const Context& context, const std::string& statement, const std::string& chart) {
  SqlTables tables;
  ResultTable result(context);
  const SqlLimits limits{.time = context.sql_time, .rows = context.sql_rows + 1, .stop = &context.gone};
  try {
    const auto names = tables.run(context.view, statement, limits,
                                  [&](const std::vector<std::string>& columns, std::span<const SqlValue> row) {
                                    return result.add(columns, row);
                                  });
    result.write(html, names, chart);
  } catch (const SqlError& error) {
    write_sql_error(html, statement, error);
  }
}

}  // namespace

Answer sql_page(const Context& context, const Asked& asked) {
  const std::string saved = value_of(asked, "saved"), chart = value_of(asked, "chart");
  std::string statement = value_of(asked, "q", kMaxStatement);
  if (!chart.empty() && chart != "line" && chart != "bars") throw Refusal(400, "chart must be line or bars.");
  const std::vector<SavedQuery> all = saved_queries(context.queries);
  if (!saved.empty() && statement.empty()) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const SavedQuery& query) { return query.name == saved; });
    if (found == all.end()) throw Refusal(404, "There is no statement \"" + clipped(saved, 100) + "\".");
    statement = found->text;
  }
  Html html;
  html.markup("<h1>SQL</h1>\n");
  write_statement_form(html, statement, chart);
  if (!trimmed(statement).empty()) write_result(html, context, statement, chart);
  write_saved(html, all, saved);
  return write_page(context, {.section = Section::sql, .title = "SQL \xC2\xB7 maintserve"}, html);
}

}  // namespace maintner::web
