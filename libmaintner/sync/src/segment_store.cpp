#include <maintner/segment_store.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "file_error.h"

namespace maintner {

namespace base = build::base;
namespace fs = std::filesystem;

namespace {

const fs::path& made(const fs::path& directory) {
  fs::create_directories(directory);
  return directory;
}

void sync_directory(const fs::path& directory) {
  const base::UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) fail("cannot sync", directory);
}

}  // namespace

SegmentStore::SegmentStore(const fs::path& directory, std::uint64_t segment_size)
    : directory_(made(directory)), segment_size_(segment_size), lock_(directory / "lock") {
  const std::vector<SegmentName> names = segments_in(directory_);
  const std::uint64_t last = names.empty() ? 0 : names.back().number;
  bool grows = false;
  for (const SegmentName& name : names) {
    const fs::path file = directory_ / to_text(name);
    if (name.number > next_number())
      throw std::runtime_error("saw max segment number " + std::to_string(last) + " but missing segment " +
                               std::to_string(next_number()) + " in " + directory_.string());
    if (name.number < next_number()) throw std::runtime_error(file.string() + ": there is another one of that number");
    if (name.sha224.empty()) {
      if (name.number != last) throw std::runtime_error(file.string() + " is not the last segment, and not whole");
      grows = true;
      continue;
    }
    frozen_.segments.push_back({name.number, fs::file_size(file), name.sha224, true, file, nullptr});
    frozen_.size += frozen_.segments.back().size;
  }
  if (grows) {
    grow(last);
    cut_ = writer_->cut();
    dirty_ = true;
    if (writer_->size() + kNearlyFull >= segment_size_) freeze();
  }
  dirty_ = true;
  commit();
}

void SegmentStore::append(std::string_view payload) {
  if (writer_ && writer_->size() > 0 && writer_->size() + payload.size() > segment_size_) freeze();
  if (!writer_) grow(next_number());
  const std::uint64_t offset = writer_->append(payload);
  dirty_ = true;
  digest_.update(framed(offset, payload));
}

void SegmentStore::grow(std::uint64_t number) {
  const fs::path file = directory_ / to_text({number, {}});
  RecordWriter writer(file, RecordWriter::Torn::cut);
  auto open = std::make_shared<base::UniqueFd>(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!open->valid()) fail("cannot open", file);
  base::Sha224 digest;
  RecordFile there(file);
  while (const auto record = there.next()) {
    digest.update(record->header);
    digest.update(record->payload);
  }
  sync_directory(directory_);
  writer_.emplace(std::move(writer));
  growing_ = std::move(open);
  digest_ = digest;
}

void SegmentStore::freeze() {
  writer_->sync();
  const std::uint64_t number = next_number();
  const SegmentName name{number, digest_.hex()};
  const fs::path before = directory_ / to_text({number, {}}), after = directory_ / to_text(name);
  if (::rename(before.c_str(), after.c_str()) != 0) fail("cannot rename", before);
  frozen_.segments.push_back({number, writer_->size(), name.sha224, true, after, nullptr});
  frozen_.size += writer_->size();
  writer_.reset();
  growing_.reset();
  dirty_ = renamed_ = true;
}

void SegmentStore::commit() {
  if (!dirty_) return;
  auto now = std::make_shared<SegmentList>(frozen_);
  if (writer_) {
    writer_->sync();
    if (writer_->size() > 0) {
      const SegmentName name{next_number(), {}};
      now->segments.push_back(
          {name.number, writer_->size(), digest_.hex(), false, directory_ / to_text(name), growing_});
      now->size += writer_->size();
    }
  }
  if (renamed_) sync_directory(directory_);
  dirty_ = renamed_ = false;
  {
    const std::lock_guard lock(visible_mutex_);
    visible_ = std::move(now);
  }
  if (listener_) listener_();
}

std::shared_ptr<const SegmentList> SegmentStore::segments() const {
  const std::lock_guard lock(visible_mutex_);
  return visible_;
}

}  // namespace maintner
