#!/usr/bin/env python3
"""The pages of a corpus: how long each kind takes, alone and with eight that ask at once.

maintserve.py [--rounds 200] [--log DIRECTORY]

The log is what bench/maintner_log.cpp makes, 1.4 GB, unless one is named. Each request is for another issue, change,
list or person, over connections that stay open. Counting in the background is over before anything is timed; what the
first questions of a kind make (indexes) is told apart, as the first request.
"""

import argparse
import concurrent.futures
import http.client
import os
import pathlib
import random
import re
import statistics
import subprocess
import tempfile
import time
import urllib.parse

import timing

BIN = pathlib.Path(os.environ.get("XBUILD_BIN", "build/release/bin"))
PROGRAMS = BIN.parent / "bench/programs"
CONNECTIONS = (1, 8)


class Server:
    def __init__(self, work, log):
        ready = work / "ready"
        begin = time.monotonic()
        self.process = subprocess.Popen([BIN / "maintserve", "-log", log, "-http", "127.0.0.1:0", "-ready-file", ready],
                                        stdout=subprocess.DEVNULL)
        while not ready.exists():
            assert self.process.poll() is None
            time.sleep(0.01)
        self.started = time.monotonic() - begin
        self.netloc = urllib.parse.urlsplit(ready.read_text().strip().removeprefix("url=")).netloc
        while "not all has been counted" in self.get(self.connect(), "/")[1].lower():
            time.sleep(0.05)
        self.counted = time.monotonic() - begin

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def connect(self):
        return http.client.HTTPConnection(self.netloc, timeout=60)

    def get(self, connection, target):
        """How long it took, in milliseconds, and the page."""
        begin = time.monotonic()
        connection.request("GET", target)
        answer = connection.getresponse()
        body = answer.read()
        took = (time.monotonic() - begin) * 1000
        assert answer.status == 200, (answer.status, target, body[-2000:])
        return took, body.decode()


class World:
    """What there is to be asked for, from the pages themselves."""

    def __init__(self, server):
        connection = server.connect()
        page = lambda target: server.get(connection, target)[1]
        front = page("/")
        self.repos = re.findall(r'<th scope="row"><a href="(/[^/"]+/[^/"]+)">', front)
        self.projects = [path for path in self.repos if "googlesource.com" in path]
        self.repos = [path for path in self.repos if "googlesource.com" not in path]
        numbers = lambda text: [int(n) for n in re.findall(r'<th scope="row"><a href="/[^"]*/(\d+)">', text)]
        self.last_issue = {repo: max(numbers(page(repo + "?state=all"))) for repo in self.repos}
        self.changes, self.commits = [], []
        for project in self.projects[:8]:
            for number in (1, 5, 10):
                try:
                    self.changes += [f"{project}/{n}" for n in numbers(page(f"{project}?state=all&page={number}"))]
                except AssertionError:
                    pass
        for change in self.changes[:60]:
            self.commits += re.findall(r"/-/commit/[0-9a-f]{40}", page(change))
        people = page("/-/people")
        self.users = [who for who in re.findall(r'href="(/-/people/[^"]+)"', people) if "%40" not in who]
        self.authors = [who for who in re.findall(r'href="(/-/people/[^"]+)"', people) if "%40" in who]
        listed = page(self.repos[0] + "?state=all")
        self.labels = re.findall(r'<datalist id="options-label">(.*?)</datalist>', listed)[0]
        self.labels = re.findall(r'value="([^"]+)"', self.labels)
        self.words = [word for issue in range(1, 20) for word in re.findall(r"\b[a-z]{6,9}\b", page(f"{self.repos[0]}/{issue}")[3000:])]

    def issue(self, random_):
        repo = random_.choice(self.repos)
        return f"{repo}/{random_.randint(1, self.last_issue[repo])}"


