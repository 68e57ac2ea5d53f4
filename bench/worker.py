#!/usr/bin/env python3
"""The worker beside what does a part of its work and nothing else.

worker.py [--rounds N] [--only status,exec,trees,printing,size] [--tree TREE.tar] [--directory /dev/shm]

status     GET /status, beside a plain program on Go's net/http (bench/peers/go_status.go) and nginx, with the same answer
exec       POST /exec of `true`, beside the same spawn with the same containment by hand (bench/spawn_by_hand.cpp)
trees      PUT /writetgz and GET /tgz of the tree of bench/peers/make_tree.sh, beside libtarutil alone
printing   2 GiB printed as fast as can be, by POST /runs and by /exec, beside `COMMAND | tee SPOOL | cat >/dev/null`
size       how long until the first byte of /status; what is resident after a minute with a session to a coordinator

Rounds are interleaved. Processor time is the server's own, of all its threads. Everything lies on a file system in memory.
XBUILD_BIN names the folder with the programs; the static worker is taken from build/static/bin beside it.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from timing import children, cpu_seconds, memory_kib, of_medians, timed

HERE = pathlib.Path(__file__).resolve().parent
os.environ.setdefault("XBUILD_BIN", str(HERE.parent / "build/release/bin"))
sys.path.insert(0, str(HERE.parent / "tests" / "integration"))

from farm import Farm, programs, wait_for  # noqa: E402 (needs the path)
from worker_listens import Buildlet  # noqa: E402

BUILT = programs().resolve().parent
STATIC = BUILT.parent / "static/bin/buildlet"
LIMIT = 120  # seconds, for what has to be there soon
PRINTED = 2 << 30
PRINTERS = {"head -c 2G /dev/zero": f"head -c {PRINTED} /dev/zero", "yes | head -c 2G": f"yes | head -c {PRINTED}"}


def of_bench(name):
    return str(BUILT / "bench/programs" / name)


def require(*peers):
    """Ends the benchmark, with a sentence, where something is missing."""
    for peer in peers:
        if not shutil.which(peer, path=os.environ["PATH"] + ":/usr/sbin"):
            sys.exit(f"worker.py needs {peer}; './dev bench' installs or builds it")


def middle(values):
    return statistics.median(values)


def numbers(line):
    """What "a=1 b=2" says."""
    return {name: float(value) for name, value in (word.split("=") for word in line.split())}


@contextlib.contextmanager
def running(worker):
    try:
        yield worker.start()
    finally:
        worker.kill()


def worker_in(directory, program=None):
    directory.mkdir()
    worker = Buildlet(directory, "-insecure")
    if program:
        worker.program = program
    return worker


# ---- status


@contextlib.contextmanager
def process(command, **options):
    started = subprocess.Popen(command, **options)
    try:
        yield started
    finally:
        started.terminate()
        started.wait()


@contextlib.contextmanager
def go_server(work, body):
    program = str(work / "go_status")
    cache = work / "go-cache"
    subprocess.run(["go", "build", "-o", program, HERE / "peers/go_status.go"], check=True,
                   env=os.environ | {"GOCACHE": str(cache), "GO111MODULE": "off"})
    shutil.rmtree(cache)
    with process([program, body], stdout=subprocess.PIPE, text=True) as go:
        yield int(go.stdout.readline()), [go.pid]


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def nginx_server(work, body):
    """One process that works, as the worker has one thread that does."""
    prefix, port = work / "nginx", free_port()
    prefix.mkdir()
    paths = "".join(f"{kind}_temp_path {kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (prefix / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid pid; error_log error.log;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; {paths}
  server {{
    listen 127.0.0.1:{port};
    location = /status {{ default_type "application/json; charset=utf-8"; return 200 '{body}'; }}
  }}
}}
""")
    command = [shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-p", prefix, "-c", prefix / "nginx.conf",
               "-e", prefix / "error.log"]
    with process(command) as nginx:
        wait_for(lambda: accepts(port) and children(nginx.pid), LIMIT, "nginx")
        yield port, [nginx.pid, *children(nginx.pid)]


def load(port, connections, seconds, request, count=None):
    command = [of_bench("http_load"), str(port), str(connections), str(seconds), *([str(count)] if count else [])]
    return numbers(subprocess.run(command, input=request, stdout=subprocess.PIPE, check=True, text=True).stdout)


