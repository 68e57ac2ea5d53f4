// What a tar.gz holds, in words that can be compared.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace testing {

struct ArchiveMember {
  std::string name, link, user, content;
  unsigned type = 0;  ///< AE_IFREG, AE_IFDIR, ...
  unsigned mode = 0;
  long owner = 0;
  long mtime = 0;
};

/// Throws std::runtime_error for what is no whole tar.gz.
inline std::vector<ArchiveMember> archive_members(std::string_view bytes) {
  archive* reader = archive_read_new();
  archive_read_append_filter(reader, ARCHIVE_FILTER_GZIP);
  archive_read_set_format(reader, ARCHIVE_FORMAT_TAR);
  std::vector<ArchiveMember> members;
  int result = archive_read_open_memory(reader, bytes.data(), bytes.size());
  archive_entry* entry = nullptr;
  while (result >= ARCHIVE_WARN && (result = archive_read_next_header(reader, &entry)) >= ARCHIVE_WARN &&
         result != ARCHIVE_EOF) {
    const auto text = [](const char* value) { return std::string(value == nullptr ? "" : value); };
    ArchiveMember member{text(archive_entry_pathname(entry)),
                         text(archive_entry_symlink(entry)),
                         text(archive_entry_uname(entry)),
                         {},
                         archive_entry_filetype(entry),
                         archive_entry_perm(entry),
                         static_cast<long>(archive_entry_uid(entry)),
                         static_cast<long>(archive_entry_mtime(entry))};
    member.content.resize(static_cast<std::size_t>(archive_entry_size(entry)));
    std::size_t at = 0;
    while (at < member.content.size()) {
      const la_ssize_t n = archive_read_data(reader, member.content.data() + at, member.content.size() - at);
      if (n <= 0) break;
      at += static_cast<std::size_t>(n);
    }
    if (at < member.content.size()) result = ARCHIVE_FATAL;
    members.push_back(std::move(member));
  }
  const std::string why = result == ARCHIVE_EOF ? "" : std::string("no whole archive: ") + archive_error_string(reader);
  archive_read_free(reader);
  if (!why.empty()) throw std::runtime_error(why);
  return members;
}

}  // namespace testing
