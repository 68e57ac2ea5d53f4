#!/usr/bin/env python3
"""SIGHUP takes another farm.toml over, SIGTERM drains. Real programs, in a directory of their own."""

import os
import pathlib
import signal
import tempfile
import unittest

from farm import Farm, commit, make_repository, programs, wait_for

#: Runs until a file "go" appears beside the repository; says when it begins.
GATED = "echo began >> {0}/began; while [ ! -e {0}/go ]; do sleep 0.05; done"


class Signals(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp"))
        self.addCleanup(self.work.cleanup)
        self.directory = pathlib.Path(self.work.name)
        self.repository = make_repository(self.directory / "repo")
        self.head = commit(self.repository, {"f": "1"}, "one")

    def farm(self, toml=""):
        return Farm(programs(), self.directory / "farm",
                    [{"name": "r", "url": str(self.repository), "builders": ["first"], "first_sight": 1,
                      "steps": [("wait", GATED.format(self.directory))]}],
                    [{"name": "first", "host_type": "host-a"}, {"name": "second", "host_type": "host-b"}], toml=toml)

    def signal(self, farm, number):
        os.kill(farm.coordinator_pid(), number)

    def change(self, farm, old, new):
        text = farm.config.read_text()
        self.assertIn(old, text)
        farm.config.write_text(text.replace(old, new))
        self.signal(farm, signal.SIGHUP)

    def notices(self, farm):
        return " ".join(notice["sentence"] for notice in farm.api("/status")["notices"])

    def wait_for_build(self, farm, builder, state):
        def there():
            return [b for b in farm.builds() if b["builder"] == builder and b["state"] == state]
        return wait_for(there, 30, f"a build by {builder} to be {state}")[0]

    def wait_for_step(self, times):
        """Until a worker has begun the step so often; a build may be called running before."""
        began = self.directory / "began"
        wait_for(lambda: began.exists() and began.read_text().count("began") >= times, 30, "the step to begin")

    def test_a_changed_configuration_is_taken_over_while_a_build_runs(self):
        with self.farm() as farm:
            farm.start_worker("host-a")
            self.wait_for_build(farm, "first", "running")
            # A wrong file changes nothing and is shown.
            self.change(farm, 'builders = ["first"]', 'builders = ["frist"]')
            wait_for(lambda: "frist" in self.notices(farm), 30, "the notice")
            self.assertIn("farm.toml:", self.notices(farm))
            self.assertIn("frist", farm.log_text())
            # A right one adds a builder, whose build of the head appears and waits for its worker.
            self.change(farm, 'builders = ["frist"]', 'builders = ["first", "second"]')
            self.wait_for_build(farm, "second", "waiting")
            self.assertNotIn("frist", self.notices(farm))
            # Taken out again, it is lost with a sentence; the one that runs goes on, though it is taken out, too.
            self.change(farm, 'builders = ["first", "second"]', 'builders = ["second"]\nbranches = ["main"]')
            (self.directory / "go").touch()
            self.assertEqual(self.wait_for_build(farm, "first", "finished")["result"], "ok")
            self.change(farm, 'builders = ["second"]', 'builders = ["first"]')
            lost = self.wait_for_build(farm, "second", "finished")
            self.assertEqual(lost["result"], "lost")
            self.assertEqual(lost["why"], "builder second no longer builds repository r")
            # What needs a restart is said.
            self.change(farm, 'state_dir = "state"', 'state_dir = "elsewhere"')
            wait_for(lambda: "state_dir has changed" in farm.log_text(), 30, "the warning")
            self.assertEqual(farm.coordinator.poll(), None)

    def test_sigterm_ends_it_at_once_and_what_runs_goes_on_without_it(self):
        with self.farm() as farm:
            farm.start_worker("host-a")
            running = self.wait_for_build(farm, "first", "running")
            self.wait_for_step(1)
            commit(self.repository, {"f": "2"}, "two")
            self.wait_for_build(farm, "first", "waiting")
            self.signal(farm, signal.SIGTERM)
            self.assertEqual(farm.coordinator.wait(30), 0)
            (self.directory / "go").touch()
            farm.start_coordinator()
            self.assertEqual({b["result"] for b in farm.wait_for_builds(2, 60)}, {"ok"})
            build = farm.api(f"/builds/{running['id']}")
            self.assertEqual([a["outcome"] for a in build["attempts"]], ["ok"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
