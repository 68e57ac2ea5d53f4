// Names and numbers of things, each a type of its own so that they cannot be mixed up.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace build::model {

/// A name: text whose meaning the tag tells.
template <typename Tag>
struct Name {
  std::string value;

  Name() = default;
  explicit Name(std::string text) : value(std::move(text)) {}
  bool empty() const noexcept { return value.empty(); }
  auto operator<=>(const Name&) const = default;
};

/// A number given out once, counting up from 1; 0 means "none".
template <typename Tag>
struct Number {
  std::int64_t value = 0;

  Number() = default;
  explicit Number(std::int64_t number) : value(number) {}
  explicit operator bool() const noexcept { return value != 0; }
  auto operator<=>(const Number&) const = default;
};

using RepositoryName = Name<struct RepositoryTag>;  ///< as in farm.toml
using BranchName = Name<struct BranchTag>;          ///< without refs/heads/
using CommitHash = Name<struct CommitTag>;          ///< 40 (or 64) lower-case hexadecimal digits
using BuilderName = Name<struct BuilderTag>;        ///< as in farm.toml
using HostType = Name<struct HostTypeTag>;          ///< what a worker says it is
using WorkerId = Name<struct WorkerTag>;            ///< of a machine's state directory; lives as long as that
using InstanceId = Name<struct InstanceTag>;        ///< of one worker process
using SessionId = Name<struct SessionTag>;          ///< of one registration; 32 hexadecimal digits
using RunId = Name<struct RunTag>;                  ///< of one command on a worker, and of its log object

using BuildId = Number<struct BuildTag>;
using LeaseNumber = Number<struct LeaseTag>;  ///< the fencing number: a later lease has a greater one
using Epoch = Number<struct EpochTag>;        ///< counts the coordinator's starts

/// Calendar time in UTC, milliseconds.
using Time = std::chrono::sys_time<std::chrono::milliseconds>;

}  // namespace build::model

template <typename Tag>
struct std::hash<build::model::Name<Tag>> {
  std::size_t operator()(const build::model::Name<Tag>& name) const noexcept {
    return std::hash<std::string>{}(name.value);
  }
};

template <typename Tag>
struct std::hash<build::model::Number<Tag>> {
  std::size_t operator()(const build::model::Number<Tag>& number) const noexcept {
    return std::hash<std::int64_t>{}(number.value);
  }
};
