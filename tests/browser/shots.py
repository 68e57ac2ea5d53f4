"""Pictures of every page, in light and dark, on a desk and on a phone; each is checked with axe-core.

    shots.py OUTPUT-DIRECTORY AXE.MIN.JS      (./dev shots calls it)

Starts a made-up farm, then a made-up corpus. Fails on a violation that axe-core finds, on anything that the browser complains about, on a page
that is wider than the phone, and if hostile text got a script to run. Prints the weight of each page and how long the
server took for it.
"""

import base64
import pathlib
import statistics
import sys
import tempfile
import time
import urllib.request

from browser import Browser
from made_up_corpus import MadeUpCorpus
from made_up_farm import MadeUpFarm

SCREENS = [("desk", 1280, 900), ("phone", 390, 844)]
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}


class Shots:
    def __init__(self, output, axe):
        self.output, self.axe, self.faults = output, axe, []
        output.mkdir(parents=True, exist_ok=True)

    def fault(self, name, sentence):
        self.faults.append(f"{name}: {sentence}")

    def check(self, browser, name):
        # Thousands of lines and cells are alike: the first and the last are enough to look at, if they stay away.
        browser.run("document.body.dataset.refresh = 0;"
                    "for (const log of document.querySelectorAll('pre.log'))"
                    "  [...log.querySelectorAll('span[id]')].slice(40, -20).forEach((line) => line.remove());"
                    "for (const rows of document.querySelectorAll('tbody'))"
                    "  [...rows.children].slice(12, -4).forEach((row) => row.remove())")
        browser.run(self.axe)
        result = browser.run_async("axe.run(document, arguments[0]).then(arguments[1])", RULES)
        for violation in result["violations"]:
            for node in violation["nodes"][:3]:
                self.fault(name, f"{violation['id']} ({violation['impact']}): {node['html'][:160]} {node['failureSummary'][:300]}")
        if browser.run("return document.title").startswith("owned"):
            self.fault(name, "hostile text ran a script")
        for message in browser.console():
            self.fault(name, "the browser says: " + message)

    def take(self, browser, name, whole=False):
        """The page that is open, on each screen, in both colours."""
        for screen, width, height in SCREENS:
            for dark in (False, True):
                browser.view(width, height, dark)
                time.sleep(0.15)  # for the picture's sake: transitions of the browser's own
                shot = f"{name}-{screen}-{'dark' if dark else 'light'}"
                if browser.run("return document.documentElement.scrollWidth") > width:
                    self.fault(shot, "the page is wider than the screen")
                picture = browser.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
                (self.output / f"{shot}.png").write_bytes(base64.b64decode(picture["data"]))
        for screen, width, height in SCREENS:
            for dark in (False, True):
                browser.view(width, height, dark)
                self.check(browser, f"{name}-{screen}-{'dark' if dark else 'light'}")


def weigh(farm, name, path):
    times = []
    for _ in range(15):
        began = time.monotonic()
        with urllib.request.urlopen(farm.url(path), timeout=30) as answer:
            body = answer.read()
        times.append((time.monotonic() - began) * 1000)
    print(f"{name:10} {len(body) / 1024:7.1f} KiB  {statistics.median(times):6.1f} ms (median of {len(times)}; "
          f"{min(times):.1f} to {max(times):.1f})", flush=True)


def pages(farm):
    named = farm.named
    return {"front": "/?repository=garden&branch=main", "all": "/", "filtered": "/?repository=garden&builder=linux&state=failed",
            "queue": "/queue", "pools": "/pools", "live": f"/build/{named['live']}", "failed": f"/build/{named['failing']}",
            "log": f"/build/{named['live']}/log/1-2?from=49000", "waiting": f"/build/{named['waiting']}",
            "cancelled": f"/build/{named['cancelled']}", "away": f"/build/{named['away']}", "lost": f"/build/{named['lost']}",
            "ok": f"/build/{named['ok']}", "login": "/login", "missing": "/build/999999"}


def main():
    shots = Shots(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).read_text())
    with tempfile.TemporaryDirectory(prefix="xbuild-shots.") as directory, Browser() as browser:
        with MadeUpFarm(pathlib.Path(directory) / "empty", empty=True) as farm:
            for name, path in {"empty": "/", "empty-queue": "/queue", "empty-pools": "/pools"}.items():
                browser.get(farm.url(path))
                shots.take(browser, name)
        with MadeUpFarm(pathlib.Path(directory) / "full") as farm:
            farm.start_work()
            for name, path in pages(farm).items():
                browser.console()
                browser.get(farm.url(path))
                if name == "missing":
                    browser.console()  # that it is not there
                shots.take(browser, name)
            for name, path in pages(farm).items():
                if name != "missing":
                    weigh(farm, name, path)
            farm.release()
        with MadeUpCorpus(pathlib.Path(directory) / "corpus") as corpus:
            for name, path in corpus.pages().items():
                browser.console()
                browser.get(corpus.url(path))
                shots.take(browser, name)
            for name, path in corpus.pages().items():
                weigh(corpus, name, path)
    for fault in shots.faults:
        print(fault)
    print(f"shots: {len(list(shots.output.glob('*.png')))} pictures in {shots.output}, {len(shots.faults)} faults")
    return 1 if shots.faults else 0


if __name__ == "__main__":
    sys.exit(main())
