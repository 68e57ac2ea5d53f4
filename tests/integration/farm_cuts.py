"""The network between a worker and the coordinator is cut: by RST, by FIN, and by silence; while nothing happens, while
the source is sent, and while a command prints."""

import os
import pathlib
import socket
import struct
import tempfile
import threading
import unittest

from farm import Farm, commit, make_repository, programs, wait_for

BUILDERS = [{"name": "one", "host_type": "host-a"}]
LINES = 200


class Proxy:
    """Carries connections to `target` ("host:port") until it is told to cut them."""

    def __init__(self, target):
        host, port = target.rsplit(":", 1)
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.pairs, self.carried, self.silent_pairs = [], 0, set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target)
            except OSError:
                near.close()
                continue
            pair = (near, far)
            with self.lock:
                self.pairs.append(pair)
            for source, sink in (pair, pair[::-1]):
                threading.Thread(target=self._carry, args=(pair, source, sink), daemon=True).start()

    def _carry(self, pair, source, sink):
        try:
            while data := source.recv(65536):
                if pair in self.silent_pairs:
                    continue  # swallowed
                self.carried += len(data)
                sink.sendall(data)
            if pair not in self.silent_pairs:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self, how):
        """Cuts what is connected at this moment; new connections are carried."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            if how == "silence":
                self.silent_pairs.add(pair)
                continue
            for end in pair:
                try:
                    if how == "RST":
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        end.shutdown(socket.SHUT_RD)  # wakes the thread that reads it
                    else:
                        end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it had ended by itself
                end.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            self.pairs += self.silent_pairs
        self.cut("FIN")


class Cuts(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        self.repository = make_repository(self.directory / "repository")
        self.gate = self.directory / "gate"
        # Does not become smaller on the way: sending it takes a while.
        (self.repository / "large").write_bytes(os.urandom(16 * 1024 * 1024))
        commit(self.repository, {"a": "1"}, "one")

    def build_with_cut(self, how, when):
        steps = [["talk", f"n=0; while [ $n -lt {LINES} ]; do echo line $n; n=$((n+1)); "
                          f"[ $n -lt 100 ] || [ -e {self.gate} ] || sleep 0.1; done"]]
        repository = {"name": "demo", "url": str(self.repository), "steps": steps}
        with Farm(programs(), self.directory / f"farm-{how}-{when}", [repository], BUILDERS) as farm:
            proxy = Proxy(farm.ready["https"])
            self.addCleanup(proxy.close)
            if when == "idle":
                self.gate.touch()
            farm.start_worker("host-a", coordinator=proxy.address)
            if when == "idle":
                farm.wait_for_builds(1, 60)
            elif when == "source":
                wait_for(lambda: proxy.carried > 1024 * 1024, 60, "the source to be on its way")
            else:
                logs = farm.state / "logs"
                wait_for(lambda: any(b"line 100\n" in path.read_bytes() for path in logs.glob("*/*-s1.part")), 60,
                         "output")
            session = farm.api("/workers")["workers"][0]["session"]
            proxy.cut(how)
            self.gate.touch()
            wait_for(lambda: session not in self.sessions(farm), 40, "the worker to be shown dead")
            if how == "silence":
                # The first one hears nothing of all this before its own limit (100 s without a keep-alive) is over;
                # the farm waits for it no longer than its lease lasts.
                farm.start_worker("host-a")
            wait_for(lambda: self.sessions(farm), 60, "a worker to come")
            builds = farm.wait_for_builds(1, 60)
            details = farm.api(f"/builds/{builds[0]['id']}")
            attempts = [(a["outcome"], a["why"]) for a in details["attempts"]]
            self.check(farm, details, attempts, 1 if how == "silence" and when != "idle" else 0)
            self.gate.unlink()
            return attempts[0][1]

    def sessions(self, farm):
        return [worker["session"] for worker in farm.api("/workers")["workers"]]

    def check(self, farm, details, attempts, lost):
        self.assertEqual([outcome for outcome, _ in attempts], ["lost"] * lost + ["ok"])
        self.assertEqual((details["state"], details["result"]), ("finished", "ok"))
        whole = "".join(f"line {n}\n" for n in range(LINES))
        for step in details["steps"]:
            if step["name"] != "talk":
                continue
            text = farm.get(f"/api/v1/runs/{step['run']}/log?offset=0").decode()
            if step["outcome"] == "ok":
                self.assertEqual(text, whole)
            else:
                self.assertTrue(whole.startswith(text))
                self.assertNotEqual(step["status"], "")

    def test_builds_survive_cuts_by_rst(self):
        self.check_all("RST")

    def test_builds_survive_cuts_by_fin(self):
        self.check_all("FIN")

    def test_builds_survive_cuts_by_silence(self):
        self.check_all("silence")

    def check_all(self, how):
        for when in ("idle", "source", "output"):
            with self.subTest(how=how, when=when):
                why = self.build_with_cut(how, when)
                print(f"{how} while {when}: " + (f"lost and made again: {why}" if why else "the farm went on"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
