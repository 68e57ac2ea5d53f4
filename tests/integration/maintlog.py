"""maintlog: reading, printing and repairing logs."""

import fcntl
import json
import pathlib
import subprocess
import tempfile
import unittest

from farm import programs

LABELS = bytes.fromhex("1a0c0a06676f6c616e671202676f")  # github: owner golang, repo go
TOMBSTONE = bytes.fromhex("0a100a06676f6c616e671202676f18036801")  # github_issue: golang, go, 3, not_exist


def log_of(*payloads):
    log = b""
    for payload in payloads:
        log += b"REC@%x+%x=%s" % (len(log), len(payload), payload)
    return log


def maintlog(*args):
    return subprocess.run([programs() / "maintlog", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=30, stdin=subprocess.DEVNULL)


class Maintlog(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        self.first = self.directory / "maintner-2021-02-01.mutlog"
        self.second = self.directory / "maintner-2021-02-02.mutlog"
        self.first.write_bytes(log_of(LABELS, b""))
        self.second.write_bytes(log_of(TOMBSTONE))
        (self.directory / "notes").write_text("no log")

    def test_a_good_log_is_counted_file_by_file(self):
        answer = maintlog("verify", self.directory)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        self.assertEqual(answer.stdout, f"{self.first}: 2 mutations, 31 bytes\n{self.second}: 1 mutations, 27 bytes\n"
                                        "2 files: 3 mutations, 58 bytes\n")

    def test_mutations_are_printed_as_json(self):
        answer = maintlog("dump", self.directory)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        lines = [json.loads(line) for line in answer.stdout.splitlines()]
        self.assertEqual(lines, [
            {"file": self.first.name, "offset": 0, "mutation": {"github": {"owner": "golang", "repo": "go"}}},
            {"file": self.first.name, "offset": 22, "mutation": {}},
            {"file": self.second.name, "offset": 0,
             "mutation": {"github_issue": {"owner": "golang", "repo": "go", "number": 3, "not_exist": True}}},
        ])

    def test_a_bad_mutation_is_named_and_what_follows_it_is_read(self):
        self.first.write_bytes(log_of(b"\x0a\x05x", LABELS))
        for command in ("verify", "dump"):
            answer = maintlog(command, self.first)
            self.assertEqual(answer.returncode, 1)
            self.assertIn(f"{self.first}: record at offset 0: no Mutation: ", answer.stderr)
        self.assertIn('"owner":"golang"', answer.stdout)

    def test_the_corpus_is_printed_also_from_a_snapshot(self):
        answer = maintlog("dump-corpus", self.directory)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        repo = json.loads(answer.stdout)["github"]["repos"][0]
        self.assertEqual((repo["id"], repo["issues"][0]["number"], repo["issues"][0]["notExist"]), ("golang/go", 3, True))
        snapshot = self.directory / "snapshot"
        written = maintlog("snapshot", "-out", snapshot, self.directory)
        self.assertEqual((written.returncode, written.stderr), (0, ""))
        self.assertIn("3 mutations", written.stdout)
        again = maintlog("dump-corpus", "-snapshot", snapshot, self.directory)
        self.assertEqual((again.returncode, again.stderr, again.stdout), (0, "", answer.stdout))
        self.assertEqual(maintlog("verify", "-snapshot", snapshot, self.directory).returncode, 0)

        self.first.write_bytes(log_of(LABELS, b"").replace(b"golang", b"gopher"))
        changed = maintlog("verify", "-snapshot", snapshot, self.directory)
        self.assertEqual(changed.returncode, 1)
        self.assertIn(f"{self.first} is not what it was", changed.stderr)
        other = maintlog("dump-corpus", "-snapshot", snapshot, self.directory)
        self.assertEqual(other.returncode, 0)
        self.assertIn(f"the snapshot is not used: {self.first.name} is not what it was then", other.stderr)
        self.assertIn("gopher/go", other.stdout)

    def test_what_the_corpus_cannot_use_is_named(self):
        self.first.write_bytes(log_of(b"\x0a\x05x", LABELS) + b"REC@")
        answer = maintlog("dump-corpus", self.directory)
        self.assertEqual(answer.returncode, 1)
        self.assertIn(f"{self.first}: record at offset 0: no Mutation", answer.stderr)
        self.assertIn(f"{self.first}: record at offset 33: truncated header", answer.stderr)
        self.assertEqual([repo["id"] for repo in json.loads(answer.stdout)["github"]["repos"]], ["golang/go"])

    def test_a_torn_record_is_named_and_cut_off_on_request_and_kept(self):
        whole = self.first.read_bytes()
        self.first.write_bytes(whole + b"REC@1f+20=half")
        answer = maintlog("verify", self.directory)
        self.assertEqual(answer.returncode, 1)
        self.assertIn(f"{self.first}: truncated record at offset 31: EOF", answer.stderr)
        self.assertIn("the last 14 bytes", answer.stderr)
        self.assertIn(f"{self.second}: 1 mutations", answer.stdout)

        answer = maintlog("repair", self.directory)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        self.assertIn("cut 14 bytes off at offset 31", answer.stdout)
        self.assertIn(f"{self.second}: nothing to repair", answer.stdout)
        self.assertEqual(self.first.read_bytes(), whole)
        self.assertEqual(pathlib.Path(f"{self.first}.torn-31").read_bytes(), b"REC@1f+20=half")
        self.assertEqual(maintlog("verify", self.directory).returncode, 0)

    def test_a_file_that_somebody_writes_to_is_left_alone(self):
        torn = self.first.read_bytes() + b"REC@1f+20=half"
        self.first.write_bytes(torn)
        with open(self.first, "rb") as writer:
            fcntl.flock(writer, fcntl.LOCK_EX)
            answer = maintlog("repair", self.first)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("somebody else writes to", answer.stderr)
        self.assertEqual(self.first.read_bytes(), torn)
        self.assertEqual(list(self.directory.glob("*.torn-*")), [])

    def test_a_malformed_record_is_named_and_never_cut_off(self):
        damaged = log_of(LABELS) + b"rec@16+0=" + log_of(TOMBSTONE)
        self.first.write_bytes(damaged)
        for command in ("verify", "dump", "repair"):
            answer = maintlog(command, self.first)
            self.assertEqual(answer.returncode, 1, command)
            self.assertIn(f'{self.first}: malformed header "rec@16+0=" at offset 22', answer.stderr)
        self.assertEqual(self.first.read_bytes(), damaged)

    def copied(self):
        files = sorted((self.directory / "out").iterdir())
        return [(file.name, file.read_bytes()) for file in files]

    def test_a_log_is_cut_after_so_many_records(self):
        answer = maintlog("cut", "-records", "2", "-out", self.directory / "out", self.directory)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        self.assertEqual(self.copied(), [("maintner-000000.mutlog", log_of(LABELS, b""))])
        self.assertEqual(answer.stdout, f"{self.directory}/out: 2 records in 1 files\n")

    def test_logs_are_merged_one_behind_the_other(self):
        answer = maintlog("merge", "-out", self.directory / "out", self.second, self.first)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        self.assertEqual(self.copied(), [("maintner-000000.mutlog", log_of(TOMBSTONE, LABELS, b""))])

    def test_a_log_is_copied_into_files_of_another_size(self):
        large = b"\x0a\xac\x02" + b"\x0a\xa9\x02" + b"x" * 297
        self.second.write_bytes(log_of(large, LABELS, LABELS, LABELS))
        answer = maintlog("resegment", "-size", "45", "-out", self.directory / "out", self.directory)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        self.assertEqual([content for _, content in self.copied()],
                         [log_of(LABELS, b""), log_of(large), log_of(LABELS, LABELS), log_of(LABELS)])

    def test_a_copy_ends_where_its_source_cannot_be_read_and_touches_no_log_that_is_there(self):
        self.first.write_bytes(log_of(LABELS) + b"junk")
        answer = maintlog("merge", "-out", self.directory / "out", self.directory)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("at offset 22; the copy ends before it", answer.stderr)
        self.assertEqual(self.copied(), [("maintner-000000.mutlog", log_of(LABELS))])
        answer = maintlog("merge", "-out", self.directory / "out", self.second)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("has log files already", answer.stderr)
        self.assertEqual(self.copied(), [("maintner-000000.mutlog", log_of(LABELS))])

    def test_what_is_not_there_or_not_known_is_said(self):
        answer = maintlog("verify", self.directory / "none")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("none: No such file or directory", answer.stderr)
        for arguments, said in ((("verify",), "missing argument LOG"), (("mend", "x"), 'there is no command "mend"'),
                                ((), "missing argument COMMAND"), (("merge", "x"), "-out is needed"),
                                (("cut", "-out", "y", "x"), "-records is needed")):
            answer = maintlog(*arguments)
            self.assertEqual(answer.returncode, 2)
            self.assertIn(said, answer.stderr)


if __name__ == "__main__":
    unittest.main()
