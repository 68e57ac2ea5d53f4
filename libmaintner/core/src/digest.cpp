// How it works: what git and Gerrit say is most of a log. It is read where it lies, if it is what the original writes:
// each field once, and each of its type. Everything else is decoded in full and written again in that form first.
#include "digest.h"

#include <maintner/commit_text.h>
#include <maintner/mutation.h>

#include <protozero/pbf_reader.hpp>

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "decimal.h"
#include "schema.h"

namespace maintner {

namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

/// What is not in the form that is read here.
struct Unusual {};

std::string_view view_of(protozero::data_view view) { return {view.data(), view.size()}; }

std::string_view text_in(pbf_reader& in) {
  if (in.wire_type() != pbf_wire_type::length_delimited) throw Unusual();
  return view_of(in.get_view());
}

/// Once only.
void take(pbf_reader& in, std::string_view& text) {
  if (text.data() != nullptr) throw Unusual();
  text = text_in(in);
}

// A field's number and type, as it stands in a message of one of less than 16 fields.
constexpr std::uint32_t tag(std::uint32_t number, pbf_wire_type type) {
  return number << 3U | static_cast<std::uint32_t>(type);
}
constexpr std::uint32_t text_tag(std::uint32_t number) { return tag(number, pbf_wire_type::length_delimited); }
constexpr std::uint32_t number_tag(std::uint32_t number) { return tag(number, pbf_wire_type::varint); }

/// Whether the files of a GitDiffTree are in order. Throws Unusual.
bool is_sorted_diff(std::string_view diff) {
  std::string_view last;
  bool sorted = true;
  for (pbf_reader in(diff.data(), diff.size()); in.next();) {
    if (in.tag_and_type() != text_tag(1)) throw Unusual();
    std::string_view name;
    for (pbf_reader file = in.get_message(); file.next();) {
      switch (file.tag_and_type()) {
        case text_tag(1):
          take(file, name);
          break;
        case number_tag(2):
        case number_tag(3):
        case number_tag(4):
          file.skip();
          break;
        default:
          throw Unusual();
      }
    }
    sorted = sorted && last <= name;
    last = name;
  }
  return sorted;
}

std::uint8_t meta_mark(std::string_view message) {
  const MetaSummary summary = summary_in(message);
  std::uint8_t mark = 0;
  if (summary.status) mark = static_cast<std::uint8_t>(static_cast<unsigned>(*summary.status) + 1);
  if (summary.is_private) mark |= *summary.is_private ? MetaMark::kPrivate : MetaMark::kNotPrivate;
  if (summary.has_labels) mark |= MetaMark::kLabels;
  return mark;
}

bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

/// Whether a ref's name begins as a change's does: refs/changes/34/1234/meta, or a number in place of "meta". What
/// follows does not count.
bool is_change_ref(std::string_view name, std::string_view& number, std::string_view& version) {
  constexpr std::string_view kChanges = "refs/changes/";
  if (!name.starts_with(kChanges)) return false;
  name.remove_prefix(kChanges.size());
  if (name.size() < 3 || !is_lower_hex(name[0]) || !is_lower_hex(name[1]) || name[2] != '/') return false;
  name.remove_prefix(3);
  number = take_digits(name);
  if (number.empty() || !name.starts_with('/')) return false;
  name.remove_prefix(1);
  if (name.starts_with("meta")) {
    version = "0";
    return true;
  }
  version = take_digits(name);
  return !version.empty();
}

class GitDigester {
 public:
  GitDigester(LogSpace& space, std::uint64_t position, Digest& into)
      : space_(space), position_(position), into_(into) {}

  void take_git(std::string_view message) {
    std::string_view commit;
    for (pbf_reader in(message.data(), message.size()); in.next();) {
      if (in.tag() == 2)
        take(in, commit);
      else
        in.skip();
    }
    if (commit.data() == nullptr) return;
    begin_project({});
    take_commit(commit);
  }

  void take_gerrit(std::string_view message) {
    std::string_view project;
    commits_.clear(), refs_.clear(), deleted_.clear();
    for (pbf_reader in(message.data(), message.size()); in.next();) {
      switch (in.tag()) {
        case 1:
          take(in, project);
          break;
        case 2:
          commits_.push_back(text_in(in));
          break;
        case 3:
          refs_.push_back(text_in(in));
          break;
        case 4:
          deleted_.push_back(text_in(in));
          break;
        default:
          in.skip();
      }
    }
    if (project.empty()) return fault("a Gerrit mutation without a project");
    begin_project(project);
    for (const std::string_view commit : commits_) take_commit(commit);
    for (const std::string_view ref : deleted_) into_.git.push_back({GitStep::What::delete_ref, 0, ref});
    for (const std::string_view ref : refs_) take_ref(ref);
  }

 private:
  void begin_project(std::string_view name) {
    std::vector<GitStep>& git = into_.git;
    // It may have been taken back meanwhile.
    const std::size_t last = into_.project_at;
    if (last < git.size() && git[last].what == GitStep::What::project && git[last].text == name) return;
    into_.project_at = git.size();
    git.push_back({GitStep::What::project, 0, name});
  }

  void take_commit(std::string_view message) {
    std::string_view sha1, raw, diff;
    for (pbf_reader in(message.data(), message.size()); in.next();) {
      switch (in.tag()) {
        case 1:
          take(in, sha1);
          break;
        case 2:
          take(in, raw);
          break;
        case 3:
          take(in, diff);
          break;
        default:
          in.skip();
      }
    }
    const std::optional<Hash> hash = hash_from(sha1);
    if (!hash) return fault("a commit's hash is not 40 hexadecimal digits: \"" + shown(sha1) + "\"");
    if (raw.size() > Ref::kMaxSize || diff.size() > Ref::kMaxSize)
      return fault("the commit " + shown(sha1) + " is too large");
    const bool sorted = is_sorted_diff(diff);
    try {
      take_commit(*hash, raw, diff, sorted);
    } catch (const CommitError& error) {
      fault("the commit " + std::string(sha1) + ": " + error.what());
    }
  }

