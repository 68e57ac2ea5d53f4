"""examples/ that ask a corpus: what they say of a made-up project of three months is what can be computed from maintq's
tables, and a wrong command line is answered with how it is."""

import collections
import datetime
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from farm import programs

EXAMPLES = pathlib.Path(os.environ["XBUILD_EXAMPLES"])
STEPS = 4000  # of 2,000 seconds
NEVER = float("inf")


def example(*args, expect=0):
    answer = subprocess.run([EXAMPLES / args[0], *args[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            timeout=60, stdin=subprocess.DEVNULL)
    assert answer.returncode == expect, answer
    return answer


def table(*args):
    """Its lines below the heading, without blanks at their ends."""
    return [line.rstrip() for line in example(*args).stdout.splitlines()[1:]]


def ask(log, statement):
    answer = subprocess.run([programs() / "maintq", "-log", log, "-json", "-rows", "1000000", "sql", statement],
                            stdout=subprocess.PIPE, check=True, timeout=60)
    return json.loads(answer.stdout)


def moment(text):
    """Seconds since 1970."""
    whole = re.sub(r"(\.\d+)?Z$", "+00:00", text)
    return int(datetime.datetime.fromisoformat(whole).timestamp())


def day(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d")


def newest_on_github(log):
    return max(moment(row["t"]) for row in ask(
        log, "SELECT max(updated) AS t FROM issues UNION ALL SELECT max(created) FROM events UNION ALL "
             "SELECT max(created) FROM reviews") if row["t"])


def who_reviews(log, host, project):
    """Changes, directory and reviewers of each line."""
    return [tuple(re.split(r"  +", line.strip())) for line in table("who_reviews", log, host, project)]


def reviews_in(log, host, project):
    """The same by SQL, of a log that is younger than a year."""
    messages, directories = {}, collections.defaultdict(set)
    for row in ask(log, "SELECT c.number, f.name, k.message FROM changes c JOIN files f ON f.\"commit\" = c.\"commit\" "
                        f"JOIN commits k ON k.\"commit\" = c.\"commit\" WHERE c.project = '{host}/{project}' "
                        "AND c.status = 'merged'"):
        messages[row["number"]] = row["message"]
        path, slash, _ = row["name"].rpartition("/")
        directories[row["number"]].add(path + slash or "./")
    changes, reviews = collections.Counter(), collections.defaultdict(collections.Counter)
    for number, paths in directories.items():
        people = {person.split(" <")[0] for person in re.findall(r"(?m)^Reviewed-by: *(.*)$", messages[number])}
        for path in paths:
            changes[path] += 1
            reviews[path].update(people)
    expected = []
    for path in sorted(changes, key=lambda path: "" if path == "./" else path):
        best = sorted(reviews[path].items(), key=lambda item: (-item[1], item[0]))[:3]
        expected.append((str(changes[path]), path, ", ".join(f"{who} {n}" for who, n in best)[:70] or "-"))
    return expected


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.log = pathlib.Path(cls.temporary.name) / "log"
        subprocess.run([pathlib.Path(os.environ["XBUILD_BENCH"]) / "maintner_log", cls.log, str(STEPS)], check=True, stdout=subprocess.DEVNULL, timeout=60)

    def test_first_response(self):
        loudest = ask(self.log, "SELECT user, count(*) AS n FROM comments GROUP BY 1 ORDER BY n DESC LIMIT 1")[0]["user"]
        for bots in ((), (loudest,)):
            answers = {}
            for row in ask(self.log, "SELECT c.number, c.user, c.created FROM comments c JOIN issues i USING (repo, number) "
                                     "WHERE c.user <> coalesce(i.user, '')"):
                if row["user"] not in bots:
                    at = moment(row["created"])
                    answers[row["number"]] = min(at, answers.get(row["number"], at))
            months = collections.defaultdict(list)
            for row in ask(self.log, "SELECT number, created FROM issues WHERE repo = 'golang/go' AND NOT pull_request "
                                     "AND created IS NOT NULL"):
                wait = max(answers.get(row["number"], NEVER) - moment(row["created"]), 0)
                months[row["created"][:7]].append(wait)
            rows = [re.split(r"  +", line) for line in table("first_response", self.log, "golang/go", *bots)]
            self.assertEqual([row[0] for row in rows], sorted(months))
            for month, count, unanswered, median, most in rows:
                waits = sorted(months[month])
                self.assertEqual((int(count), int(unanswered)), (len(waits), waits.count(NEVER)))
                self.assertEqual((median, most), (self.duration(waits[-(-len(waits) // 2) - 1]),
                                                  self.duration(waits[-(-len(waits) * 9 // 10) - 1])))

    @staticmethod
    def duration(seconds):
        if seconds == NEVER:
            return "-"
        if seconds < 7200:
            return f"{seconds // 60} min"
        return f"{seconds // 3600} h" if seconds < 48 * 3600 else f"{seconds // 86400} days"

    def test_stuck_reviews(self):
        rows = ask(self.log, "SELECT project, number, subject FROM changes WHERE status = 'new' AND NOT private "
                             "AND NOT work_in_progress")
        names = {row["project"].split("/", 1)[1] + " " + str(row["number"]): row["subject"] for row in rows}
        said = {}
        for row in ask(self.log, "SELECT project, number, max(created) AS t FROM messages GROUP BY 1, 2"):
            said[row["project"].split("/", 1)[1] + " " + str(row["number"])] = moment(row["t"])
        lines = table("stuck_reviews", self.log, "1000000")
        found = [re.fullmatch(r" *(\d+)  (\S+)  (.{20})  (.{20})  (\S+ \d+): (.*)", line) for line in lines]
        self.assertEqual(sorted(match[5] for match in found), sorted(names))
        for match in found:
            self.assertTrue(names[match[5]].startswith(match[6]), match[0])
            self.assertGreaterEqual(match[2], day(said.get(match[5], 0)))
        days = [int(match[1]) for match in found]
        self.assertEqual(days, sorted(days, reverse=True))
        self.assertEqual({match[4].strip() == "owner" for match in found}, {True, False})
        self.assertEqual(table("stuck_reviews", self.log, "3"), lines[:3])

    def test_flaky_issues(self):
        label = ask(self.log, "SELECT label, count(*) AS n FROM issue_labels GROUP BY 1 ORDER BY n DESC LIMIT 1")[0]["label"]
        begin = newest_on_github(self.log) - 90 * 86400
        comments = collections.defaultdict(list)
        for row in ask(self.log, "SELECT number, created FROM comments"):
            comments[row["number"]].append(moment(row["created"]))
        assigned = {row["number"] for row in ask(self.log, "SELECT number FROM issue_assignees")}
        expected = {}
        for row in ask(self.log, f"SELECT number, created FROM issues JOIN issue_labels USING (repo, number) "
                                 f"WHERE label = '{label}' AND state = 'open' AND NOT pull_request"):
            times = comments[row["number"]]
            expected[row["number"]] = (sum(time > begin for time in times), day(max([moment(row["created"]), *times])))
        lines = table("flaky_issues", self.log, "golang/go", label)
        found = [re.fullmatch(r" *(\d+)  (\S+)  (.{16})  (\d+): .*", line) for line in lines]
        self.assertEqual({int(match[4]): (int(match[1]), match[2]) for match in found}, expected)
        self.assertEqual({int(match[4]) for match in found if match[3].strip() != "-"}, assigned & expected.keys())
        order = [(int(match[1]), match[2]) for match in found]
        self.assertEqual(order, sorted(order, reverse=True))

    def test_who_reviews(self):
        expected = reviews_in(self.log, "go.googlesource.com", "p00")
        self.assertGreater(len(expected), 100)
        self.assertEqual(who_reviews(self.log, "go.googlesource.com", "p00"), expected)

    def test_burn_down(self):
        milestone = ask(self.log, "SELECT milestone, count(*) AS n FROM issues WHERE milestone IS NOT NULL "
                                  "GROUP BY 1 ORDER BY n DESC LIMIT 1")[0]["milestone"]
        # Forwards from the beginning, where the program goes backwards from the end.
        happened = collections.defaultdict(list)
        for row in ask(self.log, "SELECT number, type, milestone, created FROM events ORDER BY number, created, id"):
            happened[row["number"]].append((moment(row["created"]), row["type"], row["milestone"]))
        issues = ask(self.log, "SELECT number, created, milestone, state FROM issues WHERE created IS NOT NULL")
        weeks, now = collections.Counter(), newest_on_github(self.log)
        for row in issues:
            begin, events = moment(row["created"]), happened[row["number"]]
            for week in range(now, begin - 1, -7 * 86400):
                within, closed = None, False
                for at, kind, name in events:
                    if at <= week:
                        within = {"milestoned": name, "demilestoned": None}.get(kind, within)
                        closed = {"closed": True, "reopened": False}.get(kind, closed)
                weeks[week] += within == milestone and not closed
        counts = [(day(week), weeks[week]) for week in sorted(weeks)]
        while counts[0][1] == 0:
            counts.pop(0)
        found = [re.split(r"  +", line) for line in table("burn_down", self.log, "golang/go", milestone)]
        self.assertEqual([(row[0], int(row[1])) for row in found], counts)
        self.assertGreater(len(found), 5)
        self.assertEqual(max(len(row[2]) for row in found if len(row) > 2), 60)

    def test_wrong_command_lines(self):
        for program in ("burn_down", "first_response", "flaky_issues", "stuck_reviews", "who_reviews"):
            answer = example(program, expect=2)
            self.assertTrue(answer.stderr.startswith(f"usage: {program} LOG-DIRECTORY"), answer)
            self.assertEqual(answer.stdout, "")
            rest = {"burn_down": ("a/b", "c"), "flaky_issues": ("a/b", "c"), "who_reviews": ("a", "b"),
                    "first_response": ("a/b",), "stuck_reviews": ()}[program]
            self.assertIn("/nothing", example(program, "/nothing", *rest, expect=1).stderr)
            if rest:
                self.assertIn("there is no ", example(program, self.log, *rest, expect=1).stderr)
        for number in ("many", "", "-1", "1x"):
            self.assertIn("usage", example("stuck_reviews", self.log, number, expect=2).stderr)
        self.assertIn("no issue was ever in the milestone x",
                      example("burn_down", self.log, "golang/go", "x", expect=1).stderr)


if __name__ == "__main__":
    unittest.main()
