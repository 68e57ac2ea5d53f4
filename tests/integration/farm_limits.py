"""Large trees, endless output, slow clients: memory stays bounded and nobody waits for ever."""

import pathlib
import socket
import subprocess
import tempfile
import time
import unittest

from farm import MEMORY_FACTOR, Farm, git, make_repository, programs

BUILDERS = [{"name": "one", "host_type": "host-a"}]
MIB = 1024 * 1024


def peak_memory(pid):
    """Most resident memory that the process ever had, in bytes."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


class FarmLimits(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        self.repository = make_repository(self.directory / "repository")

    def farm(self, steps):
        repository = {"name": "demo", "url": str(self.repository), "steps": steps}
        return Farm(programs(), self.directory / "farm", [repository], BUILDERS)

    def test_a_tree_of_4_gib_and_200_mb_of_output_need_less_than_64_mib(self):
        zeros = self.repository / "zeros"
        with open(zeros, "wb") as file:
            file.truncate(4096 * MIB)
        # The blob is written deflated once, in a stream: no delta is sought for a file over this size.
        git(self.repository, "config", "core.bigFileThreshold", "1m")
        git(self.repository, "config", "core.compression", "1")
        git(self.repository, "add", "-A")
        git(self.repository, "commit", "-q", "-m", "four gigabytes of zeros")
        zeros.unlink()
        steps = [["size", "stat -c %s zeros"], ["print", "head -c 200000000 /dev/zero"]]
        with self.farm(steps) as farm:
            worker = farm.start_worker("host-a")
            build = farm.wait_for_builds(1, 400)[0]
            self.assertEqual(build["result"], "ok", build)
            runs = {s["name"]: s["run"] for s in farm.api(f"/builds/{build['id']}")["steps"]}
            self.assertEqual(farm.get(f"/api/v1/runs/{runs['size']}/log?offset=0"), b"4294967296\n")
            self.assertEqual(len(farm.get(f"/api/v1/runs/{runs['print']}/log?offset=0")), 200_000_000)
            peaks = {"coordinator": peak_memory(farm.coordinator.pid), "worker": peak_memory(worker.process.pid)}
            print({name: f"{peak / MIB:.1f} MiB" for name, peak in peaks.items()})
            for name, peak in peaks.items():
                self.assertLess(peak, 64 * MIB * MEMORY_FACTOR, name)

    def test_a_half_sent_request_is_closed_by_its_time_limit(self):
        subprocess.run(["git", "-C", self.repository, "commit", "-q", "--allow-empty", "-m", "x"],
                       check=True, env={"PATH": "/usr/bin:/bin", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
                                        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org"})
        with self.farm([["true", "true"]]) as farm:
            for address, first in ((farm.ready["http"], b"GET / HTTP/1.1\r\nHost: x\r\nX-Half"),
                                   (farm.ready["https"], b"\x16\x03\x01")):
                host, port = address.rsplit(":", 1)
                with socket.create_connection((host, int(port)), timeout=30) as connection:
                    connection.sendall(first)
                    begun = time.monotonic()
                    while connection.recv(4096):
                        pass
                    self.assertLess(time.monotonic() - begun, 20)
            self.assertEqual(farm.get("/healthz"), b"ok\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
