#!/usr/bin/env python3
"""What each commit's build must come to, found by building it without the farm: expected.py REPOSITORY CACHE

Every commit of the branch is unpacked into a directory of its own, where the project's steps are run. Results are
kept in the file CACHE under the commit's tree and the steps, so what was built once is not built again. Prints a
line for each commit: hash, "ok" or the name of the step that failed, subject.

configure finds out the same about this machine for each commit, in two thirds of the time of a build. So it does once,
and every build, here and on the farm, begins with a copy of what it found (configure's own cache, which it takes
from the script that CONFIG_SITE names).
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import project


def git(repository, *arguments):
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def commits(repository):
    """(hash, tree, subject) of each commit, oldest first."""
    log = git(repository, "log", "--reverse", "--format=%H%x09%T%x09%s", project.BRANCH).decode()
    return [tuple(line.split("\t", 2)) for line in log.splitlines()]


def unpack(repository, commit, directory):
    subprocess.run(["tar", "-x", "-C", directory], input=git(repository, "archive", commit), check=True)


def make_config_site(repository, directory):
    """Configures the newest commit in `directory`, which must be new, and returns the script for CONFIG_SITE."""
    tree, cache, site = directory / "tree", directory / "cache", directory / "site"
    tree.mkdir(parents=True)
    unpack(repository, project.BRANCH, tree)
    command = f"{project.STEPS[0][1]} --cache-file={cache}"
    subprocess.run(["/bin/sh", "-c", command], cwd=tree, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    site.write_text(f"cp {cache} config.cache\ncache_file=config.cache\n")
    return site


def build(repository, commit, config_site):
    """"ok" or the name of the step that failed."""
    with tempfile.TemporaryDirectory(prefix="xbuild-expected.") as directory:
        unpack(repository, commit, directory)
        for name, command in project.STEPS:
            outcome = subprocess.run(
                ["/bin/sh", "-c", command],
                cwd=directory,
                env={"PATH": os.environ["PATH"], "HOME": directory, "LANG": "C.UTF-8", "CONFIG_SITE": str(config_site)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=project.STEP_LIMIT_SECONDS,
            )
            if outcome.returncode != 0:
                return name
    return "ok"


def key_of(tree):
    return hashlib.sha256((tree + repr(project.STEPS)).encode()).hexdigest()


def expected(repository, cache, config_site):
    """{hash: "ok" or the name of the failing step} for every commit of the branch."""
    cache = pathlib.Path(cache)
    known = json.loads(cache.read_text()) if cache.exists() else {}
    missing = {key_of(tree): commit for commit, tree, _ in commits(repository) if key_of(tree) not in known}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        known.update(zip(missing, pool.map(lambda commit: build(repository, commit, config_site), missing.values())))
    temporary = cache.with_suffix(".new")
    temporary.write_text(json.dumps(known, indent=1, sort_keys=True))
    temporary.replace(cache)
    return {commit: known[key_of(tree)] for commit, tree, _ in commits(repository)}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="xbuild-expected.") as temporary:
        site = make_config_site(sys.argv[1], pathlib.Path(temporary) / "configure")
        results = expected(sys.argv[1], sys.argv[2], site)
    for commit, _, subject in commits(sys.argv[1]):
        print(commit[:12], results[commit], subject)
