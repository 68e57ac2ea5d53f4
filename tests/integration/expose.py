"""examples/expose: a web server that only its own machine can reach is read by visitors of another one."""

import hashlib
import http.client
import http.server
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import unittest

from farm import wait_for

EXPOSE = pathlib.Path(os.environ["XBUILD_EXAMPLES"]) / "expose"
BODY = os.urandom(3_000_000)


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        answer = hashlib.sha256(text).hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Expose(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        self.certificate, self.key = self.directory / "cert.pem", self.directory / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=outside", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", self.key, "-out", self.certificate], check=True, stderr=subprocess.DEVNULL)
        self.site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
        threading.Thread(target=self.site.serve_forever, daemon=True).start()
        self.addCleanup(self.site.server_close)
        self.addCleanup(self.site.shutdown)

    def start(self, name, *args, secret="s3cret"):
        with open(self.directory / name, "wb") as log:
            process = subprocess.Popen([EXPOSE, *args], stdout=log, stderr=log,
                                       env=dict(os.environ, EXPOSE_SECRET=secret))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def start_outside(self):
        process = self.start("outside", "127.0.0.1:0", self.certificate, self.key, "127.0.0.1:0")

        def ports():
            self.assertIsNone(process.poll(), (self.directory / "outside").read_text())
            return re.search(r"inside: port (\d+), visitors: port (\d+)", (self.directory / "outside").read_text())

        inside, visitors = wait_for(ports, 20, "expose to listen").groups()
        return f"127.0.0.1:{inside}", int(visitors)

    def test_visitors_read_the_server_inside(self):
        outside, visitors = self.start_outside()
        inside = self.start("inside", outside, self.certificate, f"127.0.0.1:{self.site.server_port}")

        def visit():
            connection = http.client.HTTPConnection("127.0.0.1", visitors, timeout=20)
            try:
                connection.request("GET", "/")
                return connection, connection.getresponse().read()
            except (http.client.HTTPException, OSError):  # nobody is inside yet
                self.assertIsNone(inside.poll(), (self.directory / "inside").read_text())
                return None

        connection, body = wait_for(visit, 20, "the inside to come")
        self.assertEqual(body, BODY)
        # The connection is a whole one: it goes on, both ways.
        for size in (0, 1, 100_000, 3_000_000):
            connection.request("POST", "/", BODY[:size])
            self.assertEqual(connection.getresponse().read().decode(), hashlib.sha256(BODY[:size]).hexdigest())
        answers = []

        def read_it():
            answers.append(visit()[1])

        many = [threading.Thread(target=read_it) for _ in range(10)]
        for each in many:
            each.start()
        for each in many:
            each.join()
        self.assertEqual(answers, [BODY] * 10)

    def test_who_does_not_know_the_secret_is_not_the_inside(self):
        outside, _ = self.start_outside()
        process = self.start("inside", outside, self.certificate, "127.0.0.1:1", secret="another")
        self.assertNotEqual(process.wait(20), 0)
        self.assertIn("wrong secret", (self.directory / "inside").read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
