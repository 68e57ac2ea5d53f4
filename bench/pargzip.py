#!/usr/bin/env python3
"""Gzip side by side: pargzip.py [--quick] [--runs N] [--tree FILE] [--chart FILE.svg]

Every level of pargzip, gzip, pigz, bgzip and igzip compresses the same tar (bench/peers/make_tree.sh makes it) on one
thread, then files by each of them are decompressed. Commands take turns, the best of N rounds counts (7; --quick: 2 and
fewer levels; fewer for a command that has run for 90 seconds, three times as many for decompressing), CPU seconds of the
whole process stand beside wall seconds, and ratios have the spread of the rounds. Then it is said how far the others'
levels are from our curve of size over CPU time, straight between two levels over a logarithmic axis; --chart draws it.
XBUILD_BIN names the folder with pargzip.
"""

import argparse
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile

from timing import timed

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("XBUILD_BIN", ROOT / "build/release/bin"))
ENOUGH = 90  # seconds, for one command
COLOURS = {"pargzip": "#d62728", "pigz": "#1f77b4", "gzip": "#7f7f7f", "bgzip": "#2ca02c", "igzip": "#9467bd"}


class Run:
    """One command, measured again and again."""

    def __init__(self, label, command, output):
        self.label, self.command, self.output = label, command, output
        self.cpu, self.wall, self.peak = [], [], 0

    def once(self):
        with open(self.output, "wb") as out:
            timing = timed(self.command, stdout=out)
        self.wall.append(timing.wall)
        self.cpu.append(timing.cpu)
        self.peak = max(self.peak, timing.peak)

    @property
    def size(self):
        return os.stat(self.output).st_size


def ratio(one, other, what):
    """How many times as fast `one` is as `other`: median of the rounds, least and most."""
    each = sorted(b / a for a, b in zip(getattr(one, what), getattr(other, what)))
    return f"{statistics.median(each):.2f} ({each[0]:.2f} to {each[-1]:.2f})"


def rounds(runs, count):
    for _ in range(count):
        for run in runs:
            if sum(run.wall) < ENOUGH:
                run.once()


def compress_commands(tree, quick):
    pargzip = str(BIN / "pargzip")
    commands = []
    for level in (1, 2, 3, 4, 5, 6, 7, 8, 9) if quick else range(13):
        commands.append(("pargzip", level, [pargzip, "-p", "1", f"-{level}", "-c", tree]))
    for level in (1, 6, 9) if quick else range(1, 10):
        commands.append(("gzip", level, ["gzip", f"-{level}", "-c", tree]))
        commands.append(("pigz", level, ["pigz", "-p", "1", f"-{level}", "-c", tree]))
        commands.append(("bgzip", level, ["bgzip", "-l", str(level), "-c", tree]))
    for level in range(4):
        commands.append(("igzip", level, ["igzip", f"-{level}", "-c", tree]))
    return [each for each in commands if shutil.which(each[2][0])]


def compression(work, tree, count, quick):
    size = os.stat(tree).st_size
    runs = {}
    for name, level, command in compress_commands(tree, quick):
        runs[name, level] = Run(f"{name} -{level}", command, work / f"{name}-{level}.gz")
    for threads in (2, 16):
        command = [str(BIN / "pargzip"), "-p", str(threads), "-6", "-c", tree]
        runs["threads", threads] = Run(f"pargzip -6 -p {threads}", command, work / f"threads-{threads}.gz")
    rounds(list(runs.values()), count)
    print(f"\ncompressing {size} bytes, best of {count} rounds\n")
    print(f"{'command':<18}{'bytes':>12}{'ratio':>8}{'CPU s':>8}{'wall s':>8}{'MB/CPU s':>10}{'peak MiB':>10}{'runs':>6}   against pigz -6, CPU")
    for run in runs.values():
        cpu = min(run.cpu)
        print(f"{run.label:<18}{run.size:>12}{size / run.size:>8.3f}{cpu:>8.2f}{min(run.wall):>8.2f}{size / cpu / 1e6:>10.1f}"
              f"{run.peak / 1024:>10.1f}{len(run.cpu):>6}   {ratio(run, runs['pigz', 6], 'cpu')}")
    one, two = runs["pargzip", 6], runs["threads", 2]
    print(f"\ntwo threads: CPU x {min(two.cpu) / min(one.cpu):.3f} of one; busy {min(two.cpu) / min(two.wall) / 2:.1%}")
    compare_curves(runs)
    return runs


def size_at(curve, cpu):
    """The curve's size at that CPU time, between its points; at its ends, the end's."""
    if cpu <= curve[0][0]:
        return curve[0][1] if cpu == curve[0][0] else math.inf
    for (before, larger), (after, smaller) in zip(curve, curve[1:]):
        if cpu <= after:
            return larger + (smaller - larger) * math.log(cpu / before) / math.log(after / before)
    return curve[-1][1]


