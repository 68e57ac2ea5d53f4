#include "markdown.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>

namespace maintner::web {

namespace {

constexpr int kMaxDepth = 60;  ///< of elements; what is deeper has no elements of its own

struct FreeParser {
  void operator()(cmark_parser* parser) const { cmark_parser_free(parser); }
};
struct FreeNode {
  void operator()(cmark_node* node) const { cmark_node_free(node); }
};
struct FreeIterator {
  void operator()(cmark_iter* iterator) const { cmark_iter_free(iterator); }
};
using Tree = std::unique_ptr<cmark_node, FreeNode>;

void register_extensions() {
  static const bool once = (cmark_gfm_core_extensions_ensure_registered(), true);
  static_cast<void>(once);
}

/// The parser looks at a paragraph anew for each line that could be the one below a table's head, and at a text anew
/// for each beginning of an address. People's texts have few of either.
constexpr std::size_t kMaxRules = 200, kMaxAddresses = 500;

bool has_too_many_rules(std::string_view text) {
  std::size_t rules = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.find('-') != std::string_view::npos && line.find_first_not_of("|-:> \t\v\f") == std::string_view::npos)
      ++rules;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return rules > kMaxRules;
}

bool has_too_many_addresses(std::string_view text) {
  std::size_t addresses = 0;
  for (const std::string_view part : {std::string_view("www."), std::string_view("://"), std::string_view("@")})
    for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++addresses;
  return addresses > kMaxAddresses;
}

Tree parse_markdown(std::string_view text) {
  register_extensions();
  const std::unique_ptr<cmark_parser, FreeParser> parser(cmark_parser_new(CMARK_OPT_DEFAULT));
  for (const std::string_view name : {"table", "strikethrough", "autolink", "tasklist"}) {
    if (name == "autolink" && has_too_many_addresses(text)) continue;
    if (cmark_syntax_extension* const extension = cmark_find_syntax_extension(name.data()))
      cmark_parser_attach_syntax_extension(parser.get(), extension);
  }
  cmark_parser_feed(parser.get(), text.data(), text.size());
  Tree tree(cmark_parser_finish(parser.get()));
  if (tree) cmark_consolidate_text_nodes(tree.get());
  return tree;
}

std::string_view text_or_nothing(const char* text) { return text == nullptr ? std::string_view() : text; }

/// Of "</details>", "details"; empty if this is no tag.
std::string tag_name(std::string_view tag) {
  tag.remove_prefix(tag.starts_with("</") ? 2 : 1);
  std::string name;
  for (const char c : tag) {
    const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (!((small >= 'a' && small <= 'z') || (small >= '0' && small <= '9'))) break;
    name += small;
  }
  return name;
}

/// Tags that people write in Markdown; without them the text says the same.
bool is_known_tag(std::string_view name) {
  constexpr std::array<std::string_view, 37> kKnown{
      "a",  "b",    "blockquote", "br",     "center", "code",    "dd",  "del",   "details", "div", "dl", "dt", "em",
      "h1", "h2",   "h3",         "h4",     "hr",     "i",       "img", "ins",   "kbd",     "li",  "ol", "p",  "pre",
      "s",  "samp", "span",       "strong", "sub",    "summary", "sup", "table", "td",      "tr",  "ul"};
  return std::find(kKnown.begin(), kKnown.end(), name) != kKnown.end();
}

/// The address in 'src="..."'.
std::string_view source_of(std::string_view tag) {
  constexpr std::string_view kSource = "src=\"";
  const std::size_t at = tag.find(kSource);
  if (at == std::string_view::npos) return {};
  tag.remove_prefix(at + kSource.size());
  return tag.substr(0, tag.find('"'));
}

struct PlainHtml {
  std::string text;                 ///< without comments and known tags
  std::vector<std::string> images;  ///< addresses
};

PlainHtml plain_html(std::string_view raw) {
  PlainHtml plain;
  while (!raw.empty()) {
    const std::size_t open = std::min(raw.find('<'), raw.size());
    plain.text += raw.substr(0, open);
    raw.remove_prefix(open);
    if (raw.empty()) break;
    if (raw.starts_with("<!--")) {
      const std::size_t end = raw.find("-->");
      raw.remove_prefix(end == std::string_view::npos ? raw.size() : end + 3);
      continue;
    }
    const std::string name = tag_name(raw);
    const std::size_t end = is_known_tag(name) ? raw.find('>') : std::string_view::npos;
    if (end == std::string_view::npos) {
      plain.text += raw.front();
      raw.remove_prefix(1);
      continue;
    }
    const std::string_view tag = raw.substr(0, end + 1);
    if (name == "img" && is_web_address(source_of(tag))) plain.images.emplace_back(source_of(tag));
    raw.remove_prefix(tag.size());
  }
  return plain;
}

class MarkdownWriter {
 public:
  MarkdownWriter(Html& html, const Context& context, const Surroundings& around)
      : html_(html), context_(context), around_(around) {}

