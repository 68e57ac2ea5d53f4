// A commit's bytes, as a commit and as one of a change's meta branch: whatever they are, what is found in them lies in
// them.
#include <maintner/commit_text.h>
#include <maintner/meta_text.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string_view>

namespace {

void require_within(std::string_view part, std::string_view whole) {
  const std::less_equal<> in_order;
  const char* const end = whole.data() + whole.size();
  if (!part.empty() && !(in_order(whole.data(), part.data()) && in_order(part.data() + part.size(), end))) std::abort();
}

void look_at_message(std::string_view message) {
  const maintner::IssueReference own{"golang", "go", 0};
  for (const auto& reference : maintner::issue_references(message, &own))
    if (reference.number < 0 || reference.owner.empty() || reference.repo.empty()) std::abort();
  maintner::subject_of(message);
  for (const std::string_view part :
       {maintner::summary_of(message), maintner::change_id_of(message), maintner::footer_of(message),
        maintner::branch_in(message), maintner::action_tag_of(message), maintner::trimmed(message),
        maintner::new_patch_set_in(message).value_or(""), maintner::hashtags_in(message).value_or("")})
    require_within(part, message);
  if (const auto said = maintner::review_message_in(message)) require_within(said->text, message);
  if (const auto edits = maintner::hashtag_edits_in(message)) {
    require_within(edits->added, message);
    require_within(edits->removed, message);
  }
  maintner::for_each_label(message, [message](const maintner::LabelLine& line) {
    require_within(line.label, message);
    require_within(line.voter, message);
  });
  maintner::summary_in(message);
  maintner::work_in_progress_in(message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view raw(reinterpret_cast<const char*>(data), size);
  look_at_message(raw);
  try {
    const maintner::CommitText commit = maintner::parse_commit(raw);
    for (const maintner::PersonAndTime& when : {commit.author, commit.committer}) {
      require_within(when.person, raw);
      maintner::zone_offset(when.zone);
      maintner::account_id_of(maintner::person_email(when.person));
    }
    for (const std::string_view parent : commit.parents)
      if (!maintner::hash_from_hex(parent)) std::abort();
    require_within(commit.message, raw);
  } catch (const maintner::CommitError&) {
  }
  return 0;
}
