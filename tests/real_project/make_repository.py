#!/usr/bin/env python3
"""A git repository with the history of a Debian source package: make_repository.py INPUT REPOSITORY

INPUT holds what fetch.sh fetched. The history: the release, one commit for each patch of the package's series,
one commit that breaks the compilation of a source file, one that repairs it. Names and dates are fixed, so the
same input gives the same commit hashes everywhere.
"""

import os
import pathlib
import re
import subprocess
import sys

import project

FIRST_DATE = 1_400_000_000


class Repository:
    def __init__(self, path):
        self.path = path
        self.commits = 0
        self.git("init", "--quiet", f"--initial-branch={project.BRANCH}")

    def git(self, *arguments, **environment):
        command = ["git", "-c", "core.autocrlf=false", "-c", "gc.auto=0", *arguments]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        kept |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"} | environment
        return subprocess.run(command, cwd=self.path, env=kept, check=True, stdout=subprocess.PIPE, text=True).stdout

    def commit(self, subject):
        date = f"{FIRST_DATE + 3600 * self.commits} +0000"
        who = {}
        for role in ("AUTHOR", "COMMITTER"):
            who |= {f"GIT_{role}_NAME": "Release", f"GIT_{role}_EMAIL": "release@example.org", f"GIT_{role}_DATE": date}
        # --force: what the release ships belongs to it, whatever its .gitignore says.
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--message", subject, **who)
        self.commits += 1


def unpack(tar, destination, strip):
    """Extracts `tar`, leaving out the first `strip` parts of each name."""
    command = ["tar", "-x", "-f", str(tar), "-C", str(destination), f"--strip-components={strip}", "--no-same-owner"]
    subprocess.run(command, check=True)


def subject_of(patch):
    match = re.search(r"^Subject: *(.+)$", patch.read_text(errors="replace"), re.MULTILINE)
    return match.group(1) if match else patch.stem


def make(source, path):
    source = pathlib.Path(source)
    path = pathlib.Path(path)
    path.mkdir(parents=True)
    (release,) = source.glob("*.orig.tar.gz")
    (debian,) = source.glob("*.debian.tar.xz")

    repository = Repository(path)
    unpack(release, path, strip=1)
    repository.commit("release " + release.name.split("_")[1].removesuffix(".orig.tar.gz"))

    patches = path.parent / (path.name + ".patches")
    patches.mkdir()
    unpack(debian, patches, strip=1)
    series = (patches / "patches" / "series").read_text().split("\n")
    for name in (line.split("#")[0].strip() for line in series):
        if not name:
            continue
        patch = patches / "patches" / name
        command = ["patch", "--quiet", "--strip=1", "--no-backup-if-mismatch", f"--input={patch.resolve()}"]
        subprocess.run(command, cwd=path, check=True)
        repository.commit(subject_of(patch))

    broken = path / project.BROKEN_FILE
    good = broken.read_bytes()
    broken.write_bytes(good + project.BROKEN_LINE.encode())
    repository.commit(project.BROKEN_SUBJECT)
    broken.write_bytes(good)
    repository.commit(project.REPAIRED_SUBJECT)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    make(sys.argv[1], sys.argv[2])
