#!/usr/bin/env python3
"""A corpus: loading a log, reading all that is in it, opening it again, following it; beside libprotobuf and maps.

maintner.py [--rounds 5] [--steps 100000] [--log DIRECTORY] [--growth]

The log is what bench/maintner_log.cpp makes, 1.4 GB for 100,000 steps, in a directory that goes away, unless one is named.
Rounds are interleaved: two threads, one thread, a snapshot, and, in the first round only, libprotobuf. All must have the
same sum over all texts. --growth: logs of 10 MB, 100 MB, 1.4 GB and 5 GB, a round each. Seconds are medians, with the
least and the greatest.
"""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile

PROGRAMS = pathlib.Path(os.environ.get("XBUILD_BIN", "build/release/bin")).parent / "bench/programs"
NUMBERS = re.compile(r"load ([\d.]+) s \(([\d.]+) of processor\), traversal ([\d.]+) s \(([\d.]+)\), together ([\d.]+) s, "
                     r"([\d.]+) of processor\nanonymous memory: peak (\d+) KiB.*sum (\w+)")


def said(program, *args):
    return subprocess.run([PROGRAMS / program, *map(str, args)], check=True, stdout=subprocess.PIPE, text=True).stdout


class Series:
    def __init__(self, name, *flags):
        self.name, self.flags, self.rounds, self.first, self.issues = name, flags, [], [], []

    def run(self, log):
        text = said("maintner_load", *self.flags, log)
        self.first.append(float(re.search(r"after ([\d.]+) s", text).group(1)))
        self.issues.append(float(re.search(r"issues read after ([\d.]+) s", text).group(1)))
        match = NUMBERS.search(text)
        self.rounds.append([float(number) for number in match.groups()[:7]])
        return match.group(8)

    def column(self, index):
        return [numbers[index] for numbers in self.rounds]

    def report(self, size):
        def seconds(values):
            return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
        per_cpu = size / 1e9 / statistics.median(self.column(5))
        print(f"| {self.name} | {seconds(self.column(0))} | {seconds(self.column(2))} | {seconds(self.column(4))} "
              f"| {seconds(self.column(5))} | {per_cpu:.2f} | {max(self.column(6)) / 1024:.0f} |")


def size_of(log):
    return sum(file.stat().st_size for file in log.glob("maintner-*.mutlog"))


HEAD = ("| | load s | traversal s | together s | processor s | GB per processor s | anonymous MiB |\n"
        "|---|---|---|---|---|---|---|")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--log", type=pathlib.Path)
    parser.add_argument("--growth", action="store_true")
    args = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="xbuild-bench."))
    try:
        if args.growth:
            growth(work)
        else:
            log = args.log or made(work, args.steps)
            measure(work, log, args.rounds)
    finally:
        shutil.rmtree(work)


def made(work, steps):
    log = work / f"log-{steps}"
    said("maintner_log", log, steps)
    return log


def measure(work, log, rounds):
    size = size_of(log)
    snapshot = work / "snapshot"
    saved = said("maintner_load", "--save", snapshot, log)
    series = [Series("two threads", "--threads", 2), Series("one thread", "--threads", 1),
              Series("snapshot", "--threads", 2, "--snapshot", snapshot)]
    sums = set()
    peer = ""
    if (PROGRAMS / "maintner_peer").exists():
        peer = said("maintner_peer", log)
        sums.add(re.search(r"sum (\w+)", peer).group(1))
    for _ in range(rounds):
        for each in series:
            sums.add(each.run(log))
    assert len(sums) == 1, f"the sums differ: {sums}"
    print(f"{size:,} bytes; sum {sums.pop()}, all the same\n\n{HEAD}")
    for each in series:
        each.report(size)
    first, issues = series[2].first, series[2].issues
    print(f"\nfirst answer from a snapshot after {statistics.median(first) * 1000:.0f} ms ({min(first) * 1000:.0f} to "
          f"{max(first) * 1000:.0f}), all of the issues read {statistics.median(issues) * 1000:.0f} ms later "
          f"({min(issues) * 1000:.0f} to {max(issues) * 1000:.0f}); {saved.splitlines()[-1]}")
    print(peer + said("maintner_update", log))


def growth(work):
    print(f"| bytes {HEAD[1:]}")
    for steps in (730, 7_300, 100_000, 364_000):
        log = made(work, steps)
        series = Series(f"{size_of(log):,}", "--threads", 2)
        series.run(log)
        series.report(size_of(log))
        shutil.rmtree(log)


if __name__ == "__main__":
    main()
