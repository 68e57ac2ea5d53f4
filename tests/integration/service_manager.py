"""The programs tell a service manager how they are doing: here the manager is a socket of the test's own."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from farm import Farm, commit, make_repository, programs, wait_for

WATCHDOG_SECONDS = 0.4
INHERITS_NOTHING = "! env | grep -E '^(NOTIFY_SOCKET|WATCHDOG_)'"
UNITS = pathlib.Path(__file__).resolve().parent.parent.parent / "env/systemd"


def system_calls(name):
    """What a name of a unit's SystemCallFilter stands for."""
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", name], stdout=subprocess.PIPE, text=True, check=True)
    members = [line.strip() for line in listed.stdout.splitlines()[1:]]
    return set().union(*(system_calls(member) for member in members if member and not member.startswith("#")))


def unit_system_calls(unit):
    """What a unit allows that begins with what it allows."""
    calls = set()
    for refuse, names in re.findall(r"^SystemCallFilter=(~?)(.*)$", unit.read_text(), re.MULTILINE):
        for name in names.split():
            calls = calls - system_calls(name) if refuse else calls | system_calls(name)
    return calls


class Manager:
    """The end that listens, at `address` ("@name" is in the abstract namespace)."""

    def __init__(self, address):
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.seen = []

    def environment(self):
        """As words for env(1)."""
        return [f"NOTIFY_SOCKET={self.address}", f"WATCHDOG_USEC={int(WATCHDOG_SECONDS * 1e6)}"]

    def read(self, timeout):
        """The next message as {name: value}; None if none comes in time."""
        self.socket.settimeout(timeout)
        try:
            message = self.socket.recv(4096).decode()
        except TimeoutError:
            return None
        self.seen.append(dict(line.split("=", 1) for line in message.splitlines()))
        return self.seen[-1]

    def wait_for(self, name, seconds=30):
        """The next message that says `name`."""
        def said():
            message = self.read(1)
            return message if message and name in message else None
        return wait_for(said, seconds, f"{name} (so far: {self.seen[-20:]})")

    def signs_of_life_end(self):
        """Whether the process went silent for longer than the watchdog allows; reads what was sent before."""
        for _ in range(20):
            if self.read(3 * WATCHDOG_SECONDS) is None:
                return True
        return False


