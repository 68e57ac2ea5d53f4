#!/usr/bin/env python3
"""The farm builds an outside project's history as it is built without the farm: run.py PROGRAMS INPUT

PROGRAMS holds coordinator, buildlet and genbuilderkey; INPUT holds what fetch.sh fetched, and keeps the expected
results. Two workers dial in and share the commits; each is built with the project's own configure, make and test; each
result must be the expected one, and the log of the broken commit must hold the
compiler's own words.
"""

import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

import expected
import make_repository
import project
from farm import Farm

BUILDERS = {"linux": "host-linux"}
WORKERS = 2
LIMIT_SECONDS = 1200


def require_input(source):
    if len(list(source.glob("*.orig.tar.*"))) != 1 or len(list(source.glob("*.debian.tar.*"))) != 1:
        sys.exit(f"real_project: {source} does not hold the project's source; './dev setup' fetches it")


def expected_results(repository, cache, config_site):
    """As the project's history is meant to be: if these are wrong, the farm has not even been asked."""
    results = expected.expected(repository, cache, config_site)
    subjects = {commit: subject for commit, _, subject in expected.commits(repository)}
    assert len(results) == project.COMMITS, f"the history has {len(results)} commits"
    for commit, result in results.items():
        wanted = "make" if subjects[commit] == project.BROKEN_SUBJECT else "ok"
        assert result == wanted, f"without the farm, {commit[:12]} ({subjects[commit]}) came to {result}, not {wanted}"
    return results, subjects


def repository_configuration(path):
    return {
        "name": "real",
        "url": str(path),
        "branches": [project.BRANCH],
        "first_sight": project.COMMITS,
        "steps": [(name, command, f"{project.STEP_LIMIT_SECONDS}s") for name, command in project.STEPS],
    }


def outcome(build):
    """"ok", or the name of the step that failed, or how else it ended."""
    if build["result"] != "failed":
        return build["result"]
    failed = [step["name"] for step in build["steps"] if step["outcome"] == "failed"]
    return failed[-1] if failed else "failed in no step"


def compare(farm, builds, results, subjects):
    """What is not as expected, a sentence each."""
    problems = []
    seen = set()
    for listed in builds:
        build = farm.api(f"/builds/{listed['id']}")
        commit, builder = build["commit"], build["builder"]
        seen.add((commit, builder))
        came_to = outcome(build)
        print(f"{commit[:12]} {builder} {came_to:9} {subjects.get(commit, '?')}")
        if came_to != results.get(commit):
            problems.append(f"{commit[:12]} on {builder}: {came_to}, expected {results.get(commit)}")
        if results.get(commit) == "make":
            log = farm.get(f"/api/v1/builds/{build['id']}/log").decode(errors="replace")
            if not re.search(project.BROKEN_ERROR, log):
                problems.append(f"{commit[:12]} on {builder}: the compiler's error is not in the log:\n{log[-2000:]}")
    for commit in results:
        for builder in BUILDERS:
            if (commit, builder) not in seen:
                problems.append(f"{commit[:12]} was not built by {builder}")
    if len(builds) != len(seen):
        problems.append(f"{len(builds)} builds for {len(seen)} commits and builders")
    return problems


def run(programs, source):
    require_input(source)
    with tempfile.TemporaryDirectory(prefix="xbuild-real-project.") as temporary:
        directory = pathlib.Path(temporary)
        repository = directory / "repository"
        make_repository.make(source, repository)
        config_site = expected.make_config_site(repository, directory / "configure")
        results, subjects = expected_results(repository, source / "expected.json", config_site)
        print(f"without the farm: {len(results)} commits built", flush=True)

        builders = [{"name": name, "host_type": host_type} for name, host_type in BUILDERS.items()]
        with Farm(programs, directory / "farm", [repository_configuration(repository)], builders) as farm:
            for _ in range(WORKERS):
                farm.start_worker(BUILDERS["linux"], wrapper=["env", f"CONFIG_SITE={config_site}"])
            builds = farm.wait_for_builds(len(results) * len(BUILDERS), LIMIT_SECONDS)
            problems = compare(farm, builds, results, subjects)
    for problem in problems:
        print(f"real_project: {problem}")
    print(f"real_project: {len(builds)} builds, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(run(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
