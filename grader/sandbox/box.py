"""Put the whole zygote into a bubblewrap box: isolation level 3.

In: a command. Out: the same command inside namespaces of its own: no network, no other processes,
no files but Python and the grader, an empty temporary folder in memory.
Source: https://github.com/containers/bubblewrap
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from grader.printable import last_line
from grader.sandbox import folders

FOLDER_BYTES = 512 * 2**20
_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/nix/store",
    "/sys/devices/system/cpu",
)
_NAMESPACES = (
    "--unshare-all",
    "--unshare-user",
    "--disable-userns",
    "--die-with-parent",
    "--new-session",
    "--clearenv",
)


def command(inside: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """`inside`, run in the box with that environment.

    Its temporary folder is /tmp, whatever the environment says.
    """
    wrapped = [
        str(_program()),
        *_NAMESPACES,
        "--cap-drop",
        "ALL",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
    ]
    wrapped += ["--size", str(FOLDER_BYTES), "--tmpfs", "/tmp"]  # noqa: S108 - the box's own
    for path in _visible():
        wrapped += ["--ro-bind-try", path, path]
    own_folder = dict.fromkeys(("HOME", "TMPDIR", "TMP", "TEMP"), "/tmp")  # noqa: S108 - as above
    for name, value in (dict(environment) | own_folder).items():
        wrapped += ["--setenv", name, value]
    return [*wrapped, "--chdir", "/", "--", *inside]


def missing() -> str:
    """Why there is no box on this machine; empty where there is one."""
    if _program() is None:
        return "bubblewrap (bwrap) is not installed"
    try:
        tried = subprocess.run(  # noqa: S603 - bubblewrap and our own interpreter
            command([sys.executable, "-I", "-S", "-c", ""], {}),
            capture_output=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work here: {error}"
    if not tried.returncode:
        return ""
    why = last_line(tried.stderr) or f"status {tried.returncode}"
    return f"bubblewrap does not work here: {why}"


def _program() -> str | None:
    return shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin")


def _visible() -> list[str]:
    """What is bound into the box, outer folders first."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix} - {"/", "/usr"}
    needed = {
        *_SYSTEM,
        *prefixes,
        *folders.interpreter(),
        str(folders.PACKAGE),
        str(Path(sys.executable).resolve()),
    }
    return sorted(needed)
