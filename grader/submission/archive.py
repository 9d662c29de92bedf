"""Read a .zip that was handed in, as a folder in memory. Nothing is unpacked to the disk.

In: bytes that a stranger made. Out: `Contents`: no links, no paths that lead out, no more bytes
than a folder may have whatever the archive says of itself. Raises SubmissionError for an archive
that is broken or locked with a password.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from functools import partial
from pathlib import PurePosixPath

from grader.errors import SubmissionError
from grader.submission.contents import MOST_ENTRIES, NOBODYS, Contents, why_not_enter
from grader.submission.people import PLATFORM

MOST_ARCHIVE_BYTES = 64 * 1024 * 1024
MOST_RATIO = 200
"""Code packs to a fifth, a notebook to a tenth; what packs to less than this share is a bomb."""
_ALWAYS_FINE = 64 * 1024

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error)
_UNREADABLE = (*_BROKEN, RuntimeError, NotImplementedError)


def read(name: str, content: bytes) -> Contents:
    """What the archive holds. Raises SubmissionError."""
    if len(content) > MOST_ARCHIVE_BYTES:
        raise SubmissionError(
            f"{name} is larger than {MOST_ARCHIVE_BYTES // 2**20} MiB. Hand in the code alone, "
            "without data, weights and environments."
        )
    contents = Contents()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _refuse_many(name, members)
            for member in members:
                _take(archive, member, contents)
    except _BROKEN as error:
        raise SubmissionError(
            f"{name} is not a whole zip archive. Pack the folder again, as .zip, and hand that in."
        ) from error
    _refuse_locked(name, contents)
    _refuse_class(name, contents)
    return contents.without_outer_folder()


def _refuse_many(name: str, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MOST_ENTRIES:
        raise SubmissionError(
            f"{name} holds {len(members):,} files. Hand in the code alone, without data and "
            "environments."
        )


def _refuse_class(name: str, contents: Contents) -> None:
    tops = {file.partition("/")[0] for file in contents.files}
    people = [top for top in tops if PLATFORM.fullmatch(top)]
    if len(people) > 1:
        raise SubmissionError(
            f"{name} holds the hand-ins of {len(people)} people: unpack it, and name the folder."
        )


def _refuse_locked(name: str, contents: Contents) -> None:
    if not contents.files and _LOCKED in contents.skipped.values():
        raise SubmissionError(
            f"{name} is locked with a password. Pack the folder again without one."
        )


_LOCKED = "locked with a password"
_ODD_KINDS = {stat.S_IFLNK: "a symbolic link"}


def _take(archive: zipfile.ZipFile, member: zipfile.ZipInfo, contents: Contents) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if not path.parts:
        contents.skipped["..."] = "a file without a name"
        return
    if member.is_dir() or NOBODYS.intersection(path.parts):
        return
    name = str(path)
    if reason := _why_not(member, path):
        contents.skipped[name] = reason
        return
    for depth, folder in enumerate(path.parts[:-1], start=1):
        if reason := why_not_enter(folder):
            contents.skipped["/".join(path.parts[:depth]) + "/"] = reason
            return
    if name in contents.files:
        contents.skipped[f"{name} (again)"] = "a second file of that name"
    else:
        contents.take(name, member.file_size, partial(_read, archive, member))


def _why_not(member: zipfile.ZipInfo, path: PurePosixPath) -> str:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        return "its path leads out of the archive"
    if kind not in (0, stat.S_IFREG):
        return _ODD_KINDS.get(kind, "a special file")
    if member.flag_bits & 0x1:
        return _LOCKED
    if member.file_size > max(_ALWAYS_FINE, MOST_RATIO * member.compress_size):
        return f"it unpacks to more than {MOST_RATIO} times its size"
    return ""


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """At most `most` + 1 bytes, whatever size the archive says it has. Raises SubmissionError."""
    try:
        with archive.open(member) as stream:
            return stream.read(most + 1)
    except _UNREADABLE as error:
        raise SubmissionError("it cannot be unpacked: the archive is damaged here") from error
