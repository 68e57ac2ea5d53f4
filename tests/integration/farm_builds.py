"""Commits are found, built by workers that dialed in, and their results and logs can be read."""

import pathlib
import subprocess
import tempfile
import unittest

from farm import Farm, commit, git, make_repository, programs, wait_for

BUILDERS = [{"name": "one", "host_type": "host-a"}, {"name": "two", "host_type": "host-b"}]


class FarmBuilds(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        self.repository = make_repository(self.directory / "repository")

    def farm(self, steps, **fields):
        repository = {"name": "demo", "url": str(self.repository), "steps": steps, **fields}
        return Farm(programs(), self.directory / "farm", [repository], BUILDERS)

    def log_of(self, farm, build, step):
        details = farm.api(f"/builds/{build['id']}")
        run = next(s["run"] for s in details["steps"] if s["name"] == step and s["attempt"] == build["attempt_count"])
        return farm.get(f"/api/v1/runs/{run}/log?offset=0")

    def test_the_newest_commits_are_built_by_every_builder_and_later_ones_as_they_come(self):
        for n in range(5):
            commit(self.repository, {"n": str(n)}, f"number {n}")
        steps = [["show", 'echo "$XBUILD_BUILDER built $(cat n) of $XBUILD_COMMIT"; test "$(cat n)" != 3']]
        with self.farm(steps) as farm:
            farm.start_worker("host-a")
            farm.start_worker("host-b")
            builds = farm.wait_for_builds(6, 60)
            self.assertEqual(len(builds), 6, "first sight queues three commits for each builder")
            by_subject = {}
            for build in builds:
                details = farm.api(f"/builds/{build['id']}")
                by_subject.setdefault(details["commit_details"]["subject"], set()).add((build["builder"], build["result"]))
            self.assertEqual(by_subject, {
                "number 4": {("one", "ok"), ("two", "ok")},
                "number 3": {("one", "failed"), ("two", "failed")},
                "number 2": {("one", "ok"), ("two", "ok")}})
            head = git(self.repository, "rev-parse", "HEAD")
            first = next(b for b in builds if b["builder"] == "one" and b["commit"] == head)
            self.assertEqual(self.log_of(farm, first, "show"), f"one built 4 of {head}\n".encode())

            pushed = commit(self.repository, {"n": "9"}, "pushed later")
            builds = farm.wait_for_builds(8, 30)
            self.assertEqual({b["result"] for b in builds if b["commit"] == pushed}, {"ok"})

    def test_the_tree_is_the_commits_whatever_its_attributes_say(self):
        commit(self.repository, {".gitattributes": "kept export-ignore\nsubst export-subst\n", "kept": "k",
                                 "subst": "$Format:%H$\n"}, "attributes")
        (self.repository / "run.sh").write_text("#!/bin/sh\necho ran\n")
        (self.repository / "run.sh").chmod(0o755)
        (self.repository / "link").symlink_to("kept")
        commit(self.repository, {}, "executable and link")
        steps = [["look", "cat kept subst; ./run.sh; ls"]]
        with self.farm(steps) as farm:
            farm.start_worker("host-a")
            farm.start_worker("host-b")
            build = farm.wait_for_builds(4, 60)[0]
            text = self.log_of(farm, build, "look").decode()
            self.assertTrue(text.startswith("k$Format:%H$\nran\n"), text)

    def test_a_builder_may_put_its_steps_into_a_box(self):
        commit(self.repository, {"a": "1"}, "boxed")
        seen = self.directory / "seen"
        seen.touch()
        look = (f"cat a; echo; echo b >a; cat {seen} || echo nothing seen; echo x >/usr/x || echo read-only; "
                "cat /proc/[0-9]*/comm | grep -cx buildlet; ls \"$WORKDIR/..\"; exit 3")
        builders = [{**BUILDERS[0], "sandbox": True}]
        repository = {"name": "demo", "url": str(self.repository), "steps": [["look", look], ["more", "cat a"]]}
        with Farm(programs(), self.directory / "farm", [repository], builders) as farm:
            farm.start_worker("host-a")
            build = farm.wait_for_builds(1, 60)[0]
            lines = self.log_of(farm, build, "look").decode().splitlines()
            whole = farm.api(f"/builds/{build['id']}")
            status = [s["status"] for s in whole["steps"] if s["name"] == "look"]
        if "makes no sandbox" in whole["why"]:  # in a chroot, say: then nothing runs
            self.assertEqual((whole["result"], lines), ("lost", []))
            return
        self.assertEqual([line for line in lines if not line.startswith(("cat:", "/bin/sh:"))],
                         ["1", "nothing seen", "read-only", "0", "workdir"])
        self.assertEqual(status, ["exit status 3"])

    def test_a_log_can_be_followed_while_the_step_runs(self):
        fifo = self.directory / "fifo"
        subprocess.run(["mkfifo", fifo], check=True)
        commit(self.repository, {"a": "1"}, "slow")
        steps = [["wait", f'echo begun; test "$XBUILD_BUILDER" = one && cat {fifo}; echo over']]
        with self.farm(steps) as farm:
            farm.start_worker("host-a")
            running = wait_for(lambda: [b for b in farm.builds() if b["state"] == "running"], 30, "the build to run")[0]
            run = wait_for(lambda: [s["run"] for s in farm.api(f"/builds/{running['id']}")["steps"]
                                    if s["name"] == "wait"], 30, "the step to begin")[0]
            follower = subprocess.Popen(
                ["curl", "-sN", f"http://{farm.ready['http']}/api/v1/runs/{run}/log?offset=0&follow=1"],
                stdout=subprocess.PIPE)
            self.assertEqual(follower.stdout.readline(), b"begun\n")
            waiting = [b for b in farm.builds() if b["state"] == "waiting"][0]
            sentence = farm.api(f"/builds/{waiting['id']}")["waiting"]["sentence"]
            self.assertIn("host-b", sentence)
            fifo.write_text("released\n")
            self.assertEqual(follower.stdout.read(), b"released\nover\n")
            follower.stdout.close()
            self.assertEqual(follower.wait(30), 0)

    def test_a_step_that_exceeds_its_time_limit_is_ended_with_everything_it_started(self):
        commit(self.repository, {"a": "1"}, "endless")
        pid_file = self.directory / "pid"
        steps = [["endless", f"sleep 1000 & echo $! > {pid_file}; wait", "1s"]]
        with self.farm(steps, builders=["one"]) as farm:
            farm.start_worker("host-a")
            build = farm.wait_for_builds(1, 30)[0]
            self.assertEqual(build["result"], "failed")
            self.assertIn("time limit of 1 s", build["why"])
            pid = int(pid_file.read_text())
            wait_for(lambda: not pathlib.Path(f"/proc/{pid}").exists()
                     or "State:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text(), 10, "the sleeper to be gone")

    def test_a_worker_with_a_wrong_key_is_refused_and_told_so(self):
        commit(self.repository, {"a": "1"}, "one")
        with self.farm([["true", "true"]]) as farm:
            worker = farm.start_worker("host-a", key="0123456789abcdef0123456789abcdef")
            wait_for(lambda: "invalid build key" in worker.log.read_text(), 20, "the worker to be told")
            self.assertEqual(farm.api("/workers")["workers"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
