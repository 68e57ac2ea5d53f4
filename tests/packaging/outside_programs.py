"""The programs in docs/using-the-libraries.md, built as a stranger would build them: against an installed prefix, by CMake and
by pkg-config, with static and with shared libraries. And what such a prefix holds."""

import gzip
import io
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PAGE = SOURCE / "docs/using-the-libraries.md"
# What the farm needs and these libraries do not.
OF_THE_FARM = ("Boost", "OpenSSL", "SQLite3", "RapidJSON", "tomlplusplus", "doctest", "Python3")
KINDS = {"static": "OFF", "shared": "ON"}
# What each does not need. tarutil stands on pargzip, so its prefix holds both.
WITHOUT = {"pargzip": (*OF_THE_FARM, "LibArchive"), "tarutil": OF_THE_FARM}


def without(*packages):
    """CMake arguments for a machine that has none of them."""
    return [f"-DCMAKE_DISABLE_FIND_PACKAGE_{package}=ON" for package in packages]


def run(*command, expect=0, **options):
    for program in command[:1]:
        assert shutil.which(program), f"this test needs {program}; './dev setup' installs it"
    answer = subprocess.run([str(word) for word in command], stdin=options.pop("stdin", subprocess.DEVNULL),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=500, **options)
    answer.stdout = answer.stdout.decode()
    assert answer.returncode == expect, f"{command}: {answer.returncode}\n{answer.stdout}"
    return answer.stdout


def configure(source, tree, *arguments, **options):
    return run("cmake", "-S", source, "-B", tree, "-G", "Ninja", *arguments, **options)


