// A small farm to look at: real decisions, a real store, real logs, served over connections in memory.
#pragma once

#include <build/net/client.h>
#include <build/net/server.h>
#include <build/web/site.h>
#include <io/event_loop.h>
#include <rapidjson/document.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/support.h"

namespace build::web {

class Farmhouse : public FarmView, public FarmControl {
 public:
  static constexpr std::size_t kStreams = 5;  ///< may be followed at the same time

  /// Repository "zlib", branch "main", builders "debug" (host type linux) and "arm" (arm64).
  Farmhouse();
  ~Farmhouse() override;

  void feed(const farm::Event& event);
  /// Commits with these subjects, oldest first; their hashes count up.
  void commits(const std::vector<std::string>& subjects, const std::string& author = "Mia Author");
  void connect(const std::string& name, const std::string& host_type = "linux", std::vector<std::string> features = {});
  /// Adds a step to the build's running attempt and gives its run's log `output`.
  model::Step step(std::int64_t build, const std::string& name, const std::string& output,
                   model::AttemptOutcome outcome, const std::string& status);
  void end(std::int64_t build, model::AttemptOutcome outcome, const std::string& why = {});

  net::SimpleResponse ask(const std::string& target, io::Fields fields = {}, const std::string& method = "GET");
  /// The body of an answer that must be 200.
  std::string page(const std::string& target);
  std::string page_with(const std::string& target, io::Fields fields);
  /// The same, parsed; it must be valid JSON.
  rapidjson::Document json(const std::string& target);

  /// Answers by `handler` instead of by the router alone. Before the first request.
  void serve(net::Handler handler);
  /// A connection to the server.
  std::unique_ptr<net::ClientConnection> dial();
  void settle();

  std::string version() const override { return "1.2.3"; }
  std::vector<Notice> notices() const override { return notices_; }
  std::vector<RepositoryView> repositories() const override;
  std::vector<WorkerView> workers() const override;
  Load load() const override;
  std::vector<model::Build> unfinished() const override { return farm.unfinished(); }
  std::vector<std::string> not_ready() const override { return not_ready_; }

  /// What was wanted of the farm: "cancel 7 by mia". Build 1 can be cancelled, build 2 can not, others there are none.
  io::Task<coordinator::ControlAnswer> cancel_build(model::BuildId build, std::string by) override;
  io::Task<coordinator::ControlAnswer> retry_build(model::BuildId build, std::string by) override;
  io::Task<coordinator::ControlAnswer> clear_results(model::BuilderName builder, model::CommitHash commit,
                                                     std::string by) override;
  std::vector<std::string> wanted;
  std::optional<farm::Waiting> explain(model::BuildId build) const override { return farm.explain(build); }
  std::optional<farm::Away> away(model::BuildId build) const override { return farm.away(build); }

  testing::TempDir directory;
  io::EventLoop loop;
  io::VirtualClock clock;
  io::BlockingPool pool{2};
  std::unique_ptr<store::Store> store;
  model::Epoch epoch;
  livelog::LogStore logs;
  farm::Farm farm;
  std::vector<Notice> notices_;
  std::vector<std::string> not_ready_;
  io::Event changed;
  Site site;
  net::Router router;
  std::unique_ptr<net::Server> server;

 private:
  int commits_made_ = 0, sessions_made_ = 0;
};

/// What is wrong with a document's tags (an element that is not closed, or closed twice); empty if nothing is.
std::string tag_fault(std::string_view html);

}  // namespace build::web
