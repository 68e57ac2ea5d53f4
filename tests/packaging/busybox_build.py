"""The static worker on a machine that has busybox and nothing else: it joins a farm and runs what it is told. Then a
compiler is brought there, and it builds the newest commit of the outside project: busybox_build.py WORKER PROGRAMS INPUT

WORKER is the static one; PROGRAMS holds the coordinator, which runs outside; INPUT is what tests/real_project/fetch.sh
fetched. The machine is a root in memory, in a mount namespace of the test's own.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(SOURCE / "tests/integration"), str(SOURCE / "tests/real_project")]

import make_repository
import namespaces
import project
from farm import Farm, commit, git, wait_for
from namespaces import run
from run import require_input

LIMIT = 300
# In /bin is busybox, in /usr/bin what is brought. Busybox's shell takes its own ar, which only reads, wherever PATH leads.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "AR": "/usr/bin/ar", "HOME": "/state"}
BROUGHT = ("gcc", "as", "ld", "ar", "nm", "ranlib", "make", "perl")  # one of the project's tests is in Perl
LIBRARIES = ("/usr/lib", "/usr/include")
BARE = ("bare", """
set -e
for program in ls sed awk tar; do test "$(readlink -f /bin/$program)" = /bin/busybox; done
for program in gcc make; do if command -v $program; then exit 1; fi; done
test ! -e /lib && test ! -e /usr/lib
echo "busybox and no library"
""")


def bind(outside, inside):
    """So that nothing there can be changed from within."""
    if pathlib.Path(outside).is_dir():
        inside.mkdir(parents=True, exist_ok=True)
    else:
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.touch()
    run("mount", "--bind", "-o", "ro", outside, inside)


class Root:
    """What the machine sees. In memory, so that nothing of it outlives the namespace."""

    def __init__(self, path, worker):
        self.path = path
        path.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=1g", "none", path)
        for folder in ("bin", "proc", "dev", "tmp", "state"):
            (path / folder).mkdir()
        shutil.copy(shutil.which("busybox"), path / "bin/busybox")
        run("/usr/sbin/chroot", path, "/bin/busybox", "--install", "-s", "/bin")
        shutil.copy(worker, path / "buildlet")
        for device in ("null", "zero", "urandom"):
            (path / "dev" / device).touch()
            run("mount", "--bind", f"/dev/{device}", path / "dev" / device)
        run("mount", "--bind", "/proc", path / "proc")

    def bring_a_compiler(self):
        for folder in LIBRARIES:
            bind(folder, self.path / folder[1:])
        for name in ("lib", "lib64"):  # where programs look for the loader, also where it lies below /usr
            if pathlib.Path("/", name).is_symlink():
                (self.path / name).symlink_to(pathlib.Path("/", name).readlink())
            elif pathlib.Path("/", name).exists():
                bind(f"/{name}", self.path / name)
        if pathlib.Path("/usr/lib64").is_dir():
            bind("/usr/lib64", self.path / "usr/lib64")
        for program in BROUGHT:
            bind(pathlib.Path(shutil.which(program)).resolve(), self.path / "usr/bin" / program)

    def remove(self):
        run("umount", "--recursive", "--lazy", self.path)


class BusyboxBuild(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)

    def start_worker(self, farm, root):
        key = farm.run_program("genbuilderkey", "-master-key-file", farm.ready["master_key_file"], "host-box").stdout
        (root.path / "key").write_text(key)
        with open(self.directory / "log", "wb") as log:
            worker = subprocess.Popen(
                ["/usr/sbin/chroot", root.path, "/buildlet", "-coordinator", farm.ready["https"], "-reverse-type", "host-box",
                 "-hostname", "box", "-state-dir", "/state", "-key-file", "/key",
                 "-coordinator-fingerprint", farm.ready["fingerprint"]],
                env=ENVIRONMENT, stdout=log, stderr=log)
        self.addCleanup(worker.wait)
        self.addCleanup(worker.kill)

        def joined():
            self.assertIsNone(worker.poll(), (self.directory / "log").read_text())
            return farm.api("/workers")["workers"]

        wait_for(joined, 30, "the worker to join")

    def log_of(self, farm, build):
        return farm.get(f"/api/v1/builds/{build['id']}/log").decode(errors="replace")

    def test_it_works_with_busybox_alone_and_builds_a_project_with_a_compiler(self):
        small, origin, history = (self.directory / name for name in ("small", "origin.git", "history"))
        small.mkdir()
        git(small, "init", "-q", "-b", "main")
        commit(small, {"file": "text"}, "the only one")
        git(self.directory, "init", "-q", "--bare", "-b", project.BRANCH, str(origin))
        make_repository.make(INPUT, history)
        repositories = [
            {"name": "small", "url": str(small), "steps": [BARE]},
            {"name": "real", "url": str(origin), "first_sight": 1,
             "steps": [(name, command, f"{project.STEP_LIMIT_SECONDS}s") for name, command in project.STEPS]},
        ]
        root = Root(self.directory / "root", WORKER)
        self.addCleanup(root.remove)
        with Farm(PROGRAMS, self.directory / "farm", repositories, [{"name": "box", "host_type": "host-box"}]) as farm:
            self.start_worker(farm, root)
            [bare] = farm.wait_for_builds(1, LIMIT)
            self.assertEqual(bare["result"], "ok", self.log_of(farm, bare))
            self.assertIn("busybox and no library", self.log_of(farm, bare))

            root.bring_a_compiler()
            head = git(history, "rev-parse", project.BRANCH)
            git(history, "push", "-q", str(origin), project.BRANCH)
            builds = farm.wait_for_builds(2, LIMIT)
            [real] = [build for build in builds if build["id"] != bare["id"]]
            log = self.log_of(farm, real)
            self.assertEqual((real["commit"], real["result"]), (head, "ok"), log[-4000:])
            self.assertRegex(log, r"All \d+ tests passed|PASS: ")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    WORKER, PROGRAMS, INPUT = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    if not shutil.which("busybox"):
        sys.exit("busybox_build: there is no busybox; './dev setup' installs it")
    require_input(INPUT)
    namespaces.enter("mount", "net")
    unittest.main(argv=sys.argv[:1], verbosity=2)
