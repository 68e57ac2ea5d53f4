#!/usr/bin/env python3
"""retrybuilds against a server of the test's own, which answers as a coordinator does and remembers what it was asked."""

import hashlib
import hmac
import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

from farm import programs

MASTER = "the farm's master key"
LOGS = {1: "all well", 2: "step test: assertion failed", 3: "cc: No space left on device", 4: "assertion failed, too"}


def build(number, builder, result, branch="main", state="finished"):
    return {"id": number, "builder": builder, "commit": f"{number:040x}", "repository": "r", "branch": branch,
            "state": state, "result": result}


BUILDS = [build(1, "linux", "ok"), build(2, "linux", "failed"), build(3, "arm", "failed", "release"),
          build(4, "arm", "failed"), build(5, "arm", "none", state="running"), build(6, "linux", "lost")]
LOGS.update({5: "", 6: ""})


class Coordinator(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/api/v1/builds?"):
            self.answer(json.dumps({"builds": BUILDS}).encode())
        else:
            self.answer(LOGS[int(self.path.split("/")[4])].encode())

    def do_POST(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        self.server.asked.append((url.path, query))
        error = self.server.errors.pop(0) if self.server.errors else ""
        self.answer(json.dumps({"Response": None, "Error": error}).encode())

    def log_message(self, *_):
        pass


def key_of(builder):
    return hmac.new(MASTER.encode(), builder.encode(), hashlib.md5).hexdigest()


class RetryBuilds(unittest.TestCase):
    def setUp(self):
        work = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(work.cleanup)
        self.directory = pathlib.Path(work.name)
        (self.directory / "master").write_text(MASTER + "\n")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Coordinator)
        self.server.asked, self.server.errors = [], []
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def run_tool(self, *args, key=("-masterkey", "master")):
        return subprocess.run([programs() / "retrybuilds", "-builder-prefix",
                               f"http://127.0.0.1:{self.server.server_port}", *key, *args], cwd=self.directory,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                              env={**os.environ, "HOME": str(self.directory)})

    def cleared(self):
        return [(query["builder"], int(query["hash"], 16)) for _, query in self.server.asked]

    def test_one_result_is_cleared_by_builder_and_hash_with_the_builders_key(self):
        answer = self.run_tool("-builder", "linux", "-hash", "ab" * 20)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        self.assertEqual(answer.stdout, "linux " + "ab" * 20 + "\n")
        self.assertEqual(self.server.asked, [("/clear-results", {"builder": "linux", "hash": "ab" * 20,
                                                                 "key": key_of("linux")})])

    def test_the_master_key_is_sent_only_where_that_is_wanted_and_a_builders_key_may_be_given(self):
        self.run_tool("-builder", "linux", "-hash", "ab" * 20, "-sendmaster")
        (self.directory / "key").write_text("c0ffee\n")
        self.run_tool("-builder", "linux", "-hash", "ab" * 20, key=("-key", "key"))
        self.assertEqual([query["key"] for _, query in self.server.asked], [MASTER, "c0ffee"])

    def test_failures_are_chosen_by_builder_log_and_flakiness(self):
        for args, expected in ((("-builder", "linux"), [("linux", 2), ("linux", 6)]),
                               (("-substr", "assertion failed"), [("linux", 2), ("arm", 4)]),
                               (("-substr", "assertion failed", "-builder", "arm"), [("arm", 4)]),
                               (("-hash", f"{3:040x}"), [("arm", 3)]),
                               (("-redo-flaky",), [("arm", 3), ("linux", 6)]),
                               (("-redo-flaky", "-branch", "release"), [("arm", 3)]),
                               (("-substr", "nowhere"), [])):
            self.server.asked.clear()
            answer = self.run_tool(*args)
            self.assertEqual(answer.returncode, 0, answer.stderr)
            self.assertEqual(self.cleared(), expected, args)
            self.assertEqual(len(answer.stdout.splitlines()), len(expected))

    def test_a_dry_run_clears_nothing(self):
        answer = self.run_tool("-builder", "arm", "-dry-run")
        self.assertEqual(len(answer.stdout.splitlines()), 2)
        self.assertEqual(self.server.asked, [])

    def test_a_refusal_is_told_and_a_passing_trouble_is_waited_for(self):
        self.server.errors = ["datastore: concurrent transaction", 'invalid key for builder "arm"']
        answer = self.run_tool("-builder", "arm")
        self.assertEqual(answer.returncode, 1)
        self.assertIn('invalid key for builder "arm"', answer.stderr)
        self.assertNotIn(key_of("arm"), answer.stderr + answer.stdout)
        self.assertEqual(self.cleared(), [("arm", 3), ("arm", 3), ("arm", 4)])
        self.assertEqual(len(answer.stdout.splitlines()), 1)

    def test_what_cannot_be_meant_is_refused_with_2(self):
        for args in ((), ("-loghash", "ab"), ("-grpc-host", "h"), ("-dry-run",), ("-bulider", "x")):
            self.assertEqual(self.run_tool(*args).returncode, 2, args)
        self.assertEqual(self.run_tool("-substr", "x", key=("-key", "master")).returncode, 2)

    def test_a_coordinator_that_is_not_there_is_named(self):
        self.server.shutdown()
        self.server.server_close()
        answer = self.run_tool("-builder", "linux")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("127.0.0.1", answer.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
