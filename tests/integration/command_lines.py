"""What people meet first: help, versions, wrong flags, wrong configuration."""

import pathlib
import subprocess
import tempfile
import unittest

from farm import programs

TOOLS = ("coordinator", "buildlet", "genbuilderkey", "gostats", "maintlog", "maintnerd", "maintq", "maintserve",
         "maintwatch", "retrybuilds")
GOOD = """\
[coordinator]
listen = "127.0.0.1:0"
state_dir = "state"
[[builder]]
name = "one"
host_type = "host-a"
[[repository]]
name = "demo"
url = "/srv/demo"
[[repository.step]]
name = "test"
command = "make check"
"""


def run(tool, *args):
    return subprocess.run([programs() / tool, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=20, stdin=subprocess.DEVNULL)


class CommandLines(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.config = pathlib.Path(self.temporary.name) / "farm.toml"

    def test_help_has_an_example_and_ends_with_0(self):
        for tool in TOOLS:
            for flag in ("-help", "--help", "-h"):
                answer = run(tool, flag)
                self.assertEqual(answer.returncode, 0, tool)
                self.assertIn(f"Examples:\n  {tool} ", answer.stdout)
                self.assertEqual(answer.stderr, "")

    def test_an_unknown_flag_suggests_the_nearest_and_ends_with_2(self):
        for tool, wrong, right in (("coordinator", "-conifg", "-config"), ("buildlet", "--reverse-typ", "-reverse-type"),
                                   ("genbuilderkey", "-master-key", "-master-key-file")):
            answer = run(tool, wrong, "x")
            self.assertEqual(answer.returncode, 2, tool)
            self.assertIn(right, answer.stderr)
            self.assertEqual(answer.stdout, "")

    def test_check_config_accepts_a_good_file_and_names_the_line_of_a_bad_one(self):
        self.config.write_text(GOOD)
        answer = run("coordinator", "-config", self.config, "-check-config")
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        self.config.write_text(GOOD.replace("host_type", "host_tipe"))
        answer = run("coordinator", "-config", self.config, "-check-config")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("farm.toml:6:", answer.stderr)
        self.assertIn("host_type", answer.stderr)
        self.assertFalse((self.config.parent / "state").exists(), "checking makes nothing")

    def test_urls_that_would_run_something_are_refused(self):
        for url in ("ext::sh -c id", "--upload-pack=id", "gopher://x/y"):
            self.config.write_text(GOOD.replace("/srv/demo", url))
            answer = run("coordinator", "-config", self.config, "-check-config")
            self.assertEqual(answer.returncode, 1, url)
            self.assertIn("demo", answer.stderr)

    def test_a_missing_file_is_named(self):
        answer = run("coordinator", "-config", "/nonexistent/farm.toml")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("/nonexistent/farm.toml", answer.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
