"""Nothing accepted is lost, and nothing is done twice at a time: coordinator and workers are killed (SIGKILL) in many
states. Prints each state, and what became of it.

    farm_kills.py [--seeds N]      N rounds of kills at random moments instead (for ./dev soak)
"""

import concurrent.futures
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

from farm import Farm, commit, make_repository, programs, wait_for

FAULTY = programs().parent / "tests" / "faulty_coordinator"
BUILDERS = [{"name": "one", "host_type": "host-a"}]
LINES = 40
# The step's run is lost then, and its worker tells so.
KILL_SUPERVISOR = "{ kill -9 $PPID; exit 1; }; "
PARALLEL = 3


def read_link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def open_files():
    """What every process that may be looked at has open."""
    for process in os.listdir("/proc"):
        directory = f"/proc/{process}/fd"
        try:
            names = os.listdir(directory) if process.isdigit() else []
        except OSError:  # it has ended, or is somebody else's
            continue
        yield from (read_link(f"{directory}/{name}") for name in names)


class Case:
    """A farm with two commits to build and two workers for them, in a directory of its own."""

    def __init__(self, directory, hook="", pause="0.1"):
        """`hook` is shell that runs in the middle of step "second"; `pause` is how long each step takes at least."""
        self.directory = directory
        self.repository = make_repository(directory / "repository")
        for n in range(2):
            commit(self.repository, {"n": str(n)}, f"number {n}")
        self.locks = directory / "locks"
        self.locks.mkdir()
        self.overlaps = directory / "overlaps"
        # Whoever runs a step of a build holds the build's lock; the kernel lets go of it when he dies.
        begin = (f"exec 9>>{self.locks}/$XBUILD_BUILD; flock -n 9 || echo $XBUILD_BUILD >>{self.overlaps}; "
                 f"n=0; while [ $n -lt {LINES} ]; do echo line $n of $XBUILD_STEP; n=$((n+1)); done; ")
        steps = [["first", begin + f"sleep {pause}; echo end"], ["second", begin + hook + f"sleep {pause}; echo end"]]
        fields = {"name": "demo", "url": str(self.repository), "steps": steps}
        self.farm = Farm(programs(), directory / "farm", [fields], BUILDERS)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.farm.__exit__(*error)

    def start_workers(self, count=2):
        for _ in range(count):
            self.farm.start_worker("host-a")

    def wait_for_leftovers(self):
        """Waits until no step's command runs any more: none has its build's lock open (to take the lock in order to
        ask would be in the way of a command that begins just then)."""
        locks = f"{self.locks.resolve()}/"
        wait_for(lambda: not any(name.startswith(locks) for name in open_files()), 30, "the commands to end")

    def finish(self, cancelled=None):
        """Lets the farm come to its end, and looks at all that is left; `cancelled` is a build that must stay so."""
        self.farm.wait_for_builds(2, 60)
        # The worker of a cancelled build may have to come back first.
        wait_for(lambda: self.open_leases() == 0, 60, "every lease to be released")
        self.farm.stop_coordinator()
        return self.check(cancelled)

    def rows(self):
        return sqlite3.connect(f"file:{self.farm.state}/farm.db?mode=ro", uri=True)

    def open_leases(self):
        return self.rows().execute("SELECT count(*) FROM leases WHERE released IS NULL").fetchone()[0]

    def check(self, cancelled):
        rows = self.rows()
        builds = rows.execute("SELECT id, state, result FROM builds").fetchall()
        assert len(builds) == 2 and len(set(builds)) == 2, builds
        lost = 0
        for build, state, result in builds:
            expected = "cancelled" if build == cancelled else "ok"
            assert (state, result) == ("finished", expected), (build, state, result)
            attempts = rows.execute("SELECT number, outcome, started, ended, why FROM attempts WHERE build = ? "
                                    "ORDER BY number", (build,)).fetchall()
            outcomes = [attempt[1] for attempt in attempts]
            if build == cancelled:
                assert outcomes in ([], ["cancelled"]), (build, attempts)
                continue
            assert outcomes == ["lost"] * (len(outcomes) - 1) + ["ok"], (build, attempts)
            for before, after in zip(attempts, attempts[1:]):
                assert before[3] is not None and before[3] <= after[2], ("two at a time", build, attempts)
                assert before[4], ("no reason", build, attempts)
            lost += len(outcomes) - 1
            self.check_logs(rows, build, len(outcomes))
        assert self.open_leases() == 0
        assert not self.overlaps.exists(), "two runs of one build at a time"
        return lost

    def check_logs(self, rows, build, last):
        for name, attempt, run, outcome, status in rows.execute(
                "SELECT name, attempt, run, outcome, status FROM steps WHERE build = ?", (build,)):
            if name == "source":
                continue
            found = list((self.farm.state / "logs").glob(f"*/{run}.*"))
            text = found[0].read_text() if found else ""
            whole = "".join(f"line {n} of {name}\n" for n in range(LINES)) + "end\n"
            if outcome == "ok":
                assert text == whole and found[0].suffix == ".log", (run, outcome, found)
            else:
                assert attempt < last and outcome == "lost", (run, outcome)
                assert whole.startswith(text), ("not the beginning of the log", run, text)
                assert "the rest of its output was lost: " in status, (run, status)


