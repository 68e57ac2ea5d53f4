"""What `cmake --install` puts on a machine: programs with manners, man pages that say what the programs say, units that
systemd understands, and libraries that another project can link."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

TREE = pathlib.Path(os.environ["XBUILD_BIN"]).parent
CONSUMER = {
    "CMakeLists.txt": """\
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(xbuild 0.1 REQUIRED)
add_executable(consumer main.cpp)
target_link_libraries(consumer PRIVATE xbuild::base)
""",
    "main.cpp": """\
#include <build/base/builder_key.h>
#include <iostream>
int main() { std::cout << build::base::builder_key("gophers rule", "user-gopher") << "\\n"; }
""",
}


# Those whose help is apart from their program's.
COMMANDS = {"maintlog": [(name,) for name in ("verify", "dump", "dump-corpus", "snapshot", "repair", "cut",
                                                "merge", "resegment")]}


def run(*command, **options):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=300, **options)


def need(program):
    assert shutil.which(program), f"this test needs {program}; './dev setup' installs it"
    return program


def help_flags(text):
    """{flag: what the help shows for its value} of a program's -help. A flag may have several names: "-k, --keep"."""
    lines = re.findall(r"^  (--?[A-Za-z0-9][a-z0-9-]*(?:, --[a-z-]+)*)(?: (\S+))?$", text, re.MULTILINE)
    return {name.lstrip("-"): value for names, value in lines for name in names.split(", ")}


def page_flags(page):
    """The flags that the OPTIONS section of a man page's source describes."""
    options = re.search(r"^\.SH OPTIONS$(.*?)^\.SH ", page, re.MULTILINE | re.DOTALL).group(1)
    tags = re.findall(r"^\.TP\n(\..*)$", options.replace("\\-", "-"), re.MULTILINE)
    return {flag for tag in tags for flag in re.findall(r'[ "]--?([A-Za-z0-9][a-z0-9-]*)', tag)}


