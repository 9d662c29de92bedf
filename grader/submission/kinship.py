"""Whether files and folders belong together, by what they import and read, and by their names.

In: what a folder holds. Out: one person's work, or several people's.
"""

from __future__ import annotations

from collections.abc import Sequence

from grader.submission import assembly, folder, main_file
from grader.submission.contents import SETTINGS, Contents, is_readme, why_not_enter
from grader.submission.entries import Entry
from grader.submission.main_file import Script

_PART_NAMES = """
    src source code scripts notebook notebooks model models net nets network networks module modules
    layers core util utils helper helpers common lib libs tool tools data dataset datasets config
    configs conf train training test tests eval evaluation docs doc examples checkpoint checkpoints
    weights result results output outputs log logs plots figures images img assets experiments
    old backup archive previous draft drafts
"""
_PARTS = frozenset(_PART_NAMES.split())
"""What people call the folders within their work."""


def is_part(entry: Entry) -> bool:
    """Whether a folder is called like a part of a work."""
    return entry.name.lower() in _PARTS


def are_several(entries: Sequence[Entry]) -> bool:
    """Whether these are folders of several people: each has its network, and none needs another.

    One person's `models/` and `training/` are not: their names say so, or an import does.
    """
    folders = [one for one in entries if one.is_folder and not why_not_enter(one.name)]
    if len(folders) < 2 or any(map(is_part, folders)):
        return False
    files = [one for one in entries if not one.is_folder]
    groups = [assembly.scripts(folder.gather(one)) for one in folders]
    beside = folder.of_files({one.name: one for one in files})
    groups += [[script] for script in assembly.scripts(beside)]
    names = [one.name.casefold() for one in folders]
    names += [group[0].name.removesuffix(".py").casefold() for group in groups[len(folders) :]]
    if any(_imports(group, {*names} - {own}) for own, group in zip(names, groups, strict=True)):
        return False
    return sum(map(_has_work, groups[: len(folders)])) > 1


def _has_work(scripts: Sequence[Script]) -> bool:
    return any(script.trains or script.has_network for script in scripts)


def _imports(scripts: Sequence[Script], names: set[str]) -> bool:
    """Whether one of them imports a module of these names that is not beside it."""
    own = {script.name.removesuffix(".py").casefold() for script in scripts}
    first = {module.partition(".")[0].casefold() for one in scripts for module in one.imported}
    return bool(first & (names - own))


def is_one_work(contents: Contents, scripts: Sequence[Script]) -> bool:
    """Whether most of the files of a folder hang together by what they import or read."""
    tops = {name.partition("/")[0].lower() for name in contents.code}
    if len(tops) > 1 and tops <= _PARTS:
        return True
    if len(scripts) < 2:
        return len(contents.code) == 1 and reads_others(contents)
    return 2 * main_file.connected(main_file.imports(scripts)) > len(scripts)


def reads_others(contents: Contents) -> bool:
    """Whether the code names one of the other files, which then belongs to it."""
    code = b"\n".join(contents.files[name] for name in contents.code)
    others = [name for name in contents.files if name not in contents.code]
    files = [name.rpartition("/")[2] for name in others if name.lower().endswith(SETTINGS)]
    return any(name.encode("utf-8", "replace") in code for name in files if not is_readme(name))
