"""pargzip as gzip's users meet it: beside gzip in the same situations, with files of its peers, on a real terminal, under real
signals."""

import contextlib
import gzip
import os
import pathlib
import pty
import random
import select
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import termios
import time
import unittest
import zlib

from farm import programs, wait_for

PARGZIP = programs() / "pargzip"
LIMIT = 60


def need(program):
    path = shutil.which(program)
    assert path, f"this test needs {program}; './dev setup' installs it"
    return path


def run(program, *arguments, cwd=None, data=None, stdin=None, env=None):
    source = {"input": data} if data is not None else {"stdin": stdin or subprocess.DEVNULL}
    return subprocess.run([str(program), *map(str, arguments)], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=LIMIT, env=env, **source)


def some_text(size, seed=1):
    """Compressible, and the same each time."""
    chance = random.Random(seed)
    words = [chance.randbytes(chance.randrange(2, 9)).hex().encode() for _ in range(3000)]
    pieces, length = [], 0
    while length < size:
        pieces.append(chance.choice(words))
        length += len(pieces[-1]) + 1
    return b" ".join(pieces)[:size]


class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(temporary.cleanup)
        self.top = pathlib.Path(temporary.name)

    def pargzip(self, *arguments, **options):
        return run(PARGZIP, *arguments, cwd=self.top, **options)

    def file(self, name, content=b"hello\n"):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def names(self):
        return sorted(path.relative_to(self.top).as_posix() for path in self.top.rglob("*"))

    def same(self, ours, theirs, what=None):
        """For what is not fit to be printed."""
        self.assertTrue(ours == theirs, what)

    def ends(self, answer, code, words=""):
        self.assertEqual(answer.returncode, code, answer.stderr)
        if words:
            self.assertIn(words, answer.stderr.decode())
        else:
            self.assertEqual(answer.stderr, b"")


def content_of(path):
    """What a file holds, compressed or not: two compressors give different bytes."""
    data = path.read_bytes()
    with contextlib.suppress(OSError, EOFError, zlib.error):
        if data.startswith(b"\x1f\x8b"):
            return gzip.decompress(data)
    return data


def prepare(folder):
    """Everything that gzip treats in its own way."""
    folder.mkdir()
    for name in ("plain", "linked", "sticky", "setuid", "setgid", "both", "quiet.txt", "-dash"):
        (folder / name).write_bytes(b"hello " * 50)
    (folder / "empty").write_bytes(b"")
    os.link(folder / "linked", folder / "other")
    os.chmod(folder / "sticky", 0o1644)
    os.chmod(folder / "setuid", 0o4644)
    os.chmod(folder / "setgid", 0o2654)
    (folder / "symlink").symlink_to("plain")
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "fifo")
    (folder / "tree/deep").mkdir(parents=True)
    for name in ("tree/a", "tree/deep/b", "tree/deep/c.gz"):
        (folder / name).write_bytes(gzip.compress(b"x", mtime=0) if name.endswith(".gz") else b"in a tree")
    good = gzip.compress(b"content " * 100, mtime=0)
    for name, data in {
        "good.gz": good, "both.gz": good, "archive.tgz": good, "old.taz": good, "dashed-gz": good, "UPPER.GZ": good,
        "two.gz": good + good, "garbage.gz": good + b"garbage", "zeros.gz": good + bytes(512), "cut.gz": good[:-5],
        "short.gz": good[:6], "nothing.gz": b"", "text.gz": b"this is no gzip", "nosuffix": good,
        "crc.gz": good[:-8] + b"abcd" + good[-4:], "length.gz": good[:-4] + b"abcd", "damaged.gz": good[:14] + b"\xff\xff" + good[16:],
    }.items():
        (folder / name).write_bytes(data)


