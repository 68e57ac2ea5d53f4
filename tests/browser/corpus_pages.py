"""What the script of maintserve's pages does, in a real browser: lists take over what is new, a page that is being read
says that there is something new and shows it when asked, and what somebody types stays."""

import pathlib
import subprocess
import tempfile
import unittest

import made_up_farm  # noqa: F401  (finds farm.py)
from browser import Browser
from farm import programs, wait_for
from maintner_live import append, field, issue

HOSTILE = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"


def comment(number, identity, text):
    user = field(1, 7) + field(2, "ann")
    said = field(1, identity) + field(2, user) + field(3, text) + field(4, field(1, 1_600_000_000 + identity))
    return field(1, field(1, "golang") + field(2, "go") + field(3, number) + field(8, said))


class CorpusPages(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        self.log = self.directory / "maintner-2021-01-01.mutlog"
        append(self.log, issue("go", 1, "the first"), comment(1, 10, "**bold** " + HOSTILE))
        ready = self.directory / "ready"
        process = subprocess.Popen([programs() / "maintserve", "-log", self.directory, "-http", "127.0.0.1:0", "-ready-file", ready],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        wait_for(ready.exists, 20, "maintserve")
        self.url = ready.read_text().strip().removeprefix("url=")

    def open(self, path, scripts=True):
        self.browser = self.enterContext(Browser(scripts=scripts))
        self.browser.get(self.url + path)

    def text(self):
        return self.browser.run("return document.getElementById('main').textContent")

    def wait_for_text(self, text):
        wait_for(lambda: text in self.text(), 20, text)

    def news(self):
        return self.browser.run("return !document.getElementById('news').hidden")

    def test_a_list_takes_over_what_is_new(self):
        self.open("golang/go")
        append(self.log, issue("go", 2, "the second"))
        self.wait_for_text("the second")
        self.assertFalse(self.news())
        self.assertEqual(self.browser.console(), [])

    def test_the_front_page_counts_on(self):
        self.open("")
        self.wait_for_text("1")
        append(self.log, issue("go", 2, "the second"))
        count = "return document.querySelector('td.count').textContent"
        wait_for(lambda: self.browser.run(count) == "2", 20, "the count")

    def test_what_is_typed_stays_while_a_list_changes(self):
        self.open("golang/go")
        self.browser.run("const field = document.querySelector('input[name=author]'); field.focus(); field.value = 'an'")
        append(self.log, issue("go", 2, "the second"))
        self.wait_for_text("the second")
        self.assertEqual(self.browser.run("return document.activeElement.value"), "an")

    def test_a_page_that_is_read_says_that_there_is_news_and_shows_it_when_asked(self):
        self.open("golang/go/1")
        append(self.log, issue("go", 2, "another one"))
        append(self.log, comment(1, 20, "an answer"))
        wait_for(self.news, 20, "the news")
        self.assertNotIn("an answer", self.text())
        self.browser.run("document.querySelector('#news button').click()")
        self.assertIn("an answer", self.text())
        self.assertFalse(self.news())
        append(self.log, comment(1, 30, "another answer"))
        wait_for(self.news, 20, "more news")

    def test_what_concerns_another_page_is_no_news(self):
        self.open("golang/go/1")
        append(self.log, issue("go", 2, "another one"))
        # The log has three records then, and all of them are counted.
        wait_for(lambda: self.browser.run("return document.body.dataset.moment").endswith(".3"), 20, "the events")
        self.assertFalse(self.news())
        append(self.log, comment(1, 20, "an answer"))
        wait_for(self.news, 20, "the news")

    def test_hostile_texts_run_nothing_and_nothing_is_complained_about(self):
        append(self.log, issue("go", 2, HOSTILE), comment(2, 11, HOSTILE + "\n\n" + HOSTILE))
        self.open("golang/go/1")
        for path in ("golang/go", "golang/go/1", "golang/go/2", "-/search?q=owned", "-/sql?q=SELECT+title,1+FROM+issues&chart=bars",
                     "-/people", "-/people/ann"):
            with self.subTest(path=path):
                self.browser.get(self.url + path)
                self.assertNotEqual(self.browser.run("return document.title"), "owned")
                self.assertEqual(self.browser.run("return document.querySelectorAll('main img, main script').length"), 0)
                self.assertEqual(self.browser.console(), [])

    def test_pages_are_whole_without_scripts(self):
        self.open("golang/go/1", scripts=False)
        source = self.browser.driver.page_source
        self.assertIn("the first", source)
        self.assertIn("<strong>bold</strong>", source)


if __name__ == "__main__":
    unittest.main()
