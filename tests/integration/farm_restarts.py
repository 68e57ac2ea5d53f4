"""What is accepted is never lost: the coordinator and workers are killed in the middle of builds."""

import pathlib
import re
import tempfile
import unittest

from farm import Farm, commit, make_repository, programs, wait_for

BUILDERS = [{"name": "one", "host_type": "host-a"}]


class FarmRestarts(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        self.repository = make_repository(self.directory / "repository")
        self.gate = self.directory / "gate"

    def farm(self, steps, wrapper=()):
        repository = {"name": "demo", "url": str(self.repository), "steps": steps}
        return Farm(programs(), self.directory / "farm", [repository], BUILDERS, wrapper=wrapper)

    def gated_steps(self):
        """A step that goes on only when the gate file is there; its loop ends by itself."""
        return [["gated", f"echo begun; n=0; while [ ! -e {self.gate} ] && [ $n -lt 600 ]; do sleep 0.1; "
                          "n=$((n+1)); done; echo through"]]

    def running_step(self, farm, attempt):
        def find():
            for build in farm.builds():
                details = farm.api(f"/builds/{build['id']}")
                for step in details["steps"]:
                    if step["name"] == "gated" and step["attempt"] == attempt and step["outcome"] == "running":
                        if b"begun" in farm.get(f"/api/v1/runs/{step['run']}/log?offset=0"):
                            return build
            return None
        return wait_for(find, 60, f"attempt {attempt} to reach its step")

    def check_one_result(self, farm, build_id, lost, reason):
        details = farm.api(f"/builds/{build_id}")
        outcomes = [attempt["outcome"] for attempt in details["attempts"]]
        self.assertEqual(outcomes, ["lost"] * lost + ["ok"])
        for attempt in details["attempts"][:lost]:
            self.assertRegex(attempt["why"], reason)
        self.assertEqual((details["state"], details["result"]), ("finished", "ok"))
        page = farm.get(f"/build/{build_id}").decode()
        self.assertEqual(len(re.findall(r"lost", page)) > 0, lost > 0, "the page shows lost attempts")

    def test_a_build_survives_kill_9_of_the_coordinator_with_exactly_one_result(self):
        commit(self.repository, {"a": "1"}, "one")
        trace = self.directory / "syncs"
        wrapper = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", str(trace)]
        with self.farm(self.gated_steps()) as farm:
            farm.start_worker("host-a")
            build = self.running_step(farm, 1)
            farm.kill_coordinator()
            farm.wrapper = wrapper
            farm.start_coordinator()
            self.running_step(farm, 1)
            self.gate.touch()
            farm.wait_for_builds(1, 60)
            for n in range(3):
                commit(self.repository, {"a": f"more {n}"}, f"more {n}")
                farm.wait_for_builds(2 + n, 60)
            self.check_one_result(farm, build["id"], 0, "")
            self.assertEqual(len(farm.builds()), 4)
            farm.stop_coordinator()
        counts = [int(line.split()[3]) for line in trace.read_text().splitlines()
                  if line.rstrip().endswith(("fsync", "fdatasync"))]
        print(f"syncs {sum(counts)}, builds accepted under strace 3")
        self.assertGreaterEqual(sum(counts), 3, trace.read_text())

    def test_a_build_survives_the_loss_of_its_worker(self):
        commit(self.repository, {"a": "1"}, "one")
        with self.farm(self.gated_steps()) as farm:
            first = farm.start_worker("host-a")
            build = self.running_step(farm, 1)
            first.kill()
            farm.start_worker("host-a")
            self.running_step(farm, 2)
            self.gate.touch()
            farm.wait_for_builds(1, 60)
            self.check_one_result(farm, build["id"], 1, "did not come back")

    def test_a_build_whose_every_worker_is_lost_ends_as_lost_after_three_attempts(self):
        commit(self.repository, {"a": "1"}, "one")
        with self.farm(self.gated_steps()) as farm:
            for attempt in (1, 2, 3):
                worker = farm.start_worker("host-a")
                build = self.running_step(farm, attempt)
                worker.kill()
            farm.wait_for_builds(1, 60)
            details = farm.api(f"/builds/{build['id']}")
            self.assertEqual(details["result"], "lost")
            self.assertEqual([a["outcome"] for a in details["attempts"]], ["lost"] * 3)

    def test_a_second_coordinator_on_the_same_state_is_refused(self):
        commit(self.repository, {"a": "1"}, "one")
        with self.farm(self.gated_steps()) as farm:
            second = farm.run_program("coordinator", "-config", farm.config)
            self.assertEqual(second.returncode, 1)
            self.assertIn(str(farm.coordinator.pid), second.stderr)
            self.assertEqual(farm.get("/healthz"), b"ok\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
