#!/usr/bin/env python3
"""Who may use whom: dependencies.py [ROOT]

The rule itself is the table below; docs/architecture.md says why. What a part really uses is read from two
places, the #include lines of its files and the USES and PRIVATE lists of its xbuild_part(): both must keep the
rule. Also: nobody includes another part's src/, every file of a part is listed in its CMakeLists.txt (so every
public header is compiled alone), and the parts that decide instead of doing stay free of Boost.
"""

import re

import repository

# A part may use the parts of every lower layer.
LAYERS = [
    {"basics"},
    {"io", "pargzip", "base"},
    {"tarutil", "revdial", "html", "model", "subprocess", "build_info"},
    {"cli", "maintner"},
    {"config", "store", "blob", "livelog", "net", "runs", "maintner_sql"},
    {"buildlet_client", "buildlet_server", "git", "gerrit", "maintner_sync"},
    {"farm", "maintner_serve", "maintner_web"},
    {"coordinator", "gomote_server"},
    {"web"},
    {"sim"},
]

# These may use less than their layer allows: what stands here and nothing else.
ONLY = {
    "io": set(),
    "pargzip": set(),
    "tarutil": {"pargzip"},
    "revdial": {"io"},
    "maintner": {"basics"},
    "maintner_sql": {"basics", "maintner"},
    "blob": {"basics"},
    "maintner_sync": {"base", "basics", "blob", "io", "maintner", "net"},
    "maintner_serve": {"base", "basics", "blob", "io", "maintner", "maintner_sync", "net"},
    "maintner_web": {"base", "basics", "html", "io", "maintner", "maintner_sql", "net"},
    "html": {"basics"},
    "model": {"base"},
    "config": {"base", "basics", "cli", "model"},
    "build_info": {"basics"},
    "cli": {"base", "basics", "build_info"},
    "runs": {"base", "basics", "io", "subprocess"},
    "farm": {"base", "model"},
    "gomote_client": {"io", "net"},
}

# A user of these gets no Boost; for farm it also means no event loop, so no way to wait or to be elsewhere.
WITHOUT_BOOST = {
    "basics", "blob", "build_info", "pargzip", "tarutil", "base", "html", "maintner", "maintner_sql", "model", "farm"}

# Headers that make something of ours fit Boost, for those who have it; nothing else of ours includes them.
BOOST_ADAPTERS = {"libpargzip/include/pargzip/boost_iostreams.h"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def allowed_for(name):
    """The parts that `name` may use, or None if the rule has no place for it."""
    if name in ONLY:
        return ONLY[name]
    for level, layer in enumerate(LAYERS):
        if name in layer:
            return set().union(*LAYERS[:level])
    return None


def check_includes(root, part, headers_by_include, problems):
    for path in sorted(part.headers | part.sources):
        if not (root / path).is_file():
            continue
        text = repository.read(root, path)
        for match in INCLUDE.finditer(text):
            style, name = match.groups()
            where = f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
            owner = headers_by_include.get(name)
            if owner and owner != part.name and owner not in allowed_for(part.name):
                problems.append(f"{where}: {part.name} may not use {owner} (<{name}>)")
            if name.startswith("boost/") and part.name in WITHOUT_BOOST and str(path) not in BOOST_ADAPTERS:
                problems.append(f"{where}: {part.name} must do without Boost (<{name}>)")
            if ".." in name.split("/") or "src/" in name:
                problems.append(f'{where}: "{name}" reaches into a src/ folder')
            if style == '"' and not owner:
                beside = root / path.parent / name
                private = root / part.folder / "src" / name
                generated = name.startswith("xbuild_")
                if not beside.is_file() and not private.is_file() and not generated:
                    problems.append(f'{where}: "{name}" is not in this part\'s src/')


def check_links(part, names, problems):
    for link in part.links:
        used = link.removeprefix("xbuild::")
        if used != link and used not in names:
            problems.append(f"{part.folder}/CMakeLists.txt: {part.name} links {link}, which does not exist")
        elif used != link and used not in allowed_for(part.name):
            problems.append(f"{part.folder}/CMakeLists.txt: {part.name} may not use {used}")
        if link.startswith("Boost::") and part.name in WITHOUT_BOOST:
            problems.append(f"{part.folder}/CMakeLists.txt: {part.name} must do without Boost ({link})")


def check_listed(root, parts, problems):
    listed = set().union(*(part.headers | part.sources for part in parts.values()))
    for path in repository.sources(root):
        if path.parts[0].startswith("lib") and "include" in path.parts and path not in listed:
            problems.append(f"{path}: a public header that no xbuild_part lists")
        if path.parts[0].startswith("lib") and path.suffix == ".cpp" and path not in listed:
            problems.append(f"{path}: a source file that no xbuild_part lists")
    for path in sorted(listed):
        if "$" not in str(path) and not (root / path).is_file():
            problems.append(f"{path}: listed, but not there")


def check_users(root, problems):
    """Tools and tests use public headers only."""
    for path in repository.sources(root):
        if path.parts[0] not in ("tools", "tests", "examples", "bench"):
            continue
        for _, name in INCLUDE.findall(repository.read(root, path)):
            if "src/" in name or name.startswith("../../lib"):
                problems.append(f'{path}: "{name}" reaches into a part\'s src/')


def run(root):
    parts = repository.parts(root)
    problems = []
    headers_by_include = {}
    for part in parts.values():
        for header in part.headers:
            headers_by_include[str(header.relative_to(part.folder / "include"))] = part.name
    for part in parts.values():
        if allowed_for(part.name) is None:
            problems.append(f"{part.folder}/CMakeLists.txt: {part.name} has no place in the rule; give it one in {__file__}")
            continue
        check_includes(root, part, headers_by_include, problems)
        check_links(part, parts.keys(), problems)
    check_listed(root, parts, problems)
    check_users(root, problems)
    return problems, len(parts)


if __name__ == "__main__":
    repository.main("dependencies", run)
