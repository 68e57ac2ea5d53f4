// What is asked, and what is answered.
#pragma once

#include <build/html/html.h>
#include <io/clock.h>
#include <io/http1.h>
#include <maintner/view.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "catalog.h"

namespace maintner::web {

using build::html::Html;

/// Why there is no page: a sentence for whoever asked.
class Refusal : public std::runtime_error {
 public:
  Refusal(int status, const std::string& sentence) : std::runtime_error(sentence), status_(status) {}
  int status() const noexcept { return status_; }

 private:
  int status_;
};

struct Answer {
  int status = 200;
  std::string body;
  std::string location = {};  ///< of a redirection
};

struct Asked {
  std::vector<std::string> path;  ///< the segments, decoded
  bool slash = false;             ///< whether it ends with one, and is not "/"
  std::string address;            ///< the path again, each segment encoded, without a slash at its end
  std::string raw_query;          ///< as sent
  io::Params query;
};
/// Throws Refusal 400 for what cannot be decoded or has control characters in it, 414 for what is too long.
Asked parse_asked(std::string_view raw_path, std::string_view raw_query);

/// What pages are made of.
struct Context {
  const View& view;
  const Catalog& catalog;
  const std::filesystem::path& queries;  ///< empty: none
  io::Duration sql_time;
  std::size_t sql_rows;
  const std::atomic<bool>& gone;  ///< whoever asked does not wait any more
};

// All of these throw Refusal, and are called from any thread.

Answer front_page(const Context& context, const Asked& asked);
Answer issues_page(const Context& context, const Asked& asked, const Repo& repo);
Answer issue_page(const Context& context, const Asked& asked, const Issue& issue);
Answer changes_page(const Context& context, const Asked& asked, const Project& project);
enum class ChangeTab { discussion, patch_sets, files };
/// `patch_set`: whose files are shown, if it is that tab.
Answer change_page(const Context& context, const Change& change, ChangeTab tab, std::int32_t patch_set);
Answer commit_page(const Context& context, std::string_view name);
Answer people_page(const Context& context, const Asked& asked);
Answer person_page(const Context& context, const std::string& who);
Answer search_page(const Context& context, const Asked& asked);
Answer sql_page(const Context& context, const Asked& asked);
/// That of a Refusal.
Answer error_page(const View& view, int status, const std::string& sentence);

/// By the path.
Answer make_page(const Context& context, const Asked& asked);
/// Which threads make it.
enum class Kind { plain, search, sql };
Kind kind_of(const Asked& asked);

// ---- what is in a query

constexpr std::size_t kMaxValueLength = 200;  ///< bytes of a value that a list is asked for
constexpr std::int64_t kMaxPage = 100'000;

/// That of `name`; empty if there is none. Throws Refusal 400 if it is longer than `limit`.
std::string value_of(const Asked& asked, std::string_view name, std::size_t limit = kMaxValueLength);
/// From 1 on. Throws Refusal 400.
std::size_t page_of(const Asked& asked);
/// "open", "closed" or "all", the first if nothing is said. Throws Refusal 400.
std::string state_of(const Asked& asked);

/// Keeps those of `state`, which is what state_of() gives, and says how many are open. Looks at each once.
template <class Thing, class IsOpen>
std::size_t keep_state(std::vector<Thing>& things, std::string_view state, IsOpen is_open) {
  std::size_t open = 0, kept = 0;
  for (const Thing& thing : things) {
    const bool this_one = is_open(thing);
    if (this_one) ++open;
    if (state == "all" || this_one == (state == "open")) things[kept++] = thing;
  }
  things.erase(things.begin() + static_cast<std::ptrdiff_t>(kept), things.end());
  return open;
}

/// What a list shows of all.
struct Slice {
  std::size_t page = 1, begin = 0, end = 0, total = 0, pages = 1;
};
/// Throws Refusal 404 if that page is beyond the last.
Slice slice_of(const Asked& asked, std::size_t total, std::size_t per_page);

}  // namespace maintner::web
