// Archives made from a few names that get into each other's way, unpacked, and compared with a model in memory that
// knows the rules and nothing of how they are kept: the verdict and the tree must be the same.
//
// Each entry takes bytes of the input: its type, the parts of its name, then the parts of its target or its size.

#include <tarutil/extract.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kEntries = 12, kTotal = 4000, kFile = 1500;
constexpr std::size_t kPathBytes = 14, kDepth = 4;

struct Input {
  const std::uint8_t* data;
  std::size_t left;
  unsigned next() {
    if (left == 0) return 0;
    --left;
    return *data++;
  }
};

std::string path_from(Input& input) {
  static const char* const kParts[] = {"a", "b", "..", ".", "c", "a", "b", "dd"};
  std::string path;
  for (unsigned count = 1 + input.next() % 5; count > 0; --count)
    path += (path.empty() ? "" : "/") + std::string(kParts[input.next() % 8]);
  return path;
}

struct Entry {
  char type;
  std::string name, target, content;
};

std::vector<Entry> entries_from(Input& input) {
  std::vector<Entry> entries;
  while (input.left > 0 && entries.size() < 2 * kEntries) {
    Entry entry{"0001255" [input.next() % 7], path_from(input), {}, {}};
    if (entry.type == '1' || entry.type == '2') entry.target = path_from(input);
    if (entry.type == '0') entry.content.assign(input.next() * 6, static_cast<char>('A' + entries.size()));
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string block_of(const Entry& entry) {
  std::string block(512, '\0');
  const auto put = [&block](std::size_t at, const std::string& text) { block.replace(at, text.size(), text); };
  put(0, entry.name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  char number[16];
  std::snprintf(number, sizeof number, "%011zo", entry.content.size());
  put(124, number);
  put(136, "00000000000");
  put(148, "        ");
  block[156] = entry.type;
  put(157, entry.target);
  put(257, std::string("ustar\0"
                       "00",
                       8));
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  std::snprintf(number, sizeof number, "%06o", sum);
  put(148, number);
  block[154] = '\0';
  std::string content = entry.content;
  content.resize((content.size() + 511) / 512 * 512);
  return block + content;
}

using Parts = std::vector<std::string>;

Parts split(const std::string& path) {
  Parts parts(1);
  for (const char c : path) {
    if (c == '/')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

/// Where `path` leads, read from the left; nothing if that is ever above the top at its end.
std::optional<Parts> resolved(const std::string& path) {
  Parts at;
  int above = 0;
  for (const std::string& part : split(path)) {
    if (part == ".") continue;
    if (part != "..")
      at.push_back(part);
    else if (!at.empty())
      at.pop_back();
    else
      ++above;
  }
  if (above > 0) return std::nullopt;
  return at;
}

class Model {
 public:
  struct Node {
    char type;  // 'd', 'f', 'l'
    std::string text;
  };
  std::map<Parts, Node> nodes;

  /// False if the entry ends the extraction.
  bool take(const Entry& entry) {
    if (++entries_ > kEntries || entry.name.size() > kPathBytes) return false;
    const auto path = resolved(entry.name);
    if (!path || std::max<std::size_t>(path->size(), 1) > kDepth) return false;
    switch (entry.type) {
      case '0':
        return file(*path, entry.content);
      case '5':
        return directories(*path);
      case '2':
        return link(*path, entry.target);
      default:
        return hard_link(*path, entry.target);
    }
  }

 private:
  bool directories(const Parts& path) {
    Parts so_far;
    for (const std::string& part : path) {
      so_far.push_back(part);
      const auto [node, made] = nodes.insert({so_far, {'d', {}}});
      if (!made && node->second.type != 'd') return false;
    }
    return true;
  }

  bool place(const Parts& path, const Node& node) {
    if (path.empty() || !directories({path.begin(), path.end() - 1})) return false;
    const auto there = nodes.find(path);
    if (there != nodes.end() && there->second.type == 'd') return false;
    nodes.insert_or_assign(path, node);
    return true;
  }

  bool file(const Parts& path, const std::string& content) {
    if (content.size() > kFile || bytes_ + content.size() > kTotal) return false;
    if (!place(path, {'f', content})) return false;
    bytes_ += content.size();
    return true;
  }

  bool link(const Parts& path, const std::string& target) {
    // The parts of the target are walked one by one from the link's directory; a name may lead anywhere inside.
    std::size_t height = path.empty() ? 0 : path.size() - 1;
    bool somewhere = false;
    for (const std::string& part : split(target)) {
      if (part == ".") continue;
      if (part != "..")
        somewhere = true;
      else if (somewhere || height-- == 0)
        return false;
    }
    return place(path, {'l', target});
  }

  bool hard_link(const Parts& path, const std::string& target) {
    const auto from = resolved(target);
    const auto there = from ? nodes.find(*from) : nodes.end();
    if (there == nodes.end() || there->second.type == 'd') return false;
    const Node node = there->second;
    return node.type == 'l' ? link(path, node.text) : place(path, node);
  }

  std::uint64_t entries_ = 0, bytes_ = 0;
};

std::string shown(char type, const std::string& path, const std::string& text) {
  return std::string(1, type) + " " + path + " " + text + "\n";
}

std::string shown(const Model& model) {
  std::vector<std::string> lines;
  for (const auto& [path, node] : model.nodes) {
    std::string name;
    for (const std::string& part : path) name += (name.empty() ? "" : "/") + part;
    lines.push_back(shown(node.type, name, node.text));
  }
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line;
  return all;
}

std::string shown(const fs::path& base) {
  std::vector<std::string> lines;
  for (const auto& entry : fs::recursive_directory_iterator(base)) {
    const std::string name = entry.path().lexically_relative(base).string();
    if (entry.is_symlink()) {
      lines.push_back(shown('l', name, fs::read_symlink(entry.path()).string()));
    } else if (entry.is_directory()) {
      lines.push_back(shown('d', name, ""));
    } else {
      std::ifstream in(entry.path(), std::ios::binary);
      lines.push_back(shown('f', name, {std::istreambuf_iterator<char>(in), {}}));
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line;
  return all;
}

struct Place {
  fs::path root;
  Place() {
    std::string pattern = (fs::temp_directory_path() / "tar-model.XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    root = pattern;
  }
  ~Place() {
    std::error_code ignored;
    fs::remove_all(root, ignored);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  const fs::path base = place.root / "a/b/c/d/base";
  fs::remove_all(base);
  fs::create_directories(base);
  Input input{data, size};
  const unsigned how = input.next();
  const std::vector<Entry> entries = entries_from(input);
  std::string archive;
  for (const Entry& entry : entries) archive += block_of(entry);
  archive += std::string(1024, '\0');

  Model model;
  const bool expected =
      std::all_of(entries.begin(), entries.end(), [&](const Entry& entry) { return model.take(entry); });

  tarutil::ExtractOptions options;
  options.limits = {
      .entries = kEntries, .total_bytes = kTotal, .file_bytes = kFile, .path_bytes = kPathBytes, .depth = kDepth};
  options.method = how % 2 == 0 ? tarutil::Beneath::Method::automatic : tarutil::Beneath::Method::walk;
  options.threads = 1;
  std::size_t at = 0;
  const tarutil::Source source = [&](std::span<char> into) {
    const std::size_t count = archive.copy(into.data(), into.size(), at);
    at += count;
    return count;
  };
  const tarutil::Fd directory(::open(base.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  bool good = true;
  std::string why;
  try {
    tarutil::extract(source, directory.get(), options);
  } catch (const tarutil::ExtractError& error) {
    good = false;
    why = error.what();
  }
  if (good != expected || shown(base) != shown(model)) {
    std::fprintf(stderr, "expected %d:\n%sgot %d (%s):\n%s", expected, shown(model).c_str(), good, why.c_str(),
                 shown(base).c_str());
    std::abort();
  }
  return 0;
}
