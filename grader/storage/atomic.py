"""Write a file so that it is there whole or not at all, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from grader.errors import GraderError


def write_whole(file: Path, content: bytes | str, *, mode: int = 0o666) -> None:
    """Write `file` (text as UTF-8), and its folder where there is none.

    `mode` is cut by the user's umask. The file is written under another name first, so that nobody
    ever reads half of it, and is on the disk before it gets its own. Raises GraderError, and leaves
    an older file as it was, when that does not work.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if not file.name:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(file)
        except BaseException:  # Ctrl-C too leaves nothing behind
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise cannot_write(file, error) from error


def cannot_write(file: Path, error: OSError) -> GraderError:
    """What to tell the user when `file` cannot be written."""
    return GraderError(
        f"{file} cannot be written: {error.strerror or error}. "
        "Free some space, or name another folder with --output."
    )
