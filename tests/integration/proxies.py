"""A worker that reaches its coordinator through an HTTP proxy only, as the environment says."""

import base64
import pathlib
import select
import socket
import tempfile
import threading
import unittest

from farm import Farm, commit, make_repository, programs, wait_for

LIMIT = 60
NAME = "farm.example.test"  # which only the proxy can find


class Proxy:
    """Answers CONNECT for one name, which it takes to an address of its own choice."""

    def __init__(self, port, credentials=None):
        self.port_behind = port
        self.expected = credentials and "Basic " + base64.b64encode(credentials.encode()).decode()
        self.requests, self.refused = [], 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.socket.close()

    def accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = client.recv(1)
            if not piece:
                return client.close()
            head += piece
        lines = head.decode().split("\r\n")
        self.requests.append(lines[0])
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        if self.expected and fields.get("Proxy-Authorization") != self.expected:
            self.refused += 1
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return client.close()
        server = socket.create_connection(("127.0.0.1", self.port_behind))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return self.relay(client, server)

    @staticmethod
    def relay(client, server):
        """Until one of them has ended."""
        other = {client: server, server: client}
        with client, server:
            while True:
                for source in select.select([client, server], [], [])[0]:
                    try:
                        piece = source.recv(65536)
                        other[source].sendall(piece)
                    except OSError:
                        return
                    if not piece:
                        return


class Proxies(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        directory = pathlib.Path(self.temporary.name)
        repository = make_repository(directory / "work")
        commit(repository, {"n": "1"}, "first")
        steps = [["env", "echo built"]]
        self.farm = Farm(programs(), directory / "farm", [{"name": "demo", "url": str(repository), "steps": steps}],
                         [{"name": "one", "host_type": "host-a"}])
        self.farm.__enter__()
        self.addCleanup(self.farm.__exit__, None, None, None)
        self.port = int(self.farm.ready["https"].rsplit(":", 1)[1])

    def start_worker(self, *variables):
        return self.farm.start_worker("host-a", coordinator=f"{NAME}:{self.port}", wrapper=["env", *variables])

    def test_a_build_runs_on_a_worker_behind_a_proxy_that_wants_a_password(self):
        proxy = Proxy(self.port, "joe:s@cret")
        self.addCleanup(proxy.close)
        worker = self.start_worker(f"HTTPS_PROXY=http://joe:s%40cret@127.0.0.1:{proxy.port}")
        builds = self.farm.wait_for_builds(1, LIMIT)
        self.assertEqual([build["result"] for build in builds], ["ok"])
        # The registration and each pick-up.
        self.assertGreaterEqual(len(proxy.requests), 3)
        self.assertEqual(set(proxy.requests), {f"CONNECT {NAME}:{self.port} HTTP/1.1"})
        self.assertIn(f"proxy=127.0.0.1:{proxy.port}", worker.log_text())
        self.assertNotIn("cret", worker.log_text())
        # No token of a pick-up has been logged by anybody.
        for log in (worker.log_text(), self.farm.log_text()):
            self.assertNotIn("revdial.dialer", log)

    def test_a_wrong_password_is_said_in_the_proxys_words(self):
        proxy = Proxy(self.port, "joe:s@cret")
        self.addCleanup(proxy.close)
        worker = self.start_worker(f"https_proxy=http://joe:wrong@127.0.0.1:{proxy.port}")
        wait_for(lambda: "407 Proxy Authentication Required" in worker.log_text(), LIMIT, "the refusal in the log")
        self.assertNotIn("wrong@", worker.log_text())

    def test_a_proxy_that_cannot_be_used_is_refused_at_the_start(self):
        worker = self.start_worker("HTTPS_PROXY=socks5://joe:s%40cret@127.0.0.1:1")
        self.assertEqual(worker.process.wait(LIMIT), 2)
        self.assertIn("the proxy that HTTPS_PROXY names cannot be used", worker.log_text())
        self.assertNotIn("cret", worker.log_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