def per_cpu_second(port, pids, connections, seconds):
    """(requests for a second of the server's processor time, requests a second)"""
    before = sum(map(cpu_seconds, pids))
    done = load(port, connections, seconds, "GET /status HTTP/1.1\r\nHost: worker\r\n\r\n")
    return done["count"] / (sum(map(cpu_seconds, pids)) - before), done["count"] / done["seconds"]


def status(work, rounds):
    require("go", "nginx", of_bench("http_load"))
    with running(worker_in(work / "status")) as worker:
        wait_for(lambda: "diskBytes" in worker.ask("GET", "/status", password=None)[1], LIMIT, "the machine's numbers")
        body = worker.ask("GET", "/status", password=None)[1]
        with go_server(work, body) as go, nginx_server(work, body) as nginx:
            servers = {"the worker": (worker.port, [worker.process.pid]), "Go net/http": go, "nginx": nginx}
            print(f"\nGET /status, {len(body)} bytes\n{'connections':12}{'':12}{'requests/CPU s':>15}{'requests/s':>12}"
                  "   the worker's per CPU s, as a multiple")
            for connections in (1, 8, 64):
                results = {name: [] for name in servers}
                for _ in range(rounds):
                    for name, (port, pids) in servers.items():
                        results[name].append(per_cpu_second(port, pids, connections, 2))
                ours = [each for each, _ in results["the worker"]]
                for name, result in results.items():
                    theirs = [each for each, _ in result]
                    print(f"{connections:<12}{name:12}{middle(theirs):15.0f}{middle([each for _, each in result]):12.0f}"
                          f"   {of_medians(ours, theirs)}")


# ---- exec


def form(command):
    body = "&".join(f"{name}={value}" for name, value in (("cmd", command), ("mode", "sys")))
    return ("POST /exec HTTP/1.1\r\nHost: worker\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}")


