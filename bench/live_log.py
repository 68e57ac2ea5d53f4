#!/usr/bin/python3
"""How long a line takes from a step's write to the page in a browser: live_log.py [--lines N] [--idle]

A step prints lines that say when they were printed, one every 20 ms; real coordinator, real worker, Chromium with the
build's page open. A script in the page notes when each line is in the document. Unless --idle, two compilers keep both
cores busy meanwhile. Write and page read the same clock.
"""

import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "integration"), str(ROOT / "tests" / "browser")]

from browser import Browser  # noqa: E402 (needs the path)
from farm import Farm, commit, make_repository, programs, wait_for  # noqa: E402

TARGET = 250  # ms, p99
LIMIT = 120

# The step: waits for a file, then prints.
PRINTER = """
import pathlib, sys, time
gate = pathlib.Path(sys.argv[1])
for _ in range(6000):
    if gate.exists():
        break
    time.sleep(0.02)
for n in range(int(sys.argv[2])):
    print(f"line {n} {time.time():.6f}", flush=True)
    time.sleep(0.02)
"""

# In the page: when each line was there. What is already there when this begins does not count.
OBSERVER = r"""
window.seen = {};
const look = (text) => {
  const now = (performance.timeOrigin + performance.now()) / 1000;
  for (const match of text.matchAll(/line (\d+) (\d+\.\d{6})/g))
    if (!(match[1] in window.seen)) window.seen[match[1]] = [Number(match[2]), now];
};
new MutationObserver((changes) => {
  for (const change of changes) {
    for (const node of change.addedNodes) look(node.textContent);
    if (change.type === "characterData") look(change.target.textContent);
  }
}).observe(document.body, { subtree: true, childList: true, characterData: true });
"""

# A compiler has several seconds to do with it.
SOURCE = """
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <string>
#include <vector>
int main() { std::map<std::string, std::regex> m; m["a"] = std::regex("a+b*"); std::cout << m.size(); }
"""


def percentile(values, percent):
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


class Compilers:
    """One compiler a core, again and again, until the block ends (or ten minutes are over)."""

    def __init__(self, directory, count):
        self.source = directory / "busy.cpp"
        self.source.write_text(SOURCE)
        self.count, self.loops = count, []

    def __enter__(self):
        command = f"end=$(($(date +%s) + 600)); while [ $(date +%s) -lt $end ]; do g++ -O2 -c -o /dev/null {self.source}; done"
        self.loops = [subprocess.Popen(["sh", "-c", command], start_new_session=True) for _ in range(self.count)]
        return self

    def __exit__(self, *_):
        for loop in self.loops:
            os.killpg(loop.pid, 9)
            loop.wait()


def measure(directory, lines, busy):
    repository = make_repository(directory / "work")
    gate = directory / "gate"
    commit(repository, {"printer.py": PRINTER}, "print")
    steps = [["print", f"python3 -u printer.py {gate} {lines}"]]
    with Farm(programs(), directory / "farm", [{"name": "demo", "url": str(repository), "steps": steps}],
              [{"name": "one", "host_type": "host-a"}]) as farm, Browser() as browser:
        farm.start_worker("host-a")

        def running():
            builds = (farm.try_api("/builds") or {"builds": []})["builds"]
            steps = farm.api(f"/builds/{builds[0]['id']}")["steps"] if builds else []
            return builds[0]["id"] if any(step["name"] == "print" for step in steps) else None

        build = wait_for(running, LIMIT, "the step to begin")
        browser.get(f"http://{farm.ready['http']}/build/{build}")
        browser.run(OBSERVER)
        with Compilers(directory, os.cpu_count() if busy else 0):
            gate.touch()
            wait_for(lambda: browser.run("return Object.keys(window.seen).length") >= lines, LIMIT + lines / 20,
                     f"{lines} lines in the page")
            seen = browser.run("return window.seen")
    if sorted(map(int, seen)) != list(range(lines)):
        sys.exit("lines are missing in the page")
    return [(there - written) * 1000 for written, there in seen.values()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--idle", action="store_true")
    options = parser.parse_args()
    load = re.match(r"[\d.]+", pathlib.Path("/proc/loadavg").read_text()).group()
    with tempfile.TemporaryDirectory(prefix="xbuild-bench.") as directory:
        delays = measure(pathlib.Path(directory), options.lines, not options.idle)
    p99 = percentile(delays, 99)
    print(f"a step's write to the page's document, {len(delays)} lines, "
          f"{'nothing else running' if options.idle else f'{os.cpu_count()} compilers running'} (load before: {load}): "
          f"median {statistics.median(delays):.0f} ms, p90 {percentile(delays, 90):.0f} ms, p99 {p99:.0f} ms, "
          f"worst {max(delays):.0f} ms; {'within' if p99 <= TARGET else 'OVER'} {TARGET} ms at p99")


if __name__ == "__main__":
    main()
