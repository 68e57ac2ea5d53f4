#!/usr/bin/env python3
"""Do the checks find what they are for? self_test.py ROOT

Each test plants one violation in a copy of the repository (or in a small tree of its own) and wants the check to
name it.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import dependencies
import farm_purity
import links
import repository
import seams
import skips
import tree

ROOT = pathlib.Path(".")


class Planted(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-checks.")
        self.addCleanup(self.temporary.cleanup)
        self.root = pathlib.Path(self.temporary.name).resolve() / "copy"

    def copy_repository(self):
        for path in repository.files(ROOT):
            (self.root / path.parent).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, self.root / path)

    def write(self, path, text):
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text)

    def append(self, path, text):
        with open(self.root / path, "a") as file:
            file.write(text)

    def expect(self, run, *words):
        """One problem must contain all `words`."""
        problems, looked_at = run(self.root)
        self.assertGreater(looked_at, 0)
        self.assertTrue(any(all(word in problem for word in words) for problem in problems), "\n".join(problems))


class Dependencies(Planted):
    def setUp(self):
        super().setUp()
        self.copy_repository()

    def plant(self, line, *words):
        self.append("libbuild/model/src/records.cpp", f"\n{line}\n")
        self.expect(dependencies.run, "libbuild/model/src/records.cpp", *words)

    def test_a_header_of_a_higher_part_is_found(self):
        self.plant("#include <build/net/server.h>", "model may not use net")

    def test_boost_in_a_part_without_boost_is_found(self):
        self.plant("#  include <boost/asio/post.hpp>", "without Boost")

    def test_another_parts_source_folder_is_found(self):
        self.plant('#include "../../../libio/src/byte_ring.h"', "src/")

    def test_a_quoted_name_from_elsewhere_is_found(self):
        self.plant('#include "byte_ring.h"', "byte_ring.h")

    def test_a_link_against_the_rule_is_found(self):
        self.write("libbuild/extra/CMakeLists.txt", "xbuild_part(NAME gerrit\n  USES xbuild::net xbuild::farm)  # b\n")
        self.expect(dependencies.run, "gerrit may not use farm")

    def test_a_link_to_nothing_is_found(self):
        self.write("libbuild/extra/CMakeLists.txt", "xbuild_part(NAME gerrit USES xbuild::nothing)\n")
        self.expect(dependencies.run, "does not exist")

    def test_a_part_that_the_rule_does_not_know_is_found(self):
        self.write("libbuild/extra/CMakeLists.txt", "xbuild_part(NAME surprise)\n")
        self.expect(dependencies.run, "surprise has no place")

    def test_an_unlisted_public_header_is_found(self):
        self.write("libbuild/model/include/build/model/extra.h", "#pragma once\n")
        self.expect(dependencies.run, "model/extra.h", "public header")

    def test_a_test_that_reaches_into_a_source_folder_is_found(self):
        self.write("tests/extra_test.cpp", '#include "../libio/src/byte_ring.h"\n')
        self.expect(dependencies.run, "tests/extra_test.cpp")


class Seams(Planted):
    def plant(self, line, found):
        with self.subTest(line=line):
            self.write("libbuild/model/src/extra.cpp", f"// one\n{line}\n")
            problems, _ = seams.run(self.root)
            where = [problem for problem in problems if "extra.cpp:2:" in problem]
            self.assertEqual(bool(where), found, "\n".join(problems))

    def test_everything_that_must_be_handed_in_is_found(self):
        for line in (
            "asio::steady_timer timer(executor);",
            "auto now = std::chrono::system_clock::now();",
            "auto t = Clock::now ();",
            "auto t = time(nullptr);",
            "std::this_thread::sleep_for(1s);",
            "std::jthread worker([] {});",
            "std::thread worker;",
            "int fd = ::socket(AF_INET, SOCK_STREAM, 0);",
            "int fd = socket (AF_INET, SOCK_STREAM, 0);",
            "boost::asio::ip::tcp::acceptor a(executor);",
            "int fd = inotify_init1(0);",
            "std::random_device device;",
            "getrandom(buffer, 16, 0);",
            "pid_t child = fork();",
        ):
            self.plant(line, found=True)

    def test_what_only_looks_like_it_is_left_alone(self):
        for line in (
            "auto t = clock_.now();  // not steady_clock::now()",
            '/* std::thread */ log("steady_timer");',
            "co_await clock.sleep_for(1s);",
            "auto& s = stream.socket();",
            "int operand(int);",
            "auto id = std::this_thread::get_id;",
            "const auto spark = 1'000; int part = 'a';",
        ):
            self.plant(line, found=False)

    def test_libio_may(self):
        self.write("libio/src/clock.cpp", "auto now = std::chrono::steady_clock::now();\n")
        self.write("libbuild/model/src/extra.cpp", "int x;\n")
        self.assertEqual(seams.run(self.root), ([], 1))


class Links(Planted):
    def test_dead_links_are_found_and_good_ones_are_not(self):
        self.write("docs/good.md", "# One thing\n\n## `code` and *more*\n")
        self.write(
            "README.md",
            "[a](docs/good.md) [b](docs/good.md#one-thing) ![c](none.png) [d](docs/good.md#two) [e](docs)\n"
            "[f](https://example.org/x) [g][ref] [h][lost] [i](../outside.md)\n\n```\n[j](not-a-link.md)\n```\n"
            '`[k](code.md)` <img src="gone.png"> [l](docs/good.md#code-and-more)\n\n[ref]: docs/missing.md\n',
        )
        problems, _ = links.run(self.root)
        for expected in ("none.png", "#two", "[lost]", "../outside.md", "gone.png", "docs/missing.md"):
            self.assertTrue(any(expected in problem for problem in problems), expected)
        self.assertEqual(len(problems), 6, "\n".join(problems))


class Tree(Planted):
    def test_a_large_file_a_long_source_a_promise_and_a_merge_are_found(self):
        self.write("picture.png", "x" * (tree.MAX_BYTES + 1))
        self.write("a.cpp", "\n" * (tree.MAX_SOURCE_LINES + 1))
        self.write("b.cpp", "// " + "TO" + "DO: later\n")
        self.write("c.md", "<" * 7 + " HEAD\n")
        self.write("d.cpp", "int mastodon; // TODOS\n")
        problems, _ = tree.run(self.root)
        self.assertEqual([problem.split(":")[0] for problem in problems], ["a.cpp", "b.cpp", "c.md", "picture.png"])


class FarmPurity(Planted):
    def compile(self, text):
        self.write("x.cpp", text)
        made = self.root / "x.o"
        subprocess.run(["c++", "-std=c++20", "-c", str(self.root / "x.cpp"), "-o", str(made)], check=True)
        return [str(made)]

    def test_the_clock_a_thread_a_socket_and_a_file_are_found(self):
        problems, _ = farm_purity.run(self.compile("""
            #include <chrono>
            #include <fstream>
            #include <thread>
            #include <sys/socket.h>
            long now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
            void start() { std::thread([] {}).join(); }
            int dial() { return socket(AF_INET, SOCK_STREAM, 0); }
            bool look() { return std::ifstream("/x").good(); }
            struct sqlite3; extern "C" int sqlite3_step(sqlite3*);
            int step(sqlite3* s) { return sqlite3_step(s); }
        """))
        for what in ("a clock", "a thread", "a socket", "a file", "a database"):
            self.assertTrue(any(f"needs {what}:" in problem for problem in problems), what + "\n" + "\n".join(problems))

    def test_containers_and_arithmetic_are_fine(self):
        problems, looked_at = farm_purity.run(self.compile("""
            #include <chrono>
            #include <map>
            #include <memory>
            #include <stdexcept>
            #include <string>
            using Time = std::chrono::sys_time<std::chrono::milliseconds>;
            std::map<std::string, std::shared_ptr<Time>> rows;
            Time at(const std::string& id) {
              if (!rows.count(id)) throw std::out_of_range("no row " + id);
              return *rows[id] + std::chrono::seconds(1);
            }
        """))
        self.assertEqual(problems, [])
        self.assertGreater(looked_at, 0)

    def test_no_object_is_a_failure(self):
        self.assertEqual(repository.finish("farm_purity", *farm_purity.run([])), 1)


class Skips(Planted):
    def outcome(self, expected, environment):
        self.write("expected.txt", expected)
        self.write("junit.xml", """<testsuite>
            <testcase name="test_a" status="run"/><testcase name="test_b" status="fail"/>
            <testcase name="golden_c" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/></testcase>
            </testsuite>""")
        return skips.count(self.root / "junit.xml", self.root / "expected.txt", environment)

    def test_a_skip_that_is_not_listed_is_found(self):
        self.assertEqual(self.outcome("# none\n", {}), (2, ["golden_c"], ["golden_c"]))

    def test_a_listed_skip_is_expected_under_its_condition_only(self):
        line = "golden_*  without XBUILD_GOLDEN  needs recorded data\n"
        self.assertEqual(self.outcome(line, {}), (2, ["golden_c"], []))
        self.assertEqual(self.outcome(line, {"XBUILD_GOLDEN": "/x"}), (2, ["golden_c"], ["golden_c"]))
        self.assertEqual(self.outcome("golden_c  always  because\n", {"XBUILD_GOLDEN": "/x"}), (2, ["golden_c"], []))


if __name__ == "__main__":
    ROOT = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
