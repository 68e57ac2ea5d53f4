// How it works: a head in JSON says where the sections are; each begins on a page of its own, so that it can be mapped
// to where its rows are to lie. Checksums are looked at when a snapshot is opened, by all processors: a snapshot that
// is damaged is never asked anything.
#include "snapshot.h"

#include <build/base/file.h>

#include <libdeflate.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compact.h"
#include "sections.h"
#include "threads.h"

namespace maintner {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kMagic = "xbmaint1";
/// Another one when rows change their form.
constexpr unsigned kLayout = 1;
constexpr std::uint64_t kPage = 4096, kBlock = 64 << 10, kMaxHead = 256 << 20;

std::uint64_t padded(std::uint64_t size) noexcept { return (size + kPage - 1) / kPage * kPage; }

[[noreturn]] void fail(const fs::path& file, const char* what) {
  throw std::system_error(errno, std::generic_category(), std::string(what) + " " + file.string());
}

/// One after another, as they stand in the file.
struct Section {
  std::string name;
  std::uint64_t row_size = 0, rows = 0, used = 0;  ///< used: of an index's entries
  std::uint64_t offset = 0;                        ///< from the end of the head on
  std::string_view bytes;                          ///< when writing

  std::uint64_t size() const noexcept { return row_size * rows; }
};

template <class Part>
concept IsIndex = requires(const Part& part) { part.capacity(); };

std::vector<std::uint64_t> sorted(const SharedSet& set) {
  std::vector<std::uint64_t> all(set.all().begin(), set.all().end());
  std::sort(all.begin(), all.end());
  return all;
}

// ---- writing

class JsonWriter {
 public:
  void member(const char* name) { out_.Key(name); }
  void number(const char* name, std::uint64_t value) {
    out_.Key(name);
    out_.Uint64(value);
  }
  void text(const char* name, const std::string& value) {
    out_.Key(name);
    out_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  }
  rapidjson::Writer<rapidjson::StringBuffer>& out() noexcept { return out_; }
  std::string_view result() const noexcept { return {buffer_.GetString(), buffer_.GetSize()}; }

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> out_{buffer_};
};

std::string head_of(const State& state, const Snapshot& snapshot, const std::vector<Section>& sections) {
  JsonWriter json;
  json.out().StartObject();
  json.number("layout", kLayout);
  json.number("mutations", state.mutations);
  json.number("batch", state.batch);
  json.member("compat");
  json.out().Bool(snapshot.compat);
  json.number("problemCount", snapshot.problem_count);
  json.member("files");
  json.out().StartArray();
  for (const SnapshotFile& file : snapshot.files) {
    json.out().StartObject();
    json.text("name", file.name);
    json.number("inode", file.inode);
    json.member("mtime");
    json.out().Int64(file.mtime);
    json.number("size", file.size);
    json.number("applied", file.applied);
    json.number("begin", file.begin);
    json.number("first", file.first);
    json.number("last", file.last);
    json.number("all", file.all);
    json.out().EndObject();
  }
  json.out().EndArray();
  json.member("problems");
  json.out().StartArray();
  for (const SnapshotProblem& problem : snapshot.problems) {
    json.out().StartObject();
    json.number("file", problem.file);
    json.number("offset", problem.offset);
    json.text("why", problem.why);
    json.out().EndObject();
  }
  json.out().EndArray();
  json.member("sections");
  json.out().StartArray();
  for (const Section& section : sections) {
    json.out().StartObject();
    json.text("name", section.name);
    json.number("rowSize", section.row_size);
    json.number("rows", section.rows);
    json.number("used", section.used);
    json.number("offset", section.offset);
    json.out().EndObject();
  }
  json.out().EndArray();
  json.out().EndObject();
  return std::string(json.result());
}

class FileWriter {
 public:
  explicit FileWriter(const fs::path& file)
      : file_(file),
        temporary_(file.string() + ".new"),
        fd_(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    if (!fd_.valid()) fail(temporary_, "cannot make");
  }
  ~FileWriter() {
    if (!done_) ::unlink(temporary_.c_str());
  }
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(std::string_view bytes) {
    size_ += bytes.size();
    while (!bytes.empty()) {
      const ssize_t done = ::write(fd_.get(), bytes.data(), bytes.size());
      if (done < 0 && errno != EINTR) fail(temporary_, "cannot write");
      if (done > 0) bytes.remove_prefix(static_cast<std::size_t>(done));
    }
  }
  void fill_page() {
    static constexpr std::array<char, kPage> kZeros{};
    write({kZeros.data(), static_cast<std::size_t>(padded(size_) - size_)});
  }
  void finish() {
    if (::fsync(fd_.get()) != 0) fail(temporary_, "cannot write");
    if (::rename(temporary_.c_str(), file_.c_str()) != 0) fail(file_, "cannot replace");
    done_ = true;
  }

