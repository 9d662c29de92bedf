"""Which folders student code may read: what Python and torch need, and nothing of anybody's work.

In: this interpreter. Out: paths, for Landlock and for bubblewrap. The project's folder is not among
them: only the grader's own package is.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]

SYSTEM_LIBRARIES = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/nix/store",
)
KERNEL_FACTS = ("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def interpreter() -> tuple[str, ...]:
    """The folders of this Python and of the packages installed in it."""
    found: set[Path] = set()
    for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix):
        found |= {Path(prefix, name) for name in ("lib", "lib64", "pyvenv.cfg")}
    paths = sysconfig.get_paths()
    found |= {Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {
        Path(entry)
        for entry in sys.path
        if entry.endswith(("site-packages", "dist-packages", ".zip"))
    }
    return tuple(sorted(str(path) for path in found if path.is_absolute() and path.exists()))


def readable() -> tuple[str, ...]:
    """Everything that a locked child may read, besides its own folder."""
    return (*interpreter(), str(PACKAGE), *SYSTEM_LIBRARIES, *KERNEL_FACTS, *DEVICES, "/proc/self")
