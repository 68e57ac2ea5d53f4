#include "tar_writer.h"

#include <archive.h>
#include <archive_entry.h>

#include <new>
#include <stdexcept>

#include "names_locale.h"

namespace tarutil {

/// libarchive's write callback. Errors cannot pass through C frames and wait in the writer.
struct Collect {
  static la_ssize_t write(archive*, void* self, const void* bytes, std::size_t size) noexcept {
    TarWriter& writer = *static_cast<TarWriter*>(self);
    try {
      writer.gzip_.write({static_cast<const char*>(bytes), size});
      return static_cast<la_ssize_t>(size);
    } catch (const std::exception&) {
      writer.failure_ = std::current_exception();
      return -1;
    }
  }
};

void TarWriter::FreeWriter::operator()(archive* writer) const { archive_write_free(writer); }
void TarWriter::FreeEntry::operator()(archive_entry* entry) const { archive_entry_free(entry); }

TarWriter::TarWriter(std::string what, const pargzip::WriterOptions& options)
    : what_(std::move(what)),
      gzip_([this](std::span<const char> bytes) { packed_.append(bytes.data(), bytes.size()); }, options),
      writer_(archive_write_new()),
      entry_(archive_entry_new()) {
  if (!writer_ || !entry_) throw std::bad_alloc();
  archive* to = writer_.get();
  check(archive_write_set_format_pax_restricted(to));
  // Names are bytes: those that are no UTF-8 are marked as binary, the others stand as they are.
  check(archive_write_set_bytes_per_block(to, 0));
  check(archive_write_open(to, this, nullptr, &Collect::write, nullptr));
}

void TarWriter::check(int result) const {
  if (result == ARCHIVE_OK || result == ARCHIVE_WARN) return;
  if (failure_) std::rethrow_exception(failure_);
  const char* why = archive_error_string(writer_.get());
  throw std::runtime_error(what_ + ": " + (why == nullptr ? "libarchive failed" : why));
}

void TarWriter::begin(const EntryHeader& header, std::uint64_t size) {
  const Utf8Names utf8;
  archive_entry* to = archive_entry_clear(entry_.get());
  archive_entry_copy_pathname(to, header.name.c_str());
  archive_entry_set_mode(to, header.mode);
  archive_entry_set_size(to, static_cast<la_int64_t>(size));
  archive_entry_set_mtime(to, header.mtime.time_since_epoch().count(), 0);
  archive_entry_set_uid(to, header.uid);
  archive_entry_set_gid(to, header.gid);
  archive_entry_copy_uname(to, header.user.c_str());
  archive_entry_copy_gname(to, header.group.c_str());
  if (!header.hard_link_target.empty()) archive_entry_copy_hardlink(to, header.hard_link_target.c_str());
  if (S_ISLNK(header.mode)) archive_entry_copy_symlink(to, header.symlink_target.c_str());
  if (S_ISCHR(header.mode) || S_ISBLK(header.mode)) archive_entry_set_rdev(to, header.device);
  check(archive_write_header(writer_.get(), to));
}

void TarWriter::content(std::span<const char> bytes) {
  const la_ssize_t written = archive_write_data(writer_.get(), bytes.data(), bytes.size());
  if (written != static_cast<la_ssize_t>(bytes.size())) check(ARCHIVE_FATAL);
}

void TarWriter::finish() {
  check(archive_write_close(writer_.get()));
  gzip_.finish();
}

}  // namespace tarutil