# Each is done by gzip and by pargzip in folders that are alike.
SITUATIONS = """
plain | -k plain | -c plain | -v plain | missing | -d missing | -d missing.gz | both | -f both | -d both.gz | -df both.gz
empty | -k empty | linked | -f linked | sticky | -f sticky | setuid | setgid | -c setuid | symlink | -f symlink | -c symlink
dangling | fifo | -f fifo | tree | -r tree | -rk tree | -dr tree | -dc fifo | -q both | -q tree | -t tree | -l missing
good.gz | -f good.gz | -d good.gz | -dk good.gz | -dc good.gz | -d good | -d archive.tgz | -d old.taz | -d dashed-gz
-d UPPER.GZ | -d two.gz | -dc two.gz | -d garbage.gz | -dc garbage.gz | -t garbage.gz | -dq garbage.gz | -d zeros.gz
-t zeros.gz | -d cut.gz | -dc cut.gz | -t cut.gz | -d short.gz | -t short.gz | -d nothing.gz | -dcf nothing.gz | -d text.gz
-dc text.gz | -dcf text.gz | -dcf plain | -d nosuffix | -t nosuffix | -dc nosuffix | -d crc.gz | -t crc.gz | -d length.gz
-d damaged.gz | -t damaged.gz | -t good.gz cut.gz two.gz | -d good.gz missing.gz two.gz | plain missing quiet.txt
plain tree | plain tree missing | -- -dash | -k ./-dash | -9 plain | -1 plain | -S .zz plain | -S .zz -k plain quiet.txt
--fast -k plain | --best --keep plain | --stdout plain | --decompress --keep good.gz | --test good.gz | --recursive tree
--suffix=.zz plain | --to-stdout plain | --uncompress good.gz | --dec -k good.gz | -kv9 plain | -dkf good.gz | --bogus | --c=x plain
-S | -cdn good.gz | -n plain | -N plain | -dN good.gz | -lq good.gz | -tv good.gz | -l good.gz | -l cut.gz | -l text.gz | --nam plain
--synchronous plain
"""


class BesideGzip(Case):
    def outcome(self, program, arguments):
        folder = self.top / pathlib.Path(program).name
        shutil.rmtree(folder, ignore_errors=True)
        prepare(folder)
        answer = run(program, *arguments, cwd=folder)
        left = {}
        for path in sorted(folder.rglob("*")):
            status = path.lstat()
            regular = stat.S_ISREG(status.st_mode)
            left[path.relative_to(folder).as_posix()] = (
                stat.filemode(status.st_mode), status.st_mtime if regular and status.st_mtime < 1e9 else None,
                content_of(path) if regular else None)
        output = answer.stdout
        if output.startswith(b"\x1f\x8b"):
            output = gzip.decompress(output)
        return {"exit code": answer.returncode, "files": left, "stdout": output, "silent": not answer.stderr}

    def test_exit_codes_files_and_output_are_the_same(self):
        situations = [words.split() for line in SITUATIONS.split("\n") for words in line.split("|") if words.strip()]
        self.assertGreater(len(situations), 100)
        for arguments in situations:
            with self.subTest(arguments=" ".join(arguments)):
                self.assertEqual(self.outcome(PARGZIP, arguments), self.outcome(need("gzip"), arguments))

    def test_standard_input_is_treated_the_same(self):
        good = gzip.compress(b"content " * 100, mtime=0)
        for arguments, data in ((("-d",), good), (("-d",), good + good), (("-d",), good + b"garbage"), (("-d",), good[:-3]),
                                (("-d",), b""), (("-d",), b"text"), (("-dcf",), b"text"), (("-dcf",), b"t"), (("-t",), good),
                                (("-t",), good[:-3]), ((), b""), ((), b"text"), (("-",), b"text"), (("-c", "-"), b"text"),
                                (("-d", "-", "-"), good), (("-dq",), good + b"garbage")):
            with self.subTest(arguments=arguments, data=data[:10]):
                ours, theirs = (run(program, *arguments, data=data) for program in (PARGZIP, need("gzip")))
                self.assertEqual(ours.returncode, theirs.returncode)
                unpack = gzip.decompress if theirs.stdout.startswith(b"\x1f\x8b") else bytes
                self.assertEqual(unpack(ours.stdout), unpack(theirs.stdout))

    def test_the_tables_of_l_are_the_same(self):
        data = some_text(300_000)
        for name in ("one", "two"):
            self.file(name, data)
            run(need("gzip"), name, cwd=self.top)
        for arguments in (("-l", "one.gz"), ("-lv", "one.gz"), ("-l", "one"), ("-lN", "two.gz")):
            ours, theirs = (run(program, *arguments, cwd=self.top) for program in (PARGZIP, need("gzip")))
            self.assertEqual((ours.stdout, ours.stderr, ours.returncode), (theirs.stdout, b"", 0), arguments)
        lines = self.pargzip("-l", "one.gz", "two.gz").stdout.decode().splitlines()
        self.assertEqual(len(lines), 4)
        self.assertEqual(lines[3].split()[1:], [str(2 * len(data)), lines[1].split()[2], "(totals)"])


