#include <build/base/version.h>
#include <build/web/coordinator_view.h>

namespace build::web {

std::string CoordinatorView::version() const { return std::string(base::version()); }

std::vector<Notice> CoordinatorView::notices() const {
  std::vector<Notice> result;
  for (std::string& sentence : coordinator_.notices())
    result.push_back({.weight = Notice::Weight::danger, .sentence = std::move(sentence)});
  return result;
}

std::vector<RepositoryView> CoordinatorView::repositories() const {
  std::vector<RepositoryView> result;
  for (const config::RepositoryConfig& repository : coordinator_.config().repositories)
    result.push_back({.name = repository.name, .branches = repository.branches, .builders = repository.builders});
  return result;
}

std::vector<WorkerView> CoordinatorView::workers() const {
  std::vector<WorkerView> result;
  const farm::Farm& farm = coordinator_.farm();
  for (const model::Session& session : farm.sessions())
    result.push_back({.session = session, .build = farm.leased_to(session.id), .draining = farm.draining(session.id)});
  return result;
}

Load CoordinatorView::load() const {
  Load load;
  for (const model::Build& build : coordinator_.farm().unfinished())
    ++(build.state == model::BuildState::running ? load.running : load.waiting);
  load.idle = coordinator_.idle();
  return load;
}

std::vector<model::Build> CoordinatorView::unfinished() const { return coordinator_.farm().unfinished(); }

std::vector<std::string> CoordinatorView::not_ready() const { return coordinator_.not_ready(); }

std::optional<farm::Waiting> CoordinatorView::explain(model::BuildId build) const {
  return coordinator_.farm().explain(build);
}

std::optional<farm::Away> CoordinatorView::away(model::BuildId build) const { return coordinator_.farm().away(build); }

}  // namespace build::web
