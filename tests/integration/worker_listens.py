"""The worker in listen mode, as a person starts it: who may come in, how it ends, and how it comes back after a kill."""

import base64
import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

from farm import programs, wait_for

PASSWORD = "s3cret"


class Buildlet:
    def __init__(self, directory, *flags, environment=None, tls=None, wrapper=()):
        self.directory, self.flags, self.tls, self.wrapper = directory, flags, tls, wrapper
        self.program = programs() / "buildlet"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(directory), **(environment or {})}
        self.log, self.process, self.port = directory / "log", None, 0

    def start(self):
        start = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                [*self.wrapper, self.program, "-listen", "127.0.0.1:0", "-state-dir", self.directory / "state", *self.flags],
                env=self.environment, stdout=output, stderr=output, cwd=self.directory)

        def listening():
            text = self.log.read_text()[start:]
            if self.process.poll() is not None:
                raise AssertionError("the worker ended:\n" + text)
            return re.search(r"\"listening\" .*port=(\d+)", text)

        self.port = int(wait_for(listening, 30, "the worker to listen").group(1))
        return self

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, method, target, body=None, headers=None, password=PASSWORD):
        headers = dict(headers or {})
        if password is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(f"anyone:{password}".encode()).decode()
        connection = self.connect()
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def run(self, script, env=()):
        """What a command prints; cut off if the worker ends meanwhile."""
        body = urllib.parse.urlencode([("cmd", "/bin/sh"), ("mode", "sys"), ("cmdArg", "-c"), ("cmdArg", script),
                                       *(("env", entry) for entry in env)])
        try:
            return self.ask("POST", "/exec", body, {"Content-Type": "application/x-www-form-urlencoded"})[1]
        except (http.client.HTTPException, ConnectionError) as error:
            return f"broken off: {type(error).__name__}"

    def status(self):
        return json.loads(self.ask("GET", "/status")[1])


