#!/usr/bin/env python3
"""Clock, timers, threads, sockets, watches and randomness are handed in: seams.py [ROOT]

They are made in libio and, for child processes, in the one subprocess runner. Everybody else is given them, so
that tests can hand in a virtual clock, a pair of streams in memory, or numbers that repeat.
"""

import re

import repository

FORBIDDEN = {
    "a timer": r"\b(steady_timer|system_timer|high_resolution_timer|deadline_timer|timerfd_create)\b",
    "the time": r"::\s*now\s*\(\s*\)|\b(clock_gettime|gettimeofday)\s*\(|(?<![\w.>:])(std::)?time\s*\(\s*(nullptr|NULL|0|&)",
    "a pause": r"(?<![\w.>])(std::)?(this_thread::\w+|usleep|nanosleep|sleep)\s*\(",
    "a thread": r"\bstd::(thread|jthread|async)\b|\bpthread_create\b|\bthread_pool\b",
    "a socket": r"(?<![\w.>])(::\s*)?(socket|socketpair|accept4)\s*\(|\bip::(tcp|udp)\b|\blocal::stream_protocol\b",
    "a watch": r"\binotify_init1?\s*\(",
    "randomness": r"\brandom_device\b|\b(getrandom|getentropy|RAND_bytes|arc4random\w*)\s*\(|(?<![\w.>])s?rand\s*\(",
    "a process": r"(?<![\w.>])(::\s*)?(v?fork|posix_spawnp?|popen|execvp?e?)\s*\(|\bstd::system\s*\(",
}

# Where the real ones are made.
EXEMPT = ("libio/", "libbuild/base/src/subprocess", "tests/", "bench/")
# One file, one thing it may make, with the reason.
EXCEPTIONS = {
    ("libpargzip/src/threads.cpp", "a thread"): "a library of its own, which uses nothing of ours; see docs/architecture.md",
    ("libpargzip/src/threads.h", "a thread"): "as threads.cpp",
    ("libmaintner/core/src/threads.cpp", "a thread"): "as file_maker.cpp below: joined before a corpus is there, or by its next update or end",
    ("libmaintner/core/src/corpus.cpp", "the time"): "whether a directory's own time is old enough to say anything",
    ("libtarutil/src/file_maker.cpp", "a thread"): "a user of the library has no pool; joined before extract() returns",
    ("libbuild/runs/src/supervisor.cpp", "the time"): "a process of its own, with no event loop: it has to be small",
    ("libbuild/runs/src/supervisor.cpp", "a socket"): "as above",
    ("libbuild/runs/src/child.cpp", "a process"): "as above: what base::Subprocess cannot do (terminals, control groups)",
    ("libbuild/runs/src/fork_server.cpp", "a process"): "as above",
    ("libbuild/runs/src/launch.cpp", "a process"): "one that begins processes which outlive this one",
    ("libbuild/runs/src/launch.cpp", "a socket"): "packets over a Unix socket, with descriptors in them",
    ("libbuild/runs/src/run.cpp", "a socket"): "packets over a Unix socket, which no stream of libio has",
    ("libbuild/runs/src/lease_file.cpp", "the time"): "the boot clock, which several processes compare",
    ("libbuild/base/src/random.cpp", "randomness"): "the system's RandomSource, handed in from main",
    ("tools/gostats/main.cpp", "the time"): "how long loading took, for people",
    ("libmaintner/sql/src/sql.cpp", "the time"): "how long a statement runs; SQLite asks in the middle of it",
    ("tools/pargzip/main.cpp", "the time"): "handed in from here; libio's clock would bring Boost",
}


def run(root):
    patterns = {what: re.compile(pattern) for what, pattern in FORBIDDEN.items()}
    problems = []
    looked_at = 0
    for path in repository.sources(root):
        if str(path).startswith(EXEMPT):
            continue
        looked_at += 1
        for number, line in enumerate(repository.code_only(repository.read(root, path)).splitlines(), 1):
            for what, pattern in patterns.items():
                match = pattern.search(line)
                if match and (str(path), what) not in EXCEPTIONS:
                    problems.append(f"{path}:{number}: makes {what} of its own: {match.group(0).strip()}")
    return problems, looked_at


if __name__ == "__main__":
    repository.main("seams", run)
