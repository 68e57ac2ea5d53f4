"""A farm to look at: a real coordinator with a made-up past, and real workers that do something.

The repository "garden" has 50 commits and 20 builders, whose results are written into the store before the coordinator
starts; "live" is built by two real workers: one build fails, one prints 50,000 lines and goes on until the farm ends.
What can be hostile is: a subject, an author, a worker's name, the output.
"""

import pathlib
import random
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from farm import Farm, commit, git, make_repository, programs, wait_for  # noqa: E402

HOSTILE = "\"'><script>document.title='owned'</script><img src=x onerror=document.title='owned'>\u202e\u0007\x1b]0;owned\x07"

COMMITS, COLUMNS = 50, 20
BUILDERS = [f"{system}-{kind}" for system in ("linux-amd64", "linux-arm64", "freebsd-amd64", "darwin-arm64")
            for kind in ("release", "debug", "race", "longtest", "nocgo")]
SUBJECTS = ["Plant the hedge along the northern wall", "Water the seedlings twice a day",
            "compost: turn the heap before it gets too warm", "Prune the apple trees", "gate: oil the hinges",
            "Sow the spring onions in rows that a person can walk between without stepping on any of them",
            "tools: sharpen before use, not after", "Fence off the beds", "rake: do not lose leaves", "Weed"]
PEOPLE = ["Ada", "Bo", "Chidi", "Dora", "Emil"]

LIVE_STEP = r'''
i=0
while [ $i -lt 2500 ]; do
  i=$((i + 1))
  printf 'ok      garden/bed/%04d   0.0%ds\n' $i $((i % 10))
done > block
n=0
while [ $n -lt 20 ]; do cat block; n=$((n + 1)); done
printf '\033[1m\033[33mwarning:\033[0m the \033[36mpond\033[0m is \033[31mfrozen\033[0m\n'
printf '\033[32m--- PASS: TestGate (0.01s)\033[0m\n'
until [ -e {fifo} ]; do sleep 0.2; done
'''
FAILING_STEP = r'''
i=0
while [ $i -lt 120 ]; do i=$((i + 1)); echo "=== RUN   TestBed$i"; echo "--- PASS: TestBed$i (0.00s)"; done
printf '\033[1mbed_test.go:42:\033[0m \033[31mwant 3 carrots, have 2\033[0m\n'
printf '<script>document.title="owned"</script> \033]0;owned\007 \342\200\256 \377\376 end\n'
printf -- '--- FAIL: TestCarrots (0.03s)\nFAIL\ngarden/bed     0.412s\n'
exit 1
'''


def fill_in(database, table, **values):
    """Inserts a row; columns that are not named and must not be NULL are 0 or empty."""
    columns = database.execute(f"PRAGMA table_info({table})").fetchall()
    row = {name: (0 if kind == "INTEGER" else "") for _, name, kind, required, *_ in columns if required}
    row.update(values)
    names = ", ".join(row)
    database.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))


class Past:
    """Writes what happened before."""

    def __init__(self, database, now):
        self.database, self.now, self.builds, self.leases = database, now, 0, 0
        self.random = random.Random(7)

    def commit(self, repository, branch, position, text):
        when, hash_, author, subject = text.split("\x1f", 3)
        fill_in(self.database, "commits", repository=repository, hash=hash_, author_name=author,
                author_email="somebody@example.org", subject=subject, committed=int(when) * 1000)
        fill_in(self.database, "branch_commits", repository=repository, branch=branch, position=position, hash=hash_)
        return hash_

    def build(self, repository, branch, position, hash_, builder, result, attempts=1, why=""):
        self.builds += 1
        finished = self.now - (COMMITS + 1 - position) * 1_700_000 - self.random.randrange(600_000)
        state = {"state": "finished", "result": result, "finished": finished}
        if result == "waiting":
            state, attempts = {"state": "waiting", "result": "none"}, 0
        elif result == "away":
            state, attempts = {"state": "running", "result": "none"}, 1
        fill_in(self.database, "builds", id=self.builds, repository=repository, branch=branch, hash=hash_,
                builder=builder, host_type="host-" + builder.rsplit("-", 1)[0], position=position, attempts=attempts,
                accepted=finished - 900_000, why=why, **state)
        if result == "away":
            self.keep_running(self.builds, builder)
            return self.builds
        outcome = result if result in ("ok", "failed", "lost", "cancelled") else "ok"
        for number in range(1, attempts + 1):
            self.leases += 1
            began = finished - 300_000 * (attempts - number + 1)
            fill_in(self.database, "attempts", build=self.builds, number=number, lease=self.leases, session="gone",
                    worker="w", hostname=f"{builder.rsplit('-', 1)[0]}-{number}", started=began, ended=began + 290_000,
                    outcome=outcome, why=why if attempts == 1 else "the worker did not answer for 15 s")
        return self.builds

    def keep_running(self, build, builder):
        """An attempt that goes on on a worker that is not connected."""
        self.leases += 1
        host = builder.rsplit("-", 1)[0] + "-9"
        began = self.now - 420_000
        fill_in(self.database, "attempts", build=build, number=1, lease=self.leases, session="gone", worker=host,
                hostname=host, started=began, outcome="running", resumable=1)
        fill_in(self.database, "leases", number=self.leases, worker=host, session="gone", build=build, attempt=1,
                granted=began)
        fill_in(self.database, "steps", build=build, attempt=1, step_index=0, name="source", run=f"b{build}-a1-s0",
                started=began, ended=began + 900, outcome="ok", status="ok")
        fill_in(self.database, "steps", build=build, attempt=1, step_index=1, name="test", command="true",
                run=f"b{build}-a1-s1", started=began + 900, outcome="running")

    def session(self, number, hostname, host_type, why):
        ended = self.now - number * 3_000_000
        fill_in(self.database, "sessions", id=f"{number:032x}", worker=f"w{number}", host_type=host_type,
                hostname=hostname, version="26", peer="192.0.2.7:1", connected=ended - 7_000_000, ended=ended, why=why)