def kinds(world):
    quote = urllib.parse.quote
    user = lambda r: r.choice(world.users).removeprefix("/-/people/")
    author = lambda r: r.choice(world.authors).removeprefix("/-/people/")
    return {
        "front page": lambda r: "/",
        "issues, open": lambda r: f"{r.choice(world.repos)}?page={r.randint(1, 200)}",
        "issues, all": lambda r: f"{r.choice(world.repos)}?state=all&page={r.randint(1, 1000)}",
        "issues by label": lambda r: f"{r.choice(world.repos)}?state=all&label={quote(r.choice(world.labels))}",
        "issues by author": lambda r: f"{r.choice(world.repos)}?state=all&author={user(r)}",
        "an issue": world.issue,
        "changes, open": lambda r: r.choice(world.projects),
        "changes, all": lambda r: f"{r.choice(world.projects)}?state=all&page={r.randint(1, 25)}",
        "changes by owner": lambda r: f"{r.choice(world.projects)}?state=all&owner={author(r)}",
        "changes by reviewer": lambda r: f"{r.choice(world.projects)}?state=all&reviewer={author(r)}",
        "a change": lambda r: r.choice(world.changes),
        "its patch sets": lambda r: r.choice(world.changes) + "/commits",
        "its files": lambda r: r.choice(world.changes) + "/files",
        "a commit": lambda r: r.choice(world.commits),
        "people": lambda r: "/-/people",
        "a person at GitHub": lambda r: r.choice(world.users),
        "a person in git": lambda r: r.choice(world.authors),
        "search, a word": lambda r: f"/-/search?q={r.choice(world.words)}",
        "search, two words": lambda r: f"/-/search?words=1&q={r.choice(world.words)}+{r.choice(world.words)}",
        "search, nothing found": lambda r: f"/-/search?q=q{r.randint(10**8, 10**9)}",
        "SQL, one issue": lambda r: "/-/sql?q=" + urllib.parse.quote_plus(
            f"SELECT * FROM issues WHERE repo = '{world.repos[0][1:]}' AND number = {r.randint(1, 50000)}"),
    }


def ask(server, target_of, rounds, seed):
    connection, random_ = server.connect(), random.Random(seed)
    times = []
    for _ in range(rounds):
        target = target_of(random_)
        try:
            times.append(server.get(connection, target)[0])
        except AssertionError as error:  # there is no such issue, or page of a list
            if error.args[0][0] not in (302, 404):
                raise
    return times


def percentile(times, part):
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]


def measure(server, name, target_of, rounds):
    cells, first = [], ask(server, target_of, 1, 0)
    for connections in CONNECTIONS:
        each = max(rounds // connections, 5)
        with concurrent.futures.ThreadPoolExecutor(connections) as pool:
            parts = pool.map(lambda i: ask(server, target_of, each, 100 * connections + i), range(connections))
            times = [took for part in parts for took in part]
        cells += [f"{statistics.median(times):.1f}", f"{percentile(times, 0.99):.1f}", f"{max(times):.1f}"]
    print(f"| {name} | {first[0] if first else 0:.1f} | " + " | ".join(cells) + " |", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=200)
    arguments.add_argument("--log", type=pathlib.Path)
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="xbuild-bench.") as directory:
        work = pathlib.Path(directory)
        log = arguments.log
        if log is None:
            log = work / "log"
            subprocess.run([PROGRAMS / "maintner_log", log], check=True, stdout=subprocess.DEVNULL)
        with Server(work, log) as server:
            print(f"{sum(file.stat().st_size for file in log.iterdir()):,} bytes of log; serves after {server.started:.2f} s, "
                  f"all is counted after {server.counted:.2f} s, {timing.memory_kib(server.process.pid, 'RssAnon') / 1024:.0f} MiB "
                  "of memory of its own then\n")
            world = World(server)
            print("| milliseconds | first | 1: p50 | p99 | max | 8: p50 | p99 | max |\n|---|---|---|---|---|---|---|---|")
            for name, target_of in kinds(world).items():
                measure(server, name, target_of, arguments.rounds if "search" not in name else max(arguments.rounds // 4, 40))
            print(f"\n{timing.memory_kib(server.process.pid, 'RssAnon') / 1024:.0f} MiB of memory of its own at the end")


if __name__ == "__main__":
    main()
