// Blobs in memory, which can be made to fail.
#pragma once

#include <build/base/file.h>
#include <build/blob/blobs.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace testing {

class MemoryBlobs final : public build::blob::Blobs {
 public:
  std::vector<build::blob::BlobInfo> list() const override {
    const std::lock_guard lock(mutex_);
    std::vector<build::blob::BlobInfo> all;
    for (const auto& [name, content] : blobs_) all.push_back({name, content->size()});
    return all;
  }
  std::shared_ptr<const build::blob::Blob> open(const std::string& name) const override {
    const std::lock_guard lock(mutex_);
    const auto found = blobs_.find(name);
    if (found == blobs_.end()) throw std::runtime_error("there is no blob " + name);
    return std::make_shared<Open>(found->second);
  }
  void take(const std::string& name, const std::filesystem::path& file) override {
    if (broken) throw std::runtime_error("cannot take " + name);
    auto content = std::make_shared<const std::string>(build::base::read_file(file, std::size_t{1} << 30));
    const std::lock_guard lock(mutex_);
    blobs_[name] = std::move(content);
    if (!keeps_files) std::filesystem::remove(file);
  }
  void sync() override { ++syncs; }
  std::optional<std::filesystem::path> file_of(const std::string&) const override { return std::nullopt; }

  bool broken = false;       ///< take() throws
  bool keeps_files = false;  ///< as if the process died when a file had been taken, and was still there
  int syncs = 0;

 private:
  struct Open final : build::blob::Blob {
    explicit Open(std::shared_ptr<const std::string> bytes) : content(std::move(bytes)) {}
    std::uint64_t size() const noexcept override { return content->size(); }
    void read(std::uint64_t offset, std::span<char> into) const override {
      if (offset + into.size() > content->size()) throw std::runtime_error("there is less in that blob");
      std::copy_n(content->data() + offset, into.size(), into.data());
    }
    std::shared_ptr<const std::string> content;
  };

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const std::string>> blobs_;
};

}  // namespace testing