def kill_coordinator_at(point, directory):
    # retry_waiting and session_ended: the first attempt at a build takes its worker with it.
    needs_a_loss = point in ("retry_waiting", "session_ended")
    hook = "[ $XBUILD_ATTEMPT != 1 ] || " + KILL_SUPERVISOR if needs_a_loss else ""
    with Case(directory, hook) as case:
        farm = case.farm
        farm.command = [FAULTY, "-die-at", point]
        # The workers are there first: they keep their state directories, and dial until somebody answers.
        try:
            farm.start_coordinator()
        except AssertionError:
            assert point in ("epoch_taken", "builds_accepted"), farm.log_text()
        if farm.ready:
            case.start_workers()
        status = farm.coordinator.wait(60)
        assert status == -9, (status, farm.log_text())
        farm.command = [programs() / "coordinator"]
        farm.start_coordinator()
        case.start_workers(0 if len(farm.workers) and not needs_a_loss else 2)
        return case.finish()


def kill_coordinator_while(state, directory):
    """States that show themselves outside the store."""
    with Case(directory, pause="1") as case:
        farm = case.farm
        farm.start_coordinator()
        if state == "step_runs_with_output":
            case.start_workers()
            wait_for(lambda: any(b"line" in path.read_bytes() for path in (farm.state / "logs").glob("*/b*-s1.part")),
                     30, "output")
        elif state == "builds_wait_for_a_worker":
            wait_for(lambda: len(farm.builds()) == 2, 30, "the builds")
        farm.kill_coordinator()
        farm.start_coordinator()
        case.start_workers(0 if farm.workers else 2)
        return case.finish()


def kill_coordinator_after(wish, directory):
    """Somebody's wish was taken (its answer has come, so it is durable), and not all that follows from it is done."""
    with Case(directory, pause="1") as case:
        farm = case.farm
        farm.start_coordinator()
        admin = pathlib.Path(farm.ready["admin_token_file"]).read_text().strip()

        def ask(build, action):
            address = f"http://{farm.ready['http']}/api/v1/builds/{build}/{action}"
            request = urllib.request.Request(address, method="POST", headers={"Authorization": f"Bearer {admin}"})
            urllib.request.urlopen(request, timeout=20).close()

        wait_for(lambda: len(farm.builds()) == 2, 30, "the builds")
        cancelled = farm.builds()[0]["id"]
        if wish == "cancelled_while_it_waits":
            ask(cancelled, "cancel")
        elif wish == "result_cleared":
            ask(cancelled, "cancel")
            ask(cancelled, "retry")
        else:
            case.start_workers(1)
            running = wait_for(lambda: [b for b in farm.builds() if b["state"] == "running"], 30, "a build to run")
            cancelled = running[0]["id"]
            if wish == "cancelled_while_it_runs":
                ask(cancelled, "cancel")
            else:  # draining
                os.kill(farm.coordinator_pid(), signal.SIGTERM)
        if wish != "draining":
            farm.kill_coordinator()
        farm.coordinator.wait(30)
        farm.start_coordinator()
        case.start_workers(1 if farm.workers else 2)
        return case.finish(cancelled if wish.startswith("cancelled") else None)


