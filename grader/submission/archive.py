"""Read a .zip that was handed in, as a folder in memory. Nothing is unpacked to the disk.

In: an archive that a stranger made. Out: its root as an `Entry`, like a folder's: no links, no
paths that lead out, no more bytes than are asked for whatever the archive says of itself. Raises
SubmissionError for an archive that is broken, too large or locked with a password.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from grader.errors import SubmissionError
from grader.printable import printable_path
from grader.submission import folder
from grader.submission.contents import NOBODYS, Contents
from grader.submission.entries import FILE, FOLDER, Entry, kind_of, on_disk
from grader.submission.source import opened as opened_file

MOST_ARCHIVE_BYTES = 64 * 1024 * 1024
"""Of an archive within another one, which is read into memory."""
MOST_ON_DISK = 4 * 1024**3
MOST_UNPACKED = 1024**3
"""What is unpacked of one archive, all files together."""
MOST_DIRECTORY = 16 * 1024 * 1024
"""The list of names in an archive: of 50,000 files with long names."""
MOST_MEMBERS = 50_000
MOST_DEPTH = 2 * folder.MOST_DEPTH
MOST_RATIO = 200
"""Code packs to a fifth, a notebook to a tenth; what packs to less than this share is a bomb."""
_ALWAYS_FINE = 64 * 1024
_CHUNK = 1024 * 1024

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error)
_UNREADABLE = (*_BROKEN, RuntimeError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Pack:
    """An archive that is open: what is in it, and the names that lead nowhere, with reasons."""

    root: Entry
    skipped: dict[str, str]


def read(name: str, content: bytes) -> Contents:
    """What one person's archive holds. Raises SubmissionError."""
    return whole(_opened_bytes(Path(name), content))


def opened(entry: Entry) -> Pack:
    """The archive at an entry, on the disk or within another archive. Raises SubmissionError."""
    if entry.is_packed:
        return _opened_bytes(entry.path, entry.read(MOST_ARCHIVE_BYTES))
    stream = _Bounded(opened_file(entry.path))
    name = printable_path(Path(entry.name))
    if stream.size > MOST_ON_DISK:
        raise SubmissionError(
            f"{name} is larger than {MOST_ON_DISK // 2**30} GiB. Pack the code alone, without "
            "data, weights and environments."
        )
    return _opened(entry.path, stream)


def whole(pack: Pack) -> Contents:
    """All of an archive as one person's work. Raises SubmissionError.

    An archive that holds nothing but another one is that one.
    """
    contents = _gathered(pack)
    archives = [name for name in contents.skipped if name.lower().endswith(".zip")]
    if not contents.code and len(archives) == 1:
        inner = _descended(pack.root, PurePosixPath(archives[0]).parts)
        if inner is not None and inner.is_archive:
            contents = _gathered(opened(inner))
    return contents.without_outer_folder()


def at(path: Path) -> Entry | None:
    """What is at a path, which may lead into an archive; None where there is nothing."""
    if os.path.lexists(path):
        return on_disk(path)
    for above in path.parents:
        entry = on_disk(above)
        if entry.is_archive and os.path.lexists(above):
            return _descended(entry, path.relative_to(above).parts)
    return None


def _descended(entry: Entry, names: tuple[str, ...]) -> Entry | None:
    """What is below an entry by that name; None where there is nothing."""
    found: Entry | None = entry
    for name in names:
        if found is None:
            return None
        within = opened(found).root if found.is_archive else found
        found = next((one for one in within.entries() if one.name == name), None)
    return found


def _gathered(pack: Pack) -> Contents:
    contents = folder.gather(pack.root)
    contents.skipped |= pack.skipped
    if not contents.files and _LOCKED in contents.skipped.values():
        raise SubmissionError(
            f"{printable_path(Path(pack.root.name))} is locked with a password. Pack the folder "
            "again without one."
        )
    return contents


def _opened_bytes(path: Path, content: bytes) -> Pack:
    if len(content) > MOST_ARCHIVE_BYTES:
        raise SubmissionError(
            f"{printable_path(Path(path.name))} is larger than {MOST_ARCHIVE_BYTES // 2**20} MiB. "
            "Hand in the code alone, without data, weights and environments."
        )
    return _opened(path, _Bounded(content))


def _opened(path: Path, stream: _Bounded) -> Pack:
    name = printable_path(Path(path.name))
    try:
        archive = zipfile.ZipFile(stream)
        members = archive.infolist()
    except _UNREADABLE as error:
        raise SubmissionError(
            f"{name} is not a whole zip archive. Pack the folder again, as .zip, and hand that in."
        ) from error
    _refuse_many(name, members)
    tree = _Tree(archive)
    for member in members:
        tree.add(member)
    return Pack(tree.folder(path, tree.top), tree.skipped)


