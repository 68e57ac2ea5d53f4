"""People cancel and retry builds that real workers run: by a build page's form, and by the API."""

import http.client
import pathlib
import re
import tempfile
import unittest

from farm import Farm, commit, make_repository, programs, wait_for

# Says who runs, and goes on until it may end; the process that waits is a child of the shell, and ignores SIGTERM.
STEP = r'''
echo "begun $XBUILD_COMMIT"
(trap '' TERM; until [ -e {go} ]; do sleep 0.05; done) &
echo $! > {pids}/$XBUILD_COMMIT.$$
wait
test -e {go}
'''


class FarmControl(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        self.repository = make_repository(self.directory / "repository")
        self.go, self.pids = self.directory / "go", self.directory / "pids"
        self.pids.mkdir()
        self.first = commit(self.repository, {"a": "1"}, "one")
        step = STEP.replace("{go}", str(self.go)).replace("{pids}", str(self.pids))
        repository = {"name": "demo", "url": str(self.repository), "steps": [["hold", step]]}
        self.farm = self.enterContext(Farm(programs(), self.directory / "farm", [repository],
                                           [{"name": "one", "host_type": "host-a"}]))
        self.addCleanup(self.go.touch)
        self.admin = pathlib.Path(self.farm.ready["admin_token_file"]).read_text().strip()
        self.farm.start_worker("host-a")

    def ask(self, method, path, body=None, **fields):
        """Status, fields and body; nothing is followed."""
        connection = http.client.HTTPConnection(self.farm.ready["http"], timeout=20)
        self.addCleanup(connection.close)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in fields.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()

    def sign_in(self):
        _, fields, _ = self.ask("POST", "/login", f"token={self.admin}",
                                Content_Type="application/x-www-form-urlencoded")
        return fields["Set-Cookie"].split(";")[0]

    def press(self, build, button):
        """Presses the one button that the build's page has, as a browser would that signed in."""
        cookie = self.sign_in()
        _, _, page = self.ask("GET", f"/build/{build}", Cookie=cookie)
        forms = re.findall(r'<form [^>]*method="post" action="([^"]*)"', page)
        self.assertEqual(forms, [f"/build/{build}/{button}"])
        status, fields, _ = self.ask("POST", forms[0], "", Cookie=cookie, Origin=f"http://{self.farm.ready['http']}",
                                     Content_Type="application/x-www-form-urlencoded")
        self.assertEqual((status, fields["Location"]), (303, f"/build/{build}"))

    def act(self, build, action):
        return self.ask("POST", f"/api/v1/builds/{build}/{action}", Authorization=f"Bearer {self.admin}")

    def build(self, number):
        return self.farm.api(f"/builds/{number}")

    def wait_for_state(self, number, state, attempts=None):
        def reached():
            build = self.farm.try_api(f"/builds/{number}")
            right = build and build["state"] == state and (attempts is None or build["attempt_count"] == attempts)
            return build if right else None
        return wait_for(reached, 30, f"build {number} to be {state}")

    def held(self, commit_hash):
        """The processes that steps of this commit left waiting, of every attempt that printed."""
        return [int(path.read_text()) for path in self.pids.glob(commit_hash + ".*") if path.read_text().strip()]

    @staticmethod
    def alive(pid):
        status = pathlib.Path(f"/proc/{pid}/status")
        try:
            return "State:\tZ" not in status.read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False

    def cancel_and_look(self, cancel):
        """Cancels build 1 while it runs and build 2 waits; returns build 1."""
        self.wait_for_state(1, "running")
        old = wait_for(lambda: self.held(self.first), 30, "the step to run")
        second = commit(self.repository, {"a": "2"}, "two")
        self.wait_for_state(2, "waiting")
        cancel()
        # Build 2 runs on the only worker: from then on nothing of build 1 may.
        wait_for(lambda: self.held(second), 30, "the next build to run")
        self.assertEqual([pid for pid in old if self.alive(pid)], [], "processes of the cancelled build")
        build = self.build(1)
        self.assertEqual((build["state"], build["result"], build["why"]), ("finished", "cancelled", "cancelled by admin"))
        self.assertEqual([a["outcome"] for a in build["attempts"]], ["cancelled"])
        return build

    def retry_and_look(self, retry):
        retry()
        self.wait_for_state(1, "waiting")
        self.go.touch()
        self.wait_for_state(2, "finished")
        build = self.wait_for_state(1, "finished", attempts=2)
        self.assertEqual(build["result"], "ok")
        self.assertEqual([(a["number"], a["outcome"]) for a in build["attempts"]], [(1, "cancelled"), (2, "ok")])
        self.assertEqual(self.build(2)["result"], "ok")
        for attempt in (1, 2):
            run = next(s["run"] for s in build["steps"] if s["name"] == "hold" and s["attempt"] == attempt)
            self.assertEqual(self.farm.get(f"/api/v1/runs/{run}/log"), f"begun {self.first}\n".encode())

    def test_by_the_forms_of_its_page(self):
        self.cancel_and_look(lambda: self.press(1, "cancel"))
        self.retry_and_look(lambda: self.press(1, "retry"))
        self.assertIn("Earlier results", self.farm.get("/build/1").decode())

    def test_by_the_api_with_the_admin_token(self):
        def act(action):
            status, _, body = self.act(1, action)
            self.assertEqual(status, 200, body)
        self.cancel_and_look(lambda: act("cancel"))
        self.assertEqual(self.act(1, "cancel")[0], 409)
        self.assertEqual(self.act(2, "retry")[0], 409)
        self.assertEqual(self.act(99, "retry")[0], 404)
        self.retry_and_look(lambda: act("retry"))

    def test_a_build_that_waits_is_cancelled_and_never_runs(self):
        self.wait_for_state(1, "running")
        second = commit(self.repository, {"a": "2"}, "two")
        self.wait_for_state(2, "waiting")
        self.press(2, "cancel")
        build = self.build(2)
        self.assertEqual((build["result"], build["attempts"]), ("cancelled", []))
        self.go.touch()
        self.wait_for_state(1, "finished")
        third = commit(self.repository, {"a": "3"}, "three")
        self.assertEqual(self.wait_for_state(3, "finished")["result"], "ok")
        self.assertTrue(self.held(third))
        self.assertEqual(self.held(second), [])

    def test_a_build_that_is_cancelled_and_retried_at_once_does_not_meet_its_last_attempt(self):
        self.wait_for_state(1, "running")
        old = wait_for(lambda: self.held(self.first), 30, "the step to run")
        self.assertEqual(self.act(1, "cancel")[0], 200)
        self.assertEqual(self.act(1, "retry")[0], 200)
        wait_for(lambda: len(self.held(self.first)) == 2, 30, "the second attempt")
        self.assertEqual([pid for pid in old if self.alive(pid)], [])
        self.go.touch()
        self.assertEqual(self.wait_for_state(1, "finished", attempts=2)["result"], "ok")


if __name__ == "__main__":
    unittest.main(verbosity=2)
