#!/usr/bin/env python3
"""Questions to a corpus: by index, in SQL, as a search; beside them a plain scan, and the same rows in SQLite itself.

maintner_query.py [--rounds 5] [--log DIRECTORY]

The log is what bench/maintner_log.cpp makes, 1.4 GB, unless one is named. Each round is a process that loads the log by
a snapshot and asks every question ten times: the first time, when indexes are made and pages come into memory, is apart.
The peer has the rows of three tables in a database in memory, with indexes on what is asked for, and the same statements.
"""

import argparse
import collections
import csv
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time

BIN = pathlib.Path(os.environ.get("XBUILD_BIN", "build/release/bin"))
PROGRAMS = BIN.parent / "bench/programs"
TABLES = {
    "issues": ("repo", "number", "state", "title", "milestone"),
    "issue_labels": ("repo", "number", "label"),
    "comments": ("repo", "number", "user", "created", "body"),
}
INDEXES = ("issues(milestone, state)", "issues(repo, number)", "issue_labels(label)", "issue_labels(repo, number)")


def ask(log, snapshot, rounds):
    """Of each question how many it found, and lists of the first times and of the later ones; the indexes' memory, in MiB."""
    answers, memory = collections.defaultdict(lambda: [0, [], []]), []
    for _ in range(rounds):
        text = subprocess.run([PROGRAMS / "maintner_query", "--snapshot", snapshot, log], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        for line in text.splitlines():
            if line.startswith("memory "):
                memory.append(int(line.split()[1]) / 1024)
                continue
            name, found, first, least, middle, most = line[:28].strip(), *line[28:].split()
            answer = answers[name]
            answer[0] = int(found)
            answer[1].append(float(first))
            answer[2] += [float(least), float(middle), float(most)]
    return answers, statistics.median(memory)


def database(log, snapshot):
    peer = sqlite3.connect(":memory:")
    csv.field_size_limit(1 << 30)
    for table, columns in TABLES.items():
        peer.execute(f"CREATE TABLE {table}({', '.join(columns)})")
        statement = f"SELECT {', '.join(columns)} FROM {table}"
        with subprocess.Popen([BIN / "maintq", "-log", log, "-snapshot", snapshot, "-csv", "-time", "10m", "-rows",
                               "100000000", "sql", statement], stdout=subprocess.PIPE, text=True, errors="replace") as run:
            rows = csv.reader(run.stdout)
            next(rows)
            peer.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)
    for index in INDEXES:
        peer.execute(f"CREATE INDEX \"{index}\" ON {index}")
    peer.execute("ANALYZE")
    return peer


def peer_times(peer, rounds):
    common = peer.execute(
        "SELECT i.repo, l.label, i.milestone, count(*) AS n FROM issues i JOIN issue_labels l USING (repo, number) WHERE "
        "i.state = 'open' AND i.milestone != '' GROUP BY 1, 2, 3 ORDER BY n DESC LIMIT 1").fetchone()
    statements = {
        "SQL: label and milestone": (
            "SELECT i.number, i.title FROM issue_labels l JOIN issues i USING (repo, number) WHERE i.repo = ? AND "
            "l.label = ? AND i.milestone = ? AND i.state = 'open'", common[:3]),
        "SQL: comments": ("SELECT count(*) FROM comments", ()),
        "SQL: comments by user": ("SELECT user, count(*) FROM comments GROUP BY user", ()),
        "SQL: comments by year": ("SELECT substr(created, 1, 4) AS year, count(*) FROM comments GROUP BY year", ()),
        "SQL: length of comments": ("SELECT count(*), sum(length(body)), max(created) FROM comments", ()),
        "SQL: comments LIKE": ("SELECT number FROM comments WHERE body LIKE '%scheduler%'", ()),
    }
    times = collections.defaultdict(list)
    for _ in range(rounds):
        for name, (statement, values) in statements.items():
            begin = time.perf_counter()
            peer.execute(statement, values).fetchall()
            times[name].append(time.perf_counter() - begin)
    return times


def ms(values):
    def one(value):
        return f"{value * 1e3:.3g}" if value < 1 else f"{value * 1e3:,.0f}"
    return f"{one(statistics.median(values))} ({one(min(values))} to {one(max(values))})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--log", type=pathlib.Path)
    args = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="xbuild-bench."))
    try:
        log = args.log
        if log is None:
            log = work / "made"
            subprocess.run([PROGRAMS / "maintner_log", log, "100000"], check=True, stdout=subprocess.DEVNULL)
        snapshot = work / "snapshot"
        subprocess.run([PROGRAMS / "maintner_load", "--save", snapshot, log], check=True, stdout=subprocess.DEVNULL)
        answers, memory = ask(log, snapshot, args.rounds)
        with database(log, snapshot) as peer:
            theirs = peer_times(peer, args.rounds)
        print("| | found | first, ms | later, ms | SQLite's own tables, ms |\n|---|---|---|---|---|")
        for name, (found, first, later) in answers.items():
            print(f"| {name} | {found:,} | {ms(first)} | {ms(later)} | {ms(theirs[name]) if name in theirs else ''} |")
        print(f"\nThe indexes take {memory:.0f} MiB.")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
