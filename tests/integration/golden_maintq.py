"""maintq: answers about a log that the original wrote (golden data), in each form, and what goes wrong."""

import collections
import csv
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from farm import programs, wait_for

GOLDEN = os.environ.get("XBUILD_GOLDEN")


def maintq(*args, expect=0):
    answer = subprocess.run([programs() / "maintq", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            timeout=60, stdin=subprocess.DEVNULL)
    assert answer.returncode == expect, answer
    return answer


def small():
    return pathlib.Path(GOLDEN, "maintner-small")


def expected():
    return json.loads((small() / "expected.json").read_text())


def ask(statement, *args):
    return json.loads(maintq("-log", small(), "-json", *args, "sql", statement).stdout)


class Maintq(unittest.TestCase):
    def test_issues_by_state(self):
        counts = collections.Counter()
        for repo in expected()["github"]["repos"]:
            for issue in repo["issues"]:
                if not issue["notExist"]:
                    counts["closed" if issue["closed"] else "open"] += 1
        answer = ask("SELECT state, count(*) AS n FROM issues GROUP BY state")
        self.assertEqual({row["state"]: row["n"] for row in answer}, counts)

    def test_titles_and_comments(self):
        titles, comments = {}, 0
        for repo in expected()["github"]["repos"]:
            for issue in repo["issues"]:
                if not issue["notExist"]:
                    titles[repo["id"], issue["number"]] = issue["title"]
                    comments += len(issue["comments"])
        answer = ask("SELECT repo, number, title FROM issues")
        self.assertEqual({(row["repo"], row["number"]): row["title"] for row in answer}, titles)
        self.assertEqual(ask("SELECT count(*) AS n FROM comments"), [{"n": comments}])

    def test_forms(self):
        statement = "SELECT number, title FROM issues WHERE repo = 'golang/go' AND number <= 3"
        rows = ask(statement)
        self.assertTrue(rows)
        text = subprocess.run([programs() / "maintq", "-log", small(), "-csv", "sql", statement], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True).stdout.decode()
        table = list(csv.DictReader(io.StringIO(text, newline="")))
        self.assertEqual([(int(row["number"]), row["title"]) for row in table],
                         [(row["number"], row["title"]) for row in rows])
        lines = maintq("-log", small(), "sql", statement).stdout.splitlines()
        self.assertEqual(lines[0], "number  title")
        self.assertEqual(len(lines), 2 + len(rows))
        self.assertEqual(maintq("-log", small(), "-json", "sql", "SELECT 1 WHERE 0").stdout, "[]\n")
        self.assertEqual(maintq("-log", small(), "sql", "SELECT 'a' || char(27) || 'b' AS x").stdout, "x\n---\na?b\n")

    def test_refs_and_ancestors(self):
        refs = ask("SELECT * FROM refs LIMIT 1")
        if refs:
            self.assertEqual(maintq("-log", small(), "get-ref", refs[0]["project"], refs[0]["name"]).stdout,
                             refs[0]["commit"] + "\n")
        self.assertIn("there is no project none", maintq("-log", small(), "get-ref", "none", "x", expect=1).stderr)
        commit = ask("SELECT \"commit\" AS c FROM commits LIMIT 1")[0]["c"]
        self.assertEqual(maintq("-log", small(), "has-ancestor", commit, commit).stdout, "no\n")
        self.assertIn("there is no commit", maintq("-log", small(), "has-ancestor", commit, "x", expect=1).stderr)

    def test_questions_that_have_names(self):
        def rows(*args):
            return json.loads(maintq("-log", small(), "-json", *args).stdout)

        repos = {row["name"]: row["all"] for row in rows("repos") if row["kind"] == "issues"}
        self.assertEqual(repos, {repo["id"]: sum(not issue["notExist"] for issue in repo["issues"])
                                 for repo in expected()["github"]["repos"]})
        label = ask("SELECT label, count(*) AS n FROM issue_labels WHERE repo = 'golang/go' GROUP BY 1 ORDER BY n DESC")[0]
        found = rows("-state", "all", "-label", label["label"], "issues", "golang/go")
        self.assertEqual(len(found), label["n"])
        self.assertTrue(all(label["label"] in row["labels"].split(", ") for row in found))
        self.assertEqual(len(rows("-state", "all", "-limit", "3", "issues")), 3)
        timeline = rows("issue", "golang/go", "1")
        self.assertEqual(timeline[0]["what"], "opened")
        self.assertEqual(timeline[1:], sorted(timeline[1:], key=lambda row: row["time"]))
        self.assertEqual([row["text"] for row in timeline if row["what"] == "commented"],
                         [row["body"] for row in ask("SELECT body FROM comments WHERE repo = 'golang/go' AND number = 1")])
        then, = rows("-as-of", "2021-02-01T09:00:00Z", "issue", "golang/go", "1")
        self.assertEqual(then["state"], "open")
        changes = rows("-status", "all", "changes")
        self.assertEqual(len(changes), ask("SELECT count(*) AS n FROM changes WHERE NOT private")[0]["n"])
        reviewer = ask("SELECT name, count(*) AS n FROM reviewers r JOIN changes c USING (project, number) WHERE NOT "
                       "c.private GROUP BY 1 ORDER BY n DESC")[0]
        self.assertEqual(len(rows("-status", "all", "-reviewer", reviewer["name"], "changes")), reviewer["n"])
        commits = rows("-since", "2020-01-01", "-until", "2021-01-01", "commits")
        self.assertEqual(len(commits), ask("SELECT count(*) AS n FROM commits WHERE committed LIKE '2020-%'")[0]["n"])
        self.assertEqual(commits, sorted(commits, key=lambda row: row["committed"], reverse=True))
        hits = rows("-kind", "comment", "-limit", "1000", "search", "FIX")
        self.assertEqual(len(hits), ask("SELECT count(*) AS n FROM comments WHERE body LIKE '%fix%'")[0]["n"])
        self.assertTrue(hits)

    def test_what_goes_wrong(self):
        for args, code, text in (
                (("sql", "SELECT x FROM issues"), 1, "no such column: x"),
                (("sql", "DROP TABLE issues"), 1, "tables can be read, and nothing else"),
                (("-rows", "2", "sql", "SELECT * FROM issues"), 1, "it has more than 2 rows"),
                (("-memory", "16", "-time", "1m", "sql", "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
                  "SELECT count(*) FROM (SELECT x FROM c ORDER BY hex(x))"), 1, "it takes more memory than it may"),
                (("ask", "x"), 2, '"ask" is no question'),
                (("sql",), 2, "it is: maintq sql STATEMENT"),
                (("issues", "none/none"), 1, "there is no repository none/none"),
                (("issue", "golang/go", "x"), 2, '"x" is no issue\'s number'),
                (("issue", "golang/go", "99999"), 1, "there is no issue golang/go#99999"),
                (("-since", "yesterday", "commits"), 2, '-since: "yesterday" is no time'),
                (("-label", "x", "changes"), 2, "-label does not go with changes"),
                (("-kind", "x", "search", "y"), 2, "-kind: there are title"),
                (("search", "x" * 2000), 1, "has more than 1000 bytes"),
                (("search", ""), 1, "there is no text to search for"),
                (("-json", "-csv", "sql", "SELECT 1"), 2, "exclude each other")):
            self.assertIn(text, maintq("-log", small(), *args, expect=code).stderr)
        self.assertIn("/nothing", maintq("-log", "/nothing", "sql", "SELECT 1", expect=1).stderr)

    def test_of_a_server(self):
        with tempfile.TemporaryDirectory(prefix="xbuild-test.") as name:
            ready = pathlib.Path(name, "ready")
            server = subprocess.Popen([programs() / "maintnerd", "-data-dir", pathlib.Path(name, "segments"), "-log",
                                       small(), "-listen-http", "127.0.0.1:0", "-ready-file", ready],
                                      stderr=subprocess.DEVNULL)
            try:
                wait_for(ready.exists, 20, "maintnerd")
                url = ready.read_text().strip().removeprefix("url=")
                answer = maintq("-server", url, "-cache", pathlib.Path(name, "cache"), "-json", "sql",
                                "SELECT state, count(*) AS n FROM issues GROUP BY state")
            finally:
                server.kill()
                server.wait()
            self.assertEqual(json.loads(answer.stdout), ask("SELECT state, count(*) AS n FROM issues GROUP BY state"))


if __name__ == "__main__":
    if not GOLDEN:
        print("golden_maintq: skipped: XBUILD_GOLDEN does not say where the golden data is", file=sys.stderr)
        sys.exit(77)
    unittest.main()