  void write(cmark_node* root) {
    const std::unique_ptr<cmark_iter, FreeIterator> iterator(cmark_iter_new(root));
    for (;;) {
      const cmark_event_type event = cmark_iter_next(iterator.get());
      if (event == CMARK_EVENT_DONE) return;
      cmark_node* const node = cmark_iter_get_node(iterator.get());
      if (is_leaf(node))
        leaf(node);
      else if (event == CMARK_EVENT_ENTER)
        enter(node);
      else
        leave(node);
    }
  }

 private:
  static bool is_leaf(cmark_node* node) {
    const cmark_node_type type = cmark_node_get_type(node);
    return type == CMARK_NODE_TEXT || type == CMARK_NODE_CODE || type == CMARK_NODE_CODE_BLOCK ||
           type == CMARK_NODE_HTML_BLOCK || type == CMARK_NODE_HTML_INLINE || type == CMARK_NODE_SOFTBREAK ||
           type == CMARK_NODE_LINEBREAK || type == CMARK_NODE_THEMATIC_BREAK;
  }

  void leaf(cmark_node* node) {
    const std::string_view text = text_or_nothing(cmark_node_get_literal(node));
    switch (cmark_node_get_type(node)) {
      case CMARK_NODE_TEXT:
        if (links_ > 0)
          html_.text(text);
        else
          write_text(html_, context_, around_, text);
        break;
      case CMARK_NODE_CODE:
        html_.markup("<code>");
        if (links_ > 0)
          html_.text(text);
        else
          write_code_text(text);
        html_.markup("</code>");
        break;
      case CMARK_NODE_CODE_BLOCK:
        html_.markup("<pre tabindex=\"0\"><code>").text(text).markup("</code></pre>\n");
        break;
      case CMARK_NODE_HTML_BLOCK:
        html_block(text);
        break;
      case CMARK_NODE_HTML_INLINE:
        html_inline(text);
        break;
      case CMARK_NODE_THEMATIC_BREAK:
        html_.markup("<hr>\n");
        break;
      default:
        html_.markup("<br>\n");
    }
  }

  /// A hash in code is a hash.
  void write_code_text(std::string_view text) {
    constexpr std::size_t kLongest = 60;
    if (text.size() <= kLongest)
      write_text(html_, context_, around_, text);
    else
      html_.text(text);
  }

  void images(const PlainHtml& plain) {
    if (links_ > 0) return;
    for (const std::string& image : plain.images) {
      html_.markup("<span class=\"image\">");
      write_link(html_, context_, image, "image");
      html_.markup("</span> ");
    }
  }

  void html_inline(std::string_view raw) {
    const PlainHtml plain = plain_html(raw);
    html_.text(plain.text);
    images(plain);
  }

  void html_block(std::string_view raw) {
    const PlainHtml plain = plain_html(raw);
    const std::string_view text = trimmed(plain.text);
    if (!text.empty()) html_.markup("<pre class=\"html\">").text(text).markup("</pre>\n");
    if (plain.images.empty()) return;
    html_.markup("<p>");
    images(plain);
    html_.markup("</p>\n");
  }

  static bool is_tight(cmark_node* paragraph) {
    cmark_node* const parent = cmark_node_parent(paragraph);
    cmark_node* const list = parent == nullptr ? nullptr : cmark_node_parent(parent);
    return list != nullptr && cmark_node_get_type(list) == CMARK_NODE_LIST && cmark_node_get_list_tight(list) != 0;
  }

  void enter(cmark_node* node) {
    if (++depth_ > kMaxDepth) return;
    const cmark_node_type type = cmark_node_get_type(node);
    const std::string_view name = text_or_nothing(cmark_node_get_type_string(node));
    if (type == CMARK_NODE_BLOCK_QUOTE) {
      html_.markup("<blockquote>\n");
    } else if (type == CMARK_NODE_LIST) {
      open_list(node);
    } else if (name == "tasklist") {
      html_.markup("<li class=\"task\"><input type=\"checkbox\" disabled aria-label=\"task\"");
      if (cmark_gfm_extensions_get_tasklist_item_checked(node)) html_.markup(" checked");
      html_.markup("> ");
    } else if (type == CMARK_NODE_ITEM) {
      html_.markup("<li>");
    } else if (type == CMARK_NODE_PARAGRAPH) {
      if (!is_tight(node)) html_.markup("<p>");
    } else if (type == CMARK_NODE_HEADING) {
      open_heading(node);
    } else if (type == CMARK_NODE_EMPH) {
      html_.markup("<em>");
    } else if (type == CMARK_NODE_STRONG) {
      html_.markup("<strong>");
    } else if (type == CMARK_NODE_LINK || type == CMARK_NODE_IMAGE) {
      open_link(node, type == CMARK_NODE_IMAGE);
    } else {
      enter_extension(node, name);
    }
  }