class WorkerTest(unittest.TestCase):
    """A test with a directory of its own and workers in it."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name) / "a" / "b" / "c"
        self.directory.mkdir(parents=True)

    def worker(self, *flags, **options):
        options.setdefault("environment", {"META_password": PASSWORD})
        worker = Buildlet(self.directory, *flags, **options)
        self.addCleanup(worker.kill)
        return worker.start()

    def refused(self, *flags, **environment):
        answer = subprocess.run([programs() / "buildlet", *flags], timeout=20, stderr=subprocess.PIPE, text=True,
                                env={"PATH": os.environ["PATH"], "HOME": str(self.directory), **environment})
        self.assertEqual(answer.returncode, 2, answer.stderr)
        return answer.stderr


class WorkerListens(WorkerTest):
    def test_nothing_listens_unless_asked_and_not_without_a_password(self):
        self.assertIn("-listen HOST:PORT", self.refused())
        self.assertIn("META_password", self.refused("-listen", "127.0.0.1:0"))
        self.assertIn("exclude each other", self.refused("-listen", ":0", "-reverse-type", "host-a", META_password="x"))
        self.assertIn("META_tls_key", self.refused("-listen", ":0", META_password="x", META_tls_cert="x"))
        self.assertIn("-insecure", self.refused("-listen", "127.0.0.1:0"))
        self.assertIn("-listen only", self.refused("-insecure", "-reverse-type", "host-a"))
        self.assertIn("GOMOTEID", self.refused("-swarming-bot", "-reverse-type", "host-a", GO_BUILDLET_TOKEN="x"))
        self.assertIn("-client-ca needs TLS", self.refused("-listen", "127.0.0.1:0", "-client-ca", "/ca.pem"))
        self.assertIn("no-such-user", self.refused("-listen", "127.0.0.1:0", "-run-as", "no-such-user", META_password="x")
                      if os.geteuid() == 0 else "no-such-user")
        self.assertEqual([*self.directory.iterdir()], [], "refusing makes nothing")

    def test_the_password_is_asked_for_and_children_do_not_see_it(self):
        worker = self.worker()
        status = worker.status()
        self.assertEqual(status["Version"], 28)
        wait_for(lambda: worker.status().get("memoryBytes", 0) > 0, 20, "the machine's numbers")
        self.assertGreater(worker.status()["diskBytes"], worker.status()["diskAvailableBytes"])
        self.assertEqual(worker.ask("GET", "/status", password="wrong"), (403, "invalid password\n"))
        self.assertEqual(worker.ask("GET", "/status", password=None)[0], 403)
        self.assertEqual(worker.ask("GET", "/healthz", password=None), (200, "ok\n"))
        self.assertEqual(worker.ask("GET", "/", password=None)[0], 200)
        self.assertNotIn(PASSWORD, worker.run("env"))
        self.assertNotIn(PASSWORD, worker.log.read_text())

    def open_to_everybody(self):
        for directory in (self.directory, *self.directory.parents):
            if str(directory).startswith(tempfile.gettempdir() + "/"):
                directory.chmod(0o777)

    def test_commands_of_the_same_user_cannot_read_secrets_from_the_worker_s_process(self):
        wrapper = ()
        if os.geteuid() == 0:
            # Nothing is closed to root.
            self.open_to_everybody()
            wrapper = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
            if subprocess.run([*wrapper, "test", "-x", programs() / "buildlet"], check=False).returncode != 0:
                self.skipTest("others cannot reach the program")
        worker = self.worker(wrapper=wrapper)
        process = f"/proc/{worker.process.pid}"
        self.assertIn("Permission denied", worker.run(f"cat {process}/environ 2>&1"))
        self.assertIn("Permission denied", worker.run(f"head -c 1 {process}/mem 2>&1"))
        alone = worker.run("ls /proc/self/ns", env=["GO_DISABLE_OUTBOUND_NETWORK=1"])
        self.assertTrue("net" in alone or alone == "", alone)

    def test_tls_with_the_metadata_s_certificate(self):
        certificate, key = self.directory / "cert.pem", self.directory / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=worker", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
                        "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
        worker = self.worker(tls=ssl.create_default_context(cafile=certificate), environment={
            "META_password": PASSWORD, "META_tls_cert": f"@{certificate}", "META_tls_key": f"@{key}"})
        self.assertEqual(worker.status()["Version"], 28)
        self.assertEqual(worker.run("echo hello"), "hello\n")

    def test_certificates_of_clients_do_instead_of_a_password(self):
        names = {}
        for name in ("worker", "friend", "stranger"):
            names[name] = self.directory / f"{name}.pem", self.directory / f"{name}.key"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
                            "-keyout", names[name][1], "-out", names[name][0]], check=True, stderr=subprocess.DEVNULL)
        certificate, key = names["worker"]

        def showing(name):
            context = ssl.create_default_context(cafile=certificate)
            if name:
                context.load_cert_chain(*names[name])
            return context

        worker = self.worker("-client-ca", names["friend"][0], tls=showing("friend"), environment={
            "META_tls_cert": f"@{certificate}", "META_tls_key": f"@{key}"})
        self.assertEqual(json.loads(worker.ask("GET", "/status", password=None)[1])["Version"], 28)
        for name in ("stranger", None):
            worker.tls = showing(name)
            with self.assertRaises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
                worker.ask("GET", "/status", password=None)

    def test_insecure_is_said_aloud(self):
        worker = self.worker("-insecure", environment={})
        self.assertEqual(worker.ask("GET", "/status", password=None)[0], 200)
        self.assertRegex(worker.log.read_text(), r"level=warning msg=\"INSECURE: ")

    def test_commands_run_as_the_user_that_was_named(self):
        if os.geteuid() != 0:
            self.skipTest("only root may become somebody else")
        self.open_to_everybody()
        worker = self.worker("-run-as", "nobody", "-workdir", self.directory / "work")
        self.assertEqual(worker.run("id -un; id -Gn"), "nobody\nnogroup\n")
        self.assertEqual(worker.ask("PUT", "/write?path=d%2Ff&mode=420", "sent ")[0], 200)
        self.assertEqual(worker.run("echo back >> d/f; cat d/f; stat -c %U d d/f .; mktemp | xargs dirname"),
                         f"sent back\nnobody\nnobody\nnobody\n{self.directory}/work/tmp\n")
        self.assertEqual(worker.ask("POST", "/removeall?path=d")[0], 200)
        self.assertIn("Permission denied", worker.run(f"ls {self.directory}/state"), "closed to commands")

    def test_metadata_of_a_cloud_give_the_password(self):
        class Attributes(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                there = self.path.endswith("/password") and self.headers["Metadata-Flavor"] == "Google"
                self.send_response(200 if there else 404)
                self.end_headers()
                self.wfile.write(PASSWORD.encode() if there else b"")

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Attributes)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        address = f"127.0.0.1:{server.server_port}"
        worker = self.worker(environment={"GCE_METADATA_HOST": address})
        self.assertEqual(worker.ask("GET", "/status")[0], 200)
        self.assertEqual(worker.ask("GET", "/status", password="other")[0], 403)
        self.assertNotIn(PASSWORD, worker.run("env"))
        server.shutdown()
        server.server_close()
        self.assertIn(address, self.refused("-listen", "127.0.0.1:0", GCE_METADATA_HOST=address))

    def test_files_go_in_and_out(self):
        worker = self.worker()
        self.assertEqual(worker.ask("PUT", "/write?path=a%2Ftool&mode=493", "#!/bin/sh\necho tool\n"), (200, "OK"))
        self.assertEqual(worker.run("$WORKDIR/a/tool"), "tool\n")
        self.assertRegex(worker.ask("GET", "/ls?dir=a&digest=1")[1], r"^-rwxr-xr-x\ttool\t20\t20\S+Z\t[0-9a-f]{40}\n$")

    def test_a_worker_killed_at_any_point_comes_back_to_an_empty_work_directory(self):
        worker = self.worker()
        for state in ("idle", "with files", "while a command runs", "while a file is sent"):
            with self.subTest(state):
                workdir = pathlib.Path(worker.ask("GET", "/workdir")[1])
                before = worker.process.pid
                if state != "idle":
                    self.assertEqual(worker.ask("PUT", "/write?path=d%2Ff&mode=420", "old")[0], 200)
                if state == "while a command runs":
                    thread = threading.Thread(target=worker.run, args=["echo x > started; while test -e started; do sleep 0.1; done"])
                    thread.start()
                    self.addCleanup(thread.join)
                    wait_for((workdir / "started").exists, 20, "the command")
                if state == "while a file is sent":
                    connection = worker.connect()
                    self.addCleanup(connection.close)
                    connection.putrequest("PUT", "/write?path=d%2Ff&mode=420")
                    connection.putheader("Content-Length", "1000000")
                    connection.putheader("Authorization", "Basic " + base64.b64encode(b":" + PASSWORD.encode()).decode())
                    connection.endheaders(b"half")
                    wait_for(lambda: len([*(workdir / "d").iterdir()]) == 2, 20, "the temporary file")
                    self.assertEqual((workdir / "d" / "f").read_text(), "old")
                worker.kill()
                worker.start()
                self.assertNotEqual(worker.process.pid, before)
                self.assertEqual(worker.ask("GET", "/workdir")[1], str(workdir))
                self.assertEqual(sorted(entry.name for entry in workdir.iterdir()), ["gocache", "goplscache", "tmp"])
                self.assertEqual(worker.run("echo again"), "again\n")

    def test_sigterm_drains_and_a_second_one_ends_at_once(self):
        worker = self.worker()
        workdir = pathlib.Path(worker.ask("GET", "/workdir")[1])
        output = []
        thread = threading.Thread(target=lambda: output.append(
            worker.run("echo x > started; while ! test -e go; do sleep 0.05; done; echo done")))
        thread.start()
        wait_for((workdir / "started").exists, 20, "the command")
        worker.process.send_signal(signal.SIGTERM)
        wait_for(lambda: worker.status().get("draining"), 20, "the worker to say that it drains")
        (workdir / "go").write_text("")
        thread.join(20)
        self.assertEqual(output, ["done\n"])
        self.assertEqual(worker.run("echo next step"), "next step\n")
        ended = time.monotonic()
        self.assertEqual(worker.process.wait(20), 0)
        self.assertGreater(time.monotonic() - ended, 2, "a quiet time follows the last step")

        worker.start()
        thread = threading.Thread(target=lambda: output.append(worker.run("rm -f started; echo x > started2; sleep 60")))
        thread.start()
        wait_for((workdir / "started2").exists, 20, "the command")
        worker.process.send_signal(signal.SIGTERM)
        wait_for(lambda: worker.status().get("draining"), 20, "the worker to say that it drains")
        worker.process.send_signal(signal.SIGTERM)
        self.assertEqual(worker.process.wait(20), 0)
        thread.join(20)
        self.assertIn("broken off", output[1])

    def test_health_is_answered_on_an_address_of_its_own_and_nothing_else(self):
        worker = self.worker("-health-addr", "127.0.0.1:0")
        port = int(re.search(r"answering /healthz and /metrics\" .*port=(\d+)", worker.log.read_text()).group(1))
        for path, status in (("/healthz", 200), ("/metrics", 200), ("/", 404), ("/status", 404), ("/exec", 404)):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", path)
            self.assertEqual(connection.getresponse().status, status, path)
            connection.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
