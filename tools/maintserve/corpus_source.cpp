#include "corpus_source.h"

#include <maintner/corpus.h>

#include <exception>
#include <mutex>
#include <utility>

namespace maintserve {

namespace {

class Files final : public CorpusSource {
 public:
  explicit Files(const SourceOptions& options) : options_(options), corpus_(load()) {}

  maintner::View view() const override { return corpus()->view(); }

  void look() override {
    try {
      if (corpus()->update().mutations == 0) return;
    } catch (const maintner::LogChanged& change) {
      options_.say(std::string("the log is loaded anew: ") + change.what());
      auto anew = load();
      const std::lock_guard lock(mutex_);
      corpus_.swap(anew);
    }
    options_.changed();
  }

 private:
  std::shared_ptr<maintner::Corpus> load() const {
    auto made =
        std::make_shared<maintner::Corpus>(options_.log, maintner::CorpusOptions{.snapshot = options_.snapshot});
    if (!made->snapshot_refused().empty()) options_.say("the snapshot is not used: " + made->snapshot_refused());
    if (made->problem_count() > 0)
      options_.say(std::to_string(made->problem_count()) + " things in the log could not be used");
    return made;
  }

  std::shared_ptr<maintner::Corpus> corpus() const {
    const std::lock_guard lock(mutex_);
    return corpus_;
  }

  const SourceOptions options_;
  mutable std::mutex mutex_;
  std::shared_ptr<maintner::Corpus> corpus_;
};

class Followed final : public CorpusSource {
 public:
  explicit Followed(const SourceOptions& options)
      : corpus_(
            {.follower = options.follower,
             .corpus = {.snapshot = options.snapshot},
             .on_update = [changed = options.changed](const maintner::View&, const maintner::View&) { changed(); }}) {}

  maintner::View view() const override { return corpus_.view(); }
  void look() override {}

 private:
  maintner::LiveCorpus corpus_;
};

}  // namespace

std::unique_ptr<CorpusSource> open_source(const SourceOptions& options) {
  if (options.log.empty()) return std::make_unique<Followed>(options);
  return std::make_unique<Files>(options);
}

}  // namespace maintserve