def compare_curves(runs):
    curve = sorted((min(run.cpu), run.size) for (name, level), run in runs.items() if name == "pargzip" and level > 0)
    print("\nour size at the CPU time of each level of the others, against theirs")
    for (name, level), run in runs.items():
        if name not in ("pargzip", "threads"):
            ours = size_at(curve, min(run.cpu))
            print(f"{name} -{level}: " + ("faster than any level of ours" if math.isinf(ours) else f"{ours / run.size - 1:+.2%}"))


def decompression(work, runs, count):
    print("\ndecompressing\n")
    pargzip = str(BIN / "pargzip")
    files = [(name, level) for name, level in (("pargzip", 6), ("gzip", 6), ("pigz", 6), ("bgzip", 6)) if (name, level) in runs]
    for made in files:
        file = str(runs[made].output)
        peers = [("gzip -d", ["gzip", "-dc", file]), ("pigz -d", ["pigz", "-dc", file]), ("igzip -d", ["igzip", "-dc", file])]
        ours = [(f"pargzip -d -p {n}", [pargzip, "-d", "-p", str(n), "-c", file]) for n in (1, 2)]
        each = [Run(label, command, "/dev/null") for label, command in peers + ours if shutil.which(command[0])]
        rounds(each, 3 * count)
        for run in each:
            print(f"{made[0] + ' -6':<12}{run.label:<18}{min(run.cpu):>8.2f} CPU s{min(run.wall):>8.2f} wall s   "
                  f"against gzip -d, wall: {ratio(run, each[0], 'wall')}; one thread of ours: {ratio(run, each[-2], 'wall')}")


def draw(runs, size, path):
    """Size over CPU time, both as one reads them: left is faster, lower is smaller."""
    points = [(name, level, min(run.cpu), run.size) for (name, level), run in runs.items() if name in COLOURS and run.size < size / 2]
    least, most = min(p[2] for p in points), max(p[2] for p in points)
    small, large = min(p[3] for p in points), max(p[3] for p in points)

    def x(cpu):
        return 70 + 640 * math.log(cpu / least) / math.log(most / least)

    def y(bytes_out):
        return 40 + 380 * (large - bytes_out) / (large - small)

    svg = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 480" role="img" aria-label="Compressed size over CPU time">',
           "<style>text{font:13px sans-serif;fill:#444}.axis{stroke:#888}path{fill:none;stroke-width:1.5}",
           "@media(prefers-color-scheme:dark){svg{background:#161616}text{fill:#ccc}}</style>",
           '<path class="axis" d="M60 30V430H760"/>',
           '<text x="400" y="470" text-anchor="middle">CPU seconds on one thread (logarithmic; left is faster)</text>',
           '<text x="18" y="230" text-anchor="middle" transform="rotate(-90 18 230)">megabytes (lower is smaller)</text>']
    tick = 10 ** math.floor(math.log10(least))
    while tick <= most:
        for value in (tick, 2 * tick, 5 * tick):
            if least <= value <= most:
                svg.append(f'<text x="{x(value):.0f}" y="447" text-anchor="middle">{value:g}</text>')
        tick *= 10
    for i in range(6):
        value = small + (large - small) * i / 5
        svg.append(f'<text x="56" y="{y(value) + 4:.0f}" text-anchor="end">{value / 1e6:.1f}</text>')
    for number, (name, colour) in enumerate(COLOURS.items()):
        line = sorted((p for p in points if p[0] == name), key=lambda p: p[1])
        if not line:
            continue
        path_data = "M" + "L".join(f"{x(p[2]):.1f} {y(p[3]):.1f}" for p in line)
        svg.append(f'<path stroke="{colour}" d="{path_data}"/>')
        for p in line:
            svg.append(f'<circle cx="{x(p[2]):.1f}" cy="{y(p[3]):.1f}" r="3" fill="{colour}"><title>{name} -{p[1]}: '
                       f'{p[3]} bytes, {p[2]:.2f} s</title></circle>')
            if name in ("pargzip", "igzip"):
                svg.append(f'<text x="{x(p[2]) + 5:.1f}" y="{y(p[3]) - 5:.1f}">{p[1]}</text>')
        svg.append(f'<circle cx="640" cy="{50 + 20 * number}" r="4" fill="{colour}"/><text x="652" y="{54 + 20 * number}">{name}</text>')
    svg.append("</svg>")
    pathlib.Path(path).write_text("\n".join(svg) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--tree", default=str(ROOT / "build/bench/tree.tar"))
    parser.add_argument("--chart")
    options = parser.parse_args()
    count = options.runs or (2 if options.quick else 7)
    if not os.path.exists(options.tree):
        os.makedirs(os.path.dirname(options.tree), exist_ok=True)
        subprocess.run([ROOT / "bench/peers/make_tree.sh", options.tree], check=True)
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        runs = compression(work, options.tree, count, options.quick)
        decompression(work, runs, count)
        if options.chart:
            draw(runs, os.stat(options.tree).st_size, options.chart)


if __name__ == "__main__":
    main()