def by_hand(directory, count, *flags):
    command = [of_bench("spawn_by_hand"), str(count), str(directory), shutil.which("true"), *flags]
    return numbers(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def exec_of_true(work, rounds, count=500):
    require("true", of_bench("http_load"), of_bench("spawn_by_hand"))
    hand = work / "hand"
    hand.mkdir()
    with contextlib.ExitStack() as stack:
        rows = {"by hand": lambda: by_hand(hand, count), "fork, exec, wait": lambda: by_hand(hand, count, "--plain")}
        request = form(shutil.which("true"))
        for name, program in (("/exec", None), ("/exec, static worker", STATIC if STATIC.exists() else None)):
            if name != "/exec" and not program:
                print("the static worker is left out: ./dev build --static makes it")
                continue
            worker = stack.enter_context(running(worker_in(work / name.strip("/").replace(" ", "-"), program)))
            rows[name] = lambda port=worker.port: load(port, 1, 600, request, count)
        results = {name: [] for name in rows}
        for _ in range(rounds):
            for name, run in rows.items():
                results[name].append(run())
    grouped = "in a control group of its own" if results["by hand"][0]["cgroup"] else "without a control group: none can be made"
    print(f"\n`true`, {count} a round one after another, {grouped}\n{'':24}{'p50 ms':>8}{'p99 ms':>8}   more than by hand, p50")
    for name, runs in results.items():
        more = sorted((run["p50"] - hand["p50"]) / 1000 for run, hand in zip(runs, results["by hand"]))
        print(f"{name:24}{middle([run['p50'] for run in runs]) / 1000:8.2f}{middle([run['p99'] for run in runs]) / 1000:8.2f}"
              f"   {middle(more):.2f} ms ({more[0]:.2f} to {more[-1]:.2f})")


# ---- trees


class Trees:
    def __init__(self, work, worker):
        self.work, self.worker = work, worker
        self.url = f"http://127.0.0.1:{worker.port}"
        self.workdir = pathlib.Path(worker.ask("GET", "/workdir", password=None)[1])

    def curl(self, *arguments):
        """(wall seconds, the worker's processor time)"""
        before = cpu_seconds(self.worker.process.pid)
        with open(os.devnull, "wb") as null:
            timing = timed(["curl", "-sSf", *map(str, arguments)], None, null)
        return timing.wall, cpu_seconds(self.worker.process.pid) - before

    def write(self, archive):
        result = self.curl("-T", archive, f"{self.url}/writetgz?dir=target")
        shutil.rmtree(self.workdir / "target")
        return result

    def read(self):
        return self.curl("-o", self.work / "packed.tgz", f"{self.url}/tgz?dir=tree")

    def alone(self, command, directory, archive):
        directory.mkdir(exist_ok=True)
        with open(archive if command == "extract" else os.devnull, "rb") as stdin, \
             open(os.devnull if command == "extract" else archive, "wb") as stdout:
            timing = timed([of_bench("tar_tree"), command, directory], stdin, stdout)
        if command == "extract":
            shutil.rmtree(directory)
        return timing.wall, timing.cpu


def trees(work, rounds, tree_tar):
    require("curl", "tar", of_bench("tar_tree"))
    if not tree_tar:
        tree_tar = work / "tree.tar"
        subprocess.run([HERE / "peers/make_tree.sh", tree_tar], check=True)
    with running(worker_in(work / "trees")) as worker:
        each = Trees(work, worker)
        tree, packed, target = each.workdir / "tree", work / "tree.tgz", work / "target"
        tree.mkdir()
        subprocess.run(["tar", "-xf", tree_tar, "-C", tree], check=True)
        each.alone("pack", tree, packed)
        rows = {
            "PUT /writetgz": (lambda: each.write(packed), lambda: each.alone("extract", target, packed)),
            "GET /tgz": (each.read, lambda: each.alone("pack", tree, work / "alone.tgz")),
        }
        print(f"\na tree of {os.path.getsize(tree_tar)} bytes\n{'':16}{'':18}{'wall s':>8}{'CPU s':>8}   as fast as libtarutil alone")
        for name, (by_worker, by_library) in rows.items():
            results = [(by_worker(), by_library()) for _ in range(rounds)]
            ours, theirs = [run for run, _ in results], [run for _, run in results]
            ratio = of_medians([wall for wall, _ in theirs], [wall for wall, _ in ours])
            for who, runs, says in ((name, ours, ratio), ("libtarutil alone", theirs, "")):
                print(f"{'':16}{who:18}{middle([wall for wall, _ in runs]):8.2f}{middle([cpu for _, cpu in runs]):8.2f}   {says}")


# ---- printing


class Printing:
    """Each way of running a command that prints and reading what it prints to the end, in wall seconds."""

    def __init__(self, work, worker):
        self.work, self.worker, self.count = work, worker, 0
        self.url, self.supervisor_peak = f"http://127.0.0.1:{worker.port}", 0
        self.ask("PUT", "/lease", {"number": 1, "seconds": 3600})

    def ask(self, method, path, body=None):
        status, text = self.worker.ask(method, path, json.dumps(body) if body else None, {"X-Xbuild-Lease": "1"}, None)
        if status != 200:
            sys.exit(f"{method} {path}: {status} {text}")

    def read(self, *arguments):
        """Ends the benchmark if a byte is missing."""
        command = ["curl", "-sSf", "-o", os.devnull, "-w", "%{size_download}", *arguments]
        reader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while reader.poll() is None:
            for child in children(self.worker.process.pid):
                self.supervisor_peak = max(self.supervisor_peak, memory_kib(child, "VmHWM"))
            time.sleep(0.02)
        got = reader.stdout.read()
        if reader.returncode or int(got) != PRINTED:
            print(f"curl ended with {reader.returncode} after {got} bytes of {PRINTED}: {' '.join(arguments)}")

    def by_run(self, command):
        self.count += 1
        begin = time.monotonic()
        self.ask("POST", "/runs", {"id": f"run-{self.count}", "cmd": "/bin/sh", "args": ["-c", command], "mode": "sys",
                                   "outputCap": 2 * PRINTED})
        self.read("-H", "X-Xbuild-Lease: 1", f"{self.url}/runs/run-{self.count}/output")
        wall = time.monotonic() - begin
        self.ask("DELETE", f"/runs/run-{self.count}")
        return wall

    def by_exec(self, command):
        begin = time.monotonic()
        self.read("--data-urlencode", "cmd=/bin/sh", "--data-urlencode", "mode=sys", "--data-urlencode", "cmdArg=-c",
                  "--data-urlencode", f"cmdArg={command}", f"{self.url}/exec")
        return time.monotonic() - begin

    def by_tee(self, command):
        spool = self.work / "spool"
        begin = time.monotonic()
        subprocess.run(["sh", "-c", f"{command} | tee {spool} | cat >/dev/null"], check=True)
        wall = time.monotonic() - begin
        spool.unlink()
        return wall


def printing(work, rounds):
    require("curl", "tee", "yes", "head")
    with running(worker_in(work / "printing")) as worker:
        each = Printing(work, worker)
        ways = {"| tee SPOOL | cat": each.by_tee, "POST /runs": each.by_run, "POST /exec": each.by_exec}
        print(f"\nprinting {PRINTED} bytes\n{'':24}{'':20}{'MB/s':>8}   as fast as tee")
        for name, command in PRINTERS.items():
            results = {way: [] for way in ways}
            for _ in range(rounds):
                for way, run in ways.items():
                    results[way].append(run(command))
            tee = results["| tee SPOOL | cat"]
            for way, walls in results.items():
                print(f"{name:24}{way:20}{PRINTED / middle(walls) / 1e6:8.0f}   {of_medians(tee, walls)}")
        print(f"peaks: the worker {memory_kib(worker.process.pid, 'VmHWM') / 1024:.1f} MiB, a supervisor "
              f"{each.supervisor_peak / 1024:.1f} MiB resident")


# ---- size


def first_status(program, directory, port):
    """Milliseconds from before the process is made to the first byte of an answer."""
    begin = time.monotonic()
    command = [program, "-listen", f"127.0.0.1:{port}", "-insecure", "-state-dir", directory]
    with process(command, stderr=subprocess.DEVNULL, cwd=directory.parent):
        while True:
            with socket.socket() as connection:
                if connection.connect_ex(("127.0.0.1", port)) == 0:
                    connection.sendall(b"GET /status HTTP/1.1\r\nHost: worker\r\n\r\n")
                    if not connection.recv(1):
                        sys.exit("the worker ended the connection")
                    return (time.monotonic() - begin) * 1000
            if time.monotonic() - begin > LIMIT:
                sys.exit("the worker does not listen")
            time.sleep(0.0002)


def resident_in_session(work, program, name, seconds):
    """MiB resident, and of it what is the process's own, that long after its session began."""
    with Farm(programs(), work / f"farm-{name}", [], [{"name": "one", "host_type": "host-a"}]) as farm:
        key = farm.run_program("genbuilderkey", "-master-key-file", farm.ready["master_key_file"], "host-a").stdout
        farm.programs = program.parent
        worker = farm.start_worker("host-a", key=key)
        wait_for(lambda: farm.api("/workers")["workers"], LIMIT, "the worker's session")
        time.sleep(seconds)
        pid = worker.process.pid
        return memory_kib(pid) / 1024, memory_kib(pid, "RssAnon") / 1024


def size(work, starts=20, seconds=60):
    workers = {"shared": programs() / "buildlet", "static": STATIC}
    if not STATIC.exists():
        print("the static worker is left out: ./dev build --static makes it")
        del workers["static"]
    times = {name: [] for name in workers}
    for n in range(starts):
        for name, program in workers.items():
            times[name].append(first_status(program, work / f"start-{name}-{n}", free_port()))
    print(f"\n{'libraries':10}{'first /status, ms':>18}{'worst of ' + str(starts):>14}{'MiB resident':>14}{'of it its own':>14}"
          f"   (after {seconds} s of a session)")
    for name, program in workers.items():
        resident, own = resident_in_session(work, program, name, seconds)
        print(f"{name:10}{middle(times[name]):18.1f}{max(times[name]):14.1f}{resident:14.1f}{own:14.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="status,exec,trees,printing,size")
    parser.add_argument("--tree", type=pathlib.Path)
    parser.add_argument("--directory", default="/dev/shm")
    options = parser.parse_args()
    parts = {
        "status": lambda work: status(work, options.rounds),
        "exec": lambda work: exec_of_true(work, options.rounds),
        "trees": lambda work: trees(work, options.rounds, options.tree),
        "printing": lambda work: printing(work, options.rounds),
        "size": size,
    }
    for name in options.only.split(","):
        if name not in parts:
            parser.error(f"there is no part {name}")
        with tempfile.TemporaryDirectory(dir=options.directory, prefix="xbuild-bench.") as directory:
            parts[name](pathlib.Path(directory))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