 private:
  const fs::path file_, temporary_;
  build::base::UniqueFd fd_;
  std::uint64_t size_ = 0;
  bool done_ = false;
};

void add_section(std::vector<Section>& sections, std::string name, std::uint64_t row_size, std::uint64_t used,
                 std::string_view bytes) {
  Section& section = sections.emplace_back();
  section.name = std::move(name);
  section.row_size = row_size;
  section.rows = bytes.size() / row_size;
  section.used = used;
  section.bytes = bytes;
}

/// Of all blocks of all sections.
std::vector<std::uint32_t> checksums_of(const std::vector<Section>& sections) {
  std::vector<std::uint32_t> sums;
  for (const Section& section : sections)
    for (std::uint64_t at = 0; at < section.bytes.size(); at += kBlock)
      sums.push_back(checksum(section.bytes.substr(at, kBlock)));
  return sums;
}

std::string_view bytes_of(const auto& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(numbers[0])};
}

// ---- reading

/// The file's own bytes.
class Mapped {
 public:
  Mapped(const fs::path& file, const build::base::UniqueFd& fd) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) throw SnapshotRefused("cannot look at " + file.string());
    size_ = static_cast<std::uint64_t>(status.st_size);
    if (size_ == 0) throw SnapshotRefused(file.string() + " is empty");
    void* const place = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (place == MAP_FAILED) throw SnapshotRefused("cannot map " + file.string());
    begin_ = static_cast<const char*>(place);
  }
  ~Mapped() { ::munmap(const_cast<char*>(begin_), size_); }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  std::string_view bytes() const noexcept { return {begin_, size_}; }

 private:
  const char* begin_ = nullptr;
  std::uint64_t size_ = 0;
};

struct Head {
  Snapshot snapshot;
  std::uint64_t mutations = 0, batch = 0;
  std::vector<Section> sections;
  std::uint64_t data = 0;  ///< where offsets count from
};

std::uint64_t number_in(const rapidjson::Value& object, const char* name) {
  if (!object.IsObject() || !object.HasMember(name) || !object[name].IsUint64())
    throw SnapshotRefused(std::string("its head has no number \"") + name + "\"");
  return object[name].GetUint64();
}

std::string text_in(const rapidjson::Value& object, const char* name) {
  if (!object.IsObject() || !object.HasMember(name) || !object[name].IsString())
    throw SnapshotRefused(std::string("its head has no text \"") + name + "\"");
  return {object[name].GetString(), object[name].GetStringLength()};
}

const rapidjson::Value& array_in(const rapidjson::Value& object, const char* name) {
  if (!object.HasMember(name) || !object[name].IsArray())
    throw SnapshotRefused(std::string("its head has no list \"") + name + "\"");
  return object[name];
}