class Exchange(Case):
    def check(self, write, read, data):
        packed = run(*write, data=data)
        self.assertEqual((packed.returncode, packed.stderr), (0, b""), write)
        unpacked = run(*read, data=packed.stdout)
        self.assertEqual((unpacked.returncode, unpacked.stderr), (0, b""), read)
        self.same(unpacked.stdout, data, (write, read))

    def test_files_go_both_ways(self):
        peers = [(need("gzip"), "-c"), (need("pigz"), "-p3", "-b128", "-c"), (need("bgzip"), "-c", "-@2")]
        for data in (b"", b"x", some_text(3_500_000), random.Random(2).randbytes(2_200_000)):
            for program, *flags in peers:
                for threads in ("-p1", "-p2"):
                    self.check((program, *flags), (PARGZIP, "-dc", threads), data)
                    # bgzip's own -@ wants blocks of its own kind.
                    self.check((PARGZIP, "-c", threads), (program, "-dc"), data)

    def test_every_level_can_be_read_by_gzip(self):
        data = some_text(1_300_000)
        sizes = []
        for level in range(13):
            packed = run(PARGZIP, f"-{level}", data=data)
            self.same(run(need("gzip"), "-dc", data=packed.stdout).stdout, data, level)
            sizes.append(len(packed.stdout))
        self.assertGreater(sizes[0], len(data))
        self.assertLess(sizes[9], sizes[1])
        self.assertLess(sizes[12], sizes[9])

    def test_tar_and_bsdtar_read_and_write_through_it(self):
        for i in range(40):
            self.file(f"tree/folder{i % 7}/file{i}", some_text(60_000, seed=i))
        for tar in (need("tar"), need("bsdtar")):
            flag = "-I" if pathlib.Path(tar).name == "tar" else "--use-compress-program"
            ours, theirs = self.top / "ours.tar.gz", self.top / "theirs.tar.gz"
            self.ends(run(tar, flag, PARGZIP, "-cf", ours, "tree", cwd=self.top), 0)
            self.ends(run(tar, "-czf", theirs, "tree", cwd=self.top), 0)
            ways = [(ours, ("-xzf", ours))]
            # bsdtar stops reading at the archive's end, and then finds fault with a program that could not write any more.
            if flag == "-I":
                ways += [(archive, (flag, PARGZIP, "-xf", archive)) for archive in (ours, theirs)]
            for archive, how in ways:
                out = self.top / "out"
                out.mkdir()
                self.ends(run(tar, *how, "-C", out), 0)
                self.assertEqual(run("diff", "-r", self.top / "tree", out / "tree").stdout, b"", archive)
                shutil.rmtree(out)
            with tarfile.open(ours) as archive:
                self.assertEqual(len([entry for entry in archive if entry.isfile()]), 40)


