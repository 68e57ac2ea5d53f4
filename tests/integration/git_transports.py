"""Repositories on other machines: git over http, https and ssh, from servers of the test's own.

The http servers are git's own http-backend behind Python's server; ssh is a script that runs here what it was asked to
run there.
"""

import functools
import http.server
import os
import pathlib
import ssl
import subprocess
import tempfile
import threading
import unittest

from farm import Farm, commit, make_repository, programs, wait_for

BACKEND = subprocess.run(["git", "--exec-path"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip() + "/git-http-backend"
FAKE_SSH = """\
#!/bin/sh
echo "$@" >>'{log}'
for last; do :; done
exec /bin/sh -c "$last"
"""
BODY_LIMIT = 1 << 20


class GitHandler(http.server.BaseHTTPRequestHandler):
    """Serves the repositories below `root`; paths below /private want a password, those below /elsewhere are sent on."""

    protocol_version = "HTTP/1.1"

    def __init__(self, root, *arguments):
        self.root = root
        super().__init__(*arguments)

    def log_message(self, *_):
        pass

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(min(int(self.headers.get("Content-Length") or 0), BODY_LIMIT))
        body = b""
        while (size := int(self.rfile.readline(100), 16)) and len(body) < BODY_LIMIT:
            body += self.rfile.read(size)
            self.rfile.readline(100)
        self.rfile.readline(100)
        return body

    def answer(self, status, fields, body=b""):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path.startswith("/private/"):
            return self.answer(401, [("WWW-Authenticate", 'Basic realm="private"')])
        if path.startswith("/elsewhere/"):
            return self.answer(302, [("Location", f"file://{self.root}/demo.git/info/refs")])
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "REMOTE_ADDR": "127.0.0.1"}
        body = self.body()
        environment["CONTENT_LENGTH"] = str(len(body))
        output = subprocess.run([BACKEND], env=environment, input=body, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, check=True).stdout
        head, _, rest = output.partition(b"\r\n\r\n")
        fields = [tuple(line.split(": ", 1)) for line in head.decode().splitlines()]
        status = next((int(value.split()[0]) for name, value in fields if name == "Status"), 200)
        return self.answer(status, [field for field in fields if field[0] != "Status"], rest)

    do_POST = do_GET


def make_certificate(directory, name):
    key, certificate = directory / f"{name}.key", directory / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, stderr=subprocess.DEVNULL)
    return key, certificate


class GitTransports(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        self.root = self.directory / "srv"
        self.repository = make_repository(self.root / "demo.git")
        commit(self.repository, {"a": "1"}, "first")
        self.key, self.certificate = make_certificate(self.directory, "trusted")
        fake = self.directory / "bin" / "ssh"
        fake.parent.mkdir()
        self.ssh_log = self.directory / "ssh.log"
        fake.write_text(FAKE_SSH.format(log=self.ssh_log))
        fake.chmod(0o755)

    def serve(self, key=None, certificate=None):
        """Serves until the test is over; "127.0.0.1:PORT"."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(GitHandler, self.root))
        if key:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"127.0.0.1:{server.server_port}"

    def farm(self, urls):
        repositories = [{"name": name, "url": url, "poll_interval": "1s", "steps": [("look", "cat a")]}
                        for name, url in urls.items()]
        environment = [f"PATH={self.directory}/bin:{os.environ['PATH']}", f"GIT_SSL_CAINFO={self.certificate}",
                       f"HOME={self.directory}", "no_proxy=127.0.0.1"]
        return Farm(programs(), self.directory / "farm", repositories, [{"name": "one", "host_type": "host-a"}],
                    wrapper=["env", "-u", "SSH_AUTH_SOCK", *environment])

    def test_commits_come_over_http_https_and_ssh(self):
        urls = {"plain": f"http://{self.serve()}/demo.git",
                "secure": f"https://{self.serve(self.key, self.certificate)}/demo.git",
                "shell": f"ssh://git@host.example.org{self.root}/demo.git"}
        with self.farm(urls) as farm:
            farm.start_worker("host-a")
            farm.wait_for_builds(3, 60)
            pushed = commit(self.repository, {"a": "2"}, "second")
            builds = farm.wait_for_builds(6, 60)
            self.assertEqual({build["result"] for build in builds}, {"ok"})
            self.assertEqual({build["repository"] for build in builds if build["commit"] == pushed}, set(urls))
        # ssh is told not to ask anybody, and where to.
        self.assertIn("-oBatchMode=yes", self.ssh_log.read_text())
        self.assertIn("git@host.example.org git-upload-pack", self.ssh_log.read_text())

    def test_what_does_not_work_is_said_and_nobody_is_asked(self):
        stranger = self.serve(*make_certificate(self.directory, "stranger"))
        plain = self.serve()
        urls = {"stranger": f"https://{stranger}/demo.git", "private": f"http://{plain}/private/demo.git",
                "missing": f"http://{plain}/missing.git", "elsewhere": f"http://{plain}/elsewhere/demo.git",
                "good": f"http://{plain}/demo.git"}
        reasons = {"stranger": "certificate", "private": "terminal prompts disabled", "missing": "not found",
                   "elsewhere": "rotocol"}
        with self.farm(urls) as farm:
            farm.start_worker("host-a")
            builds = farm.wait_for_builds(1, 60)
            self.assertEqual([(build["repository"], build["result"]) for build in builds], [("good", "ok")])

            def reason_of(name):
                lines = [line for line in farm.log_text().splitlines() if f"repository={name}" in line]
                return next((line for line in lines if "level=info" not in line), None)

            for name, reason in reasons.items():
                self.assertIn(reason, wait_for(lambda: reason_of(name), 30, f"a word about {name}"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
