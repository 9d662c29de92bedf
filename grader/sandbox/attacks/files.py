"""Attacks on files: labels, keys, other submissions, the grader itself.

Each works in the child's own folder and leaves nothing behind where it succeeds.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from grader.sandbox import folders, kernel
from grader.sandbox.attacks.attempt import Target, attack


@attack(2)
def read_the_password_file(_: Target) -> None:
    """No reads outside the allow list."""
    Path("/etc/passwd").read_bytes()


@attack(2)
def read_the_shadow_file(_: Target) -> None:
    """No reads outside the allow list."""
    Path("/etc/shadow").read_bytes()


@attack(2)
def list_the_home_folder(target: Target) -> None:
    """No reads outside the allow list."""
    list(target.home.iterdir())


@attack(2)
def read_a_file_beside_its_folder(target: Target) -> None:
    """No reads of labels or other submissions."""
    target.planted.read_bytes()


@attack(2)
def read_through_its_root_in_proc(target: Target) -> None:
    """No reads of labels or other submissions."""
    Path(f"/proc/self/root{target.planted}").read_bytes()


@attack(2)
def read_through_its_folder_in_proc(target: Target) -> None:
    """No reads of labels or other submissions."""
    Path(f"/proc/self/cwd/../{target.planted.name}").read_bytes()


@attack(2)
def read_through_a_symbolic_link(target: Target) -> None:
    """No reads of labels or other submissions."""
    with _link(target, os.symlink) as link:
        link.read_bytes()


@attack(2)
def read_through_a_hard_link(target: Target) -> None:
    """No reads of labels or other submissions."""
    with _link(target, os.link) as link:
        link.read_bytes()


@contextlib.contextmanager
def _link(target: Target, make: Callable[[Path, str], None]) -> Iterator[Path]:
    make(target.planted, "link")
    try:
        yield Path("link")
    finally:
        Path("link").unlink()


@attack(2)
def write_outside_its_folder(target: Target) -> None:
    """No writes outside its folder."""
    place = target.planted.parent / "written"
    place.write_bytes(b"")
    place.unlink()


@attack(2)
def write_into_the_grader(_: Target) -> None:
    """No writes outside its folder."""
    with (folders.PACKAGE / "__init__.py").open("r+b"):
        pass


@attack(2)
def write_into_the_libraries(_: Target) -> None:
    """No writes outside its folder."""
    place = Path(json.__file__).parent / "written"
    place.write_bytes(b"")
    place.unlink()


@attack(2)
def truncate_a_file_by_name(target: Target) -> None:
    """No writes outside its folder."""
    os.truncate(target.planted, target.planted.stat().st_size)


@attack(2)
def truncate_a_file_open_for_reading(_: Target) -> None:
    """No writes outside its folder."""
    os.close(os.open(os.devnull, os.O_RDONLY | os.O_TRUNC))


@attack(2)
def change_permissions(target: Target) -> None:
    """No change of permissions or owners."""
    target.planted.chmod(stat.S_IMODE(target.planted.stat().st_mode))


@attack(2)
def make_a_device(_: Target) -> None:
    """No devices."""
    os.mknod("device", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    Path("device").unlink()


@attack(2)
def read_the_kernel_log(_: Target) -> None:
    """No devices."""
    os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK))


@attack(2)
def watch_a_folder(_: Target) -> None:
    """No reads outside the allow list."""
    os.close(kernel.call("inotify_init1", 0))


@attack(3)
def see_that_a_file_exists(target: Target) -> None:
    """Files of the machine cannot even be seen."""
    target.host_file.stat()
