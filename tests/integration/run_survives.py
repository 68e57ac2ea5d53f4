"""A build's command outlives everything between it and its log: connections that are cut in every way, the coordinator
killed, the worker's program replaced and started anew. Every byte it prints is in the log once.

    run_survives.py [--cuts N]     N cuts of each kind instead of 2, and a command of a minute (for ./dev soak)
"""

import hashlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time
import unittest

from farm import Farm, commit, make_repository, programs, wait_for
from farm_cuts import Proxy

BUILDERS = [{"name": "one", "host_type": "host-a"}]
CUTS, SECONDS = 2, 12


class RunSurvives(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        self.repository = make_repository(self.directory / "repository")
        commit(self.repository, {"a": "1"}, "one")
        # Programs of our own, so that one can be replaced while it runs.
        self.programs = self.directory / "bin"
        self.programs.mkdir()
        for name in ("coordinator", "buildlet", "genbuilderkey"):
            shutil.copy2(programs() / name, self.programs)
        self.end = self.directory / "end"

    def steps(self):
        """Prints counted lines for SECONDS at least, and on until the end file is there, its process id first and last."""
        return [["talk", f"echo $$; n=0; while [ $n -lt {SECONDS * 50} ] || [ ! -e {self.end} ]; do "
                         "echo line $n; n=$((n+1)); sleep 0.02; done; echo $$"]]

    def worker(self, farm, proxy):
        return farm.start_worker("host-a", "survivor", coordinator=proxy.address)

    def text(self, farm):
        found = list((farm.state / "logs").glob("*/*-s1.part"))
        return found[0].read_bytes() if found else b""

    def wait_until_it_goes_on(self, farm, what):
        began, before = time.monotonic(), len(self.text(farm))
        wait_for(lambda: len(self.text(farm)) > before + 200, 90, f"the log to go on after {what}")
        print(f"{what}: the log went on after {time.monotonic() - began:.1f} s", flush=True)

    def upgrade(self, farm, proxy):
        new = self.programs / "buildlet.new"
        shutil.copy2(self.programs / "buildlet", new)
        os.replace(new, self.programs / "buildlet")
        before = farm.workers[-1]
        before.process.send_signal(signal.SIGTERM)
        self.assertEqual(before.process.wait(30), 0)
        self.worker(farm, proxy)

    def test_a_run_survives_cuts_a_killed_coordinator_and_an_upgraded_worker(self):
        repository = {"name": "demo", "url": str(self.repository), "steps": self.steps()}
        with Farm(self.programs, self.directory / "farm", [repository], BUILDERS, lease="10m") as farm:
            proxy = Proxy(farm.ready["https"])
            self.addCleanup(proxy.close)
            self.worker(farm, proxy)
            wait_for(lambda: b"line 10\n" in self.text(farm), 60, "output")
            for number in range(CUTS):
                for how in ("RST", "FIN", "silence"):
                    proxy.cut(how)
                    self.wait_until_it_goes_on(farm, f"{how} number {number + 1}")
            farm.kill_coordinator()
            farm.start_coordinator()
            self.wait_until_it_goes_on(farm, "kill -9 of the coordinator")
            self.upgrade(farm, proxy)
            self.wait_until_it_goes_on(farm, "an upgrade of the worker")
            self.end.touch()
            build = farm.wait_for_builds(1, 60 + SECONDS)[0]
            details = farm.api(f"/builds/{build['id']}")
            self.assertEqual([a["outcome"] for a in details["attempts"]], ["ok"])
            run = next(step["run"] for step in details["steps"] if step["name"] == "talk")
            log = farm.get(f"/api/v1/runs/{run}/log?offset=0")
        lines = log.decode().splitlines()
        self.assertEqual(lines[0], lines[-1], "the process that printed first and last")
        whole = "".join(f"{line}\n" for line in [lines[0], *(f"line {n}" for n in range(len(lines) - 2)), lines[0]])
        self.assertGreaterEqual(len(lines), SECONDS * 50)
        self.assertEqual(hashlib.sha256(log).hexdigest(), hashlib.sha256(whole.encode()).hexdigest())
        print(f"{len(lines)} lines, {len(log)} bytes, each once")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--cuts"]:
        CUTS, SECONDS = int(sys.argv[2]), 60
        del sys.argv[1:3]
    unittest.main(verbosity=2)
