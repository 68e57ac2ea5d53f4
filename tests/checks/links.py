#!/usr/bin/env python3
"""Every link in a Markdown file leads somewhere: links.py [ROOT]

Links to files must name a file of the repository, and a heading of it if they have a #part. Links to other
sites are not followed.
"""

import re
import urllib.parse

import repository

FENCE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1[^\n]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
INLINE = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINITION = re.compile(r"^ {0,3}\[([^\]]+)\]:\s*<?(\S+?)>?(?:\s|$)", re.MULTILINE)
REFERENCE = re.compile(r"\[[^\[\]]+\]\[([^\]]+)\]")
HTML = re.compile(r"<(?:img|a)\b[^>]*?\b(?:src|href)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def prose(text):
    return CODE.sub("", FENCE.sub("", text))


def anchors(text):
    """The names that headings get, as the usual forges make them."""
    found = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        candidate, count = name, 0
        while candidate in found:
            count += 1
            candidate = f"{name}-{count}"
        found.add(candidate)
    return found


def problem_with(root, path, target, known):
    """What is wrong with the link `target` in the file `path`; None if nothing is."""
    place, _, anchor = target.partition("#")
    place = urllib.parse.unquote(place)
    if place.startswith("/"):
        return "leads out of the repository"
    full = (root / path.parent / place).resolve() if place else root / path
    if not full.is_relative_to(root):
        return "leads out of the repository"
    relative = full.relative_to(root)
    if not (full.is_dir() or relative.as_posix() in known):
        return "there is no such file"
    if anchor and full.suffix == ".md" and anchor not in anchors(full.read_text(encoding="utf-8")):
        return "there is no such heading"
    return None


def run(root):
    problems = []
    looked_at = 0
    everything = repository.files(root)
    known = {path.as_posix() for path in everything}
    for path in everything:
        if path.suffix != ".md":
            continue
        text = prose(repository.read(root, path))
        definitions = dict((name.lower(), target) for name, target in DEFINITION.findall(text))
        for name in REFERENCE.findall(text):
            if name.lower() not in definitions:
                problems.append(f"{path}: [{name}] is not defined")
        targets = INLINE.findall(text) + HTML.findall(text) + list(definitions.values())
        for target in targets:
            looked_at += 1
            wrong = None if ELSEWHERE.match(target) else problem_with(root, path, target, known)
            if wrong:
                problems.append(f"{path}: {target}: {wrong}")
    return problems, looked_at


if __name__ == "__main__":
    repository.main("links", run)