def _refuse_many(name: str, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MOST_MEMBERS:
        raise SubmissionError(
            f"{name} holds {len(members):,} files. Hand in the code alone, without data and "
            "environments."
        )


_LOCKED = "locked with a password"
_Names = dict[str, Any]  # of each name the member, or the names within


@dataclass(slots=True)
class _Tree:
    """The folders of an archive, by the names of its members."""

    archive: zipfile.ZipFile
    top: _Names = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    left: int = field(default_factory=lambda: MOST_UNPACKED)

    def add(self, member: zipfile.ZipInfo) -> None:
        """Put a member in its place, or say why it has none."""
        path = PurePosixPath(_name(member).replace("\\", "/"))
        if not path.parts:
            self.skipped["..."] = "a file without a name"
            return
        if NOBODYS.intersection(path.parts):
            return
        if reason := _why_not(path):
            self.skipped[str(path)] = reason
            return
        *folders, last = path.parts
        names = self.top
        for name in folders:
            names = names.setdefault(name, {})
            if not isinstance(names, dict):
                self.skipped[f"{path} (again)"] = "a second file of that name"
                return
        if member.is_dir():
            names.setdefault(last, {})
        elif last in names:
            self.skipped[f"{path} (again)"] = "a second file of that name"
        else:
            names[last] = member

    def folder(self, path: Path, names: _Names) -> Entry:
        """A folder of the archive, whose entries are made when they are asked for."""
        return Entry(path, FOLDER, 0, _is_folder, partial(self._entries, path, names), True)

    def _entries(self, path: Path, names: _Names) -> list[Entry]:
        return [self._entry(path / name, names[name]) for name in sorted(names)]

    def _entry(self, path: Path, item: Any) -> Entry:
        if isinstance(item, dict):
            return self.folder(path, item)
        kind = kind_of(item.external_attr >> 16)
        if kind == FOLDER:  # what ends without "/" has no entries
            kind = FILE
        return Entry(path, kind, item.file_size, partial(self._unpacked, item), is_packed=True)

    def _unpacked(self, member: zipfile.ZipInfo, most: int) -> bytes:
        """At most `most` + 1 bytes, whatever size it says it has. Raises SubmissionError."""
        if member.flag_bits & 0x1:
            raise SubmissionError(_LOCKED)
        if member.file_size > max(_ALWAYS_FINE, MOST_RATIO * member.compress_size):
            raise SubmissionError(f"it unpacks to more than {MOST_RATIO} times its size")
        if self.left <= 0:
            raise SubmissionError(
                f"more than {MOST_UNPACKED // 2**30} GiB of one archive: split it up"
            )
        content = bytearray()
        try:
            with self.archive.open(member) as stream:
                while len(content) <= most:
                    part = stream.read(min(_CHUNK, most + 1 - len(content)))
                    if not part:
                        break
                    content += part
        except _UNREADABLE as error:
            raise SubmissionError("it cannot be unpacked: the archive is damaged here") from error
        finally:
            self.left -= len(content)
        return bytes(content)


def _is_folder(most: int) -> bytes:
    raise SubmissionError("a folder, not a file")


def _name(member: zipfile.ZipInfo) -> str:
    """The name as it was written: some systems write UTF-8 without saying so."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def _why_not(path: PurePosixPath) -> str:
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        return "its path leads out of the archive"
    if len(path.parts) > MOST_DEPTH:
        return f"more than {folder.MOST_DEPTH} folders deep"
    return ""


class _Bounded(io.RawIOBase):
    """A file or bytes to read, of which no more than a list of names is read at once.

    The size of that list is the archive's to say, and zipfile believes it.
    """

    def __init__(self, source: int | bytes) -> None:
        """`source` is a descriptor, which is closed with this, or the bytes themselves."""
        self._source = source
        self._place = 0
        is_open = isinstance(source, int)
        self.size = os.fstat(source).st_size if is_open else len(source)  # type: ignore[arg-type]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise OSError("before the beginning")
        self._place = start + offset
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        left = max(self.size - self._place, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > MOST_DIRECTORY:
            raise ValueError("the list of names is too long")
        if isinstance(self._source, bytes):
            found = self._source[self._place : self._place + wanted]
        else:
            os.lseek(self._source, self._place, os.SEEK_SET)
            found = os.read(self._source, wanted)
        self._place += len(found)
        return found

    def close(self) -> None:
        if not self.closed and isinstance(self._source, int):
            os.close(self._source)
        super().close()
