"""What the checks share: the repository's files, C++ without comments, the parts as CMake declares them."""

import pathlib
import re
import subprocess
import sys

SOURCE_SUFFIXES = {".h", ".cpp"}


def files(root):
    """Every file that belongs to the repository at `root`, as paths relative to it, sorted.

    In a git checkout: what is tracked or could be (not ignored). Elsewhere: everything but build trees.
    """
    root = pathlib.Path(root)
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
        found = {pathlib.PurePosixPath(name) for name in listed if name and (root / name).is_file()}
    else:
        found = {
            pathlib.PurePosixPath(path.relative_to(root).as_posix())
            for path in root.rglob("*")
            if path.is_file() and path.relative_to(root).parts[0] != "build"
        }
    return sorted(found)


def sources(root):
    return [path for path in files(root) if path.suffix in SOURCE_SUFFIXES]


def read(root, path):
    return (pathlib.Path(root) / path).read_text(encoding="utf-8", errors="replace")


_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'""",
    re.DOTALL,
)


def code_only(text):
    """`text` without comments and with string and character literals emptied; line numbers stay right."""

    def blank(match):
        token = match.group(0)
        keep = "" if token.startswith("/") else '""'
        return keep + "\n" * token.count("\n")

    return _TOKEN.sub(blank, text)


class Part:
    """One xbuild_part: its folder, its files (relative to the root) and what CMake lets it link."""

    def __init__(self, name, folder, listed):
        self.name = name
        self.folder = folder
        self.headers = {folder / item for item in listed["HEADERS"]}
        self.sources = {folder / item for item in listed["SOURCES"]}
        self.links = [item for item in listed["USES"] + listed["PRIVATE"]]


def parts(root):
    """All parts by name, read from the CMakeLists.txt files."""
    found = {}
    for path in files(root):
        if path.name != "CMakeLists.txt" or path.parts[0] == "tests":
            continue
        text = re.sub(r"#[^\n]*", "", read(root, path))
        for body in re.findall(r"\bxbuild_part\s*\(([^)]*)\)", text):
            listed = {"NAME": [], "PUBLISHED": [], "HEADERS": [], "SOURCES": [], "USES": [], "PRIVATE": []}
            section = None
            for word in body.split():
                if word in listed:
                    section = word
                elif section:
                    listed[section].append(word)
            part = Part(listed["NAME"][0], path.parent, listed)
            # Sources that depend on what was found when it was configured.
            for body in re.findall(rf"\btarget_sources\s*\(xbuild_{part.name}\s+PRIVATE([^)]*)\)", text):
                part.sources |= {part.folder / item for item in body.split()}
            found[part.name] = part
    return found


def finish(check, problems, looked_at):
    """Prints the outcome and gives the exit code. A check that looked at nothing has failed."""
    for problem in problems:
        print(f"{check}: {problem}")
    if not looked_at:
        print(f"{check}: found nothing to look at")
        return 1
    print(f"{check}: {looked_at} looked at, {len(problems)} problems")
    return 1 if problems else 0


def main(check, run):
    """`run(root, *arguments)` returns (problems, how much was looked at)."""
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    problems, looked_at = run(root, *sys.argv[2:])
    sys.exit(finish(check, problems, looked_at))
