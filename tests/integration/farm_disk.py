"""A full disk and a busy database in the state directory: said, waited for, and nothing is damaged or lost."""

import pathlib
import sqlite3
import tempfile
import unittest

import namespaces
from farm import Farm, commit, make_repository, programs, wait_for

BUILDERS = [{"name": "one", "host_type": "host-a"}]
LINES = 3000


class Disk(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        self.repository = make_repository(self.directory / "repository")
        commit(self.repository, {"a": "1"}, "one")
        self.gate = self.directory / "gate"
        self.state = self.directory / "farm" / "state"
        self.state.mkdir(parents=True, mode=0o700)

    def farm(self, steps):
        repository = {"name": "demo", "url": str(self.repository), "steps": steps}
        return Farm(programs(), self.directory / "farm", [repository], BUILDERS)

    def small_disk(self):
        """The state directory gets a file system of its own."""
        namespaces.run("mount", "-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs", str(self.state))
        self.addCleanup(namespaces.run, "umount", "--lazy", str(self.state))

    def fill(self):
        with open(self.state / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(65536))
            except OSError:
                pass
            try:
                while True:
                    filler.write(b"x")
            except OSError:
                pass

    def notice(self, farm, words):
        """Waits until the first page says so, and gives the sentence."""
        def find():
            return next((n["sentence"] for n in farm.api("/status")["notices"] if words in n["sentence"]), None)
        sentence = wait_for(find, 40, f"a notice with {words!r}")
        print(f"{self.id().split('.')[-1]}: {sentence}")
        return sentence

    def check_database(self):
        rows = sqlite3.connect(f"file:{self.state}/farm.db?mode=ro", uri=True)
        self.assertEqual(rows.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.assertEqual(rows.execute("PRAGMA foreign_key_check").fetchall(), [])

    def test_a_command_waits_while_its_log_cannot_be_written_and_nothing_of_it_is_lost(self):
        self.small_disk()
        steps = [["talk", f"echo begun; n=0; while [ ! -e {self.gate} ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n+1)); done; "
                          f"n=0; while [ $n -lt {LINES} ]; do echo line $n; n=$((n+1)); done"]]
        with self.farm(steps) as farm:
            farm.start_worker("host-a")
            wait_for(lambda: any(b"begun" in path.read_bytes() for path in (self.state / "logs").glob("*/*-s1.part")),
                     60, "the command")
            self.fill()
            self.gate.touch()
            self.notice(farm, "cannot be written")
            self.assertEqual(farm.builds()[0]["state"], "running")
            (self.state / "filler").unlink()
            build = farm.wait_for_builds(1, 60)[0]
            details = farm.api(f"/builds/{build['id']}")
            self.assertEqual([a["outcome"] for a in details["attempts"]], ["ok"])
            run = next(s["run"] for s in details["steps"] if s["name"] == "talk")
            self.assertEqual(farm.get(f"/api/v1/runs/{run}/log?offset=0").decode(),
                             "begun\n" + "".join(f"line {n}\n" for n in range(LINES)))
            wait_for(lambda: not farm.api("/status")["notices"], 20, "the notice to go")
            farm.stop_coordinator()
        self.check_database()

    def test_the_farm_goes_on_when_there_is_room_again(self):
        self.small_disk()
        with self.farm([["true", "true"]]) as farm:
            farm.start_worker("host-a")
            farm.wait_for_builds(1, 60)
            self.fill()
            pushed = commit(self.repository, {"a": "2"}, "two")
            self.notice(farm, "No space left on device")
            self.assertEqual(farm.get("/healthz"), b"ok\n")
            (self.state / "filler").unlink()
            builds = farm.wait_for_builds(2, 60)
            self.assertEqual([b["result"] for b in builds if b["commit"] == pushed], ["ok"])
            farm.stop_coordinator()
        self.check_database()

    def test_nothing_is_decided_while_somebody_else_holds_the_database_and_all_of_it_after(self):
        with self.farm([["true", "true"]]) as farm:
            farm.start_worker("host-a")
            farm.wait_for_builds(1, 60)
            other = sqlite3.connect(self.state / "farm.db", isolation_level=None)
            self.addCleanup(other.close)
            other.execute("BEGIN IMMEDIATE")
            pushed = commit(self.repository, {"a": "2"}, "two")
            self.notice(farm, "locked")
            self.assertEqual(len(farm.builds()), 1)
            other.execute("ROLLBACK")
            builds = farm.wait_for_builds(2, 60)
            self.assertEqual([b["result"] for b in builds if b["commit"] == pushed], ["ok"])
            farm.stop_coordinator()
        self.check_database()


if __name__ == "__main__":
    namespaces.enter("mount")
    unittest.main(verbosity=2)
