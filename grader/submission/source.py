"""Read a file's bytes, once and safely, and see that they are Python that reads as we read it.

In: a path that may be anything a student can make. Out: bytes, or text with newlines as Python sees
them. Raises SubmissionError with what to do.
"""

from __future__ import annotations

import codecs
import errno
import os
import re
import stat
from pathlib import Path

from grader.errors import SubmissionError
from grader.printable import printable_path

MOST_BYTES = 256 * 1024
"""The largest Python file that is read. A network and its recipe take 4 to 20 KiB."""

MOST_NOTEBOOK_BYTES = 32 * 1024 * 1024
"""The largest notebook: its stored pictures count, though nobody reads them."""


def read_bytes(file: Path, most: int) -> bytes:
    """At most `most` + 1 bytes of a plain file, read once, without ever waiting for a writer.

    Raises SubmissionError where it is not a plain, readable file.
    """
    with os.fdopen(opened(file), "rb") as stream:
        try:
            return stream.read(most + 1)
        except OSError as error:
            raise _unreadable(file, error) from error


def opened(file: Path) -> int:
    """The descriptor of a plain file, opened to be read. Raises SubmissionError like read_bytes."""
    name = printable_path(Path(file.name))
    flags = os.O_RDONLY | sum(
        getattr(os, flag, 0)
        for flag in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_NOCTTY", "O_BINARY")
    )
    try:
        _refuse_odd_kinds(name, file.lstat())
        descriptor = os.open(file, flags)
    except OSError as error:
        raise _unreadable(file, error) from error
    try:
        # Again: it may have been exchanged in between.
        _refuse_odd_kinds(name, os.fstat(descriptor))
    except SubmissionError:
        os.close(descriptor)
        raise
    return descriptor


def _unreadable(file: Path, error: OSError) -> SubmissionError:
    name = printable_path(Path(file.name))
    reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
    return SubmissionError(f"{name} cannot be read: {reason}. Hand in a plain, readable file.")


def _refuse_odd_kinds(name: str, status: os.stat_result) -> None:
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    if not stat.S_ISREG(status.st_mode):
        kind = kinds.get(stat.S_IFMT(status.st_mode), "a special file")
        raise SubmissionError(f"{name} is {kind}, not a file. Hand in the Python file itself.")


def python_text(name: str, source: bytes) -> str:
    """The text of a Python file, as Python itself reads these bytes. Raises SubmissionError."""
    if len(source) > MOST_BYTES:
        raise SubmissionError(
            f"{name} is larger than {MOST_BYTES // 1024} KiB. Hand in the code alone: the grader "
            "trains the network itself and needs no weights, data or output."
        )
    if not source.strip():
        raise SubmissionError(
            f"{name} is empty. Copy the assignment's starter.py and write your network in it."
        )
    try:
        text = source.decode("utf-8-sig")  # Python, too, reads over a byte order mark
    except UnicodeDecodeError as error:
        place = error.start + source.index(error.object)
        line = source.count(b"\n", 0, place) + 1
        raise SubmissionError(
            f"{name} is not UTF-8 text: byte {source[place]:#04x} in line {line}. "
            "Save it as UTF-8.",
            line=line,
        ) from error
    _refuse_other_encodings(name, source)
    if b"\0" in source:
        line = source.count(b"\n", 0, source.index(b"\0")) + 1
        raise SubmissionError(
            f"{name} holds a NUL byte in line {line}. Save it as plain UTF-8 text.", line=line
        )
    return with_newlines(text)


def with_newlines(text: str) -> str:
    """The text with the line ends of all systems as newlines, which is how Python counts lines."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _refuse_other_encodings(name: str, source: bytes) -> None:
    """Refuse a file that Python decodes unlike the grader: `# coding: utf-7` (PEP 263)."""
    for number, line in enumerate(_first_lines(source), start=1):
        declared = _CODING.match(line)
        encoding = declared[1].decode().lower() if declared else "utf-8"
        if encoding in _LIKE_UTF_8 or (encoding in _LIKE_ASCII and source.isascii()):
            continue
        raise SubmissionError(
            f"{name} says in line {number} that it is written in {encoding}. Save it as UTF-8, "
            "and remove that line.",
            line=number,
        )


def _first_lines(source: bytes) -> list[bytes]:
    return source.removeprefix(codecs.BOM_UTF8).split(b"\n", 2)[:2]


_CODING = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_LIKE_UTF_8 = {"utf-8", "utf8", "utf_8", "utf-8-sig", "u8"}
_LIKE_ASCII = {
    "ascii",
    "us-ascii",
    "latin-1",
    "latin1",
    "iso-8859-1",
    "iso-8859-15",
    "cp1252",
    "windows-1252",
}