def kill_worker(state, directory):
    # The run goes on under its supervisor, until its lease is over.
    kill = "kill -9 $(cat ../../lock); sleep 1000; "
    first = "[ $XBUILD_ATTEMPT != 1 ] || "
    hooks = {"step_runs_with_output": first + "{ " + kill + "}; ",
             "every_attempt_but_the_last": "[ $XBUILD_ATTEMPT = 3 ] || { " + kill + "}; "}
    with Case(directory, hooks.get(state, "")) as case:
        farm = case.farm
        farm.start_coordinator()
        case.start_workers(1)
        first = farm.workers[0]

        def step_began(name):
            for build in farm.builds():
                for step in farm.api(f"/builds/{build['id']}")["steps"]:
                    if step["name"] == name:
                        return True
            return False

        if state == "idle":
            wait_for(lambda: len(farm.api("/workers")["workers"]) == 1, 30, "the worker")
        elif state == "source_comes":
            wait_for(lambda: step_began("source"), 30, "the source")
        elif state == "first_step_begun":
            wait_for(lambda: step_began("first"), 30, "the first step")
        elif state == "just_dialed":
            wait_for(lambda: "connected to the coordinator" in first.log_text(), 30, "the worker to dial")
        if state in hooks:
            first.process.wait(60)
        else:
            first.kill()
            case.wait_for_leftovers()
        case.start_workers(2 if state != "every_attempt_but_the_last" else 4)
        return case.finish()


COORDINATOR_STATES = ["builds_wait_for_a_worker", "step_runs_with_output"]
WISHES = ["cancelled_while_it_waits", "cancelled_while_it_runs", "result_cleared", "draining"]
WORKER_STATES = ["just_dialed", "idle", "source_comes", "first_step_begun", "step_runs_with_output",
                 "every_attempt_but_the_last"]


def all_cases():
    points = subprocess.run([FAULTY, "-list"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return ([(f"coordinator at {point}", kill_coordinator_at, point) for point in points] +
            [(f"coordinator while {state}", kill_coordinator_while, state) for state in COORDINATOR_STATES] +
            [(f"coordinator after {wish}", kill_coordinator_after, wish) for wish in WISHES] +
            [(f"worker {state}", kill_worker, state) for state in WORKER_STATES])


def run_case(name, function, argument, directory):
    directory.mkdir()
    began = time.monotonic()
    try:
        lost = function(argument, directory)
    except Exception as error:
        raise AssertionError(f"in the case {name!r}") from error
    print(f"killed: {name}: ok, {lost} attempts lost and made again, {time.monotonic() - began:.1f} s", flush=True)


class Kills(unittest.TestCase):
    def test_every_build_comes_to_one_result_whoever_is_killed_when(self):
        cases = all_cases()
        with tempfile.TemporaryDirectory(prefix="xbuild-test.") as directory:
            with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
                futures = [pool.submit(run_case, *case, pathlib.Path(directory) / str(number))
                           for number, case in enumerate(cases)]
                for future in futures:
                    future.result()
        by_whom = [name.split()[0] for name, *_ in cases]
        self.assertGreaterEqual(by_whom.count("coordinator"), 10)
        self.assertGreaterEqual(by_whom.count("worker"), 5)


def random_kills(seed, directory):
    """Kills somebody at a random moment, a few times over."""
    chance = random.Random(seed)
    with Case(directory, pause="0.3") as case:
        farm = case.farm
        farm.start_coordinator()
        case.start_workers()
        for _ in range(2):  # max_attempts is 3
            time.sleep(chance.uniform(0, 1.5))
            if chance.random() < 0.5:
                farm.kill_coordinator()
                farm.start_coordinator()
            else:
                chance.choice([w for w in farm.workers if w.process.poll() is None]).kill()
                farm.start_worker("host-a")
        return case.finish()


def soak(seeds):
    first = int.from_bytes(os.urandom(4), "big")
    with tempfile.TemporaryDirectory(prefix="xbuild-test.") as directory:
        for seed in range(first, first + seeds):
            run_case(f"at random, seed {seed}", random_kills, seed, pathlib.Path(directory) / str(seed))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--seeds"]:
        soak(int(sys.argv[2]))
    else:
        unittest.main(verbosity=2)
