"""A person's way into a worker: the OpenSSH client through /connect-ssh, with a real sshd behind it, and nobody's ~/.ssh
read or written."""

import hashlib
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import unittest

import namespaces
from farm import wait_for
from worker_listens import PASSWORD, WorkerTest

PROXY = """\
import os, socket, sys, threading, base64
user, key, port, password = sys.argv[1:]
s = socket.create_connection(("127.0.0.1", int(port)))
s.sendall(("POST /connect-ssh HTTP/1.1\\r\\nHost: w\\r\\nContent-Length: 0\\r\\nX-Go-Ssh-User: %s\\r\\n"
           "X-Go-Authorized-Key: %s\\r\\nAuthorization: Basic %s\\r\\n\\r\\n"
           % (user, key, base64.b64encode((":" + password).encode()).decode())).encode())
head = b""
while b"\\r\\n\\r\\n" not in head:
    piece = s.recv(4096)
    if not piece:
        sys.exit("the worker closed the connection")
    head += piece
head, banner = head.split(b"\\r\\n\\r\\n", 1)
if not head.startswith(b"HTTP/1.1 101 "):
    sys.exit((head + b": " + banner).decode())
os.write(1, banner)
def up():
    while data := os.read(0, 65536):
        s.sendall(data)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := s.recv(65536):
    os.write(1, data)
os._exit(0)
"""

USER = pwd.getpwuid(os.geteuid())


def digest(directory):
    """Of names, modes and content of everything below a directory; of its absence, too."""
    total = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        total.update(f"{path} {status.st_mode:o} {status.st_uid} {status.st_mtime_ns}\n".encode())
        if path.is_file():
            total.update(path.read_bytes())
    return total.hexdigest(), directory.exists()


class WorkerSsh(WorkerTest):
    def setUp(self):
        super().setUp()
        self.ours = self.directory / "key"
        self.other = self.directory / "other"
        for key in (self.ours, self.other):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        (self.directory / "proxy.py").write_text(PROXY)
        self.started = self.worker()

    def ssh(self, *command, user=USER.pw_name, key=None, shown=None, options=(), stdin=subprocess.DEVNULL, start=False):
        key, shown = key or self.ours, shown or self.ours
        public = shown.with_name(shown.name + ".pub").read_text().strip()
        proxy = f"{sys.executable} {self.directory}/proxy.py {user} '{public}' {self.started.port} {PASSWORD}"
        line = ["ssh", "-F", "/dev/null", "-o", f"ProxyCommand={proxy}", "-o", "StrictHostKeyChecking=accept-new",
                "-o", f"UserKnownHostsFile={self.directory}/known_hosts", "-o", "IdentityAgent=none",
                "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-i", str(key), *options, f"{user}@worker", *command]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory)}
        options = dict(env=environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return subprocess.Popen(line, **options) if start else subprocess.run(line, timeout=60, **options)

    def test_a_command_runs_as_the_worker_s_user_and_dot_ssh_stays_as_it_was(self):
        before = digest(pathlib.Path(USER.pw_dir) / ".ssh")
        answer = self.ssh("id -un; echo $WORKDIR; echo $META_password; echo err >&2; exit 7")
        self.assertEqual(answer.returncode, 7, answer.stderr)
        self.assertEqual(answer.stdout, f"{USER.pw_name}\n{self.directory}/state/workdir\n\n")
        self.assertTrue(answer.stderr.endswith("err\n"), answer.stderr)
        self.assertEqual(digest(pathlib.Path(USER.pw_dir) / ".ssh"), before)
        self.assertNotIn(PASSWORD, self.started.log.read_text())

    def test_much_goes_both_ways_and_the_host_key_stays_the_same(self):
        noise = os.urandom(300_000).hex()
        for _ in range(2):
            read, write = os.pipe()
            feeder = subprocess.Popen([sys.executable, "-c", f"import sys; sys.stdout.write({noise[:1000]!r} * 600)"],
                                      stdout=write)
            os.close(write)
            answer = self.ssh("cat", stdin=read)
            os.close(read)
            self.assertEqual(feeder.wait(20), 0)
            self.assertEqual((answer.returncode, answer.stdout), (0, noise[:1000] * 600), answer.stderr[-500:])
        self.assertEqual((self.directory / "known_hosts").read_text().count("\n"), 1)

    def test_a_terminal_is_there_for_who_wants_one(self):
        answer = self.ssh("test -t 0 && tty", options=("-tt",))
        self.assertIn("/dev/pts/", answer.stdout, answer.stderr)

    def test_only_the_key_that_was_shown_lets_in(self):
        answer = self.ssh("true", key=self.other)
        self.assertEqual(answer.returncode, 255)
        self.assertIn("Permission denied (publickey)", answer.stderr)
        self.assertEqual(self.ssh("true").returncode, 0)
        # What was allowed for one connection is not allowed for the next.
        self.assertIn("Permission denied", self.ssh("true", key=self.ours, shown=self.other).stderr)

    def test_others_are_refused_with_a_sentence(self):
        self.assertIn("is no user of this machine", self.ssh("true", user="no-such-user").stderr)
        other = "nobody"
        if os.geteuid() != 0:
            self.assertIn("may not log in here", self.ssh("true", user=other).stderr)

    def test_a_connection_counts_as_work_until_it_is_over(self):
        read, write = os.pipe()
        client = self.ssh("echo here; cat", stdin=read, start=True)
        os.close(read)
        self.assertEqual(client.stdout.readline(), "here\n")
        self.assertEqual(self.started.status()["working"], 1)
        os.close(write)
        self.assertEqual(client.wait(20), 0)
        client.stdout.close()
        client.stderr.close()
        wait_for(lambda: "working" not in self.started.status(), 20, "the visit to end")
        self.assertEqual([path.name for path in (self.directory / "state" / "ssh").iterdir()], ["host_key"])

    def test_a_client_that_is_gone_takes_its_commands_along(self):
        client = self.ssh(f"echo here; exec sleep 6{os.getpid()}", start=True)
        self.assertEqual(client.stdout.readline(), "here\n")
        client.kill()
        client.wait()
        client.stdout.close()
        client.stderr.close()
        wait_for(lambda: "working" not in self.started.status(), 20, "the visit to end")
        self.assertNotIn("sshd", self.children())

    def children(self):
        found = ""
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                name, rest = stat.read_text().rsplit(")", 1)
            except OSError:
                continue
            if int(rest.split()[1]) == self.started.process.pid:
                found += name.split("(", 1)[1] + " "
        return found


if __name__ == "__main__":
    if not (pathlib.Path("/usr/sbin/sshd").exists() and shutil.which("ssh")):
        print("openssh-server and openssh-client are missing")
        sys.exit(77)
    if os.geteuid() == 0:
        # sshd wants its /run/sshd: not in everybody's /run.
        namespaces.enter("mount")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    unittest.main(verbosity=2)
