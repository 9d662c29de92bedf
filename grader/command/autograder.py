"""Pack the grader for Gradescope. In: the folder of an assignment. Out: a zip that it takes.

https://gradescope-autograders.readthedocs.io/en/latest/specs/: `setup.sh` is run once as root on
Ubuntu when the image is built, `run_autograder` for each submission; both are at the root of the
archive, which is unpacked to /autograder/source. The same inputs give the same bytes.
"""

from __future__ import annotations

import importlib.metadata
import io
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from grader.assignment import FILE, load
from grader.command.project import find
from grader.errors import GraderError
from grader.printable import printable_path
from grader.sandbox.same_code import PACKAGE
from grader.storage.atomic import write_whole
from grader.submission.submission import UsageError

SCRIPTS = ("setup.sh", "run_autograder")
NAME = "@ASSIGNMENT@"
PYTHON = "@PYTHON@"
WHEN = (2020, 1, 1, 0, 0, 0)
EXECUTABLE, PLAIN = 0o100755, 0o100644
REQUIREMENT = re.compile(r"[\w.-]+")


def write(paths: Sequence[Path], output: Path | None) -> int:
    """Write the archive for the one assignment at `paths`. Raises UsageError and GraderError."""
    if len(paths) != 1:
        raise UsageError("An autograder is one assignment's: name its folder, assignments/NAME.")
    if output is None and sys.stdout.isatty():
        raise UsageError("A terminal cannot show an archive: add --output autograder.zip.")
    made = packed(_folder(paths[0]))
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(made)
    else:
        write_whole(output, made)
    return 0


def packed(folder: Path) -> bytes:
    """The archive for the assignment in that folder. Raises GraderError."""
    name = load(folder).name
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for script in SCRIPTS:
            text = _script(script, name)
            _add(archive, script, text.encode(), EXECUTABLE)
        _add(archive, "requirements.txt", "\n".join([*requirements(), ""]).encode())
        for source, path in _parts(folder, name):
            _add(archive, path, source.read_bytes())
    return stream.getvalue()


def requirements() -> list[str]:
    """What the grader needs, in the versions that are installed here. Raises GraderError."""
    try:
        needed = importlib.metadata.requires("grader") or []
        names = [REQUIREMENT.match(one) for one in needed if "extra ==" not in one]
        found = {name[0]: importlib.metadata.version(name[0]) for name in names if name}
    except importlib.metadata.PackageNotFoundError as error:
        raise GraderError(
            f"{error}: what the grader needs is not installed as a package here, so its versions "
            "are not known. Run this in the environment that `nox -s grade` makes, or install it."
        ) from error
    return sorted(f"{name}=={version.partition('+')[0]}" for name, version in found.items())


def _folder(path: Path) -> Path:
    """The assignment's folder: that path, or one of that name in assignments/."""
    known = find().root / "assignments" / path
    for folder in (path, known):
        if (folder / FILE).is_file():
            return folder
    raise UsageError(
        f"{printable_path(path)} is not an assignment: there is no {FILE} in it. Name its folder, "
        "assignments/NAME."
    )


def _script(script: str, name: str) -> str:
    text = files("grader.command.gradescope").joinpath(script).read_text(encoding="utf-8")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return text.replace(NAME, name).replace(PYTHON, version)


def _parts(folder: Path, name: str) -> Iterator[tuple[Path, str]]:
    """Every other file of the archive and its name there: the package, and the assignment."""
    for source in sorted(PACKAGE.rglob("*")):
        inside = source.relative_to(PACKAGE)
        is_ours = "__pycache__" not in inside.parts and inside.parts[0] != "assignments"
        if source.is_file() and is_ours:
            yield source, f"grader/{inside.as_posix()}"
    for source in sorted(folder.rglob("*")):
        inside = source.relative_to(folder)
        is_handed_in = inside.parts[0] == "submissions" or "__pycache__" in inside.parts
        if source.is_file() and not source.is_symlink() and not is_handed_in:
            yield source, f"assignments/{name}/{inside.as_posix()}"


def _add(archive: zipfile.ZipFile, name: str, content: bytes, mode: int = PLAIN) -> None:
    entry = zipfile.ZipInfo(name, WHEN)
    entry.create_system = 3  # Unix: the mode counts
    entry.external_attr = mode << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)
