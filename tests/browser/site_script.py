"""What the pages' script does, in a real browser: one stream follows the logs, a hidden page has none, and what the
reader holds (focus, place, opened parts) stays when the page is brought up to date."""

import pathlib
import tempfile
import unittest

import made_up_farm  # noqa: F401  (finds farm.py)
from browser import Browser
from farm import Farm, commit, make_repository, programs, wait_for

# Counts streams, before the page's own script runs.
COUNT_STREAMS = """
window.streams = [];
const Original = EventSource;
window.EventSource = class extends Original { constructor(url) { super(url); streams.push(this); } };
"""
STEP = 'for i in 1 2 3; do printf "\\033[31mline $i\\033[0m <b>\\n"; done; until [ -e "{go}" ]; do sleep 0.05; done; ' \
       'echo released; until [ -e "{end}" ]; do sleep 0.05; done; echo over'


class SiteScript(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        repository = make_repository(self.directory / "repository")
        commit(repository, {"a": "1"}, "one")
        self.go, self.end = self.directory / "go", self.directory / "end"
        step = STEP.replace("{go}", str(self.go)).replace("{end}", str(self.end))
        self.farm = self.enterContext(Farm(
            programs(), self.directory / "farm", [{"name": "demo", "url": str(repository), "steps": [["test", step]]}],
            [{"name": "one", "host_type": "host-a"}]))
        self.farm.start_worker("host-a")
        wait_for(lambda: b"line 3" in self.log(), 30, "the first lines")
        self.browser = self.enterContext(Browser())
        self.browser.command("Page.addScriptToEvaluateOnNewDocument", source=COUNT_STREAMS)
        self.browser.get(f"http://{self.farm.ready['http']}/build/1")

    def log(self):
        steps = (self.farm.try_api("/builds/1") or {"steps": []})["steps"]
        runs = [step["run"] for step in steps if step["name"] == "test"]
        return self.farm.get(f"/api/v1/runs/{runs[0]}/log?offset=0") if runs else b""

    def text(self):
        return self.browser.run("const log = document.querySelector('#log details:last-of-type pre.log');"
                                "return log ? log.textContent : ''")

    def wait_for_text(self, text):
        wait_for(lambda: text in self.text(), 20, repr(text) + " in the page")

    def open_streams(self):
        return self.browser.run("return streams.filter((stream) => stream.readyState !== EventSource.CLOSED).length")

    def hide(self, hidden):
        self.browser.run("Object.defineProperty(document, 'hidden', { value: arguments[0], configurable: true });"
                         "document.dispatchEvent(new Event('visibilitychange'))", hidden)

    def test_one_stream_follows_to_the_end_and_numbers_go_on(self):
        self.wait_for_text("line 3")
        self.assertEqual(self.browser.run("return streams.length"), 1)
        self.go.touch()
        self.wait_for_text("4released\n")
        self.assertEqual(self.browser.run("return document.getElementById('s1-1-L4').firstChild.getAttribute('href')"),
                         "#s1-1-L4")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#s1-1-L3 .a1').length"), 1)
        self.end.touch()
        wait_for(lambda: self.browser.run("return document.querySelector('h1').textContent") == "Build 1 ok", 20,
                 "the result")
        self.assertEqual(self.text(), "1line 1 <b>\n2line 2 <b>\n3line 3 <b>\n4released\n5over\n")
        self.assertEqual((self.open_streams(), self.browser.run("return streams.length")), (0, 1))

    def test_a_hidden_page_has_no_stream_and_goes_on_where_it_was(self):
        self.wait_for_text("line 3")
        wait_for(lambda: self.open_streams() == 1, 10, "the stream")
        self.hide(True)
        self.assertEqual(self.open_streams(), 0)
        self.go.touch()
        wait_for(lambda: b"released" in self.log(), 20, "more output")
        self.assertNotIn("released", self.text())
        self.hide(False)
        self.wait_for_text("released")
        self.assertEqual(self.open_streams(), 1)
        self.assertEqual(self.text().count("line 2"), 1)
        self.end.touch()

    def test_what_the_reader_holds_stays(self):
        self.wait_for_text("line 3")
        self.browser.run("document.querySelector('#log details').open = true;"
                         "document.querySelector('#log summary').focus(); scrollTo(0, 40); window.marked = "
                         "document.activeElement")
        place = self.browser.run("return scrollY")
        self.end.touch()
        self.go.touch()
        wait_for(lambda: self.browser.run("return document.querySelector('h1').textContent") == "Build 1 ok", 20,
                 "the result")
        self.assertTrue(self.browser.run("return document.activeElement === marked && marked.isConnected"))
        self.assertTrue(self.browser.run("return document.querySelector('#log details').open"))
        self.assertEqual(self.browser.run("return scrollY"), place)

    def test_the_buttons_work_on_a_page_that_has_been_brought_up_to_date(self):
        def result():
            return self.browser.run("return document.querySelector('h1').textContent")

        def press(button):
            offered = self.browser.run("return [...document.querySelectorAll('.actions')].map((form) => form.id)")
            self.assertEqual(offered, [button])
            self.browser.run("document.querySelector('.actions button').click()")

        def running(attempt):
            build = self.farm.api("/builds/1")
            return build["state"] == "running" and build["attempt_count"] == attempt

        self.assertEqual(self.browser.run("return document.querySelector('.actions').textContent"),
                         "Sign in to cancel this build")
        self.browser.run("document.querySelector('.actions a').click()")
        wait_for(lambda: self.browser.run("return document.getElementById('token') !== null"), 10, "the way in")
        token = pathlib.Path(self.farm.ready["admin_token_file"]).read_text().strip()
        self.browser.run("document.getElementById('token').value = arguments[0];"
                         "document.querySelector('form button').click()", token)
        wait_for(lambda: result() == "Build 1 running", 10, "the build's page")
        press("cancel")
        wait_for(lambda: result() == "Build 1 cancelled", 20, "the build to be cancelled")
        press("retry")
        wait_for(lambda: running(2), 30, "the next attempt")
        wait_for(lambda: "line 3" in self.text(), 20, "its output in the page")
        self.browser.run("window.begun = document.getElementById('cancel')")
        self.go.touch()
        self.end.touch()
        wait_for(lambda: result() == "Build 1 ok", 20, "the result")
        self.assertFalse(self.browser.run("return window.begun.isConnected"), "one button became the other")
        press("retry")
        wait_for(lambda: self.farm.api("/builds/1")["attempt_count"] == 3, 20, "the third attempt")

    def test_a_link_to_a_line_that_the_page_does_not_have_leads_to_the_page_that_has_it(self):
        self.browser.get(f"http://{self.farm.ready['http']}/build/1#s1-1-L900")
        wait_for(lambda: "/build/1/log/1-1?from=880#s1-1-L900" in self.browser.run("return location.href"), 10,
                 "the other page")
        self.go.touch()
        self.end.touch()


if __name__ == "__main__":
    unittest.main(verbosity=2)
