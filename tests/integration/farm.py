"""A whole farm for tests: the real coordinator and real workers, in a directory and on ports of their own.

    with Farm(programs, directory, repositories=[...], builders=[...]) as farm:
        farm.start_worker("host-a")
        farm.wait_until_idle(60)

Processes are ended, by their ids, when the block ends. Nothing here sleeps for a guessed time: every wait polls a
condition and has a deadline.
"""

import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request


def programs():
    """Where the programs under test lie (environment variable XBUILD_BIN)."""
    return pathlib.Path(os.environ["XBUILD_BIN"])


#: What programs may take of memory is that many times as much in a build with a sanitizer.
MEMORY_FACTOR = int(os.environ.get("XBUILD_MEMORY_FACTOR", "1"))


def wait_for(condition, seconds, what):
    """Polls `condition` until it returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def git(repository, *args, env=None):
    """Runs git in `repository` with an author and dates of its own."""
    environment = dict(os.environ, GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null",
                       GIT_AUTHOR_NAME="Author", GIT_AUTHOR_EMAIL="author@example.org",
                       GIT_COMMITTER_NAME="Author", GIT_COMMITTER_EMAIL="author@example.org", **(env or {}))
    result = subprocess.run(["git", "-C", str(repository), *args], env=environment, check=True,
                            stdout=subprocess.PIPE, text=True)
    return result.stdout.strip()


def make_repository(directory):
    directory.mkdir(parents=True)
    git(directory, "init", "-q", "-b", "main")
    return directory


def commit(repository, files, message):
    """Writes `files` (name: text) and commits them; returns the hash."""
    for name, text in files.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "--allow-empty", "-m", message)
    return git(repository, "rev-parse", "HEAD")


class Worker:
    def __init__(self, process, log):
        self.process, self.log = process, log

    def kill(self):
        self.process.kill()
        self.process.wait()

    def pause(self):
        """Its process stands still: the host answers for it, but the process does nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def log_text(self):
        return self.log.read_text(errors="replace")


class Farm:
    def __init__(self, programs, directory, repositories, builders, wrapper=(), toml="", listen="127.0.0.1:0",
                 lease="8s"):
        """`repositories`: dicts with name, url, steps [(name, command)], and more fields of farm.toml.
        `builders`: dicts with name and host_type. `wrapper` is put before the coordinator's command. `listen` is where
        workers find it. `lease`: how long one that goes away is waited for."""
        self.programs, self.directory, self.wrapper = pathlib.Path(programs), pathlib.Path(directory), list(wrapper)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config = self.directory / "farm.toml"
        self.state = self.directory / "state"
        self.ready_file = self.directory / "ready"
        self.config.write_text(self._toml(repositories, builders, lease).replace(
            '\nlisten = "127.0.0.1:0"', f'\nlisten = "{listen}"') + toml)
        self.coordinator, self.workers, self.ready = None, [], {}
        self.listen = listen
        self.command = [self.programs / "coordinator"]

    @staticmethod
    def _toml(repositories, builders, lease):
        quote = json.dumps
        lines = ["[coordinator]", 'listen = "127.0.0.1:0"', 'web_listen = "127.0.0.1:0"', 'state_dir = "state"',
                 f'lease = "{lease}"']
        for builder in builders:
            lines += ["[[builder]]", f"name = {quote(builder['name'])}", f"host_type = {quote(builder['host_type'])}"]
            if builder.get("sandbox"):
                lines.append("sandbox = true")
        for repository in repositories:
            lines.append("[[repository]]")
            lines += [f"{key} = {quote(value)}" for key, value in repository.items() if key != "steps"]
            for name, command, *limit in repository["steps"]:
                lines += ["[[repository.step]]", f"name = {quote(name)}", f"command = {quote(command)}"]
                lines += [f"time_limit = {quote(limit[0])}"] if limit else []
        return "\n".join(lines) + "\n"

    def __enter__(self):
        self.start_coordinator()
        return self

    def __exit__(self, *_):
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
        self.stop_coordinator()

    @staticmethod
    def _spawn(log, directory, command):
        with open(log, "ab") as output:
            return subprocess.Popen(command, stdout=output, stderr=output, cwd=directory)

    def start_coordinator(self):
        """Starts it, and waits until it serves. After the first time the ports stay the same."""
        self.ready_file.unlink(missing_ok=True)
        self.coordinator = self._spawn(
            self.directory / "coordinator.log", self.directory,
            [*self.wrapper, *self.command, "-config", self.config, "-ready-file", self.ready_file])

        def served():
            if self.coordinator.poll() is not None:
                raise AssertionError("the coordinator ended:\n" + self.log_text())
            return self.ready_file.exists()

        wait_for(served, 30, "the coordinator to serve")
        self.ready = dict(line.split("=", 1) for line in self.ready_file.read_text().splitlines())
        text = self.config.read_text()
        text = text.replace(f'\nlisten = "{self.listen}"', f'\nlisten = "{self.ready["https"]}"')
        text = text.replace('\nweb_listen = "127.0.0.1:0"', f'\nweb_listen = "{self.ready["http"]}"')
        self.config.write_text(text)

    def coordinator_pid(self):
        """Its own process, also when it runs under a wrapper: it writes its id into the lock it holds."""
        return int((self.state / "lock").read_text())

    def kill_coordinator(self):
        os.kill(self.coordinator_pid(), signal.SIGKILL)
        self.coordinator.wait()

    def stop_coordinator(self):
        if self.coordinator and self.coordinator.poll() is None:
            os.kill(self.coordinator_pid(), signal.SIGINT)  # at once; SIGTERM would let builds end first
            self.coordinator.wait(30)

    def run_program(self, name, *args):
        return subprocess.run([self.programs / name, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=30, cwd=self.directory)

    def start_worker(self, host_type, name=None, wrapper=(), key=None, coordinator=None, token=None):
        """`coordinator`: HOST:PORT to dial instead of the coordinator's own address. `token`: shown in place of a key."""
        name = name or f"worker-{len(self.workers) + 1}"
        state = self.directory / "workers" / name
        state.mkdir(parents=True, exist_ok=True)
        secret = token or key or self.run_program("genbuilderkey", "-master-key-file", self.ready["master_key_file"],
                                                  host_type).stdout
        secret_file = state / "secret"
        secret_file.write_text(secret)
        process = self._spawn(
            state / "log", state,
            [*wrapper, self.programs / "buildlet", "-coordinator", coordinator or self.ready["https"],
             "-reverse-type", host_type,
             "-hostname", name, "-state-dir", state / "state",
             "-token-file" if token else "-key-file", secret_file,
             "-coordinator-fingerprint", self.ready["fingerprint"]])
        worker = Worker(process, state / "log")
        self.workers.append(worker)
        return worker

    def log_text(self):
        return (self.directory / "coordinator.log").read_text(errors="replace")

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.ready['http']}{path}", timeout=30) as answer:
            return answer.read()

    def api(self, path):
        return json.loads(self.get("/api/v1" + path))

    def try_api(self, path):
        """None while the coordinator does not answer or does not know it yet."""
        try:
            return self.api(path)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def builds(self):
        return self.api("/builds?limit=500")["builds"]

    def wait_for_builds(self, count, seconds):
        """Waits until `count` builds are finished and none is waiting or running; returns all."""
        def done():
            answer = self.try_api("/builds?limit=500")
            builds = answer["builds"] if answer else []
            finished = [build for build in builds if build["state"] == "finished"]
            return builds if len(finished) >= count and len(finished) == len(builds) else None
        return wait_for(done, seconds, f"{count} finished builds")