class ServiceManager(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        self.coordinator = Manager(str(self.directory / "notify"))
        self.worker = Manager(f"@xbuild-test-{os.getpid()}")
        self.addCleanup(self.coordinator.socket.close)
        self.addCleanup(self.worker.socket.close)

    def farm(self, command=INHERITS_NOTHING):
        repository = make_repository(self.directory / "repository")
        commit(repository, {"a": "1"}, "one")
        configuration = {"name": "demo", "url": str(repository), "steps": [("step", command)]}
        return Farm(programs(), self.directory / "farm", [configuration], [{"name": "one", "host_type": "host-a"}],
                    wrapper=["env", *self.coordinator.environment()])

    def test_ready_signs_of_life_and_the_end(self):
        with self.farm() as farm:
            self.assertIn(farm.ready["https"], self.coordinator.wait_for("READY")["STATUS"])
            worker = farm.start_worker("host-a", wrapper=["env", *self.worker.environment()])
            self.assertIn("host-a", self.worker.wait_for("READY")["STATUS"])
            for manager, process in ((self.coordinator, farm.coordinator), (self.worker, worker.process)):
                for _ in range(3):
                    self.assertEqual(manager.wait_for("WATCHDOG", 10)["WATCHDOG"], "1")
                # A program that hangs shows no sign of life, and does again when it goes on.
                os.kill(process.pid, signal.SIGSTOP)
                self.assertTrue(manager.signs_of_life_end())
                os.kill(process.pid, signal.SIGCONT)
                manager.wait_for("WATCHDOG", 10)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(manager.wait_for("STOPPING")["STOPPING"], "1")
                self.assertEqual(process.wait(30), 0)

    def test_reloading_is_said_with_its_time_and_ends_with_ready_also_when_the_file_is_wrong(self):
        with self.farm() as farm:
            self.coordinator.wait_for("READY")
            good = farm.config.read_text()
            for text in (good, good + "not_a_key = 1\n"):
                farm.config.write_text(text)
                before = time.monotonic_ns() // 1000
                farm.coordinator.send_signal(signal.SIGHUP)
                reloading = self.coordinator.wait_for("RELOADING")
                self.assertGreaterEqual(int(reloading["MONOTONIC_USEC"]), before)
                self.coordinator.wait_for("READY")
            wait_for(lambda: "the configuration was not taken over" in farm.log_text(), 10, "the reason in the log")
            self.assertIn("not_a_key", farm.log_text())

    def test_a_sighup_during_a_reload_is_not_forgotten(self):
        with self.farm() as farm:
            self.coordinator.wait_for("READY")
            # Whoever opens the file waits for a writer: the reload takes as long as the test likes.
            good = farm.config.read_text()
            farm.config.unlink()
            os.mkfifo(farm.config)
            farm.coordinator.send_signal(signal.SIGHUP)
            self.coordinator.wait_for("RELOADING")
            with open(farm.config, "w") as pipe:
                farm.coordinator.send_signal(signal.SIGHUP)
                farm.api("/status")  # it has been taken note of
                farm.config.unlink()
                farm.config.write_text(good + "not_a_key = 1\n")
                pipe.write(good)
            self.coordinator.wait_for("READY")
            self.coordinator.wait_for("RELOADING")
            self.coordinator.wait_for("READY")
            wait_for(lambda: "not_a_key" in farm.log_text(), 10, "the newer file to be read")

    def test_after_stopping_a_sighup_makes_the_service_neither_reload_nor_be_ready(self):
        go = self.directory / "go"
        with self.farm(f"until [ -e {go} ]; do sleep 0.05; done") as farm:
            self.addCleanup(go.touch)
            self.coordinator.wait_for("READY")
            farm.start_worker("host-a")
            wait_for(lambda: [build for build in farm.builds() if build["state"] == "running"], 30, "the build to run")
            farm.coordinator.send_signal(signal.SIGTERM)
            self.coordinator.wait_for("STOPPING")
            draining = len(self.coordinator.seen)
            farm.coordinator.send_signal(signal.SIGHUP)
            go.touch()
            self.assertEqual(farm.coordinator.wait(30), 0)
            while self.coordinator.read(0.2) is not None:
                pass
            said = set().union(*self.coordinator.seen[draining:])
            self.assertFalse({"RELOADING", "READY"} & said, self.coordinator.seen[draining:])

    def test_what_a_build_runs_cannot_speak_for_the_worker(self):
        with self.farm() as farm:
            farm.start_worker("host-a", wrapper=["env", *self.worker.environment()])
            (build,) = farm.wait_for_builds(1, 60)
            self.assertEqual(build["result"], "ok")

    def test_the_coordinators_unit_allows_the_system_calls_that_it_and_git_make(self):
        allowed = unit_system_calls(UNITS / "xbuild-coordinator.service.in")
        trace = self.directory / "trace"
        farm = self.farm()
        farm.wrapper = ["strace", "-f", "-c", "-o", trace]
        with farm:
            farm.start_worker("host-a")
            farm.wait_for_builds(1, 60)
            commit(self.directory / "repository", {"a": "2"}, "two")
            farm.wait_for_builds(2, 60)
            farm.get("/")
        rows = [line.split() for line in trace.read_text().splitlines()]
        # A process that ends while it is counted may leave half a line.
        used = {row[-1] for row in rows
                if row and row[0][0].isdigit() and row[-1].isidentifier() and row[-1] != "total"}
        self.assertIn("epoll_wait", used)
        # SQLite gives files of root to the directory's owner; the leak sanitizer traces. The service does neither.
        self.assertLessEqual(used - {"fchown", "ptrace"}, allowed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