class Files(Case):
    def test_mode_times_and_owner_are_kept_both_ways(self):
        path = self.file("data", some_text(10_000))
        path.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(path, 1234, 4321)
        os.utime(path, ns=(1_500_000_000_123_456_789, 1_400_000_000_987_654_321))
        before = path.stat()
        for flags, name in (((), "data.gz"), (("-d",), "data")):
            self.ends(self.pargzip(*flags, "data" if name == "data.gz" else "data.gz"), 0)
            after = (self.top / name).stat()
            for what in ("st_mode", "st_uid", "st_gid", "st_mtime_ns", "st_atime_ns"):
                self.assertEqual(getattr(after, what), getattr(before, what), (name, what))
            self.assertEqual(self.names(), [name])

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_a_group_that_cannot_be_kept_gives_no_rights_to_another(self):
        self.top.chmod(0o777)
        path = self.file("data")
        os.chown(path, 12345, 54321)
        path.chmod(0o664)
        # Where it lies now that user may not look.
        program = shutil.copy(PARGZIP, self.top / "program")
        answer = subprocess.run([program, "-k", "data"], cwd=self.top, user=12345, group=12345, extra_groups=[],
                                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=LIMIT)
        self.assertEqual((answer.returncode, answer.stderr), (0, b""))
        status = (self.top / "data.gz").stat()
        self.assertEqual((status.st_gid, stat.S_IMODE(status.st_mode)), (12345, 0o644))

    def test_o_names_the_output_and_keeps_the_input(self):
        data = some_text(5000)
        self.file("data", data)
        self.ends(self.pargzip("data", "-o", "elsewhere"), 0)
        self.ends(self.pargzip("-d", "-oback", "elsewhere"), 0)
        self.assertEqual((self.top / "back").read_bytes(), data)
        self.assertEqual(self.names(), ["back", "data", "elsewhere"])
        self.ends(self.pargzip("data", "-o", "back"), 2, "back: already exists")
        self.ends(self.pargzip("-f", "data", "--output=back"), 0)
        self.same(gzip.decompress((self.top / "back").read_bytes()), data)
        self.assertEqual(gzip.decompress(self.pargzip("-o", "-", "data").stdout), data)
        umask = os.umask(0o027)
        self.addCleanup(os.umask, umask)
        self.ends(self.pargzip("-o", "piped", data=data), 0)
        self.assertEqual(stat.S_IMODE((self.top / "piped").stat().st_mode), 0o640)

    def test_what_is_no_file_is_never_overwritten(self):
        self.file("data")
        (self.top / "folder").mkdir()
        os.mkfifo(self.top / "fifo")
        for name in ("folder", "fifo", "/dev/null"):
            self.ends(self.pargzip("-f", "data", "-o", name), 1, "is not a regular file")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))
        self.assertTrue(stat.S_ISFIFO((self.top / "fifo").stat().st_mode))

    def test_a_symbolic_link_as_output_is_replaced_and_not_followed(self):
        self.file("data")
        target = self.file("target", b"precious")
        (self.top / "data.gz").symlink_to("target")
        self.ends(self.pargzip("data"), 2, "data.gz: already exists")
        self.ends(self.pargzip("-f", "data"), 0)
        self.assertFalse((self.top / "data.gz").is_symlink())
        self.assertEqual(target.read_bytes(), b"precious")

    def test_the_name_is_stored_and_restored_only_when_asked_for(self):
        data = some_text(2_500_000)
        path = self.file("first", data)
        os.utime(path, (1_400_000_000, 1_400_000_000))
        self.ends(self.pargzip("-kn", "first", "-o", "plain.gz"), 0)
        self.ends(self.pargzip("-kN", "first"), 0)
        for program in (PARGZIP, need("gzip")):
            for archive in ("first.gz", "plain.gz"):
                shutil.copy(self.top / archive, self.top / "other.gz")
                path.unlink(missing_ok=True)
                self.ends(run(program, "-dN", "other.gz", cwd=self.top), 0)
                name = "first" if archive == "first.gz" else "other"
                self.same((self.top / name).read_bytes(), data)
                if name == "first":
                    self.assertEqual(path.stat().st_mtime, 1_400_000_000)
                (self.top / name).unlink()

    def test_a_stored_name_leads_nowhere_else(self):
        for stored, expected in ((b"../../outside", "outside"), (b"/etc/outside", "outside"), (b"..", "in"), (b"", "in")):
            packed = gzip.compress(b"x", mtime=0)
            self.file("folder/in.gz", packed[:3] + b"\x08" + packed[4:10] + stored + b"\0" + packed[10:])
            self.ends(self.pargzip("-dN", "folder/in.gz"), 0)
            self.assertEqual(self.names(), ["folder", f"folder/{expected}"])
            (self.top / "folder" / expected).unlink()

    def test_the_same_content_gives_the_same_file(self):
        data = some_text(2_500_000)
        os.utime(self.file("a", data), (1, 1))
        self.file("b", data)
        self.ends(self.pargzip("a", "b"), 0)
        self.same((self.top / "a.gz").read_bytes(), (self.top / "b.gz").read_bytes())

    def test_a_damaged_file_leaves_nothing_and_stays(self):
        packed = bytearray(self.pargzip(data=some_text(3_000_000)).stdout)
        packed[len(packed) // 2] ^= 0x10
        self.file("damaged.gz", bytes(packed))
        answer = self.pargzip("-d", "damaged.gz")
        self.ends(answer, 1, "pargzip: damaged.gz: ")
        self.assertIn(b"byte", answer.stderr)
        self.assertEqual(self.names(), ["damaged.gz"])

    def test_output_that_cannot_be_written_is_an_error(self):
        self.file("data", some_text(3_000_000))
        for arguments in (("-c", "data"), ("-lv", "data.gz"), ("-dc", "data.gz")):
            self.pargzip("-kf", "data")
            with open("/dev/full", "wb") as full:
                answer = subprocess.run([PARGZIP, *arguments], cwd=self.top, stdout=full, stderr=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, timeout=LIMIT)
            self.ends(answer, 1, "pargzip: stdout: ")

    def test_a_closed_stream_is_an_error_and_nothing_else_is_taken_for_it(self):
        self.file("data", some_text(5000))
        self.file("packed.gz", gzip.compress(b"x"))
        for command, words in ((f"{PARGZIP} -c data >&-", "stdout: Bad file"), (f"{PARGZIP} <&-", "stdin: Bad file")):
            self.ends(run("bash", "-c", command, cwd=self.top), 1, words)
        answer = run("bash", "-c", f"{PARGZIP} -kvf data packed.gz missing >&- 2>&- <&-", cwd=self.top)
        self.ends(answer, 1)
        self.same(gzip.decompress((self.top / "data.gz").read_bytes()), some_text(5000))

    def test_a_file_size_limit_leaves_no_partial_file(self):
        self.file("data", random.Random(3).randbytes(3_000_000))
        answer = run("bash", "-c", f"trap '' XFSZ; ulimit -f 1000; exec {PARGZIP} data", cwd=self.top)
        self.ends(answer, 1, "pargzip: data.gz: File too large")
        self.assertEqual(self.names(), ["data"])

    def test_names_do_not_talk_to_the_terminal(self):
        answer = self.pargzip("a\x1b[31m\nb")
        self.ends(answer, 1, "pargzip: a\\x1b[31m\\x0ab: No such file or directory")

    def test_synchronous_syncs_and_nothing_else_does(self):
        self.file("data")
        for flags, syncs in ((("-k",), 0), (("-kf", "-Y"), 2)):
            answer = run(need("strace"), "-f", "-e", "trace=fsync,fdatasync", PARGZIP, *flags, "data", cwd=self.top)
            if b"PTRACE" in answer.stderr.upper() and b"permitted" in answer.stderr:
                self.skipTest("strace may not trace here")
            self.assertEqual(answer.stderr.count(b"sync("), syncs, answer.stderr)


class CommandLine(Case):
    def test_flags_that_are_wrong_are_named_with_the_nearest_right_one(self):
        for arguments, words in ((("--decompres", "--stdot"), "did you mean -stdout?"), (("-recursiv",), "did you mean -recursive?"),
                                 (("-dkZ",), "unknown flag -Z in -dkZ"), (("-Z",), "unknown flag -Z"), (("-p", "0"), "between 1 and"),
                                 (("-p",), "flag -p needs a value"), (("-b", "65M"), "between 1K and 64M"), (("-b1G",), "between 1K and"),
                                 (("--keep=1",), "takes no value"), (("--s",), "may be several flags"), (("-S", "a/b"), "not a suffix"),
                                 (("-o", "x", "a", "b"), "for one input"), (("-c", "-o", "x"), "exclude"), (("-t", "-o", "x"), "no use")):
            answer = self.pargzip(*arguments, data=b"")
            self.ends(answer, 1, words)
            self.assertEqual((answer.stdout, answer.stderr.count(b"\n")), (b"", 1))
        self.assertEqual(self.names(), [])

    def test_values_and_bundles_are_understood(self):
        data = some_text(400_000)
        self.file("data", data)
        best = self.pargzip("-c", "-12", "data").stdout
        for arguments in (("-c12", "data"), ("-12c", "-p2", "data"), ("-ck12p", "3", "data"), ("--stdout", "-12", "--processes=2", "data"),
                          ("-9c12", "data"), ("data", "-c12"), ("-stdout", "-12", "data")):
            self.same(self.pargzip(*arguments).stdout, best, arguments)
        self.assertFalse(self.pargzip("-c11", "data").stdout == best)
        for size, members in (("64", 7), ("64K", 7), ("100k", 4), ("1M", 1)):
            packed = self.pargzip("-c", "-b", size, "data").stdout
            self.assertEqual(packed.count(b"\x1f\x8b\x08\x04"), members, size)

    def test_help_and_version_work_with_one_dash_and_with_two(self):
        for flag in ("-h", "-help", "--help"):
            self.assertIn(b"Examples:\n  pargzip ", self.pargzip(flag).stdout)
        for flag in ("-V", "-version", "--version"):
            self.assertTrue(self.pargzip(flag).stdout.startswith(b"pargzip (xbuild) "))


class Terminal(Case):
    """A process on a pseudo terminal of its own."""

    @contextlib.contextmanager
    def on_terminal(self, *arguments, environment=None, **streams):
        """`streams` say what is not the terminal. Gives the process and the terminal's other end."""
        ours, theirs = pty.openpty()
        settings = termios.tcgetattr(theirs)
        settings[1] &= ~termios.OPOST
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        streams = {name: streams.get(name, theirs) for name in ("stdin", "stdout", "stderr")}

        # As a shell would: a session of its own, of which this is the terminal.
        begin = f"import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl({theirs}, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        process = subprocess.Popen([sys.executable, "-c", begin, str(PARGZIP), *arguments], cwd=self.top, pass_fds=[theirs], **streams,
                                   env={**os.environ, "TERM": "xterm", **(environment or {})})
        try:
            yield process, ours
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(LIMIT)
            os.close(ours)
            os.close(theirs)

    def read_until(self, terminal, words, seconds=20):
        seen, deadline = b"", time.monotonic() + seconds
        while words not in seen:
            ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
            self.assertTrue(ready, f"waited for {words}, saw {seen}")
            seen += os.read(terminal, 4096)
        return seen

    def test_compressed_data_is_not_written_to_a_terminal_unless_forced(self):
        self.file("data")
        for arguments in (("-c", "data"), ()):
            with self.on_terminal(*arguments, stdin=subprocess.DEVNULL) as (process, terminal):
                self.read_until(terminal, b"compressed data is not written to a terminal; -f forces it")
                self.assertEqual(process.wait(LIMIT), 1)
        with self.on_terminal("-cf", "data", stdin=subprocess.DEVNULL) as (process, terminal):
            self.read_until(terminal, b"\x1f\x8b")
            self.assertEqual(process.wait(LIMIT), 0)

    def test_compressed_data_is_not_read_from_a_terminal(self):
        with self.on_terminal("-d") as (process, terminal):
            self.read_until(terminal, b"compressed data is not read from a terminal; -f forces it")
            self.assertEqual(process.wait(LIMIT), 1)

    def test_overwriting_is_asked_about_and_the_answer_counts(self):
        for answer, code, replaced in ((b"y\n", 0, True), (b"n\n", 2, False), (b"\n", 2, False), (b"\x04", 2, False)):
            self.file("data")
            self.file("data.gz", b"before")
            with self.on_terminal("-k", "data") as (process, terminal):
                self.read_until(terminal, b"data.gz already exists; do you wish to overwrite (y or n)? ")
                os.write(terminal, answer)
                self.assertEqual(process.wait(LIMIT), code, answer)
            self.assertEqual((self.top / "data.gz").read_bytes() != b"before", replaced, answer)

    def watch_progress(self, *flags, environment=None):
        """Feeds standard input until progress is shown; gives all that was shown, to the end."""
        piece = some_text(256 << 10)
        with self.on_terminal(*flags, "-fo", "out", stdin=subprocess.PIPE, environment=environment) as (process, terminal):
            seen, deadline = b"", time.monotonic() + 30
            while b"MiB/s" not in seen:
                self.assertLess(time.monotonic(), deadline, seen)
                process.stdin.write(piece)
                process.stdin.flush()
                if select.select([terminal], [], [], 0)[0]:
                    seen += os.read(terminal, 4096)
            process.stdin.close()
            self.assertEqual(process.wait(LIMIT), 0)
            while select.select([terminal], [], [], 0)[0]:
                seen += os.read(terminal, 4096)
        return seen

    def test_progress_is_shown_for_long_work_and_cleared_in_the_end(self):
        seen = self.watch_progress("-1")
        self.assertRegex(seen, rb"\rstdin: [\d.]+ MiB to [\d.]+ MiB, [\d.]+ MiB/s\x1b\[K")
        self.assertTrue(seen.endswith(b"\r\x1b[K"), seen)

    def test_no_color_and_dumb_terminals_get_no_control_sequences(self):
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            seen = self.watch_progress("-1", environment=environment)
            self.assertNotIn(b"\x1b", seen)
            self.assertTrue(seen.endswith(b" \r\r") or seen.endswith(b"\r"), seen)

    def test_short_work_shows_no_progress(self):
        self.file("data")
        with self.on_terminal("-v", "data", stdin=subprocess.DEVNULL) as (process, terminal):
            seen = self.read_until(terminal, b"replaced with data.gz\n")
            self.assertEqual(process.wait(LIMIT), 0)
        self.assertNotIn(b"\r", seen)


