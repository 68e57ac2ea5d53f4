#!/usr/bin/env python3
"""What may lie in the repository: tree.py [ROOT]

No file that is too large to belong here, no source file that has become several things, no promise left in the
code, no rest of a merge.
"""

import re

import repository

MAX_BYTES = 512 * 1024
MAX_SOURCE_LINES = 800

# Put together here so that this file does not contain them.
PROMISE = re.compile(r"\b(" + "TO" + "DO|FIX" + r"ME)\b")
MERGE = re.compile(r"^(<{7}|>{7}|\|{7}) ", re.MULTILINE)


def run(root):
    problems = []
    everything = repository.files(root)
    for path in everything:
        content = (root / path).read_bytes()
        if len(content) > MAX_BYTES:
            problems.append(f"{path}: {len(content)} bytes; the limit is {MAX_BYTES}")
        if b"\0" in content:
            continue
        text = content.decode("utf-8", errors="replace")
        lines = text.count("\n")
        if path.suffix in repository.SOURCE_SUFFIXES and lines > MAX_SOURCE_LINES:
            problems.append(f"{path}: {lines} lines; the limit is {MAX_SOURCE_LINES}")
        for match in PROMISE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            problems.append(f"{path}:{line}: {match.group(0)}: do it, or write an issue")
        for match in MERGE.finditer(text):
            problems.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: rest of a merge")
    return problems, len(everything)


if __name__ == "__main__":
    repository.main("tree", run)