Head parse_head(std::string_view file) {
  // The magic, then the size of the JSON, then its checksum.
  constexpr std::size_t kBefore = 16;
  if (!file.starts_with(kMagic.substr(0, file.size()))) throw SnapshotRefused("it is no snapshot");
  std::uint32_t size = 0, sum = 0;
  if (file.size() < kBefore) throw SnapshotRefused("it was cut");
  std::memcpy(&size, file.data() + 8, sizeof size);
  std::memcpy(&sum, file.data() + 12, sizeof sum);
  if (size > kMaxHead || file.size() - kBefore < size) throw SnapshotRefused("it was cut");
  const std::string_view text = file.substr(kBefore, size);
  if (checksum(text) != sum) throw SnapshotRefused("its head is damaged");
  rapidjson::Document json;
  json.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
  if (json.HasParseError() || !json.IsObject()) throw SnapshotRefused("its head is no JSON object");
  if (number_in(json, "layout") != kLayout) throw SnapshotRefused("it is of another version");
  Head head;
  head.mutations = number_in(json, "mutations");
  head.batch = number_in(json, "batch");
  if (!json.HasMember("compat") || !json["compat"].IsBool()) throw SnapshotRefused("its head has no \"compat\"");
  head.snapshot.compat = json["compat"].GetBool();
  head.snapshot.problem_count = number_in(json, "problemCount");
  for (const rapidjson::Value& each : array_in(json, "files").GetArray()) {
    SnapshotFile& log = head.snapshot.files.emplace_back();
    log.name = text_in(each, "name");
    log.inode = number_in(each, "inode");
    if (!each.HasMember("mtime") || !each["mtime"].IsInt64()) throw SnapshotRefused("a file in it has no time");
    log.mtime = each["mtime"].GetInt64();
    log.size = number_in(each, "size");
    log.applied = number_in(each, "applied");
    log.begin = number_in(each, "begin");
    log.first = static_cast<std::uint32_t>(number_in(each, "first"));
    log.last = static_cast<std::uint32_t>(number_in(each, "last"));
    log.all = static_cast<std::uint32_t>(number_in(each, "all"));
    if (log.applied > log.size) throw SnapshotRefused("it has applied more of a file than there is");
  }
  for (const rapidjson::Value& each : array_in(json, "problems").GetArray()) {
    SnapshotProblem& problem = head.snapshot.problems.emplace_back();
    problem.file = number_in(each, "file");
    problem.offset = number_in(each, "offset");
    problem.why = text_in(each, "why");
    if (problem.file >= head.snapshot.files.size()) throw SnapshotRefused("a problem in it is in no file");
  }
  head.data = padded(kBefore + size);
  for (const rapidjson::Value& each : array_in(json, "sections").GetArray()) {
    Section& section = head.sections.emplace_back();
    section.name = text_in(each, "name");
    section.row_size = number_in(each, "rowSize");
    section.rows = number_in(each, "rows");
    section.used = number_in(each, "used");
    section.offset = number_in(each, "offset");
    const bool fits = section.row_size > 0 && section.row_size <= 4096 && section.rows <= UINT32_MAX &&
                      section.offset % kPage == 0 && section.offset <= file.size() &&
                      head.data + section.offset + section.size() <= file.size();
    if (!fits) throw SnapshotRefused("its section \"" + section.name + "\" is cut");
  }
  return head;
}

const Section& section_of(const Head& head, const std::string& name, std::uint64_t row_size) {
  const auto found = std::find_if(head.sections.begin(), head.sections.end(),
                                  [&](const Section& section) { return section.name == name; });
  if (found == head.sections.end() || found->row_size != row_size)
    throw SnapshotRefused("it has no section \"" + name + "\" of the right form");
  return *found;
}

/// Looks at the checksums of all sections but the last, which has them.
void verify(std::string_view file, const Head& head, unsigned threads) {
  const Section& last = section_of(head, "checksums", sizeof(std::uint32_t));
  const auto bytes_in = [&](const Section& section) { return file.substr(head.data + section.offset, section.size()); };
  const std::string_view sums = bytes_in(last);
  if (checksum(sums) != last.used) throw SnapshotRefused("its checksums are damaged");
  std::vector<std::string_view> blocks;
  for (const Section& section : head.sections) {
    if (section.name == "checksums") continue;
    for (std::string_view rest = bytes_in(section); !rest.empty();
         rest.remove_prefix(std::min<std::size_t>(rest.size(), kBlock)))
      blocks.push_back(rest.substr(0, kBlock));
  }
  if (sums.size() != blocks.size() * sizeof(std::uint32_t)) throw SnapshotRefused("it has not a checksum a block");
  std::atomic<std::size_t> next{0};
  std::atomic<bool> good{true};
  const auto work = [&] {
    constexpr std::size_t kAtOnce = 16;
    for (std::size_t begin = 0; good && (begin = next.fetch_add(kAtOnce)) < blocks.size();) {
      for (std::size_t i = begin; i < std::min(begin + kAtOnce, blocks.size()); ++i) {
        std::uint32_t sum = 0;
        std::memcpy(&sum, sums.data() + i * sizeof sum, sizeof sum);
        if (checksum(blocks[i]) != sum) good = false;
      }
    }
  };
  in_threads(threads, work);
  if (!good) throw SnapshotRefused("it is damaged");
}

