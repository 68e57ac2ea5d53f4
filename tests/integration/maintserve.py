"""maintserve: pages of a log that somebody writes, also by way of maintnerd, by TLS, and while it is loaded anew."""

import http.client
import pathlib
import signal
import ssl
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

from farm import programs, wait_for
from maintner_live import append, issue


class Maintserve(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        self.log = self.directory / "log"
        self.log.mkdir()
        self.file = self.log / "maintner-2021-01-01.mutlog"
        append(self.file, issue("go", 1, "the first"))

    def start(self, program, *args, **more):
        ready = self.directory / f"{program}.ready"
        ready.unlink(missing_ok=True)
        more.setdefault("stdout", subprocess.DEVNULL)
        process = subprocess.Popen([programs() / program, "-ready-file", ready, *args], stdin=subprocess.DEVNULL, text=True,
                                   **more)
        self.addCleanup(self.end, process)
        wait_for(lambda: ready.exists() or process.poll() is not None, 20, program)
        self.assertIsNone(process.poll())
        return process, ready.read_text().strip().removeprefix("url=")

    def serve(self, *args, **more):
        return self.start("maintserve", "-http", "127.0.0.1:0", *args, **more)

    def end(self, process, how=signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(how)
        code = process.wait(timeout=20)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
        return code

    def get(self, url, **more):
        with urllib.request.urlopen(url, timeout=20, **more) as answer:
            return answer.read().decode()

    def wait_for_page(self, url, text, **more):
        wait_for(lambda: text in self.get(url, **more), 20, text)

    def news(self, events, before):
        """The number of the next view that a page is told of: larger than `before`."""
        for line in events:
            if line.startswith(b"data: "):
                view = int(line.removeprefix(b"data: ").partition(b".")[0])
                if view > before:
                    return view
        return self.fail("the stream ended")

    def test_a_page_that_waits_hears_of_what_is_added_and_shows_it(self):
        process, url = self.serve("-log", self.log, stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), f"serving at {url}\n")
        page = self.get(url + "golang/go/1")
        self.assertIn("the first", page)
        moment = page.partition('data-moment="')[2].partition('"')[0]
        first = int(moment.partition(".")[0])
        with urllib.request.urlopen(f"{url}-/events?from={moment}", timeout=20) as events:
            append(self.file, issue("go", 1, "another title"))
            second = self.news(events, first)
            self.assertIn("another title", self.get(url + "golang/go/1"))
            append(self.log / "maintner-2021-01-02.mutlog", issue("go", 2, "the next day"))
            self.news(events, second)
        self.assertIn("the next day", self.get(url + "golang/go"))
        self.wait_for_page(url, ">2</a>")
        # Somebody who comes late is told at once.
        with urllib.request.urlopen(f"{url}-/events?from={moment}", timeout=20) as events:
            self.news(events, second)

    def test_a_log_that_has_become_another_one_is_loaded_anew(self):
        _, url = self.serve("-log", self.log, stderr=subprocess.DEVNULL)
        self.file.unlink()
        append(self.file, issue("net", 5, "of another history"))
        self.wait_for_page(url, "golang/net")
        self.assertNotIn("golang/go<", self.get(url))
        self.assertIn("of another history", self.get(url + "golang/net/5"))
        with self.assertRaises(urllib.error.HTTPError) as raised:
            self.get(url + "golang/go/1")
        self.assertEqual(raised.exception.code, 404)

    def test_it_follows_a_log_server(self):
        daemon, logs = self.start("maintnerd", "-data-dir", self.directory / "segments", "-log", self.log, "-listen-http",
                                  "127.0.0.1:0", stderr=subprocess.DEVNULL)
        _, url = self.serve("-server", logs, "-cache", self.directory / "cache", stderr=subprocess.DEVNULL)
        self.assertIn("the first", self.get(url + "golang/go/1"))
        append(self.file, issue("go", 1, "by way of the server"))
        self.wait_for_page(url + "golang/go/1", "by way of the server")
        self.end(daemon)
        self.assertIn("by way of the server", self.get(url + "golang/go/1"))

    def test_pages_come_by_tls(self):
        certificate, key = self.directory / "cert.pem", self.directory / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                        key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, stderr=subprocess.DEVNULL)
        _, url = self.serve("-log", self.log, "-tls-cert", certificate, "-tls-key", key)
        self.assertTrue(url.startswith("https://"))
        trust = ssl.create_default_context(cafile=certificate)
        self.assertIn("the first", self.get(url + "golang/go/1", context=trust))

    def test_it_ends_when_it_is_told_to_with_whatever_goes_on(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            process, url = self.serve("-log", self.log, "-sql-time", "1h")
            endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"
            asking = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=20)
            self.addCleanup(asking.close)
            asking.request("GET", "/-/sql?" + urllib.parse.urlencode({"q": endless}))
            with urllib.request.urlopen(f"{url}-/events", timeout=20):
                self.get(url)
                self.assertEqual(self.end(process, how), 0)

    def test_statements_of_a_directory_are_offered_and_limits_are_kept(self):
        queries = self.directory / "queries"
        queries.mkdir()
        _, url = self.serve("-log", self.log, "-queries", queries, "-sql-time", "100ms", "-sql-rows", "2")
        (queries / "titles.sql").write_text("-- All titles\nSELECT repo, number, title FROM issues\n")
        self.assertIn("All titles", self.get(url + "-/sql"))
        self.assertIn(">the first</a>", self.get(url + "-/sql?saved=titles.sql"))
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
        page = self.get(url + "-/sql?" + urllib.parse.urlencode({"q": endless + "sum(i) FROM n"}))
        self.assertIn("it takes longer than 100 ms", page)
        page = self.get(url + "-/sql?" + urllib.parse.urlencode({"q": endless + "i FROM n"}))
        self.assertIn("2 rows; what follows is left out", page)
        _, url = self.serve("-log", self.log, "-sql-time", "1m", "-sql-memory", "16")
        page = self.get(url + "-/sql?" + urllib.parse.urlencode({"q": endless + "count(*) FROM (SELECT i FROM n ORDER BY hex(i))"}))
        self.assertIn("it takes more memory than it may", page)

    def test_what_is_of_no_use_is_said(self):
        for args, code, sentence in (
                (["-log", self.directory / "nothing"], 1, "nothing"),
                (["-log", self.log, "-http", "256.0.0.1:1"], 1, "256.0.0.1"),
                (["-log", self.log, "-server", "http://127.0.0.1:1/logs"], 2, "exclude each other"),
                (["-log", self.log, "-tls-cert", "x"], 2, "go together")):
            with self.subTest(args=args):
                answer = subprocess.run([programs() / "maintserve", "-http", "127.0.0.1:0", *args], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
                self.assertEqual(answer.returncode, code)
                self.assertIn(sentence, answer.stderr)


if __name__ == "__main__":
    unittest.main()
