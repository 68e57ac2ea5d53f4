// The original's outputs: what is in them is read, and Writer in its compatible form cuts the same input at the same
// places.
#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <rapidjson/document.h>

#include <iostream>

#include "golden/differences.h"
#include "gzip_bytes.h"
#include "support/support.h"

using namespace testing;

namespace {

std::string sha256(const std::string& bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    for (const unsigned half : {unsigned{digest[i]} >> 4, unsigned{digest[i]} & 15}) hex += "0123456789abcdef"[half];
  }
  return hex;
}

std::string hex_of(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    hex += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    hex += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

/// "text(2500000)", "random(200000), ..." or "200000 zero bytes".
std::string input_of(const rapidjson::Value& record) {
  const std::string_view recipe = record["input"].GetString();
  const std::size_t size = record["inputLen"].GetUint();
  std::string input = recipe.starts_with("text(")     ? text(size)
                      : recipe.starts_with("random(") ? noise(size)
                                                      : std::string(size, '\0');
  REQUIRE(sha256(input) == record["inputSha256"].GetString());
  return input;
}

std::string written(const std::string& input, const rapidjson::Value& record, unsigned threads) {
  std::string file;
  pargzip::Writer writer([&](std::span<const char> bytes) { file.append(bytes.data(), bytes.size()); },
                         {.chunk_size = record["chunkSize"].GetUint(), .threads = threads, .compat = true});
  const auto& sizes = record["writeSizes"];
  std::string_view rest = input;
  for (rapidjson::SizeType i = 0; i < sizes.Size() || !rest.empty(); ++i) {
    const std::size_t size = sizes[std::min(i, sizes.Size() - 1)].GetUint();
    writer.write(rest.substr(0, size));
    rest.remove_prefix(std::min(size, rest.size()));
  }
  writer.finish();
  writer.finish();
  return file;
}

/// The headers and boundaries of a file, in words.
std::string shape(const std::string& file) {
  const auto members = seen_by_zlib(file);
  REQUIRE(members);
  std::string words;
  for (const SeenMember& member : *members) {
    words += hex_of(member.header) + " " + std::to_string(member.content.size()) + "; ";
  }
  return words;
}

}  // namespace

TEST_CASE("the original's files are read, and what Writer makes of the same writes has the same members") {
  const auto data = golden("pargzip", "recorded gzip files");
  if (!data) return;
  const std::string json = read_file(*data / "expected.json");
  rapidjson::Document records;
  REQUIRE_FALSE(records.Parse(json.c_str()).HasParseError());
  auto listed = listed_differences(XBUILD_DIFFERENCES, "pargzip");
  std::size_t replayed = 0, differences = 0;
  for (const auto& record : records.GetArray()) {
    const std::string name = record["name"].GetString();
    CAPTURE(name);
    const std::string recorded = read_file(*data / (name + ".gz")), input = input_of(record);
    REQUIRE(sha256(recorded) == record["outputSha256"].GetString());
    ++replayed;
    if (!recorded.empty()) {
      for (const unsigned threads : {1, 2}) {
        const Outcome outcome = read_all(recorded, {.threads = threads});
        CHECK((outcome.output == input));
        CHECK_FALSE(outcome.error);
        CHECK(outcome.members == record["numMembers"].GetUint());
      }
    }
    const std::string theirs = shape(recorded);
    for (const unsigned threads : {1, 2}) {
      const std::string file = written(input, record, threads);
      CHECK((unzipped(file) == input));
      if (shape(file) == theirs) continue;
      const Difference difference{table_cell(theirs), table_cell(shape(file))};
      CHECK_MESSAGE((listed.contains(name) && listed[name] == difference), name << " is not listed");
      differences += threads == 1;
      listed.erase(name);
    }
  }
  for (const auto& [name, difference] : listed) FAIL_CHECK("listed, but it does not differ: " << name);
  CHECK(replayed == 12);
  std::cout << "pargzip: replayed " << replayed << ", listed differences " << differences << "\n";
}
