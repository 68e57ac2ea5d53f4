// Reading one table of a configuration file. Each look-up checks the value's type; whatever is wrong is a ConfigError
// with the line it stands on.
#pragma once

#include <build/config/farm_config.h>

#include <toml++/toml.h>

#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

namespace build::config {

/// Throws "FILE:LINE: sentence".
[[noreturn]] void refuse(const std::string& file, const toml::source_region& where, const std::string& sentence);

/// `text` in double quotes, control characters made visible.
std::string in_quotes(std::string_view text);

/// ` (did you mean "x"?)` for the one of `known` that is nearest to `unknown`; empty if none is near.
std::string suggestion(std::string_view unknown, const std::vector<std::string>& known);

class Section {
 public:
  /// `title` is what messages call it, "[coordinator]". Refuses keys that are not among `keys`. The table must outlive
  /// this.
  Section(const std::string& file, const toml::table& table, std::string title, std::span<const std::string_view> keys);

  const std::string& file() const { return file_; }
  const std::string& title() const { return title_; }
  /// Names the section better once its name is known.
  void set_title(std::string title) { title_ = std::move(title); }

  bool has(std::string_view key) const { return table_.contains(key); }

  /// Not empty, without control characters. Nothing if the key is not there.
  std::optional<std::string> text(std::string_view key) const;
  std::string required_text(std::string_view key, std::string_view what_it_is) const;
  /// May hold anything but NUL; for commands and environment values.
  std::optional<std::string> free_text(std::string_view key) const;
  /// Letters, digits, '.', '_' and '-', not beginning with '-' or '.'.
  std::string required_name(std::string_view key, std::string_view what_it_is) const;
  std::optional<int> integer(std::string_view key, int min, int max) const;
  std::optional<std::chrono::seconds> duration(std::string_view key,
                                               std::chrono::seconds min = std::chrono::seconds(1)) const;
  std::optional<bool> boolean(std::string_view key) const;
  /// A list of texts that are different from each other.
  std::optional<std::vector<std::string>> list(std::string_view key) const;
  /// A path; relative ones are taken relative to `base`.
  std::optional<std::filesystem::path> path(std::string_view key, const std::filesystem::path& base) const;

  /// The tables written as [[name]], none if there are none.
  std::vector<const toml::table*> tables(std::string_view key, std::string_view heading) const;
  /// The table written as [name].
  const toml::table* table(std::string_view key, std::string_view heading) const;

  /// Refuse the value of `key` (or the section itself, if the key is not there).
  [[noreturn]] void refuse(std::string_view key, const std::string& sentence) const;
  /// Refuse item `index` of the list `key`.
  [[noreturn]] void refuse_item(std::string_view key, std::size_t index, const std::string& sentence) const;

 private:
  const toml::node* find(std::string_view key) const { return table_.get(key); }
  std::string checked_text(std::string_view key, const toml::node& node) const;

  const std::string& file_;
  const toml::table& table_;
  std::string title_;
};

/// Letters, digits, '.', '_' and '-', not beginning with '-' or '.', at most 100 characters.
bool is_name(std::string_view text);

}  // namespace build::config
