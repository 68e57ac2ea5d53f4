"""A log that grows can be followed, and picked up after every kind of interruption: no byte twice, none lost."""

import json
import pathlib
import socket
import subprocess
import tempfile
import unittest

from farm import MEMORY_FACTOR, Farm, commit, make_repository, programs, wait_for

BUILDERS = [{"name": "one", "host_type": "host-a"}]


class Curl:
    """curl -N in the background."""

    def __init__(self, farm, path, *args):
        self.process = subprocess.Popen(["curl", "-sN", *args, f"http://{farm.ready['http']}{path}"],
                                        stdout=subprocess.PIPE)

    def read(self, count):
        return self.process.stdout.read(count)

    def rest(self):
        return self.process.stdout.read()

    def until(self, bytes_):
        """Everything up to and with `bytes_`."""
        text = b""
        while not text.endswith(bytes_):
            byte = self.process.stdout.read(1)
            if not byte:
                raise AssertionError(f"the stream ended without {bytes_!r}: {text[-500:]!r}")
            text += byte
        return text

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.stdout.close()
        self.process.wait()


def events(text):
    """Pairs of id (None without) and name with the data of each event."""
    result = []
    for block in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "event" in fields:
            result.append((fields.get("id"), fields["event"], json.loads(fields["data"])))
    return result


class LiveLogs(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        self.repository = make_repository(self.directory / "repository")
        commit(self.repository, {"a": "1"}, "one")
        self.fifo = self.directory / "fifo"
        subprocess.run(["mkfifo", self.fifo], check=True)

    def farm(self, command):
        repository = {"name": "demo", "url": str(self.repository), "steps": [["print", command]]}
        return Farm(programs(), self.directory / "farm", [repository], BUILDERS)

    def curl(self, *args):
        curl = Curl(*args)
        self.addCleanup(curl.close)
        return curl

    def running_step(self, farm, attempt=1):
        def find():
            builds = (farm.try_api("/builds") or {"builds": []})["builds"]
            for step in farm.api(f"/builds/{builds[0]['id']}")["steps"] if builds else []:
                if step["name"] == "print" and step["attempt"] == attempt:
                    return builds[0]["id"], step["run"]
            return None
        return wait_for(find, 60, "the step to begin")

    def test_last_event_id_gives_exactly_the_bytes_from_there_on(self):
        with self.farm(f"printf '0123456789'; cat {self.fifo}; printf 'tail\\n'") as farm:
            farm.start_worker("host-a")
            build, run = self.running_step(farm)
            wait_for(lambda: farm.get(f"/api/v1/runs/{run}/log") == b"0123456789", 30, "the first bytes")
            streams = [self.curl(farm, f"/api/v1/runs/{run}/log", "-H", f"Last-Event-ID: {n}") for n in range(11)]
            for n, stream in enumerate(streams):
                self.assertEqual(stream.read(10 - n), b"0123456789"[n:])
            typed = self.curl(farm, f"/api/v1/runs/{run}/log", "-H", "Last-Event-ID: 8", "-H", "Accept: text/event-stream")
            named = self.curl(farm, f"/api/v1/runs/{run}/events", "-H", "Last-Event-ID: 8")
            whole = self.curl(farm, f"/api/v1/builds/{build}/events", "-H", f"Last-Event-ID: 1.1.8")
            for stream in (typed, named, whole):
                stream.until(b'"text":"89"}\n\n')
            self.fifo.write_bytes(b"live \xff\xc3\xa4\n")
            for n, stream in enumerate(streams):
                self.assertEqual(stream.rest(), b"live \xff\xc3\xa4\ntail\n")
            for stream in (typed, named, whole):
                told = events(stream.rest())
                self.assertEqual(told[-1][1], "end")
                logs = [data for _, name, data in told if name == "log"]
                self.assertEqual("".join(data["text"] for data in logs), "live \ufffd\u00e4\ntail\n")
                self.assertEqual(sum(data["length"] for data in logs), len(b"live \xff\xc3\xa4\ntail\n"))
            self.assertEqual(told[-1][2]["result"], "ok")

    def test_a_stream_goes_on_over_a_restart_of_the_coordinator(self):
        with self.farm(f"echo attempt $XBUILD_ATTEMPT; cat {self.fifo}") as farm:
            farm.start_worker("host-a")
            build, _ = self.running_step(farm)
            path = f"/api/v1/builds/{build}/events"
            first = self.curl(farm, path)
            text = first.until(b'"text":"attempt 1\\n"}\n\n')
            farm.kill_coordinator()
            text += first.rest()
            farm.start_coordinator()
            self.running_step(farm)
            position = [id for id, _, _ in events(text) if id][-1]
            second = self.curl(farm, path, "-H", f"Last-Event-ID: {position}")
            self.fifo.write_text("over\n")
            more = second.rest()
            pieces = {}
            for _, name, data in events(text) + events(more):
                if name == "log":
                    log = pieces.setdefault(data["run"], [])
                    self.assertEqual(data["offset"], sum(len(piece.encode()) for piece in log), "no byte twice, none lost")
                    log.append(data["text"])
            for run, log in pieces.items():
                self.assertEqual("".join(log).encode(), farm.get(f"/api/v1/runs/{run}/log"))
            self.assertEqual(events(more)[-1][1:], ("end", {"build": build, "state": "finished", "result": "ok"}))

    def test_a_reader_that_takes_nothing_costs_no_memory(self):
        megabytes = 100
        with self.farm(f"head -c {megabytes}M /dev/zero; echo; cat {self.fifo}") as farm:
            farm.start_worker("host-a")
            _, run = self.running_step(farm)

            def resident():
                status = pathlib.Path(f"/proc/{farm.coordinator_pid()}/status").read_text()
                return int(status.split("VmRSS:")[1].split()[0]) // 1024

            host, port = farm.ready["http"].split(":")
            sleepers = []
            for _ in range(20):
                sleeper = socket.create_connection((host, int(port)))
                self.addCleanup(sleeper.close)
                sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sleeper.sendall(f"GET /api/v1/runs/{run}/events HTTP/1.1\r\nHost: farm\r\n\r\n".encode())
                sleepers.append(sleeper)
            reader = self.curl(farm, f"/api/v1/runs/{run}/log?follow=1")
            count = 0
            while count < megabytes * 1024 * 1024 + 1:
                count += len(reader.read(min(1024 * 1024, megabytes * 1024 * 1024 + 1 - count)))
            self.assertLess(resident(), 100 * MEMORY_FACTOR, "MiB of memory, with 20 readers that stand still before a line of 100 MB")
            self.fifo.write_text("over\n")
            self.assertEqual(reader.rest(), b"over\n")
            self.assertEqual(farm.get("/healthz"), b"ok\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
