"""examples/ that ask a corpus, of logs that the original wrote (golden data): to the letter, and by SQL."""

import gzip
import os
import pathlib
import sys
import tempfile
import unittest

GOLDEN = os.environ.get("XBUILD_GOLDEN")
if not GOLDEN:
    print("golden_examples: skipped: XBUILD_GOLDEN does not say where the golden data is", file=sys.stderr)
    sys.exit(77)

from examples import example, reviews_in, who_reviews  # noqa: E402

SMALL = pathlib.Path(GOLDEN, "maintner-small")


class GoldenExamples(unittest.TestCase):
    def expect(self, text, program, *args):
        said = example(program, SMALL, *args).stdout.splitlines()
        self.assertEqual([line.rstrip() for line in said], text.strip("\n").splitlines())

    def test_first_response(self):
        self.expect("""
month    issues  unanswered     median        90%
2021-02      52           6     71 min          -
""", "first_response", "golang/go")

    def test_stuck_reviews(self):
        self.expect("""
 days  since       last                  turn                  change
    3  2021-01-10  Gerrit User 6365      owner                 build 1002: go.tools/dashboard/app: send log hash to gobot on
    2  2021-01-11  Gerrit User 6365      owner                 build 1009: dashboard: database updater for performance dashbo
    2  2021-01-11  Server                nobody is asked       build 1010: dashboard: server app UI changes for performance d
    2  2021-01-11  Gerrit User 5065      nobody is asked       build 1011: dashboard: database updater for performance dashbo
    1  2021-01-11  Gerrit User 22445     Carlos Amedee         net 2015: dashboard: quote metacharacters when searching for
""", "stuck_reviews", "5")

    def test_flaky_issues(self):
        self.expect("""
in 90 days  newest      assignee          issue
         6  2021-02-02  -                 45: version: add go1.10beta1
""", "flaky_issues", "golang/go", "Builders")
        self.expect("""
in 90 days  newest      assignee          issue
         5  2021-02-02  -                 38: cmd/buildlet: use tmpfs workdir if flag value is unspecified
         4  2021-02-02  -                 70: devapp/owners, internal/gophers: update Dmitri's email, add
         4  2021-02-02  -                 40: cmd/buildlet: make fresh TMPDIR and clean it on Joyent Solar
         2  2021-02-02  -                 30: dashboard: undo ios builder split
""", "flaky_issues", "golang/go", "build")

    def test_burn_down(self):
        self.expect("""
week of      open
2021-02-02      0
""", "burn_down", "golang/go", "Go1.16")

    def test_who_reviews(self):
        self.expect("""
changes  directory                       reviewers
      1  builder/                        Ian Lance Taylor 1
""", "who_reviews", "go.googlesource.com", "build")
        with tempfile.TemporaryDirectory(prefix="xbuild-test.") as log:
            for packed in pathlib.Path(GOLDEN, "maintner-sync").glob("*.mutlog.gz"):
                pathlib.Path(log, packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
            expected = reviews_in(log, "go.googlesource.com", "build")
            self.assertEqual(who_reviews(log, "go.googlesource.com", "build"), expected)
            self.assertIn(("5", "internal/task/", "Dmitri Shuralyov 5, Alex Putman 1, Carlos Amedee 1"), expected)


if __name__ == "__main__":
    unittest.main()
