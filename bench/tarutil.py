#!/usr/bin/env python3
"""Unpacking and packing a source tree in memory: libtarutil beside GNU tar and Go's archive/tar.

tarutil.py [--runs 7] [--tree TREE.tar] [--directory /dev/shm]

The tree is bench/peers/make_tree.sh's (over 30,000 files, over 400 MB), which is made if none is given. Everything lies
on a file system in memory; runs are interleaved; each unpacking goes into a new directory. Seconds are the best run's, with
the median and the spread (slowest minus fastest) beside them; ratios are those of medians.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile

from timing import timed

HERE = pathlib.Path(__file__).resolve().parent


class Bench:
    def __init__(self, work, runs):
        self.work, self.runs = work, runs

    def extract(self, command, archive):
        target = self.work / "target"
        target.mkdir()
        with open(archive, "rb") as stdin:
            result = timed([part.replace("TARGET", str(target)) for part in command], stdin, None)
        shutil.rmtree(target)
        return result

    def pack(self, command, output):
        with open(output, "wb") as stdout:
            return timed(command, None, stdout)

    def interleaved(self, rows):
        """rows: name -> function of no arguments that gives a Timing."""
        results = {name: [] for name in rows}
        for _ in range(self.runs):
            for name, run in rows.items():
                results[name].append(run())
        return results


def report(title, results):
    """The first row is GNU tar, the last Go; our speed is given as a multiple of theirs."""
    print(f"\n{title}\n{'':34}{'best':>8}{'median':>8}{'spread':>8}{'CPU':>8}{'x tar':>8}{'x Go':>8}")
    median = {name: statistics.median(run.wall for run in runs) for name, runs in results.items()}
    first, *_, last = median.values()
    for name, runs in results.items():
        walls = [run.wall for run in runs]
        cpu = statistics.median(run.cpu for run in runs)
        print(f"{name:34}{min(walls):8.2f}{median[name]:8.2f}{max(walls) - min(walls):8.2f}{cpu:8.2f}"
              f"{first / median[name]:8.2f}{last / median[name]:8.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--tree")
    parser.add_argument("--directory", default="/dev/shm")
    options = parser.parse_args()
    built = pathlib.Path(os.environ.get("XBUILD_BIN", HERE.parent / "build/release/bin")).parent
    ours = str(built / "bench/programs/tar_tree")
    with tempfile.TemporaryDirectory(dir=options.directory, prefix="bench-tarutil-") as name:
        work = pathlib.Path(name)
        tree_tar = options.tree
        if not tree_tar:
            tree_tar = str(work / "tree.tar")
            subprocess.run([HERE / "peers/make_tree.sh", tree_tar], check=True)
        tree = work / "tree"
        tree.mkdir()
        subprocess.run(["tar", "-xf", tree_tar, "-C", tree], check=True)
        files = sum(len(names) for _, _, names in os.walk(tree))
        print(f"{files} files, {os.path.getsize(tree_tar)} bytes of tar; {os.cpu_count()} cores, {options.runs} runs")
        go = str(work / "go_tar")
        with_cache = os.environ | {"GOCACHE": str(work / "go-cache"), "GO111MODULE": "off"}
        subprocess.run(["go", "build", "-o", go, HERE / "peers/go_tar.go"], check=True, env=with_cache)
        shutil.rmtree(work / "go-cache")
        by_gzip, by_us, packed = work / "gzip.tgz", work / "pargzip.tgz", work / "packed.tgz"
        with open(by_gzip, "wb") as out:
            subprocess.run(f"tar -cf - -C '{tree}' . | gzip -6", shell=True, check=True, stdout=out)
        with open(by_us, "wb") as out:
            subprocess.run([ours, "pack", tree], check=True, stdout=out)
        bench = Bench(work, options.runs)
        tar = ["tar", "-xzf", "-", "-C", "TARGET"]
        own = [ours, "extract", "TARGET"]
        report("unpack what pargzip made", bench.interleaved({
            "tar -xzf": lambda: bench.extract(tar, by_us),
            "libtarutil": lambda: bench.extract(own, by_us),
            "libtarutil, one thread": lambda: bench.extract(own + ["1"], by_us),
            "Go archive/tar, compress/gzip": lambda: bench.extract([go, "extract", "TARGET"], by_us),
        }))
        report("unpack what gzip made", bench.interleaved({
            "tar -xzf": lambda: bench.extract(tar, by_gzip),
            "libtarutil": lambda: bench.extract(own, by_gzip),
            "libtarutil, one thread": lambda: bench.extract(own + ["1"], by_gzip),
            "Go archive/tar, compress/gzip": lambda: bench.extract([go, "extract", "TARGET"], by_gzip),
        }))
        report("pack", bench.interleaved({
            "tar -czf": lambda: bench.pack(["tar", "-czf", "-", "-C", tree, "."], packed),
            "libtarutil": lambda: bench.pack([ours, "pack", tree], packed),
            "libtarutil, one thread": lambda: bench.pack([ours, "pack", tree, "1"], packed),
            "Go archive/tar, compress/gzip": lambda: bench.pack([go, "pack", tree], packed),
        }))
        print(f"\nsizes: gzip -6 {by_gzip.stat().st_size}, libtarutil {by_us.stat().st_size}")


if __name__ == "__main__":
    main()
