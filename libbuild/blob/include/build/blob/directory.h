// Blobs as the files of a directory.
#pragma once

#include <build/base/file.h>
#include <build/blob/blobs.h>

namespace build::blob {

/// The first `size` bytes of a file that is open, and may grow.
class FileBlob final : public Blob {
 public:
  /// `name` is for errors.
  FileBlob(std::shared_ptr<const base::UniqueFd> file, std::uint64_t size, std::filesystem::path name);

  std::uint64_t size() const noexcept override { return size_; }
  void read(std::uint64_t offset, std::span<char> into) const override;

 private:
  std::shared_ptr<const base::UniqueFd> file_;
  std::uint64_t size_;
  std::filesystem::path name_;
};

class Directory final : public Blobs {
 public:
  /// It must be there. Files of other programs in it are blobs, too; what is no file is none.
  explicit Directory(std::filesystem::path directory) : directory_(std::move(directory)) {}

  std::vector<BlobInfo> list() const override;
  std::shared_ptr<const Blob> open(const std::string& name) const override;
  /// `file` is on the same file system: it gets another name.
  void take(const std::string& name, const std::filesystem::path& file) override;
  void sync() override;
  std::optional<std::filesystem::path> file_of(const std::string& name) const override { return path_of(name); }

 private:
  std::filesystem::path path_of(const std::string& name) const;

  std::filesystem::path directory_;
};

}  // namespace build::blob
