"""Text that commits and builds bring along does nothing: not in a page, not in JSON, not in a stream, not in a terminal."""

import json
import pathlib
import re
import subprocess
import tempfile
import unittest
import urllib.request

from farm import Farm, make_repository, git, programs, wait_for

BIDI = "\u202e\u2066"
HOSTILE = f"<script>alert('x')</script>\x1b]0;owned\x07\x1b[2J{BIDI}\u200b&\"'"
# What must not be in anything that a browser or a terminal gets: markup, terminal sequences, NUL, turned text, broken UTF-8.
RAW = [b"<script>alert", b"\x1b", b"\x07", b"\x00", *(c.encode() for c in BIDI + "\u200b")]

STEP = r"""
printf '<script>alert(1)</script>\033]0;owned\007\033[2J\342\200\256\342\201\246\000\377\303 end\n'
head -c 100000000 /dev/zero | tr '\0' x
printf '\n'
exit 3
"""


class HostileText(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        self.repository = make_repository(self.directory / "repository")
        (self.repository / "a").write_text("1")
        git(self.repository, "add", "-A")
        git(self.repository, "commit", "-q", "-m", HOSTILE, "--author", f"Mia \x1b[31m script {BIDI} <a@example.org>")

    def farm(self):
        repository = {"name": "demo", "url": str(self.repository), "steps": [["print", STEP]]}
        return Farm(programs(), self.directory / "farm", [repository], [{"name": "one", "host_type": "host-a"}])

    def check_harmless(self, what, body):
        for raw in RAW:
            self.assertNotIn(raw, body, f"{raw!r} in {what}: {body[max(0, body.find(raw) - 60):body.find(raw) + 60]!r}")
        body.decode()  # raises if it is not UTF-8

    def test_nothing_comes_through_raw(self):
        with self.farm() as farm:
            farm.start_worker("host-a", name="worker-1")
            build = farm.wait_for_builds(1, 120)[0]
            self.assertEqual(build["result"], "failed")
            details = farm.api(f"/builds/{build['id']}")
            self.assertIn("<script>alert('x')</script>", details["commit_details"]["subject"])
            run = next(step["run"] for step in details["steps"] if step["name"] == "print")

            pages = {"/", f"/build/{build['id']}", "/api/v1/status", "/api/v1/commits", "/api/v1/builds", "/api/v1/workers",
                     f"/api/v1/builds/{build['id']}", "/metrics", "/readyz", "/login?next=" + "%3Cscript%3Ealert%1b"}
            for page in sorted(pages):
                self.check_harmless(page, farm.get(page))
            # What the pages link to, too.
            for page in ("/", f"/build/{build['id']}"):
                for link in set(re.findall(rb'href="(/[^"#]*)"', farm.get(page))):
                    path = link.decode().replace("&amp;", "&")
                    with urllib.request.urlopen(f"http://{farm.ready['http']}{path}", timeout=60) as answer:
                        kind, body = answer.headers["Content-Type"], answer.read()
                        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff", path)
                    if not kind.startswith("text/plain"):
                        self.check_harmless(path, body)
            self.assertLess(len(farm.get(f"/build/{build['id']}")), 2_000_000, "a page with a line of 100 MB")

            for path in (f"/api/v1/builds/{build['id']}/events", f"/api/v1/runs/{run}/events"):
                stream = subprocess.run(["curl", "-sN", f"http://{farm.ready['http']}{path}"], stdout=subprocess.PIPE,
                                        check=True, timeout=120).stdout
                self.check_harmless(path, stream[:1_000_000])
                lengths = [json.loads(line[6:])["length"] for line in stream.split(b"\n")
                           if line.startswith(b"data: ") and b'"length"' in line[:300]]
                log = farm.get(f"/api/v1/runs/{run}/log")
                self.assertGreaterEqual(sum(lengths), len(log))
            self.assertIn(b"\x1b]0;owned\x07", log, "the log itself is what was printed")
            self.assertEqual(len(log.split(b"\n")[1]), 100_000_000)

    def test_what_the_coordinator_prints_is_harmless_in_a_terminal(self):
        with self.farm() as farm:
            farm.start_worker("host-a", name="worker-1")
            farm.wait_for_builds(1, 120)
            farm.stop_coordinator()
            self.check_harmless("the coordinator's log", (farm.directory / "coordinator.log").read_bytes())
            table = subprocess.run([programs() / "coordinator", "-config", farm.config, "-until-idle"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=farm.directory, timeout=60)
            self.check_harmless("its log", table.stderr)
            self.check_harmless("the table", table.stdout.replace(b"<script>alert", b""))
            self.assertIn(b"failed", table.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
