"""A follower behind a network that cuts its connections, and one that is killed: in the end it has what the server has, and
every whole segment in its cache is what its name says.

maintner_faults.py [--seeds 1] [--kills 5]     ./dev soak: 20 seeds, 60 kills
"""

import argparse
import hashlib
import os
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from farm import programs, wait_for
from maintner_live import append, issue

FOLLOW = programs().parent / "tests" / "follow_log"
LAST = 1_000_000  # the issue that ends it
SEGMENT = 100_000
LIMIT = 300


class CuttingProxy:
    """Carries connections to `port`, and breaks each off after a random number of bytes or a random time."""

    def __init__(self, port, rng):
        self.port, self.rng, self.in_bodies, self.in_waits, self.calm = port, rng, 0, 0, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.calm = True
        self.listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near):
        far = socket.create_connection(("127.0.0.1", self.port))
        budget = None if self.calm or self.rng.random() < 0.5 else self.rng.randrange(1, 3 * SEGMENT)
        deadline = None if self.calm else time.monotonic() + self.rng.uniform(0.05, 1.5)
        threading.Thread(target=self._ask, args=(near, far), daemon=True).start()
        try:
            while True:
                if deadline is not None:
                    far.settimeout(max(deadline - time.monotonic(), 0.001))
                data = far.recv(min(65536, budget) if budget is not None else 65536)
                if not data:
                    break
                near.sendall(data)
                if budget is not None:
                    budget -= len(data)
                    if budget == 0:
                        self.in_bodies += 1
                        raise ConnectionAbortedError
        except TimeoutError:
            self.in_waits += 1
        except OSError:
            pass
        if not self.calm:
            if self.rng.random() < 0.5:
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST
        for end in (near, far):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    @staticmethod
    def _ask(near, far):
        try:
            while data := near.recv(65536):
                far.sendall(data)
        except OSError:
            pass


class Writer(threading.Thread):
    """Appends to a log for `seconds`, and then what ends it."""

    def __init__(self, log, rng, seconds):
        super().__init__(daemon=True)
        self.log, self.rng, self.seconds = log, rng, seconds

    def some(self, count):
        return [issue("go", self.rng.randrange(1, 500), "x" * self.rng.randrange(1, 3000)) for _ in range(count)]

    def run(self):
        end, day = time.monotonic() + self.seconds, 1
        while time.monotonic() < end:
            if self.rng.random() < 0.05:
                day += 1
            append(self.log / f"maintner-2021-01-{day:02}.mutlog", *self.some(self.rng.randrange(1, 5)))
            time.sleep(self.rng.uniform(0, 0.4))  # how the log grows: at its own pace
        append(self.log / f"maintner-2021-01-{day:02}.mutlog", issue("go", LAST, "end"))


class World:
    def __init__(self, directory, rng):
        self.log, self.cache = directory / "log", directory / "cache"
        self.log.mkdir()
        append(self.log / "maintner-2021-01-01.mutlog", *Writer(self.log, rng, 0).some(800))
        ready = directory / "ready"
        self.server = subprocess.Popen([programs() / "maintnerd", "-data-dir", directory / "segments", "-log", self.log,
                                        "-listen-http", "127.0.0.1:0", "-ready-file", ready, "-segment-size",
                                        str(SEGMENT)], stderr=subprocess.DEVNULL)
        wait_for(ready.exists, 30, "maintnerd")
        self.port = int(re.search(r":(\d+)/", ready.read_text()).group(1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.kill()
        self.server.wait()

    def follow(self, address, **more):
        return subprocess.Popen([FOLLOW, f"http://{address}/logs", self.cache, "golang/go", str(LAST)],
                                stdout=subprocess.PIPE, text=True, **more)

    def check(self, follower):
        """`follower` ends, and says of its corpus what one of the log itself says."""
        out, _ = follower.communicate(timeout=LIMIT)
        assert follower.returncode == 0, follower.returncode
        expected = subprocess.run([FOLLOW, self.log], stdout=subprocess.PIPE, text=True, check=True).stdout
        assert out.split()[0] == expected.split()[0], (out, expected)
        self.check_cache()

    def check_cache(self):
        for file in self.cache.glob("*.mutlog"):
            digest = file.name.split(".")[1]
            if digest != "growing":
                assert hashlib.sha224(file.read_bytes()).hexdigest() == digest, file.name


def cuts(seed):
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="xbuild-test.") as name, World(pathlib.Path(name), rng) as world:
        proxy = CuttingProxy(world.port, rng)
        writer = Writer(world.log, rng, 16)
        writer.start()
        follower = world.follow(proxy.address, stderr=subprocess.DEVNULL)
        writer.join()
        proxy.calm = True
        world.check(follower)
        proxy.close()
        print(f"seed {seed}: {proxy.in_bodies} cuts in bodies, {proxy.in_waits} while it waited", flush=True)
        return proxy.in_bodies, proxy.in_waits


def kills(seed, count):
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="xbuild-test.") as name, World(pathlib.Path(name), rng) as world:
        address = f"127.0.0.1:{world.port}"
        writer = Writer(world.log, rng, 0.1 * count)
        writer.start()
        within = 0
        for _ in range(count):
            follower = world.follow(address, stderr=subprocess.DEVNULL)
            try:
                follower.wait(timeout=rng.uniform(0.001, 0.08))
            except subprocess.TimeoutExpired:
                follower.send_signal(signal.SIGKILL)
                within += 1
            follower.communicate()
            if world.cache.exists():
                world.check_cache()
            if rng.random() < 0.2:
                for file in world.cache.glob("*.mutlog"):
                    file.unlink()
        writer.join()
        world.check(world.follow(address))
        print(f"seed {seed}: killed {within} times", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--kills", type=int, default=5)
    args = parser.parse_args()
    base = int(os.environ.get("XBUILD_SEED", random.randrange(1 << 30)))
    print("seeds from", base)
    kills(base, args.kills)
    counts = [cuts(base + i) for i in range(args.seeds)]
    in_bodies, in_waits = (sum(column) for column in zip(*counts))
    print(f"{args.seeds} seeds, {in_bodies} cuts in bodies, {in_waits} while it waited")
    return 0 if in_bodies + in_waits >= 3 * args.seeds else 1


if __name__ == "__main__":
    sys.exit(main())
