"""Tokens of single workers: made, shown once, taken back while the worker works."""

import json
import pathlib
import tempfile
import unittest

from farm import Farm, commit, make_repository, programs, wait_for


class WorkerTokens(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        repository = make_repository(self.directory / "repository")
        commit(repository, {"file": "1"}, "one")
        self.farm = Farm(programs(), self.directory / "farm",
                         [{"name": "demo", "url": str(repository), "steps": [("env", "env; cat file")]}],
                         [{"name": "one", "host_type": "host-a"}])
        self.addCleanup(self.farm.__exit__)
        self.farm.start_coordinator()

    def workers(self, *arguments, code=0):
        answer = self.farm.run_program("coordinator", "workers", arguments[0], "-config", self.farm.config,
                                       *arguments[1:])
        self.assertEqual(answer.returncode, code, answer.stderr)
        return answer

    def connected(self):
        return [worker["hostname"] for worker in self.farm.api("/workers")["workers"]]

    def test_a_token_lets_one_worker_in_until_it_is_revoked(self):
        token = self.workers("add", "-host-type", "host-a", "mini-7").stdout.strip()
        self.assertRegex(token, r"^xbw_[0-9a-f]{64}$")
        self.assertIn("mini-7", self.workers("list").stdout)
        listed = json.loads(self.workers("list", "-json").stdout)
        self.assertEqual([(entry["name"], entry["host_type"]) for entry in listed], [("mini-7", "host-a")])
        self.assertIn("already", self.workers("add", "mini-7", code=2).stderr)
        worker = self.farm.start_worker("host-a", name="tokened", token=token)
        keyed = self.farm.start_worker("host-a", name="keyed")
        wait_for(lambda: sorted(self.connected()) == ["keyed", "tokened"], 30, "both workers")
        [build] = self.farm.wait_for_builds(1, 60)
        self.assertEqual(build["result"], "ok")

        self.workers("revoke", "mini-7")
        wait_for(lambda: self.connected() == ["keyed"], 15, "the session to end")
        wait_for(lambda: "invalid build key" in worker.log_text(), 30, "the refusal")
        self.assertIn("no worker", self.workers("revoke", "mini-7", code=1).stderr)
        self.assertIsNone(keyed.process.poll())
        self.assertEqual(json.loads(self.workers("list", "-json").stdout), [])
        for text in (self.farm.log_text(), worker.log_text(), self.farm.get("/api/v1/workers").decode(),
                     self.farm.get(f"/api/v1/builds/{build['id']}/log").decode()):
            self.assertNotIn(token, text)

    def test_a_wrong_command_is_told_the_nearest(self):
        answer = self.farm.run_program("coordinator", "workers", "revok", "x")
        self.assertEqual(answer.returncode, 2)
        self.assertIn('did you mean "workers revoke"?', answer.stderr)
        self.assertIn("coordinator workers add", self.farm.run_program("coordinator", "workers", "-help").stdout)
        self.assertIn("is no worker's name", self.workers("add", "../x", code=2).stderr)

    def test_a_token_for_another_host_type_lets_nobody_in(self):
        token = self.workers("add", "-host-type", "host-b", "mini-8").stdout.strip()
        worker = self.farm.start_worker("host-a", name="wrong", token=token)
        wait_for(lambda: "is for host type host-b" in worker.log_text(), 30, "the refusal")
        self.assertEqual(self.connected(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
