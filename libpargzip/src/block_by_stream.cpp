// Whole blocks by an engine for streams, where libdeflate is not to be had.
#include "engine.h"

namespace pargzip::engine {
namespace {

class BlockByStream final : public BlockInflater {
 public:
  bool inflate(std::span<const char> in, std::span<char> out) override {
    stream_->reset();
    StreamInflater::Step step;
    std::size_t consumed = 0, produced = 0;
    while (produced < out.size() && step.status == StreamInflater::Status::more) {
      step = stream_->step(in.subspan(consumed), out.subspan(produced));
      if (step.consumed + step.produced == 0) break;
      consumed += step.consumed;
      produced += step.produced;
    }
    if (step.status == StreamInflater::Status::more) {
      // It may not have seen yet that nothing follows.
      char more = 0;
      step = stream_->step(in.subspan(consumed), {&more, 1});
      consumed += step.consumed;
      produced += step.produced;
    }
    return step.status == StreamInflater::Status::end && produced == out.size() && consumed == in.size() &&
           stream_->leftover().empty();
  }

 private:
  std::unique_ptr<StreamInflater> stream_ = make_stream_inflater();
};

}  // namespace

std::unique_ptr<BlockInflater> make_block_inflater() { return std::make_unique<BlockByStream>(); }

}  // namespace pargzip::engine
