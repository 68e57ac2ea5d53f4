#!/usr/bin/env python3
"""How many tests ran, which were skipped, and was that expected: skips.py JUNIT_XML EXPECTED_SKIPS PRESET

Prints one line, "PRESET: 7 tests ran, 0 skipped". With CI set in the environment it exits 1 if a test was skipped that EXPECTED_SKIPS does not list
(a skipped test proves nothing, and nobody reads the log of a green run).

EXPECTED_SKIPS has a line for each: a name or pattern, "always" or "without VARIABLE", and the reason.
"""

import fnmatch
import os
import sys
import xml.etree.ElementTree


def expectations(path, environment):
    """The patterns that hold under `environment`."""
    found = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[1] == "always" or (words[1] == "without" and not environment.get(words[2])):
                found.append(words[0])
            elif words[1] not in ("always", "without"):
                raise ValueError(f"{path}: neither 'always' nor 'without VARIABLE': {line.strip()}")
    return found


def count(junit, expected, environment):
    """(how many ran, names of the skipped, names of those nobody expected)"""
    ran, skipped = 0, []
    for case in xml.etree.ElementTree.parse(junit).getroot().iter("testcase"):
        if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped.append(case.get("name"))
        else:
            ran += 1
    patterns = expectations(expected, environment)
    surprising = [name for name in skipped if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    return ran, skipped, surprising


def main():
    ran, skipped, surprising = count(sys.argv[1], sys.argv[2], os.environ)
    print(f"{sys.argv[3]}: {ran} tests ran, {len(skipped)} skipped" + (": " + " ".join(skipped) if skipped else ""))
    if surprising and os.environ.get("CI"):
        print(f"not listed in {sys.argv[2]}: {' '.join(surprising)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