class Example:
    """One section of the page: a program, its CMakeLists.txt, and the command for those who use pkg-config."""

    def __init__(self, library):
        section = re.search(rf"^## {library}$(.*?)^## ", PAGE.read_text(), re.MULTILINE | re.DOTALL).group(1)
        blocks = dict(re.findall(r"^```(cpp|cmake|sh)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))
        self.library, self.program, self.lists, self.command = library, blocks["cpp"], blocks["cmake"], blocks.get("sh")
        self.name = re.search(r"add_executable\((\w+)", self.lists).group(1)

    def write(self, folder):
        folder.mkdir()
        (folder / f"{self.name}.cpp").write_text(self.program)
        (folder / "CMakeLists.txt").write_text(self.lists)


def make_archive():
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        entry = tarfile.TarInfo("folder/file")
        entry.size = 6
        tar.addfile(entry, io.BytesIO(b"inside"))
    return archive.getvalue()


class OutsidePrograms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        cls.addClassCleanup(temporary.cleanup)
        cls.top = pathlib.Path(temporary.name)
        for library, needless in WITHOUT.items():
            for kind, shared in KINDS.items():
                tree = cls.top / f"tree-{library}-{kind}"
                configure(SOURCE, tree, f"-DXBUILD_ONLY={library}", f"-DBUILD_SHARED_LIBS={shared}", "-DCMAKE_INSTALL_LIBDIR=lib", "-DCMAKE_UNITY_BUILD=ON",
                          *without(*needless))
                run("cmake", "--build", tree, "--parallel", "2")
                # Another prefix than the one that was configured, and then moved: nothing may know where it was.
                run("cmake", "--install", tree, "--prefix", cls.top / "first" / library / kind)
        (cls.top / "first").rename(cls.top / "prefix")

    def prefix(self, kind, library="tarutil"):
        return self.top / "prefix" / library / kind

    def folder(self, *words):
        return self.top / "-".join(words)

    def built_by_cmake(self, example, kind):
        source = self.folder(example.name, kind, "cmake")
        example.write(source)
        configure(source, source / "build", f"-DCMAKE_PREFIX_PATH={self.prefix(kind, example.library)}",
                  *without(*WITHOUT[example.library]))
        said = run("cmake", "--build", source / "build", "--verbose")
        return source / "build" / example.name, said, {}

    def built_by_pkg_config(self, example, kind):
        source = self.folder(example.name, kind, "pkg-config")
        example.write(source)
        environment = dict(os.environ, PKG_CONFIG_PATH=str(self.prefix(kind, example.library) / "lib/pkgconfig"))
        said = run("bash", "-exc", example.command, cwd=source, env=environment)
        return source / example.name, said, {"LD_LIBRARY_PATH": str(self.prefix(kind, example.library) / "lib")}

    def each(self, library):
        """Each of the four ways: the program, what the building said, and the environment that the program needs."""
        example = Example(library)
        for kind in KINDS:
            for way in (self.built_by_cmake, self.built_by_pkg_config):
                with self.subTest(library=library, kind=kind, way=way.__name__):
                    yield kind, *way(example, kind)

    def check_links(self, kind, library, program, said, environment):
        """No Boost anywhere, our library as a file of its own only if it is shared."""
        needed = run("readelf", "-d", program)
        loaded = run("ldd", program, env=dict(os.environ, **environment))
        for text in (said, needed, loaded):
            self.assertNotRegex(text, "(?i)boost")
        soname = f"lib{library}.so.0.1"
        self.assertEqual(f"[{soname}]" in needed, kind == "shared", needed)
        if kind == "shared":
            self.assertIn(f"{soname} => {self.prefix(kind, library)}/lib/{soname}", loaded)

    def test_tarutil_unpacks_for_an_outside_program(self):
        archive = self.top / "archive.tar.gz"
        archive.write_bytes(make_archive())
        for kind, program, said, environment in self.each("tarutil"):
            self.check_links(kind, "tarutil", program, said, environment)
            target = program.parent / "target"
            target.mkdir()
            with open(archive) as stdin:
                answer = run(program, target, stdin=stdin, env=dict(os.environ, **environment))
            self.assertEqual(answer, "1 entries, 6 bytes\n")
            self.assertEqual((target / "folder/file").read_text(), "inside")

    def test_pargzip_compresses_and_decompresses_for_an_outside_program(self):
        content = self.top / "content"
        content.write_bytes(b"".join(b"line %d\n" % i for i in range(300_000)))
        packed, back = self.top / "packed", self.top / "back"
        for kind, program, said, environment in self.each("pargzip"):
            self.check_links(kind, "pargzip", program, said, environment)
            for source, target, flags in ((content, packed, ()), (packed, back, ("-d",))):
                with open(source, "rb") as stdin, open(target, "wb") as stdout:
                    subprocess.run([program, *flags], stdin=stdin, stdout=stdout, check=True, timeout=100,
                                   env=dict(os.environ, **environment))
            self.assertTrue(content.read_bytes() == gzip.decompress(packed.read_bytes()) == back.read_bytes())
            self.assertLess(packed.stat().st_size, content.stat().st_size // 2)

    def test_maintner_answers_an_outside_program(self):
        tree, prefix = self.top / "tree-maintner", self.top / "prefix" / "maintner" / "static"
        needless = [package for package in OF_THE_FARM if package != "RapidJSON"] + ["LibArchive"]
        configure(SOURCE, tree, "-DXBUILD_ONLY=maintner", "-DCMAKE_INSTALL_LIBDIR=lib", "-DCMAKE_UNITY_BUILD=ON",
                  *without(*needless))
        run("cmake", "--build", tree, "--parallel", "2")
        run("cmake", "--install", tree, "--prefix", prefix)
        example = Example("maintner")
        self.assertLessEqual(len(example.program.splitlines()), 25)
        source = self.folder(example.name, "cmake")
        example.write(source)
        configure(source, source / "build", f"-DCMAKE_PREFIX_PATH={prefix}", *without(*needless, "RapidJSON"))
        said = run("cmake", "--build", source / "build", "--verbose")
        for text in (said, run("ldd", source / "build" / example.name)):
            self.assertNotRegex(text, "(?i)boost|curl|grpc|libpq|libssl|libcrypto|protobuf")
        # github_issue: golang, go, 3; two comments, 7 and 8, of user 9, "gopher".
        payload = bytes.fromhex("0a2e0a06676f6c616e671202676f1803420e080712" "0a0809" "1206676f70686572"
                                "420e0808120a08091206676f70686572")
        log = self.top / "log"
        log.mkdir()
        (log / "maintner-2021-02-01.mutlog").write_bytes(b"REC@0+%x=%s" % (len(payload), payload))
        self.assertEqual(run(source / "build" / example.name, log), "gopher: 2 comments\n")

    def test_the_tool_that_comes_with_pargzip_runs_from_its_prefix(self):
        for kind in KINDS:
            tool = self.prefix(kind, "pargzip") / "bin/pargzip"
            self.assertNotRegex(run("ldd", tool), "(?i)boost|libssl|libarchive|not found")
            self.assertEqual("libpargzip.so.0.1" in run("readelf", "-d", tool), kind == "shared")
            self.assertIn("pargzip (xbuild) 0.1.0", run(tool, "--version"))
            self.assertTrue((self.prefix(kind, "pargzip") / "share/man/man1/pargzip.1").is_file())

    def test_shared_libraries_show_only_their_namespace_and_say_their_soname(self):
        libraries = [path for path in (self.prefix("shared") / "lib").glob("*.so.*") if not path.is_symlink()]
        self.assertEqual(len(libraries), 2)
        for path in libraries:
            library = path.name.removeprefix("lib").partition(".")[0]
            self.assertEqual(path.name, f"lib{library}.so.0.1.0")
            self.assertIn(f"Library soname: [lib{library}.so.0.1]", run("readelf", "-d", path))
            names = [line.split(maxsplit=2)[2] for line in run("nm", "-DC", "--defined-only", path).splitlines()]
            self.assertTrue(names)
            for name in names:
                self.assertRegex(name, rf"^((typeinfo|typeinfo name|vtable) for )?{library}::", path.name)

    def test_a_prefix_holds_one_kind_and_nothing_of_the_farm(self):
        for kind in KINDS:
            for library in WITHOUT:
                prefix = self.prefix(kind, library)
                files = {path.relative_to(prefix).as_posix() for path in prefix.rglob("*")}
                for each in {"pargzip", library}:
                    self.assertEqual(f"lib/lib{each}.a" in files, kind == "static")
                    self.assertEqual(f"lib/lib{each}.so" in files, kind == "shared")
                    self.assertIn(f"include/xbuild/{each}/export.h", files)
                self.assertEqual("bin/pargzip" in files, library == "pargzip")
                self.assertFalse([name for name in files if re.search("coordinator|systemd|basics|include/xbuild/(io|build)", name)])

    def test_pkg_config_names_private_things_only_to_who_needs_them(self):
        for kind in KINDS:
            environment = dict(os.environ, PKG_CONFIG_PATH=str(self.prefix(kind) / "lib/pkgconfig"))
            libraries = run("pkg-config", "--libs", "tarutil", env=environment).split()
            self.assertEqual("-larchive" in libraries, kind == "static", libraries)
            everything = run("pkg-config", "--static", "--libs", "tarutil", env=environment).split()
            self.assertIn("-larchive", everything)
            self.assertEqual(run("pkg-config", "--modversion", "tarutil", env=environment).strip(), "0.1.0")

    def consumer(self, name, *find):
        source = self.top / name
        source.mkdir()
        (source / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\nproject(consumer LANGUAGES CXX)\n"
                                               f"find_package(xbuild {' '.join(find)})\n"
                                               "message(STATUS \"found ${xbuild_FOUND} why ${xbuild_NOT_FOUND_MESSAGE}\")\n")
        return source

    def test_a_component_that_is_not_there_is_named(self):
        source = self.consumer("wrong", "REQUIRED", "COMPONENTS", "tarutil", "tarball")
        said = configure(source, source / "build", f"-DCMAKE_PREFIX_PATH={self.prefix('static')}", expect=1)
        self.assertRegex(" ".join(said.split()), r"no component tarball; installed here: .*tarutil")

    def test_an_optional_component_may_be_missing(self):
        source = self.consumer("optional", "REQUIRED", "COMPONENTS", "tarutil", "OPTIONAL_COMPONENTS", "tarball")
        said = configure(source, source / "build", f"-DCMAKE_PREFIX_PATH={self.prefix('static')}")
        self.assertRegex(said, "found (1|TRUE) ")

    def test_what_a_component_needs_and_is_not_there_is_named(self):
        for kind, needs in (("static", True), ("shared", False)):
            source = self.consumer(f"needs-{kind}", "COMPONENTS", "pargzip", "tarutil")
            said = configure(source, source / "build", f"-DCMAKE_PREFIX_PATH={self.prefix(kind)}", *without("LibArchive"))
            if needs:
                self.assertIn("component tarutil needs LibArchive", " ".join(said.split()))
                self.assertRegex(said, "found (0|FALSE) ")
            else:
                self.assertRegex(said, "found (1|TRUE) ")

    def test_only_what_the_named_components_need_is_looked_for(self):
        source = self.consumer("one", "REQUIRED", "COMPONENTS", "pargzip")
        configure(source, source / "build", f"-DCMAKE_PREFIX_PATH={self.prefix('static')}", *without(*WITHOUT["pargzip"]))

    def test_without_components_all_that_is_installed_is_loaded(self):
        source = self.consumer("all", "0.1", "REQUIRED")
        with open(source / "CMakeLists.txt", "a") as file:
            file.write("if(NOT TARGET xbuild::tarutil)\n  message(FATAL_ERROR gone)\nendif()\n")
        configure(source, source / "build", f"-DCMAKE_PREFIX_PATH={self.prefix('static')}")

    def test_a_library_that_does_not_exist_is_refused(self):
        said = configure(SOURCE, self.top / "nothing", "-DXBUILD_ONLY=tarball", expect=1)
        self.assertIn("XBUILD_ONLY=tarball", said)
        self.assertIn("tarutil", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
