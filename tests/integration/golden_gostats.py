"""gostats: counts and charts of a log that the original wrote (golden data)."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

from farm import programs

GOLDEN = os.environ.get("XBUILD_GOLDEN")


def gostats(*args, expect=0):
    answer = subprocess.run([programs() / "gostats", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            timeout=30, stdin=subprocess.DEVNULL)
    assert answer.returncode == expect, answer
    return answer


def small():
    return pathlib.Path(GOLDEN, "maintner-small")


class Gostats(unittest.TestCase):
    def test_counts(self):
        expected = json.loads((small() / "expected.json").read_text())
        repo = next(repo for repo in expected["github"]["repos"] if repo["id"] == "golang/go")
        answer = gostats(small())
        self.assertIn("1 things in the log could not be used", answer.stderr)
        golang = answer.stdout.partition("golang/go\n")[2]
        counts = {name: int(count) for count, name in re.findall(r"^ +(\d+)  (.*)$", golang, re.MULTILINE)[:5]}
        self.assertEqual(counts["open issues"] + counts["closed issues"] + counts["pull requests"],
                         sum(not issue["notExist"] for issue in repo["issues"]))
        self.assertRegex(answer.stdout, r"(?m)^ +592  commits$")
        self.assertRegex(answer.stdout, r"(?m)^ +49  GitHub users$")

    def test_over_time(self):
        lines = gostats("-over-time", "comments", small()).stdout.splitlines()
        self.assertTrue(lines)
        self.assertEqual(sum(int(line.split()[1]) for line in lines), 208)
        self.assertTrue(all(re.fullmatch(r"\d{4}-\d\d +\d+(  #+)?", line) for line in lines), lines)
        months = [line.split()[0] for line in gostats("-over-time", "commits", small()).stdout.splitlines()]
        years = [int(month[:4]) * 12 + int(month[5:]) for month in months]
        self.assertEqual(years, list(range(years[0], years[-1] + 1)), "a month is missing")

    def test_a_picture(self):
        with tempfile.TemporaryDirectory(prefix="xbuild-test.") as name:
            picture = pathlib.Path(name, "commits.svg")
            gostats("-over-time", "commits", "-svg", picture, small())
            root = xml.etree.ElementTree.parse(picture).getroot()
            self.assertGreater(len(root.findall("{http://www.w3.org/2000/svg}rect")), 10)
            failed = gostats("-over-time", "commits", "-svg", pathlib.Path(name, "no", "picture"), small(), expect=1)
            self.assertIn("cannot write", failed.stderr)

    def test_modified_files(self):
        lines = gostats("-modified-files", "3", small()).stdout.splitlines()
        self.assertEqual(len(lines), 3)
        counts = [int(line[:6]) for line in lines]
        self.assertEqual(counts, sorted(counts, reverse=True))

    def test_what_is_wrong_is_said(self):
        self.assertIn("nothing", gostats("/nothing", expect=1).stderr)
        gostats("-svg", "x", small(), expect=2)
        gostats("-over-time", "issue", small(), expect=2)
        self.assertIn("Loaded data in ", gostats("-time-load", small()).stderr)


if __name__ == "__main__":
    if not GOLDEN:
        print("golden_gostats: skipped: XBUILD_GOLDEN does not say where the golden data is", file=sys.stderr)
        sys.exit(77)
    unittest.main()
