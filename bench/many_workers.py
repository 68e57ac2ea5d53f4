#!/usr/bin/env python3
"""What thousands of idle workers cost a coordinator, and how soon they are back: many_workers.py [--workers N] [--restarts N]

Two processes: the real coordinator, and bench/worker_swarm.cpp with the workers, over TLS on loopback. Each worker has a
session, and a connection that is ready for the next question. Measured of the coordinator: what is resident for each
worker (with all, less what was before the first), processor time over an idle minute; then it is killed and started
again, some times, and the clock runs from its start until it counts all of them again, in its own metrics. XBUILD_BIN
names the folder with the programs.
"""

import argparse
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error

from timing import cpu_seconds, memory_kib

HERE = pathlib.Path(__file__).resolve().parent
os.environ.setdefault("XBUILD_BIN", str(HERE.parent / "build/release/bin"))
sys.path.insert(0, str(HERE.parent / "tests" / "integration"))

from farm import Farm, programs, wait_for  # noqa: E402 (needs the path)

SWARM = programs().resolve().parent / "bench/programs/worker_swarm"
LIMIT = 180
# With what else a process has open.
DESCRIPTORS_FOR_EACH, DESCRIPTORS_BESIDE = 2, 500
SETTLE, IDLE = 45, 60  # seconds: three rounds of questions, then what is measured
BETWEEN = 10  # seconds: a worker whose last session was shorter than 5 s waits for longer before it tries again


def allow_descriptors(workers):
    """For this process, and so for those that it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = DESCRIPTORS_FOR_EACH * workers + DESCRIPTORS_BESIDE
    if most != resource.RLIM_INFINITY and most < needed:
        sys.exit(f"many_workers.py needs {needed} open files for {workers} workers, and may have {most}: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def connected(farm):
    """As the coordinator counts them; 0 while it does not answer."""
    try:
        metrics = farm.get("/metrics").decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0
    return sum(int(count) for count in re.findall(r'^xbuild_workers\{.*\} (\d+)$', metrics, re.MULTILINE))


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def wait_for_all(farm, swarm, workers):
    """Seconds until all are there. Says so and ends the benchmark if they do not come."""
    begin, seen = time.monotonic(), 0
    while seen < workers:
        if swarm.poll() is not None:
            sys.exit("worker_swarm ended")
        if time.monotonic() - begin > LIMIT:
            refusals = re.findall(r'too many workers[^"]*', (farm.directory / "swarm.log").read_text())
            sys.exit(f"after {LIMIT} s {seen} of {workers} workers are connected"
                     + (f"; refused {len(refusals)} times: {refusals[0]}" if refusals else ""))
        time.sleep(0.1)
        seen = connected(farm)
    return time.monotonic() - begin


def start_swarm(farm, workers):
    key_file = farm.directory / "key"
    key_file.write_text(farm.run_program("genbuilderkey", "-master-key-file", farm.ready["master_key_file"], "host-a").stdout)
    with open(farm.directory / "swarm.log", "wb") as log:
        return subprocess.Popen([SWARM, farm.ready["https"], farm.ready["fingerprint"], "host-a", key_file, str(workers)],
                                stdout=log, stderr=log)


def measure_idle(farm, workers, before):
    pid = farm.coordinator_pid()
    time.sleep(SETTLE)
    used = cpu_seconds(pid)
    time.sleep(IDLE)
    used = cpu_seconds(pid) - used
    each = (memory_kib(pid) - before) / workers
    print(f"{workers} idle workers, {open_files(pid)} open files: {each:.1f} KiB resident for each "
          f"({before / 1024:.1f} MiB before), {used / IDLE:.2%} of a processor", flush=True)


def measure_restart(farm, swarm, workers):
    time.sleep(BETWEEN)
    farm.kill_coordinator()
    begin = time.monotonic()
    swarm_used = cpu_seconds(swarm.pid)
    farm.start_coordinator()
    served = time.monotonic() - begin
    wait_for_all(farm, swarm, workers)
    seconds = time.monotonic() - begin
    print(f"killed and started again: serving after {served:.2f} s, all back after {seconds:.1f} s; processor time until "
          f"then: {cpu_seconds(farm.coordinator_pid()):.1f} s of the coordinator, "
          f"{cpu_seconds(swarm.pid) - swarm_used:.1f} s of the workers", flush=True)
    return seconds


def measure(directory, workers, restarts):
    with Farm(programs(), directory / "farm", [], [{"name": "one", "host_type": "host-a"}]) as farm:
        wait_for(lambda: connected(farm) == 0 and farm.try_api("/workers"), LIMIT, "the coordinator")
        before = memory_kib(farm.coordinator_pid())
        swarm = start_swarm(farm, workers)
        try:
            print(f"the first time, some after some: {wait_for_all(farm, swarm, workers):.1f} s", flush=True)
            measure_idle(farm, workers, before)
            times = [measure_restart(farm, swarm, workers) for _ in range(restarts)]
            if times:
                print(f"all back: median {statistics.median(times):.1f} s, worst {max(times):.1f} s of {restarts}")
        finally:
            swarm.kill()
            swarm.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=4000)
    parser.add_argument("--restarts", type=int, default=3)
    options = parser.parse_args()
    if not SWARM.exists():
        sys.exit(f"many_workers.py needs {SWARM}; './dev bench' builds it")
    allow_descriptors(options.workers)
    with tempfile.TemporaryDirectory(prefix="xbuild-bench.") as directory:
        measure(pathlib.Path(directory), options.workers, options.restarts)


if __name__ == "__main__":
    main()
