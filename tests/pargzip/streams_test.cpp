#include <pargzip/istream.h>
#include <pargzip/ostream.h>

#include <doctest/doctest.h>

#include <iterator>
#include <sstream>

#include "gzip_bytes.h"

using namespace testing;

TEST_CASE("a stream compresses, and a stream reads it back line by line") {
  std::ostringstream file;
  pargzip::OutputStream out(file, {.chunk_size = 1000, .threads = 2});
  for (int i = 0; i < 1000; ++i) out << "line " << i << '\n';
  out.finish();
  CHECK(out.good());
  std::istringstream compressed_file(file.str());
  pargzip::InputStream in(compressed_file, {.threads = 2});
  std::string line;
  int count = 0;
  while (std::getline(in, line)) CHECK(line == "line " + std::to_string(count++));
  CHECK(count == 1000);
  CHECK(in.eof());
  CHECK_FALSE(in.bad());
}

TEST_CASE("a stream over a damaged file gives what is good and then is bad, or throws what is wrong") {
  std::string file = compressed(text(5000), {.chunk_size = 1000});
  file[file.size() - 8] ^= 1;
  std::istringstream damaged(file);
  pargzip::InputStream in(damaged);
  std::string content;
  for (std::string line; std::getline(in, line);) content += line + '\n';
  CHECK(in.bad());
  CHECK(content.size() > 4900);
  CHECK(text(5000).starts_with(content));

  std::istringstream again(file);
  pargzip::InputStream throwing(again);
  throwing.exceptions(std::ios::badbit);
  std::string room(6000, '\0');
  CHECK_THROWS_AS(throwing.read(room.data(), 6000), pargzip::ReadError);
}

TEST_CASE("a stream whose file cannot be written is bad") {
  std::ostringstream file;
  file.setstate(std::ios::badbit);
  pargzip::OutputStream out(file, {.chunk_size = 10, .threads = 1});
  out << "more than ten bytes";
  CHECK(out.bad());
  CHECK_THROWS_AS(out.finish(), std::ios_base::failure);
}