class Installation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        cls.addClassCleanup(temporary.cleanup)
        cls.prefix = pathlib.Path(temporary.name) / "prefix"
        answer = run("cmake", "--install", TREE, "--prefix", cls.prefix)
        assert answer.returncode == 0, answer.stderr
        cls.tools = sorted(path.name for path in (cls.prefix / "bin").iterdir())
        cls.pages = sorted((cls.prefix / "share/man").rglob("*.?"))
        cls.units = sorted((cls.prefix / "lib/systemd/system").iterdir())

    def tool(self, name, *arguments):
        return run(self.prefix / "bin" / name, *arguments)

    def test_there_are_programs_pages_and_units_and_nothing_else(self):
        self.assertLessEqual({"buildlet", "coordinator", "genbuilderkey"}, set(self.tools))
        self.assertEqual({path.name for path in self.pages}, {f"{tool}.1" for tool in self.tools} | {"farm.toml.5"})
        self.assertEqual([path.name for path in self.units], ["xbuild-buildlet@.service", "xbuild-coordinator.service"])
        self.assertEqual({path.name for path in self.prefix.iterdir()}, {"bin", "lib", "share"})

    def test_help_has_an_example_on_stdout(self):
        for tool in self.tools:
            for flag in ("-help", "--help", "-h"):
                answer = self.tool(tool, flag)
                self.assertEqual((answer.returncode, answer.stderr), (0, ""), f"{tool} {flag}")
                self.assertRegex(answer.stdout, rf"(?m)^Examples:\n  {tool} \S")

    def test_the_version_names_the_commit_and_the_kind_of_build(self):
        for tool in self.tools:
            for flag in ("-version", "--version"):
                answer = self.tool(tool, flag)
                self.assertEqual((answer.returncode, answer.stderr), (0, ""), f"{tool} {flag}")
                self.assertRegex(answer.stdout, r"\d+\.\d+\.\d+ \(commit ([0-9a-f]{12}(\+changes)?|unknown), [A-Z]\w+")

    def test_a_wrong_flag_ends_with_2_and_the_nearest_right_one(self):
        for tool in self.tools:
            for flag in help_flags(self.tool(tool, "-help").stdout):
                if len(flag) == 1:
                    continue
                wrong = f"--{flag}x"
                answer = self.tool(tool, wrong)
                # gzip's 2 is a warning.
                code = 1 if tool == "pargzip" else 2
                self.assertEqual((answer.returncode, answer.stdout), (code, ""), f"{tool} {wrong}")
                self.assertEqual(answer.stderr.count("\n"), 1, answer.stderr)
                self.assertIn(f"unknown flag -{flag}x, did you mean -{flag}?", answer.stderr)

    def test_man_pages_and_help_describe_the_same_flags(self):
        for tool in self.tools:
            page = (self.prefix / f"share/man/man1/{tool}.1").read_text()
            helps = [self.tool(tool, *command, "-help").stdout for command in [(), *COMMANDS.get(tool, ())]]
            flags = {flag for text in helps for flag in help_flags(text)}
            self.assertEqual(page_flags(page), flags, tool)
            synopsis = page.replace("\\-", "-").split(".SH SYNOPSIS")[1].split(".SH ")[0]
            self.assertLessEqual(set(re.findall(r'[ "]-([a-z][a-z0-9-]*)', synopsis)), flags, f"{tool}.1's synopsis")

    def test_man_pages_are_well_formed_and_complete(self):
        for page in self.pages:
            answer = run(need("mandoc"), "-T", "lint", "-W", "warning", page)
            self.assertEqual((answer.returncode, answer.stdout, answer.stderr), (0, "", ""), page.name)
            text = page.read_text()
            sections = {"NAME", "DESCRIPTION", "SEE ALSO"}
            if page.suffix == ".1":
                sections |= {"SYNOPSIS", "OPTIONS", "EXIT STATUS", "EXAMPLES"}
            self.assertLessEqual(sections, set(re.findall(r"^\.SH (.*)$", text, re.MULTILINE)), page.name)

    def test_systemd_understands_the_units(self):
        for unit in self.units:
            answer = run(need("systemd-analyze"), "verify", "--man=no", unit)
            self.assertEqual((answer.returncode, answer.stdout, answer.stderr), (0, "", ""), unit.name)

    def test_the_units_stay_hardened(self):
        # What systemd-analyze calls exposure, times ten: 0 is a closed box, 100 an open door.
        for unit, limit in (("xbuild-coordinator.service", 15), ("xbuild-buildlet@.service", 35)):
            answer = run(need("systemd-analyze"), "security", "--offline=yes", "--no-pager", f"--threshold={limit}",
                         self.prefix / "lib/systemd/system" / unit)
            self.assertEqual(answer.returncode, 0, answer.stdout)

    def test_units_use_flags_that_the_programs_have(self):
        for unit in self.units:
            commands = re.findall(r"^Exec\w+=(\S+)(.*)$", unit.read_text(), re.MULTILINE)
            self.assertTrue(commands)
            for program, arguments in commands:
                if not program.startswith(str(self.prefix)):
                    continue
                flags = help_flags(run(program, "-help").stdout)
                for flag in re.findall(r" -([a-z][a-z-]*)", arguments):
                    self.assertIn(flag, flags, f"{unit.name}: {program}")

    def test_another_project_links_the_libraries(self):
        answer = run("cmake", "--install", TREE, "--prefix", self.prefix.parent / "libraries", "--component", "libraries")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        source = self.prefix.parent / "consumer"
        source.mkdir()
        for name, text in CONSUMER.items():
            (source / name).write_text(text)
        flags = re.search(r"^XBUILD_SANITIZE:STRING=(.*)$", (TREE / "CMakeCache.txt").read_text(), re.MULTILINE).group(1)
        answer = run("cmake", "-S", source, "-B", source / "build", "-G", "Ninja",
                     f"-DCMAKE_PREFIX_PATH={self.prefix.parent}/libraries", *([f"-DCMAKE_CXX_FLAGS=-fsanitize={flags}"] if flags else []))
        self.assertEqual(answer.returncode, 0, answer.stderr)
        answer = run("cmake", "--build", source / "build")
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertEqual(run(source / "build/consumer").stdout, "875a7345b291621360b36e62a0fc6a14\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
