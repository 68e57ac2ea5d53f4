#!/usr/bin/python3
"""What the front page costs the coordinator: front_page.py [--requests N]

50 commits by 20 builders, a made-up past, one connection that is kept. Prints the page's weight, the time of a request and
the processor time that the coordinator uses for it: of the page, its JSON and the metrics.
"""

import argparse
import http.client
import pathlib
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "integration"), str(ROOT / "tests" / "browser")]

from made_up_farm import MadeUpFarm  # noqa: E402 (needs the path)
from timing import cpu_seconds  # noqa: E402


def measure(farm, path, requests):
    connection = http.client.HTTPConnection(farm.ready["http"], timeout=30)
    times, size = [], 0
    before = cpu_seconds(farm.coordinator_pid())
    for _ in range(requests):
        begun = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        size = len(answer.read())
        times.append((time.perf_counter() - begun) * 1000)
        if answer.status != 200:
            sys.exit(f"{path}: {answer.status}")
    used = (cpu_seconds(farm.coordinator_pid()) - before) * 1000 / requests
    connection.close()
    print(f"{path}: {size / 1024:.0f} KiB; {requests} requests: median {statistics.median(times):.1f} ms, "
          f"worst {max(times):.1f} ms, {used:.1f} ms of the coordinator's processor time each")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xbuild-bench.") as directory:
        with MadeUpFarm(pathlib.Path(directory)) as farm:
            for path in ("/?limit=50", "/api/v1/commits?limit=50", "/metrics"):
                measure(farm, path, options.requests)


if __name__ == "__main__":
    main()
