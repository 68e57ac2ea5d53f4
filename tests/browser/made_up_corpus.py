"""A corpus to look at: maintserve with a made-up log of 120 issues and 30 changes, some of whose texts are hostile."""

import hashlib
import subprocess

from made_up_farm import HOSTILE, PEOPLE, SUBJECTS
from farm import programs, wait_for
from maintner_live import append, field

BODY = """## What happens?

<details><summary>versions</summary><br><pre>
garden 1.4
</pre></details>

1. Water, as in #2:
   ```go
   func main() { garden.Water("twice a day, and once more in the evening if the sun has been shining all the time") }
   ```
2. Wait for https://golang.org/cl/7

| bed | before | after |
|---|---|---|
| north | 12 | ~~13~~ 14 |

- [x] hedge
- [ ] gate

> **bold** and *soft*, ![a picture](https://example.org/picture.png)

"""
PROJECT = "go.googlesource.com/garden"


def time(hours):
    return field(1, 1_600_000_000 + 3600 * hours)


def user(number):
    return field(1, number % len(PEOPLE) + 1) + field(2, PEOPLE[number % len(PEOPLE)].lower())


def issue(number):
    parts = [field(1, "garden"), field(2, "garden"), field(3, number), field(4, user(number)), field(5, time(number)),
             field(6, time(number + 30)), field(7, BODY + HOSTILE), field(9, SUBJECTS[number % len(SUBJECTS)] + f" ({number})"),
             field(16, 1) + field(18, "Spring"), field(24, field(1, 1) + field(2, "NeedsWater"))]
    if number % 3 == 0:
        parts.append(field(19, field(1, 1)))
    if number == 100:
        parts.append(field(9, HOSTILE))
    for index in range(number % 7):
        said = field(1, 1000 * number + index) + field(2, user(index)) + field(3, f"As in #{index + 1}: **yes**, `now`.")
        parts.append(field(8, said + field(4, time(number + 2 * index))))
        event = field(1, 1000 * number + 500 + index) + field(2, "labeled") + field(3, index + 1)
        parts.append(field(26, event + field(4, time(number + 2 * index + 1)) + field(5, field(2, "NeedsWater"))))
    return field(1, b"".join(parts))


def commit(author, hours, message):
    at = f"{author} {1_600_000_000 + 3600 * hours} +0000"
    raw = f"tree {'e' * 40}\nauthor {at}\ncommitter {at}\n\n{message}"
    return hashlib.sha1(raw.encode()).hexdigest(), raw


def change(number):
    name = PEOPLE[number % len(PEOPLE)]
    message = f"{SUBJECTS[number % len(SUBJECTS)]}\n\nFixes garden/garden#{number}\n\n{HOSTILE if number == 7 else ''}\n"
    patch_set, raw = commit(f"{name} <{name.lower()}@example.org>", number, message)
    status = ("new", "merged", "abandoned")[number % 3]
    meta, meta_raw = commit(f"{name} <{number % len(PEOPLE)}@server>", number + 5,
                            "Update patch set 1\n\nPatch Set 1: Code-Review+2\n\nFine with me.\n\nPatch-set: 1\nBranch: refs/heads/main\n"
                            f"Status: {status}\nHashtags: spring, north\nReviewer: Bo <1@server>\nLabel: Code-Review=+2\n")
    files = b"".join(field(1, field(1, f"beds/{bed}.go") + field(2, 12) + field(3, 5)) for bed in ("north", "south"))
    ref = f"refs/changes/{number % 100:02}/{number}/"
    return field(4, field(1, PROJECT) + field(2, field(1, patch_set) + field(2, raw) + field(3, files)) +
                 field(2, field(1, meta) + field(2, meta_raw)) + field(3, field(1, ref + "1") + field(2, patch_set)) +
                 field(3, field(1, ref + "meta") + field(2, meta)))


class MadeUpCorpus:
    def __init__(self, directory):
        log = directory / "log"
        log.mkdir(parents=True)
        append(log / "maintner-2021-01-01.mutlog", *map(issue, range(1, 121)), *map(change, range(1, 31)))
        ready = directory / "ready"
        self.process = subprocess.Popen([programs() / "maintserve", "-log", log, "-http", "127.0.0.1:0", "-ready-file", ready],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_for(lambda: ready.exists() or self.process.poll() is not None, 20, "maintserve")
        self.address = ready.read_text().strip().removeprefix("url=").removesuffix("/")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)

    def url(self, path):
        return self.address + path

    def pages(self):
        hash_of_seven = commit("Chidi <chidi@example.org>", 7, f"{SUBJECTS[7]}\n\nFixes garden/garden#7\n\n{HOSTILE}\n")[0]
        return {"corpus": "/", "issues": "/garden/garden?state=all", "issue": "/garden/garden/118", "hostile-issue": "/garden/garden/100",
                "changes": f"/{PROJECT}?state=all", "change": f"/{PROJECT}/7", "patch-sets": f"/{PROJECT}/7/commits",
                "files": f"/{PROJECT}/7/files", "commit": f"/-/commit/{hash_of_seven}", "people": "/-/people",
                "person": "/-/people/ada", "search": "/-/search?q=hedge", "sql": "/-/sql?saved=issues-by-month.sql&chart=line",
                "sql-mistake": "/-/sql?q=SELECT+nmber+FROM+issues"}
