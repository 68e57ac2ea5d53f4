"""maintlog dump-corpus beside what the original's corpus holds of the same logs (golden data)."""

import gzip
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from farm import programs

GOLDEN = os.environ.get("XBUILD_GOLDEN")


def dump(directory, *flags):
    answer = subprocess.run([programs() / "maintlog", "dump-corpus", "-compat", *flags, directory],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    return json.loads(answer.stdout), answer.stderr


class GoldenCorpus(unittest.TestCase):
    maxDiff = 4000

    def assert_same(self, ours, theirs, place=""):
        """As assertEqual, but what differs is named, not all that it stands in."""
        if isinstance(theirs, dict) and isinstance(ours, dict):
            self.assertEqual(sorted(ours), sorted(theirs), place)
            for key in theirs:
                self.assert_same(ours[key], theirs[key], f"{place}.{key}")
        elif isinstance(theirs, list) and isinstance(ours, list):
            self.assertEqual(len(ours), len(theirs), place)
            for index, (a, b) in enumerate(zip(ours, theirs)):
                self.assert_same(a, b, f"{place}[{index}]")
        else:
            self.assertEqual(ours, theirs, place)

    def test_small(self):
        directory = pathlib.Path(GOLDEN, "maintner-small")
        expected = json.loads((directory / "expected.json").read_text())
        del expected["maintapi"]
        flags = []
        for lookup in expected["commitLookups"]:
            flags += ["-commit", lookup["query"]]
        for question in expected["hasAncestor"]:
            flags += ["-ancestor", f"{question['commit']},{question['ancestor']}"]
        for threads in ("1", "8"):
            with self.subTest(threads=threads):
                ours, complaints = dump(directory, "-threads", threads, *flags)
                self.assert_same(ours, expected)
                # One commit with a bad hash is in it on purpose.
                self.assertEqual(len(complaints.splitlines()), 1, complaints)
                self.assertIn("maintner-2021-02-01.mutlog: record at offset 177912: a commit's hash", complaints)

    def test_real_history(self):
        golden = pathlib.Path(GOLDEN, "maintner-sync")
        expected = json.loads((golden / "expected.json").read_text())
        with tempfile.TemporaryDirectory(prefix="xbuild-test.") as name:
            directory = pathlib.Path(name)
            for packed in golden.glob("*.mutlog.gz"):
                with gzip.open(packed) as file, open(directory / packed.stem, "wb") as log:
                    shutil.copyfileobj(file, log)
            ours, complaints = dump(directory)
        self.assertEqual(complaints, "")
        commits = ours["git"].pop("commits")
        rows = [row_of(commit) for commit in commits]
        with gzip.open(golden / "commits.tsv.gz", "rt") as file:
            self.assert_same(rows, [line.rstrip("\n") for line in file])
        self.assertEqual(len(rows), 4921)
        for key in ("check", "git", "gerrit", "github"):
            self.assert_same(ours[key], expected[key], key)


def row_of(commit):
    files = commit["files"]
    names = hashlib.sha1("\n".join(file[0] for file in files).encode()).hexdigest()
    return "\t".join(map(str, (
        commit["hash"], commit["tree"], ",".join(commit["parents"]) or "-", commit["author"], commit["authorTime"],
        commit["committer"], commit["commitTime"], commit["msg"]["len"], commit["msg"]["sha1"], len(files),
        sum(file[1] for file in files), sum(file[2] for file in files), sum(file[3] for file in files), names,
        commit.get("reviewer", "-"))))


if __name__ == "__main__":
    if not GOLDEN:
        print("golden_corpus: skipped: XBUILD_GOLDEN does not say where the golden data is", file=sys.stderr)
        sys.exit(77)
    unittest.main()
