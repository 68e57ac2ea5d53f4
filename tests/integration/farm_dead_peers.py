"""Peers that have gone without a word are noticed, and what they were doing is done by others."""

import pathlib
import tempfile
import time
import unittest

import namespaces
from farm import Farm, commit, make_repository, programs, wait_for

BUILDERS = [{"name": "one", "host_type": "host-a"}]
# Noticed after 14 s at most; then the lease of 8 s, and 2 s to be sure.
LIMIT = 30


class DeadPeers(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        self.repository = make_repository(self.directory / "repository")
        commit(self.repository, {"a": "1"}, "one")
        self.gate = self.directory / "gate"

    def farm(self, listen="127.0.0.1:0"):
        steps = [["gated", f"echo begun; n=0; while [ ! -e {self.gate} ] && [ $n -lt 600 ]; do sleep 0.1; "
                           "n=$((n+1)); done; echo through"]]
        repository = {"name": "demo", "url": str(self.repository), "steps": steps}
        return Farm(programs(), self.directory / "farm", [repository], BUILDERS, listen=listen)

    def running_on(self, farm, name, attempt, seconds=60):
        """Waits until that attempt of the one build prints something on that worker."""
        def find():
            for build in farm.builds():
                details = farm.api(f"/builds/{build['id']}")
                last = details["attempts"][-1] if details["attempts"] else None
                if last and (last["number"], last["hostname"], last["outcome"]) == (attempt, name, "running"):
                    for step in details["steps"]:
                        if step["name"] == "gated" and step["attempt"] == attempt:
                            if b"begun" in farm.get(f"/api/v1/runs/{step['run']}/log?offset=0"):
                                return build
            return None
        return wait_for(find, seconds, f"attempt {attempt} to run on {name}")

    def connected(self, farm):
        return sorted(worker["hostname"] for worker in farm.api("/workers")["workers"])

    def check_moved(self, farm, build, began, why):
        """The build of a worker that went at `began` runs on the other one; and it alone gives the result."""
        self.running_on(farm, "second", 2, LIMIT)
        moved = time.monotonic() - began
        self.assertNotIn("first", self.connected(farm))
        self.assertLess(moved, LIMIT)
        details = farm.api(f"/builds/{build['id']}")
        self.assertEqual(details["attempts"][0]["outcome"], "lost")
        self.assertRegex(details["attempts"][0]["why"], why)
        print(f"{self.id().split('.')[-1]}: re-queued and running elsewhere after {moved:.1f} s: "
              f"{details['attempts'][0]['why']}")

    def finish(self, farm, build):
        self.gate.touch()
        farm.wait_for_builds(1, 60)
        details = farm.api(f"/builds/{build['id']}")
        self.assertEqual([a["outcome"] for a in details["attempts"]], ["lost", "ok"])

    def test_a_worker_whose_host_lost_its_cable_is_shown_dead_and_its_build_moves(self):
        host = namespaces.Host()
        self.addCleanup(host.close)
        with self.farm("192.0.2.1:0") as farm:
            farm.start_worker("host-a", "first", wrapper=host.wrapper)
            build = self.running_on(farm, "first", 1)
            farm.start_worker("host-a", "second")
            wait_for(lambda: len(self.connected(farm)) == 2, 30, "the second worker")
            host.pull_the_cable()
            self.check_moved(farm, build, time.monotonic(), "did not answer|timed out")
            # The worker has noticed too, by itself; it comes back when it can, and disturbs nobody.
            wait_for(lambda: "lost the coordinator" in farm.workers[0].log_text(), 30, "the worker to notice")
            host.plug_it_in()
            wait_for(lambda: self.connected(farm) == ["first", "second"], 60, "the first worker to come back")
            self.finish(farm, build)

    def test_an_idle_worker_whose_host_lost_its_cable_is_shown_dead(self):
        host = namespaces.Host()
        self.addCleanup(host.close)
        self.gate.touch()
        with self.farm("192.0.2.1:0") as farm:
            farm.start_worker("host-a", "first", wrapper=host.wrapper)
            farm.wait_for_builds(1, 60)
            host.pull_the_cable()
            began = time.monotonic()
            wait_for(lambda: self.connected(farm) == [], LIMIT, "the worker to be shown dead")
            print(f"an idle host was shown dead after {time.monotonic() - began:.1f} s")

    def test_a_worker_that_stands_still_is_shown_dead_and_its_build_moves(self):
        with self.farm() as farm:
            first = farm.start_worker("host-a", "first")
            build = self.running_on(farm, "first", 1)
            farm.start_worker("host-a", "second")
            wait_for(lambda: len(self.connected(farm)) == 2, 30, "the second worker")
            first.pause()
            self.addCleanup(lambda: first.process.poll() is None and first.resume())
            self.check_moved(farm, build, time.monotonic(), "did not answer")
            # What it still has to say when it goes on is about an attempt that is over.
            first.resume()
            wait_for(lambda: self.connected(farm) == ["first", "second"], 60, "the first worker to come back")
            self.assertEqual(farm.api(f"/builds/{build['id']}")["state"], "running")
            self.finish(farm, build)


if __name__ == "__main__":
    namespaces.enter("net", "mount")
    unittest.main(verbosity=2)
