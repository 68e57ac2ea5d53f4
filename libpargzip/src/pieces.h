// Where a Reader gets its pieces from: its own thread, or a line of others that run ahead.
#pragma once

#include <pargzip/reader.h>

#include "walker.h"

namespace pargzip {

class Pieces {
 public:
  virtual ~Pieces() = default;
  /// The next piece; the one before is given back. Not called again after one that is the last.
  virtual Piece& next() = 0;
};

/// With one thread, `source` is called during next() only, otherwise on a thread of its own.
std::unique_ptr<Pieces> make_pieces(Source source, unsigned threads);

}  // namespace pargzip
