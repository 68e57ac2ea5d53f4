#include <pargzip/boost_iostreams.h>

#include <doctest/doctest.h>
#include <boost/iostreams/copy.hpp>
#include <boost/iostreams/device/array.hpp>
#include <boost/iostreams/device/back_inserter.hpp>
#include <boost/iostreams/filtering_stream.hpp>
#include <boost/iostreams/stream.hpp>

#include <iterator>

#include "gzip_bytes.h"

using namespace testing;
namespace io = boost::iostreams;
namespace gz = pargzip::boost_iostreams;

TEST_CASE("the filter for output makes gzip, the filter for input reads it") {
  const std::string content = text(300'000);
  std::string file;
  {
    io::filtering_ostream out;
    out.push(gz::GzipCompressor({.chunk_size = 10'000, .threads = 2}));
    out.push(io::back_inserter(file));
    out << content;
  }
  CHECK((unzipped(file) == content));
  io::filtering_istream in;
  in.push(gz::GzipDecompressor());
  in.push(io::array_source(file.data(), file.size()));
  CHECK((std::string{std::istreambuf_iterator<char>(in), {}} == content));
}

TEST_CASE("the sink writes gzip, the source reads it") {
  const std::string content = text(300'000);
  std::string file;
  {
    io::stream<gz::GzipSink> out(
        gz::GzipSink([&](std::span<const char> bytes) { file.append(bytes.data(), bytes.size()); }));
    out << content;
  }
  CHECK((unzipped(file) == content));
  io::stream<gz::GzipSource> in(gz::GzipSource(source_of(file)));
  CHECK((std::string{std::istreambuf_iterator<char>(in), {}} == content));
}
