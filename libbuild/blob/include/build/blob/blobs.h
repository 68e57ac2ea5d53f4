// Blobs: bytes under a name, which never change. A directory has them (directory.h), or whatever else implements this.
//
// All of it blocks. Any number of threads may read and list; take() and sync() are for one at a time, also beside
// readers. Errors are std::runtime_error (std::system_error where the kernel said why), naming the blob.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace build::blob {

/// One that is open: good for as long as it is kept, whatever becomes of its name.
class Blob {
 public:
  virtual ~Blob() = default;

  /// Bytes.
  virtual std::uint64_t size() const noexcept = 0;
  /// Fills `into` with what begins at `offset`. Throws if there is less.
  virtual void read(std::uint64_t offset, std::span<char> into) const = 0;
};

struct BlobInfo {
  std::string name;
  std::uint64_t size = 0;  ///< bytes
};

/// Names are file names: neither empty nor "." nor "..", without "/"; others are refused by std::invalid_argument.
class Blobs {
 public:
  virtual ~Blobs() = default;

  /// By name.
  virtual std::vector<BlobInfo> list() const = 0;
  virtual std::shared_ptr<const Blob> open(const std::string& name) const = 0;
  /// Makes a file of the caller's, which is synced, the blob `name`; the file is gone then. A blob of that name is
  /// replaced. If it throws the file is still there, and can be handed in again.
  virtual void take(const std::string& name, const std::filesystem::path& file) = 0;
  /// Returns when all that was taken survives a loss of power.
  virtual void sync() = 0;
  /// Where a blob lies, if that is a file, which may be mapped.
  virtual std::optional<std::filesystem::path> file_of(const std::string& name) const = 0;
};

}  // namespace build::blob
