#!/usr/bin/env python3
"""How long after a push its build starts: pushes.py [--pushes N] [--seed N]

A commit is pushed to a repository on this machine, at a random moment, a hundred times. The clock runs from before `git
push` is started until the first step's command runs on the worker (it prints the time); so the push itself, finding the
commit, deciding, storing, and sending the source are all in the figure.
"""

import argparse
import pathlib
import random
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "integration"))

from farm import Farm, commit, git, make_repository, programs, wait_for  # noqa: E402 (needs the path)

LIMIT = 60


def percentile(values, percent):
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def started_at(farm, number):
    """When the first step of that build began on the worker, by the worker's own words; None if it has not yet."""
    found = list((farm.state / "logs").glob(f"*/b{number}-a1-s1.*"))
    try:
        text = found[0].read_text() if found else ""
    except FileNotFoundError:  # it was given its finished name meanwhile
        return None
    return float(text.split()[0]) if text.endswith("\n") else None


def measure(directory, pushes, seed):
    chance = random.Random(seed)
    origin = directory / "origin.git"
    git(directory, "init", "-q", "--bare", "-b", "main", str(origin))
    work = make_repository(directory / "work")
    for n in range(200):
        (work / f"file-{n}").write_text(f"{n}\n" * 200)
    commit(work, {"n": "0"}, "the first")
    git(work, "push", "-q", str(origin), "main")
    repository = {"name": "demo", "url": str(origin), "steps": [["stamp", "date +%s.%N"]]}
    delays = []
    with Farm(programs(), directory / "farm", [repository], [{"name": "one", "host_type": "host-a"}]) as farm:
        farm.start_worker("host-a")
        farm.start_worker("host-a")
        farm.wait_for_builds(1, LIMIT)
        for n in range(1, pushes + 1):
            time.sleep(chance.uniform(0, 0.5))
            commit(work, {"n": str(n)}, f"push {n}")
            begun = time.time()
            git(work, "push", "-q", str(origin), "main")
            delays.append(wait_for(lambda: started_at(farm, n + 1), LIMIT, f"build {n + 1} to start") - begun)
    return delays


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pushes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xbuild-bench.") as directory:
        delays = measure(pathlib.Path(directory), options.pushes, options.seed)
    print(f"push to first step, {len(delays)} pushes at random moments: median {statistics.median(delays) * 1000:.0f} ms, "
          f"p90 {percentile(delays, 90) * 1000:.0f} ms, p99 {percentile(delays, 99) * 1000:.0f} ms, "
          f"worst {max(delays) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
