"""A worker for machines on which nothing can be installed: it needs no shared library but glibc's, and in its static form
none at all; it works where there is nothing but itself. Builds it anew, in the folder that is named."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/integration"))

import namespaces
from farm import wait_for

TREE = pathlib.Path(sys.argv[1]).resolve()
LARGEST = 12 * 1024 * 1024
OF_GLIBC = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}


def run(*command):
    answer = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=800)
    text = answer.stdout.decode()
    assert answer.returncode == 0, f"{command}: {answer.returncode}\n{text}"
    return text


def build(kind):
    run("cmake", "-S", SOURCE, "-B", TREE, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_UNITY_BUILD=ON",
        "-DCMAKE_UNITY_BUILD_BATCH_SIZE=8", "-DXBUILD_TESTS=OFF", f"-DXBUILD_SELF_CONTAINED={kind}")
    run("cmake", "--build", TREE, "--target", "buildlet")
    return TREE / "bin/buildlet"


def libraries(program):
    return set(re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "--dynamic", program)))


class SelfContained(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)

    def stripped(self, program):
        small = self.directory / "buildlet"
        run("strip", "-o", small, program)
        size = small.stat().st_size
        print(f"{size} bytes stripped")
        self.assertLess(size, LARGEST)
        return small

    def test_1_it_needs_glibc_alone(self):
        program = self.stripped(build("glibc"))
        self.assertLessEqual(libraries(program), OF_GLIBC)
        self.assertIn("buildlet", run(program, "-version"))

    def test_2_the_static_one_works_where_there_is_nothing_else(self):
        program = self.stripped(build("static"))
        self.assertEqual(libraries(program), set())
        root = self.directory / "root"
        for folder in ("proc", "dev", "tmp", "state"):
            (root / folder).mkdir(parents=True)
        program.rename(root / "buildlet")
        (root / "dev/null").touch()
        namespaces.run("mount", "--bind", "/proc", root / "proc")
        self.addCleanup(namespaces.run, "umount", "--lazy", root / "proc")
        namespaces.run("mount", "--bind", "/dev/null", root / "dev/null")
        self.addCleanup(namespaces.run, "umount", "--lazy", root / "dev/null")
        log = open(self.directory / "log", "w+", encoding="utf-8")
        self.addCleanup(log.close)
        worker = subprocess.Popen(["/usr/sbin/chroot", root, "/buildlet", "-listen", "127.0.0.1:0", "-insecure",
                                   "-state-dir", "/state"],
                                  env={"HOME": "/state", "PATH": "/"}, stdout=log, stderr=log)
        self.addCleanup(worker.wait)
        self.addCleanup(worker.kill)

        def listening():
            self.assertIsNone(worker.poll(), pathlib.Path(log.name).read_text())
            return re.search(r"\"listening\" .*port=(\d+)", pathlib.Path(log.name).read_text())

        address = f"http://127.0.0.1:{wait_for(listening, 30, 'the worker to listen').group(1)}"
        with urllib.request.urlopen(address + "/status", timeout=30) as answer:
            self.assertEqual(json.load(answer)["Version"], 28)
        # The only program that there is.
        form = urllib.parse.urlencode([("cmd", "/buildlet"), ("mode", "sys"), ("cmdArg", "-version")]).encode()
        with urllib.request.urlopen(address + "/exec", form, timeout=30) as answer:
            self.assertTrue(answer.read().decode().startswith("buildlet "))


if __name__ == "__main__":
    namespaces.enter("mount")
    del sys.argv[1]
    unittest.main(verbosity=2)
