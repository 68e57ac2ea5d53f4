#include <maintner/segment_store.h>

#include <build/blob/directory.h>

#include <algorithm>
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

struct Found {
  SegmentName name;
  std::uint64_t size = 0;  ///< of a frozen one
};

/// By number; one that grows is behind a frozen one of its number.
std::vector<Found> found(const build::blob::Blobs& frozen, const fs::path& directory) {
  std::vector<Found> all;
  for (const build::blob::BlobInfo& blob : frozen.list())
    if (const auto name = parse_segment_name(blob.name); name && !name->sha224.empty())
      all.push_back({*name, blob.size});
  for (const SegmentName& name : segments_in(directory))
    if (name.sha224.empty()) all.push_back({name, 0});
  std::stable_sort(all.begin(), all.end(),
                   [](const Found& a, const Found& b) { return a.name.number < b.name.number; });
  return all;
}

}  // namespace

SegmentStore::SegmentStore(const fs::path& directory, std::uint64_t segment_size)
    : SegmentStore(directory, std::make_shared<build::blob::Directory>(directory), segment_size) {}

SegmentStore::SegmentStore(const fs::path& directory, std::shared_ptr<build::blob::Blobs> frozen,
                           std::uint64_t segment_size)
    : directory_(made(directory)), segment_size_(segment_size), lock_(directory / "lock"), blobs_(std::move(frozen)) {
  const std::vector<Found> all = found(*blobs_, directory_);
  const std::uint64_t last = all.empty() ? 0 : all.back().name.number;
  bool grows = false;
  for (const auto& [name, size] : all) {
    const fs::path file = directory_ / to_text(name);
    if (name.sha224.empty() && is_frozen_copy(name)) {
      fs::remove(file);
      continue;
    }
    if (name.number > next_number())
      throw std::runtime_error("saw max segment number " + std::to_string(last) + " but missing segment " +
                               std::to_string(next_number()) + " in " + directory_.string());
    if (name.number < next_number()) throw std::runtime_error(file.string() + ": there is another one of that number");
    if (name.sha224.empty()) {
      if (name.number != last) throw std::runtime_error(file.string() + " is not the last segment, and not whole");
      grows = true;
      continue;
    }
    add_frozen(name, size);
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

void SegmentStore::add_frozen(const SegmentName& name, std::uint64_t size) {
  frozen_.segments.push_back(
      {name.number, size, name.sha224, true, blobs_->file_of(to_text(name)).value_or(fs::path()), nullptr});
  frozen_.size += size;
}

bool SegmentStore::is_frozen_copy(const SegmentName& growing) const {
  if (growing.number >= frozen_.segments.size()) return false;
  const Segment& segment = frozen_.segments[growing.number];
  const fs::path file = directory_ / to_text(growing);
  return fs::file_size(file) == segment.size && sha224_of_file(file, segment.size) == segment.sha224;
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
  const SegmentName name{next_number(), digest_.hex()};
  blobs_->take(to_text(name), directory_ / to_text({name.number, {}}));
  add_frozen(name, writer_->size());
  writer_.reset();
  growing_.reset();
  dirty_ = taken_ = true;
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
  if (taken_) blobs_->sync();
  dirty_ = taken_ = false;
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

std::shared_ptr<const build::blob::Blob> SegmentStore::open(const Segment& segment) const {
  if (!segment.frozen) return std::make_shared<build::blob::FileBlob>(segment.open, segment.size, segment.file);
  const std::string name = to_text({segment.number, segment.sha224});
  auto blob = blobs_->open(name);
  if (blob->size() != segment.size) throw std::runtime_error(name + " has not the size that it had");
  return blob;
}

}  // namespace maintner