build::base::UniqueFd open_snapshot(const fs::path& file) {
  build::base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid())
    throw SnapshotRefused("cannot open " + file.string() + ": " + std::generic_category().message(errno));
  return fd;
}

}  // namespace

std::uint32_t checksum(std::string_view bytes) noexcept { return ::libdeflate_crc32(0, bytes.data(), bytes.size()); }

void write_snapshot(const State& original, const Snapshot& snapshot, const fs::path& file) {
  const State state = compacted(original);
  const std::vector<std::uint64_t> needed = sorted(state.git.needed);
  std::vector<Section> sections;
  visit_sections(state, [&](const char* name, const auto& part) {
    std::uint64_t used = 0;
    if constexpr (IsIndex<std::remove_cvref_t<decltype(part)>>) used = part.used();
    add_section(sections, name, part.kRowSize, used, part.bytes());
  });
  add_section(sections, "needed", sizeof(std::uint64_t), 0, bytes_of(needed));
  add_section(sections, "texts", 1, 0, state.space->kept());
  const std::vector<std::uint32_t> sums = checksums_of(sections);
  add_section(sections, "checksums", sizeof(std::uint32_t), checksum(bytes_of(sums)), bytes_of(sums));
  std::uint64_t offset = 0;
  for (Section& section : sections) {
    section.offset = offset;
    offset += padded(section.size());
  }
  const std::string head = head_of(state, snapshot, sections);
  const auto size = static_cast<std::uint32_t>(head.size()), sum = checksum(head);
  FileWriter out(file);
  out.write(kMagic);
  out.write({reinterpret_cast<const char*>(&size), sizeof size});
  out.write({reinterpret_cast<const char*>(&sum), sizeof sum});
  out.write(head);
  out.fill_page();
  for (const Section& section : sections) {
    out.write(section.bytes);
    out.fill_page();
  }
  out.finish();
}

Snapshot read_snapshot_head(const fs::path& file) {
  const build::base::UniqueFd fd = open_snapshot(file);
  return parse_head(Mapped(file, fd).bytes()).snapshot;
}

Snapshot read_snapshot(const fs::path& file, State& state, unsigned threads,
                       const std::function<void(const Snapshot&)>& check) {
  const build::base::UniqueFd fd = open_snapshot(file);
  const Mapped mapped(file, fd);
  Head head = parse_head(mapped.bytes());
  check(head.snapshot);
  verify(mapped.bytes(), head, threads);
  state.mutations = head.mutations;
  state.batch = head.batch;
  visit_sections(state, [&](const char* name, auto& part) {
    const Section& section = section_of(head, name, part.kRowSize);
    if constexpr (IsIndex<std::remove_cvref_t<decltype(part)>>) {
      const bool is_table = section.rows > 0 && (section.rows & (section.rows - 1)) == 0 && section.used < section.rows;
      if (!is_table) throw SnapshotRefused("its section \"" + section.name + "\" is no table");
      part.map(fd.get(), head.data + section.offset, section.rows, section.used);
    } else {
      part.map(fd.get(), head.data + section.offset, static_cast<std::uint32_t>(section.rows));
    }
  });
  const Section& needed = section_of(head, "needed", sizeof(std::uint64_t));
  for (std::uint64_t i = 0; i < needed.rows; ++i) {
    std::uint64_t key = 0;
    std::memcpy(&key, mapped.bytes().data() + head.data + needed.offset + i * sizeof key, sizeof key);
    state.git.needed.insert(key);
  }
  const Section& texts = section_of(head, "texts", 1);
  state.space->keep(mapped.bytes().substr(head.data + texts.offset, texts.size()));
  return std::move(head.snapshot);
}

}  // namespace maintner
