#!/usr/bin/env python3
"""Workers that are trouble to their farm: two that claim one id, one whose disk is full, one that is about to end."""

import os
import pathlib
import shutil
import signal
import tempfile
import unittest

import namespaces
from farm import Farm, commit, make_repository, programs, wait_for

BUILDERS = [{"name": "one", "host_type": "host-a"}]


class Workers(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        self.repository = make_repository(self.directory / "repository")
        self.gate, self.begun = self.directory / "gate", self.directory / "begun"

    def farm(self, command="true"):
        repository = {"name": "demo", "url": str(self.repository), "steps": [["step", command]]}
        return Farm(programs(), self.directory / "farm", [repository], BUILDERS)

    def gated(self):
        """A command that runs until the gate is open, and says on which worker it began."""
        return f"pwd >> {self.begun}; while [ ! -e {self.gate} ]; do sleep 0.05; done"

    def workers(self, farm):
        return {worker["hostname"]: worker for worker in farm.api("/workers")["workers"]}

    def attempts(self, farm, build):
        return farm.api(f"/builds/{build['id']}")["attempts"]

    def test_of_two_processes_with_one_id_the_first_stays_and_the_second_is_named(self):
        commit(self.repository, {"a": "1"}, "one")
        with self.farm(self.gated()) as farm:
            farm.start_worker("host-a", "genuine")
            wait_for(self.begun.exists, 60, "the command")
            before = self.workers(farm)["genuine"]
            states = farm.directory / "workers"
            (states / "copy" / "state").mkdir(parents=True, mode=0o700)
            shutil.copy(states / "genuine" / "state" / "worker-id", states / "copy" / "state")
            copy = farm.start_worker("host-a", "copy")
            sentence = wait_for(lambda: next((n["sentence"] for n in farm.api("/status")["notices"]
                                              if "claims the worker id" in n["sentence"]), None), 60, "the notice")
            print(sentence)
            self.assertIn("Host copy (127.0.0.1", sentence)
            self.assertIn("of host genuine (127.0.0.1", sentence)
            wait_for(lambda: "another process with this worker id is connected" in copy.log_text(), 60,
                     "the second one to be told")
            self.assertIsNone(copy.process.poll())
            self.gate.touch()
            build = farm.wait_for_builds(1, 60)[0]
            self.assertEqual([(a["outcome"], a["hostname"]) for a in self.attempts(farm, build)], [("ok", "genuine")])
            self.assertEqual(list(self.workers(farm)), ["genuine"])
            self.assertEqual(self.workers(farm)["genuine"]["session"], before["session"])
            # The place is free when the first one is gone.
            for worker in farm.workers:
                worker.kill()
            farm.start_worker("host-a", "copy")
            wait_for(lambda: list(self.workers(farm)) == ["copy"], 60, "the second one to take the place")

    def test_a_worker_whose_disk_is_full_loses_the_attempt_and_another_one_makes_it(self):
        (self.repository / "large").write_bytes(os.urandom(8 << 20))
        head = commit(self.repository, {"a": "1"}, "one")
        with self.farm() as farm:
            small = farm.directory / "workers" / "small" / "state"
            small.mkdir(parents=True, mode=0o700)
            namespaces.run("mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(small))
            self.addCleanup(namespaces.run, "umount", "--lazy", str(small))
            farm.start_worker("host-a", "small")
            lost = wait_for(lambda: [a for b in farm.builds() for a in self.attempts(farm, b)
                                     if a["outcome"] == "lost"], 60, "the first attempt to be lost")[0]
            print(lost["why"])
            self.assertEqual(lost["hostname"], "small")
            self.assertIn("no space left on device", lost["why"].lower())
            farm.start_worker("host-a", "roomy")
            farm.workers[0].kill()
            build = farm.wait_for_builds(1, 90)[0]
            self.assertEqual((build["commit"], build["result"]), (head, "ok"))
            attempts = self.attempts(farm, build)
            self.assertEqual((attempts[-1]["outcome"], attempts[-1]["hostname"]), ("ok", "roomy"))
            self.assertEqual({a["outcome"] for a in attempts[:-1]}, {"lost"})

    def test_a_worker_that_is_restarted_goes_on_with_its_build(self):
        commit(self.repository, {"a": "1"}, "one")
        with self.farm(self.gated()) as farm:
            before = farm.start_worker("host-a", "upgraded")
            wait_for(self.begun.exists, 60, "the command")
            before.process.send_signal(signal.SIGTERM)
            self.assertEqual(before.process.wait(60), 0)
            wait_for(lambda: not self.workers(farm), 60, "it to be gone")
            farm.start_worker("host-a", "upgraded")
            wait_for(lambda: "upgraded" in self.workers(farm), 60, "it to be back")
            self.gate.touch()
            build = farm.wait_for_builds(1, 60)[0]
            self.assertEqual([(a["outcome"], a["hostname"]) for a in self.attempts(farm, build)], [("ok", "upgraded")])
            self.assertEqual(self.begun.read_text().count("\n"), 1)


if __name__ == "__main__":
    namespaces.enter("mount")
    unittest.main(verbosity=2)
