#!/usr/bin/env python3
"""A log server and its followers: how fast one gets all of a log, and when 1,000 have heard of a record.

maintner_follow.py [--rounds 5] [--followers 1000] [--log DIRECTORY] [--directory /dev/shm]

The log is what bench/maintner_log.cpp makes, 1.4 GB, unless one is named. It is served over TCP on loopback; beside each
fetch by a follower, which compares digests and writes files, curl fetches the same segments and throws them away. The
followers that wait are connections of one process; the time is from the append to a file of a log, of which maintnerd
makes segments on the disk, to the last answer. --directory: where segments and caches are.
"""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

BIN = pathlib.Path(os.environ.get("XBUILD_BIN", "build/release/bin"))
PROGRAMS = BIN.parent / "bench/programs"


def ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


class Server:
    def __init__(self, work, log):
        ready = work / "ready"
        self.process = subprocess.Popen([BIN / "maintnerd", "-data-dir", work / "segments", "-log", log, "-listen-http",
                                         "127.0.0.1:0", "-ready-file", ready], stderr=subprocess.DEVNULL)
        while not ready.exists():
            assert self.process.poll() is None
            time.sleep(0.01)
        self.url = ready.read_text().strip().removeprefix("url=")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def spread(values, form="{:.0f}"):
    return f"{form.format(statistics.median(values))} ({form.format(min(values))} to {form.format(max(values))})"


def fetch(work, log, rounds):
    with Server(work, log) as server:
        segments = len(list((work / "segments").glob("*.mutlog")))
        urls = [f"{server.url}/{i}" for i in range(segments)]
        size = sum(file.stat().st_size for file in (work / "segments").glob("*.mutlog"))
        ours, theirs, cpu = [], [], []
        for _ in range(rounds):
            before = ticks(server.process.pid)
            text = subprocess.run([PROGRAMS / "log_follow", "sync", server.url, work / "cache"], check=True,
                                  stdout=subprocess.PIPE, text=True).stdout
            cpu.append(ticks(server.process.pid) - before)
            ours.append(float(re.search(r"(\d+) MB/s", text).group(1)))
            shutil.rmtree(work / "cache")
            begin = time.monotonic()
            subprocess.run(["curl", "-s", *urls], check=True, stdout=subprocess.DEVNULL)
            theirs.append(size / 1e6 / (time.monotonic() - begin))
        print(f"{size:,} bytes in {segments} segments\n\n| | MB/s |\n|---|---|\n| a follower | {spread(ours)} |\n"
              f"| curl, which keeps nothing | {spread(theirs)} |\n\n{text.strip()} of the follower, {cpu[-1]:.2f} s of the server\n")


def wait(work, followers, rounds):
    log = work / "log"
    log.mkdir()
    file = log / "maintner-2021-01-01.mutlog"
    file.write_bytes(b"REC@0+2=\x0a\x00")
    with Server(work, log) as server:
        pid = server.process.pid
        resident, before = resident_mib(pid), ticks(pid)
        host = server.url.split("/")[2]
        with subprocess.Popen([PROGRAMS / "log_follow", "wait", host, str(followers), file, str(rounds)],
                              stdout=subprocess.PIPE, text=True) as swarm:
            lines = swarm.stdout.read().splitlines()
            after = resident_mib(pid)
        times = [[float(number) for number in re.findall(r"([\d.]+) ms", line)] for line in lines]
        last = [all_three[2] for all_three in times]
        print(f"{followers} followers: the first hears after {spread([t[0] for t in times], '{:.1f}')} ms, half after "
              f"{spread([t[1] for t in times], '{:.1f}')}, all after {spread(last, '{:.1f}')}; the server's processor time "
              f"{(ticks(pid) - before) / rounds * 1000:.0f} ms a round, resident {resident:.1f} MiB, {after:.1f} with them")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--followers", type=int, default=1000)
    parser.add_argument("--log", type=pathlib.Path)
    parser.add_argument("--directory", type=pathlib.Path)
    args = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="xbuild-bench.", dir=args.directory))
    try:
        log = args.log
        if log is None:
            log = work / "made"
            subprocess.run([PROGRAMS / "maintner_log", log, "100000"], check=True, stdout=subprocess.DEVNULL)
        (work / "fetch").mkdir()
        fetch(work / "fetch", log, args.rounds)
        (work / "wait").mkdir()
        wait(work / "wait", args.followers, max(args.rounds, 10))
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
