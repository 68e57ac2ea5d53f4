#!/usr/bin/env python3
"""The farm's decisions are pure: farm_purity.py OBJECT...

Looks at the undefined symbols of the farm part's object files (nm -uC): what they need from elsewhere is
records, containers and arithmetic; no event loop, database, clock, thread, socket or file.
"""

import re
import subprocess
import sys

import repository

FORBIDDEN = {
    "asio": r"\bboost::asio\b|\bio::",
    "a database": r"\bsqlite3_|\bPQ[a-z]+",
    "a clock": r"::now\(\)|^(clock_gettime|gettimeofday|time|clock|timerfd_create|nanosleep|usleep|sleep)(@|$)",
    "a thread": r"\bstd::(thread|jthread|condition_variable)\b|^pthread_create(@|$)",
    "a socket": r"^(socket|socketpair|connect|bind|listen|accept4?|send(to|msg)?|recv(from|msg)?|epoll_\w+|poll)(@|$)",
    "a file": r"^(open(at)?(64)?|fopen(64)?|read|write|unlink|rename)(@|$)|\bbasic_[io]?f(stream|ilebuf)\b",
    "randomness": r"\brandom_device\b|^(getrandom|RAND_bytes|rand|random)(@|$)",
    "the environment": r"^(secure_)?getenv(@|$)",
}


def undefined_symbols(objects):
    listing = subprocess.run(["nm", "-uC", *objects], check=True, stdout=subprocess.PIPE, text=True).stdout
    return sorted({line.strip()[2:].strip() for line in listing.splitlines() if re.match(r"\s+[Uuwv] ", line)})


def run(objects):
    symbols = undefined_symbols(objects) if objects else []
    patterns = {what: re.compile(pattern) for what, pattern in FORBIDDEN.items()}
    problems = [
        f"needs {what}: {symbol}" for symbol in symbols for what, pattern in patterns.items() if pattern.search(symbol)
    ]
    return problems, len(symbols)


if __name__ == "__main__":
    sys.exit(repository.finish("farm_purity", *run(sys.argv[1:])))
