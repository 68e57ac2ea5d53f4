"""maintnerd and maintwatch: a log that somebody writes, served and watched."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

from farm import programs, wait_for


def varint(number):
    out = b""
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def issue(repo, number, title):
    """A mutation that gives an issue of golang's a title."""
    return field(1, field(1, "golang") + field(2, repo) + field(3, number) + field(9, title))


def append(file, *payloads):
    size = file.stat().st_size if file.exists() else 0
    with open(file, "ab") as out:
        for payload in payloads:
            record = b"REC@%x+%x=" % (size, len(payload)) + payload
            out.write(record)
            size += len(record)


class Live(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        self.log = self.directory / "log"
        self.log.mkdir()
        self.file = self.log / "maintner-2021-01-01.mutlog"

    def start(self, *args, **more):
        process = subprocess.Popen(args, stdin=subprocess.DEVNULL, text=True, **more)
        self.addCleanup(self.end, process)
        return process

    def end(self, process, how=signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(how)
        code = process.wait(timeout=20)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
        return code

    def serve(self, *args):
        ready = self.directory / "ready"
        ready.unlink(missing_ok=True)
        process = self.start(programs() / "maintnerd", "-data-dir", self.directory / "segments", "-listen-http",
                             "127.0.0.1:0", "-ready-file", ready, *args)
        wait_for(lambda: ready.exists() or process.poll() is not None, 20, "maintnerd")
        self.assertIsNone(process.poll())
        return process, ready.read_text().strip().removeprefix("url=")

    def index(self, url):
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)

    def test_a_log_that_grows_is_served_and_survives_restarts(self):
        append(self.file, issue("go", 1, "one"))
        process, url = self.serve("-log", self.log)
        first = self.index(url)
        self.assertEqual([segment["number"] for segment in first], [0])
        append(self.file, issue("go", 1, "two"))
        with urllib.request.urlopen(f"{url}?waitsizenot={first[0]['size']}", timeout=20) as answer:
            second = json.load(answer)
        self.assertGreater(second[0]["size"], first[0]["size"])
        with urllib.request.urlopen(f"{url}/0", timeout=20) as answer:
            self.assertEqual(answer.read(), self.file.read_bytes())
        self.assertEqual(self.end(process, signal.SIGTERM), 0)
        append(self.log / "maintner-2021-01-02.mutlog", issue("go", 2, "three"))
        process, url = self.serve("-log", self.log)
        self.assertGreater(self.index(url)[0]["size"], second[0]["size"])
        with urllib.request.urlopen(url.removesuffix("/logs") + "/healthz", timeout=20) as answer:
            self.assertEqual(answer.read(), b"ok")
        # Killed, and without the log.
        self.end(process)
        _, url = self.serve()
        self.assertGreater(self.index(url)[0]["size"], second[0]["size"])

    def test_another_log_is_refused(self):
        append(self.file, issue("go", 1, "one"))
        process, _ = self.serve("-log", self.log)
        self.end(process, signal.SIGTERM)
        self.file.unlink()
        append(self.file, issue("go", 1, "other"))
        answer = subprocess.run([programs() / "maintnerd", "-data-dir", self.directory / "segments", "-log", self.log,
                                 "-listen-http", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True, timeout=20)
        self.assertEqual(answer.returncode, 1)
        self.assertIn(f"they differ in {self.file} at offset 0", answer.stderr)

    def test_what_happens_is_shown(self):
        append(self.file, issue("go", 1, "before"))
        _, url = self.serve("-log", self.log)
        temporary = self.directory / "temporary"
        temporary.mkdir()
        environment = dict(os.environ, TMPDIR=str(temporary))
        watches = [self.start(programs() / "maintwatch", "-server", url, *args, stdout=subprocess.PIPE, env=environment)
                   for args in (("-count", "3"), ("-repo", "golang/net", "-json", "-count", "1"))]
        # Each has the end of the log, and waits.
        wait_for(lambda: len(list(temporary.glob("*/0/0000.growing.mutlog"))) == 2, 20, "the watches")
        for text in ("one", "two\x1b[31m\nthree"):
            append(self.file, issue("go", 5, text))
        append(self.file, issue("net", 6, "four"))
        outputs = [watch.communicate(timeout=20)[0] for watch in watches]
        self.assertEqual(outputs[0], 'golang/go#5: title "one"\ngolang/go#5: title "two [31m…"\n'
                                     'golang/net#6: title "four"\n')
        shown = json.loads(outputs[1])
        self.assertEqual(shown, {"github_issue": {"owner": "golang", "repo": "net", "number": 6, "title": "four"}})
        self.assertEqual([watch.returncode for watch in watches], [0, 0])
        self.assertEqual(list(temporary.iterdir()), [])

    def test_a_watch_goes_on_when_its_server_has_another_history(self):
        append(self.file, issue("go", 1, "before"), issue("go", 1, "then"))
        process, url = self.serve("-log", self.log)
        temporary = self.directory / "temporary"
        temporary.mkdir()
        watch = self.start(programs() / "maintwatch", "-server", url, "-count", "1", stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=dict(os.environ, TMPDIR=str(temporary)))
        wait_for(lambda: list(temporary.glob("*/0/0000.growing.mutlog")), 20, "the watch")
        self.end(process)
        for segment in (self.directory / "segments").glob("*.mutlog"):
            segment.unlink()
        self.file.unlink()
        append(self.file, issue("go", 1, "other"))
        port = url.split(":")[2].partition("/")[0]
        self.start(programs() / "maintnerd", "-data-dir", self.directory / "segments", "-log", self.log, "-listen-http",
                   f"127.0.0.1:{port}")
        wait_for(lambda: list(temporary.glob("*/1/0000.growing.mutlog")), 40, "the watch to begin again")
        append(self.file, issue("go", 1, "new"))
        out, err = watch.communicate(timeout=30)
        self.assertEqual(out, 'golang/go#1: title "new"\n')
        self.assertIn("history split", err)

    def test_nobody_there(self):
        answer = subprocess.run([programs() / "maintwatch", "-server", "http://127.0.0.1:1/logs", "-count", "1"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=100)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("after 5 attempts, fetching server segments still failed: http://127.0.0.1:1/logs?waitsizenot=0: ",
                      answer.stderr)


if __name__ == "__main__":
    unittest.main()
