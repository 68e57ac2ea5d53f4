"""examples/remote_run: a command runs on a worker that listens, also while that is killed and started again."""

import os
import pathlib
import socket
import subprocess
import tarfile
import tempfile
import unittest

from farm import wait_for
from worker_listens import PASSWORD, Buildlet

REMOTE_RUN = pathlib.Path(os.environ["XBUILD_EXAMPLES"]) / "remote_run"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class RemoteRun(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        self.port = free_port()
        self.worker = Buildlet(self.directory, "-listen", f"127.0.0.1:{self.port}",
                               environment={"META_password": PASSWORD}).start()
        self.addCleanup(lambda: self.worker.kill())
        (self.directory / "numbers").write_text("1\n2\n3\n")
        self.tree = self.directory / "tree.tar.gz"
        with tarfile.open(self.tree, "w:gz") as tree:
            tree.add(self.directory / "numbers", "numbers")

    def command(self, *command, password=PASSWORD):
        environment = os.environ | {"WORKER_PASSWORD": password}
        return subprocess.Popen([REMOTE_RUN, f"127.0.0.1:{self.port}", self.tree, *command], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=environment)

    def run_to_end(self, *command, **options):
        process = self.command(*command, **options)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def test_outcomes_are_told_apart(self):
        self.assertEqual(self.run_to_end("cat", "numbers"), (0, "1\n2\n3\n", "succeeded\n"))
        self.assertEqual(self.run_to_end("sh", "-c", "exit 3"), (1, "", "failed: exit status 3\n"))
        code, _, err = self.run_to_end("no-such-command")
        self.assertEqual((code, err.split(":")[0]), (1, "could not be run"))
        code, _, err = self.run_to_end("true", password="wrong")
        self.assertEqual(code, 2)
        self.assertIn("403", err)

    def test_a_command_outlives_the_worker_that_began_it(self):
        begun = self.directory / "begun"
        process = self.command("sh", "-c", f"echo a; : >{begun}; while ! test -e {self.directory}/go; do sleep 0.1; done; echo b")
        wait_for(begun.exists, 30, "the command")
        self.worker.kill()
        self.worker.start()
        (self.directory / "go").touch()
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out, err), (0, "a\nb\n", "succeeded\n"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