  void enter_extension(cmark_node* node, std::string_view name) {
    if (name == "strikethrough")
      html_.markup("<del>");
    else if (name == "table")
      html_.markup("<div class=\"scroll\"><table>\n");
    else if (name == "table_header")
      html_.markup("<tr class=\"head\">");
    else if (name == "table_row")
      html_.markup("<tr>");
    else if (name == "table_cell")
      html_.markup(is_head(node) ? Html::Literal("<th scope=\"col\">") : Html::Literal("<td>"));
  }

  void leave(cmark_node* node) {
    if (depth_-- > kMaxDepth) return;
    const cmark_node_type type = cmark_node_get_type(node);
    const std::string_view name = text_or_nothing(cmark_node_get_type_string(node));
    if (type == CMARK_NODE_BLOCK_QUOTE)
      html_.markup("</blockquote>\n");
    else if (type == CMARK_NODE_LIST)
      html_.markup(cmark_node_get_list_type(node) == CMARK_ORDERED_LIST ? Html::Literal("</ol>\n")
                                                                        : Html::Literal("</ul>\n"));
    else if (name == "tasklist" || type == CMARK_NODE_ITEM)
      html_.markup("</li>\n");
    else if (type == CMARK_NODE_PARAGRAPH)
      html_.markup(is_tight(node) ? Html::Literal("\n") : Html::Literal("</p>\n"));
    else if (type == CMARK_NODE_HEADING)
      close_heading();
    else if (type == CMARK_NODE_EMPH)
      html_.markup("</em>");
    else if (type == CMARK_NODE_STRONG)
      html_.markup("</strong>");
    else if (type == CMARK_NODE_LINK || type == CMARK_NODE_IMAGE)
      close_link();
    else
      leave_extension(node, name);
  }

  void leave_extension(cmark_node* node, std::string_view name) {
    if (name == "strikethrough")
      html_.markup("</del>");
    else if (name == "table")
      html_.markup("</table></div>\n");
    else if (name == "table_header" || name == "table_row")
      html_.markup("</tr>\n");
    else if (name == "table_cell")
      html_.markup(is_head(node) ? Html::Literal("</th>") : Html::Literal("</td>"));
  }

  static bool is_head(cmark_node* cell) {
    return text_or_nothing(cmark_node_get_type_string(cmark_node_parent(cell))) == "table_header";
  }

  void open_list(cmark_node* node) {
    if (cmark_node_get_list_type(node) != CMARK_ORDERED_LIST) {
      html_.markup("<ul>\n");
      return;
    }
    html_.markup("<ol");
    const int start = cmark_node_get_list_start(node);
    if (start != 1) html_.markup(" start=\"").number(start).markup("\"");
    html_.markup(">\n");
  }

  /// The page has a heading of its own: the highest here is below it, and none is left out.
  void open_heading(cmark_node* node) {
    constexpr int kLowest = 6;
    heading_ = std::min({cmark_node_get_heading_level(node) + 1, heading_ + 1, kLowest});
    html_.markup("<h").number(heading_).markup(">");
  }
  void close_heading() { html_.markup("</h").number(heading_).markup(">\n"); }

  /// Links do not stand in links; one that leads nowhere it may is its text.
  void open_link(cmark_node* node, bool image) {
    const std::string_view url = text_or_nothing(cmark_node_get_url(node));
    const bool mail = url.starts_with("mailto:") && std::none_of(url.begin(), url.end(), [](char c) {
                        return static_cast<unsigned char>(c) <= 0x20 || c == '<' || c == '>' || c == '"' || c == '?';
                      });
    const bool shown = links_ == 0 && (is_web_address(url) || (mail && !image));
    ++links_;
    opened_.push_back(shown);
    if (!shown) return;
    const std::string own = mail ? std::string() : own_path(context_, url);
    html_.markup("<a href=\"").text(own.empty() ? url : std::string_view(own)).markup("\"");
    if (own.empty()) html_.markup(" rel=\"nofollow noopener noreferrer\"");
    if (image) html_.markup(" class=\"image\"");
    html_.markup(">");
    if (image && cmark_node_first_child(node) == nullptr) html_.markup("image");
  }

  void close_link() {
    --links_;
    if (opened_.back()) html_.markup("</a>");
    opened_.pop_back();
  }

  Html& html_;
  const Context& context_;
  const Surroundings& around_;
  int depth_ = 0, links_ = 0;
  int heading_ = 1;           ///< that written last
  std::vector<bool> opened_;  ///< of each link that is open, whether it has an element
};

}  // namespace

void write_markdown(Html& html, const Context& context, const Surroundings& around, std::string_view text) {
  html.markup("<div class=\"markdown\">\n");
  const bool fit = text.size() <= kMaxMarkdown && !has_too_many_rules(text);
  const Tree tree = fit ? parse_markdown(text) : Tree();
  if (tree) {
    MarkdownWriter(html, context, around).write(tree.get());
  } else {
    html.markup("<pre>");
    write_text(html, context, around, text);
    html.markup("</pre>\n");
  }
  html.markup("</div>\n");
}

}  // namespace maintner::web
