// What strangers write, on its way into the pages of a corpus, and what browsers ask for: never an element, an
// attribute or a link that is not ours.
#include <maintner/corpus.h>
#include <maintner/mutation.h>
#include <maintner/reclog.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include <unistd.h>

#include "links.h"
#include "markdown.h"
#include "page.h"

namespace {

using namespace maintner;

void must(bool holds) {
  if (!holds) std::abort();
}

/// A corpus of two issues, made once.
struct World {
  World() {
    const std::filesystem::path directory =
        std::filesystem::temp_directory_path() / ("corpus-pages-fuzz-" + std::to_string(::getpid()));
    std::filesystem::create_directory(directory);
    {
      RecordWriter writer(directory / "maintner-2021-01-01.mutlog");
      for (std::int32_t number = 1; number <= 2; ++number) {
        Mutation mutation;
        GithubIssueMutation& issue = mutation.github_issue.emplace();
        issue.owner = "a";
        issue.repo = "b";
        issue.number = number;
        issue.title = "an issue";
        writer.append(encode(mutation));
      }
    }
    corpus.emplace(directory, CorpusOptions{.threads = 1, .compat = false, .snapshot = {}});
    std::filesystem::remove_all(directory);
    catalog.update(corpus->view(), gone);
  }

  std::optional<Corpus> corpus;
  web::Catalog catalog;
  std::atomic<bool> gone = false;
  std::filesystem::path queries;
};

/// Every tag is one of ours, and every link leads to a page, to the web or to a mail program.
void check_markup(const std::string& html) {
  constexpr std::string_view kLink = "<a href=\"";
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const std::size_t end = html.find('>', at);
    must(end != std::string::npos);
    const std::string_view tag = std::string_view(html).substr(at, end - at);
    must(!tag.starts_with("<script") && !tag.starts_with("<img") && !tag.starts_with("<style"));
    must(tag.find(" on") == std::string_view::npos || tag.starts_with(kLink));
    if (!tag.starts_with("<a")) continue;
    must(tag.starts_with(kLink));
    const std::string_view url = tag.substr(kLink.size());
    must((url.starts_with("/") && !url.starts_with("//")) || url.starts_with("http://") ||
         url.starts_with("https://") || url.starts_with("mailto:"));
    must(url.substr(0, url.find('"')).find_first_of("<'") == std::string_view::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const View view = world.corpus->view();
  const web::Context context{.view = view,
                             .catalog = world.catalog,
                             .queries = world.queries,
                             .sql_time = std::chrono::milliseconds{50},
                             .sql_rows = 10,
                             .gone = world.gone};
  const web::Surroundings around{.repo = view.github().repo("a", "b"), .server = {}};
  web::Html text, markdown;
  web::write_text(text, context, around, bytes);
  check_markup(text.str());
  web::write_markdown(markdown, context, around, bytes);
  check_markup(markdown.str());
  const std::size_t question = std::min(bytes.find('?'), bytes.size());
  try {
    const web::Asked asked = web::parse_asked(bytes.substr(0, question), bytes.substr(std::min(question + 1, size)));
    if (web::kind_of(asked) != web::Kind::plain) return 0;
    const web::Answer answer = make_page(context, asked);
    must(answer.location.empty() || (answer.location.starts_with("/") && !answer.location.starts_with("//")));
    must(answer.location.find_first_of("\r\n\\") == std::string::npos);
  } catch (const web::Refusal& refusal) {
    must(refusal.status() >= 400);
  }
  return 0;
}