  void take_commit(const Hash& hash, std::string_view raw, std::string_view diff, bool sorted) {
    const CommitText text = parse_commit(raw);
    const auto index = static_cast<std::uint32_t>(into_.commits.size());
    CommitDigest digest{};
    digest.hash = hash;
    digest.raw = ref_of(raw);
    digest.diff = ref_of(diff);
    digest.hg = ref_of(text.hg);
    digest.message = static_cast<std::uint32_t>(text.message.data() - raw.data());
    digest.parents_begin = static_cast<std::uint32_t>(into_.hashes.size());
    digest.parents_count = static_cast<std::uint32_t>(text.parents.size());
    digest.meta = meta_mark(text.message);
    digest.files_unsorted = sorted ? 0 : 1;
    for (const std::string_view parent : text.parents) into_.hashes.push_back(*hash_from(parent));
    into_.commits.push_back(digest);
    into_.git.push_back({GitStep::What::commit, index, {}});
  }

  void take_ref(std::string_view message) {
    std::string_view name, sha1;
    for (pbf_reader in(message.data(), message.size()); in.next();) {
      switch (in.tag()) {
        case 1:
          take(in, name);
          break;
        case 2:
          take(in, sha1);
          break;
        default:
          in.skip();
      }
    }
    const std::optional<Hash> hash = hash_from(sha1);
    if (!hash) return fault("the hash of " + shown(name) + " is not 40 hexadecimal digits: \"" + shown(sha1) + "\"");
    std::string_view change_text, patch_set_text;
    if (is_change_ref(name, change_text, patch_set_text)) {
      const auto change = decimal<std::int32_t>(change_text), patch_set = decimal<std::int32_t>(patch_set_text);
      if (!change || !patch_set) return;
      into_.git.push_back({GitStep::What::change_ref, static_cast<std::uint32_t>(into_.change_refs.size()), {}});
      into_.change_refs.push_back({*hash, *change, *patch_set});
      return;
    }
    into_.git.push_back({GitStep::What::ref, static_cast<std::uint32_t>(into_.hashes.size()), name});
    into_.hashes.push_back(*hash);
  }

  Ref ref_of(std::string_view text) const {
    return text.empty() ? Ref{} : Ref::of(space_.position_of(text.data()), text.size());
  }
  void fault(std::string why) { into_.faults.push_back({position_, std::move(why)}); }
  /// Whatever it is, not too long.
  static std::string shown(std::string_view text) { return std::string(text.substr(0, 100)); }

  LogSpace& space_;
  const std::uint64_t position_;
  Digest& into_;
  std::vector<std::string_view> commits_, refs_, deleted_;
};

template <class Message>
concept IsMessage = requires { Schema<Message>::fields; };

template <class Message>
  requires IsMessage<Message>
void drop_unknown(Message& message);

template <class Value>
void drop_unknown_in(Value& value) {
  if constexpr (requires { value.has_value(); }) {
    if (value) drop_unknown(*value);
  } else if constexpr (requires { value.begin()->unknown; }) {
    for (auto& each : value) drop_unknown(each);
  }
}

template <class Message>
  requires IsMessage<Message>
void drop_unknown(Message& message) {
  message.unknown.clear();
  std::apply([&](const auto&... field) { (drop_unknown_in(message.*field.member), ...); }, Schema<Message>::fields);
}

struct Size {
  std::size_t github, git, commits, change_refs, hashes, faults;
};

/// So that half a record leaves nothing.
void take_back(Digest& digest, const Size& to) {
  digest.github.resize(to.github);
  digest.git.resize(to.git);
  digest.commits.resize(to.commits);
  digest.change_refs.resize(to.change_refs);
  digest.hashes.resize(to.hashes);
  digest.faults.resize(to.faults);
}

void digest_in_order(LogSpace& space, std::string_view payload, std::uint64_t position, Digest& into) {
  std::array<std::string_view, 5> parts;
  for (pbf_reader in(payload.data(), payload.size()); in.next();) {
    if (in.tag() >= 1 && in.tag() < parts.size())
      take(in, parts[in.tag()]);
    else
      in.skip();
  }
  GitDigester git(space, position, into);
  if (parts[1].data() != nullptr || parts[3].data() != nullptr) into.github.push_back({payload, position});
  if (parts[2].data() != nullptr) git.take_git(parts[2]);
  if (parts[4].data() != nullptr) git.take_gerrit(parts[4]);
}

}  // namespace

void digest_record(LogSpace& space, std::string_view payload, std::uint64_t position, Digest& into) {
  const Size before{into.github.size(),      into.git.size(),    into.commits.size(),
                    into.change_refs.size(), into.hashes.size(), into.faults.size()};
  const auto again = [&] {
    take_back(into, before);
    Mutation mutation = decode_mutation(payload);
    drop_unknown(mutation);
    digest_in_order(space, space.keep(encode(mutation)), position, into);
  };
  try {
    if (payload.size() > Ref::kMaxSize) throw MutationError("a mutation of more than 256 MiB");
    try {
      digest_in_order(space, payload, position, into);
    } catch (const Unusual&) {
      again();
    } catch (const protozero::exception&) {
      again();
    }
  } catch (const std::exception& error) {
    take_back(into, before);
    into.faults.push_back({position, error.what()});
  }
  ++into.mutations;
}

}  // namespace maintner