class MadeUpFarm(Farm):
    def __init__(self, directory, empty=False):
        self.root = pathlib.Path(directory)
        self.garden = make_repository(self.root / "garden")
        self.live = make_repository(self.root / "live")
        self.release_file = self.root / "release"
        repositories = [{"name": "garden", "url": str(self.garden), "branches": ["main", "autumn"],
                         "steps": [["test", "true"]], "builders": BUILDERS},
                        {"name": "live", "url": str(self.live), "branches": ["main"], "builders": ["slow", "failing"],
                         "steps": [["configure", "echo checking for a spade... yes"],
                                   ["test", 'sh "./$XBUILD_BUILDER"']]}]
        builders = [{"name": name, "host_type": "host-" + name.rsplit("-", 1)[0]} for name in BUILDERS]
        builders += [{"name": "slow", "host_type": "host-slow"}, {"name": "failing", "host_type": "host-failing"}]
        if empty:
            repositories = [{"name": "garden", "url": str(self.garden), "branches": ["main"], "steps": [["test", "true"]]}]
        super().__init__(programs(), self.root / "farm", repositories, builders, toml="[access]\nlocal = true\n")
        self.named = {}
        if not empty:
            # It makes the store, and sees no commit yet that it would build.
            self.start_coordinator()
            self.stop_coordinator()
            self._make_commits()
            self._write_past()

    def _make_commits(self):
        for n in range(COMMITS):
            author = PEOPLE[n % len(PEOPLE)]
            self._commit(self.garden, f"{SUBJECTS[n % len(SUBJECTS)]}", author, time.time() - (COMMITS - n) * 1700)
        git(self.garden, "branch", "autumn", "HEAD~8")
        self._commit(self.garden, "Harvest " + HOSTILE.replace("\x1b", "\x1b"), HOSTILE.replace("<", "(").replace(">", ")"),
                     time.time() - 900)
        files = {"slow": LIVE_STEP.replace("{fifo}", str(self.release_file)), "failing": FAILING_STEP}
        commit(self.live, files, "Test the beds <b>& the gate</b>")

    @staticmethod
    def _commit(repository, subject, author, when):
        date = f"{int(when)} +0000"
        git(repository, "commit", "-q", "--allow-empty", "-m", subject, "--author", f"{author} <somebody@example.org>",
            "--date", date)

    def _history(self, branch):
        text = git(self.garden, "log", "--first-parent", "--reverse", "--format=%at%x1f%H%x1f%an%x1f%s%x00", branch)
        return [line.strip("\n") for line in text.split("\0") if line.strip("\n")]

    def _write_past(self):
        with sqlite3.connect(self.state / "farm.db") as database:
            past = Past(database, int(time.time() * 1000))
            history = self._history("main")
            for position, text in enumerate(history, 1):
                hash_ = past.commit("garden", "main", position, text)
                for column, builder in enumerate(BUILDERS):
                    self._write_build(past, position, hash_, column, builder, position == len(history))
            for position, text in enumerate(self._history("autumn"), 1):
                fill_in(database, "branch_commits", repository="garden", branch="autumn", position=position,
                        hash=text.split("\x1f")[1])
            past.session(1, "darwin-arm64-1", "host-darwin-arm64", "the connection was reset")
            past.session(2, "linux-amd64-3", "host-linux-amd64", "it did not answer for 15 s")

    def _write_build(self, past, position, hash_, column, builder, newest):
        roll = past.random.random()
        kind, why, attempts = "ok", "", 1
        if newest and column == 7:
            kind = "away"
        elif newest and column % 3 == 0:
            kind = "waiting"
        elif column == 13 and position in (40, 41, 42):
            kind, attempts = "lost", 3
            why = "no attempt could be brought to an end: the worker did not answer for 15 s"
        elif position % 17 == 4 and column < 12 or roll < 0.02:
            kind, why = "failed", "step test: exit status 2"
        elif roll > 0.99:
            kind, why = "cancelled", "cancelled by local"
        number = past.build("garden", "main", position, hash_, builder, kind, attempts, why)
        self.named[kind] = number

    def start_work(self):
        """Starts the workers, and waits until the failing build failed and the slow one has printed its 50,000 lines."""
        self.start_worker("host-failing", name="failing-1")
        self.start_worker("host-slow", name="slow-1")
        # With < or > in its name a worker never gets through its first request, whose Host header the name is.
        self.start_worker("host-slow", name="'onerror='&lt;script&gt;document.title=1")

        def build_of(builder):
            found = [build for build in self.builds() if build["builder"] == builder]
            return found[0] if found else None

        def failed():
            build = build_of("failing")
            return build if build and build["state"] == "finished" else None

        def printed():
            build = build_of("slow")
            steps = self.api(f"/builds/{build['id']}")["steps"] if build else []
            runs = [step["run"] for step in steps if step["name"] == "test"]
            return build if runs and b"TestGate" in self.get(f"/api/v1/runs/{runs[0]}/log?offset=0")[-500:] else None

        self.named["failing"] = wait_for(failed, 60, "the failing build")["id"]
        self.named["live"] = wait_for(printed, 120, "50,000 lines")["id"]

    def release(self):
        """Lets the live build go on."""
        self.release_file.touch()

    def url(self, path):
        return f"http://{self.ready['http']}{path}"