class Signals(Case):
    def start(self, *arguments, **options):
        process = subprocess.Popen([PARGZIP, *arguments], cwd=self.top, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait, LIMIT)
        self.addCleanup(process.kill)
        return process

    def partial(self):
        return [path for path in self.top.iterdir() if path.name.startswith(".pargzip-") and path.stat().st_size > 0]

    def test_the_partial_file_is_removed_and_the_signal_is_died_of(self):
        data = random.Random(4).randbytes(8 << 20)
        for flags, stream in (((), data), (("-d",), gzip.compress(data, 1))):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                for threads in ("-p1", "-p2"):
                    with self.subTest(flags=flags, number=number, threads=threads):
                        process = self.start(*flags, threads, "-o", "out")
                        # Not to its end: it waits for more.
                        process.stdin.write(stream[:-1000])
                        process.stdin.flush()
                        [partial] = wait_for(self.partial, LIMIT, "a partial file")
                        self.assertEqual(stat.S_IMODE(partial.stat().st_mode), 0o600)
                        self.assertFalse((self.top / "out").exists())
                        process.send_signal(number)
                        self.assertEqual(process.wait(LIMIT), -number)
                        self.assertEqual(self.names(), [])

    def test_a_file_that_existed_stays_as_it_was(self):
        self.file("out", b"before")
        process = self.start("-f", "-o", "out")
        process.stdin.write(random.Random(5).randbytes(8 << 20))
        process.stdin.flush()
        wait_for(self.partial, LIMIT, "a partial file")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(LIMIT), -signal.SIGTERM)
        self.assertEqual((self.names(), (self.top / "out").read_bytes()), (["out"], b"before"))

    def test_a_signal_that_is_ignored_stays_so(self):
        data = random.Random(6).randbytes(8 << 20)
        process = self.start("-o", "out", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        process.stdin.write(data)
        process.stdin.flush()
        wait_for(self.partial, LIMIT, "a partial file")
        process.send_signal(signal.SIGHUP)
        process.stdin.close()
        self.assertEqual(process.wait(LIMIT), 0)
        self.same(gzip.decompress((self.top / "out").read_bytes()), data)

    def test_a_reader_that_goes_away_ends_it(self):
        self.file("data", random.Random(7).randbytes(8 << 20))
        answer = run("bash", "-c", f"{PARGZIP} -c data | head -c 1 >head; echo ${{PIPESTATUS[0]}}", cwd=self.top)
        self.assertIn(answer.stdout.strip(), (b"141", b"1"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
