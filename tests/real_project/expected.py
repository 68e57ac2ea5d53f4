#!/usr/bin/env python3
"""What each commit's build must come to, found by building it without the farm: expected.py REPOSITORY CACHE

Every commit of the branch is unpacked into a directory of its own, where the project's steps are run. Results are
kept in the file CACHE under the commit's tree and the steps, so what was built once is not built again. Prints a
line for each commit: hash, "ok" or the name of the step that failed, subject.
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


def build(repository, commit):
    """"ok" or the name of the step that failed."""
    with tempfile.TemporaryDirectory(prefix="xbuild-expected.") as directory:
        subprocess.run(["tar", "-x", "-C", directory], input=git(repository, "archive", commit), check=True)
        for name, command in project.STEPS:
            outcome = subprocess.run(
                ["/bin/sh", "-c", command],
                cwd=directory,
                env={"PATH": os.environ["PATH"], "HOME": directory, "LANG": "C.UTF-8"},
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


def expected(repository, cache):
    """{hash: "ok" or the name of the failing step} for every commit of the branch."""
    cache = pathlib.Path(cache)
    known = json.loads(cache.read_text()) if cache.exists() else {}
    missing = {key_of(tree): commit for commit, tree, _ in commits(repository) if key_of(tree) not in known}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        known.update(zip(missing, pool.map(lambda commit: build(repository, commit), missing.values())))
    temporary = cache.with_suffix(".new")
    temporary.write_text(json.dumps(known, indent=1, sort_keys=True))
    temporary.replace(cache)
    return {commit: known[key_of(tree)] for commit, tree, _ in commits(repository)}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    results = expected(sys.argv[1], sys.argv[2])
    for commit, _, subject in commits(sys.argv[1]):
        print(commit[:12], results[commit], subject)
