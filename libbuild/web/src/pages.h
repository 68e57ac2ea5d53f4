// The parts of the site: each function makes one answer. They throw net::HttpError for what was asked wrongly.
#pragma once

#include <build/livelog/line_index.h>
#include <build/net/server.h>
#include <build/web/site.h>
#include <io/task.h>

#include <cstdint>
#include <string>

namespace build::web {

class Streams;

struct Answer {
  int status = 200;
  std::string content_type;
  std::string body;
};

inline constexpr const char* kHtmlType = "text/html; charset=utf-8";
inline constexpr const char* kJsonType = "application/json";
inline constexpr const char* kTextType = "text/plain; charset=utf-8";

io::Task<Answer> front_page(const SiteSources& sources, io::Params query);
/// Offers to cancel or retry the build to those who may.
io::Task<Answer> build_page(const SiteSources& sources, livelog::LineIndex& lines, const net::Request& request);
io::Task<Answer> log_page(const SiteSources& sources, livelog::LineIndex& lines, std::string id, std::string step,
                          io::Params query);
io::Task<Answer> queue_page(const SiteSources& sources, io::Params query);
io::Task<Answer> pools_page(const SiteSources& sources);
Answer error_page(const FarmView& farm, model::Time now, int status, const std::string& sentence);
/// What `request` was refused with, in the form that it wants: JSON below /api/, a page elsewhere.
Answer error_answer(const FarmView& farm, model::Time now, const net::Request& request, int status,
                    const std::string& sentence);
/// With the fields that all answers have.
io::Task<> send_answer(net::Response& response, Answer answer);

struct LoginForm {
  std::string next;          ///< where to go afterwards
  std::string signed_in_as;  ///< empty: not signed in
  std::string trouble;       ///< a sentence
};
Answer login_page(const FarmView& farm, model::Time now, const LoginForm& form);

io::Task<Answer> status_json(const SiteSources& sources);
io::Task<Answer> commits_json(const SiteSources& sources, io::Params query);
io::Task<Answer> builds_json(const SiteSources& sources, io::Params query);
io::Task<Answer> build_json(const SiteSources& sources, std::string id);
/// What build_json answers, as one line without its end.
std::string build_document(const store::BuildDetails& details, const FarmView& farm);
io::Task<Answer> workers_json(const SiteSources& sources);
io::Task<Answer> queue_json(const SiteSources& sources, io::Params query);
io::Task<Answer> pools_json(const SiteSources& sources);
/// What a person may do to a build.
enum class Action { cancel, retry };
io::Task<Answer> act_by_json(FarmControl& control, Action action, net::Request& request);
/// Leads back to the build's page.
io::Task<Answer> act_by_form(FarmControl& control, Action action, net::Request& request, net::Response& response);
io::Task<Answer> clear_results(FarmControl& control, const std::string& master_key, net::Request& request);

Answer error_json(int status, const std::string& sentence);

/// Writes the answers themselves: logs may be of any length.
io::Task<> send_run_log(const SiteSources& sources, Streams& streams, net::Request& request, net::Response& response);
io::Task<> send_build_log(const SiteSources& sources, net::Request& request, net::Response& response);

/// The end of a log.
struct LogTail {
  bool found = false;
  bool growing = false;
  std::uint64_t size = 0;   ///< of the whole log
  std::uint64_t begin = 0;  ///< offset of the first of `bytes`
  std::string bytes;
};
/// At most `limit` bytes; if that is not all, beginning with a whole line where one is near.
io::Task<LogTail> read_tail(livelog::LogStore& logs, model::RunId run, std::uint64_t limit);

/// `size` bytes of a log; fewer if it is shorter.
io::Task<std::string> read_range(livelog::LogStore& logs, model::RunId run, std::uint64_t offset, std::uint64_t size);

/// The build that a path names. Throws 404.
io::Task<store::BuildDetails> find_build(const SiteSources& sources, std::string id);

/// The number that a query names, or `fallback` if it names none. Throws 400 if it is not a number from `min` to
/// `max`.
std::int64_t number_from(const io::Params& query, const std::string& name, std::int64_t fallback, std::int64_t min,
                         std::int64_t max);

}  // namespace build::web
