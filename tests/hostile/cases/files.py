"""Submissions that read or write what is not theirs, are no files, or have names and bytes that no student types."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.hostile.case import CANARY, EVERYWHERE, PASSES, Case, error, fails, net

READS = "reading labels, home, keys or other submissions"
EDITS = "editing the grader, its environment or cached data"
KINDS = "a symlink, FIFO, device or directory"
NAMES = "odd names"
BYTES = "not UTF-8, BOM, NUL, a utf-7 cookie"
SWAPPED = "swapped between check and import"
ENTRIES = (READS, EDITS, KINDS, NAMES, BYTES, SWAPPED)

HONEST = net()
MARKED = "'hostile-mark'"


def reads(place: str) -> str:
    """A network that fails to be built when the file at `place` (an expression) can be read."""
    return net(
        f"import glob, os\ntry:\n    found = open({place}, 'rb').read(100)\nexcept (OSError, IndexError):\n    found = b''\n"
        "if found: raise RuntimeError('it could be read')"
    )


def lists(place: str) -> str:
    """A network that fails to be built when the folder at `place` (an expression) can be listed."""
    return net(
        f"import os\ntry:\n    found = os.listdir({place})\nexcept OSError:\n    found = []\n"
        "if found: raise RuntimeError('it could be listed')"
    )


def writes(statement: str) -> str:
    """A network that fails to be built when `statement` works."""
    return net(
        "import os, pathlib, shutil, sys\nimport grader\ntry:\n    "
        f"{statement}\nexcept OSError:\n    pass\nelse:\n    raise RuntimeError('it worked')"
    )


def symlink(folder: Path, content: bytes) -> Path:
    """A link to a good submission."""
    (folder / "good.py").write_bytes(content)
    (folder / "net.py").symlink_to("good.py")
    return folder / "net.py"


def symlink_to_labels(folder: Path, _: bytes) -> Path:
    """A link out of the folder."""
    (folder / "net.py").symlink_to(folder.parent / "canary" / "labels")
    return folder / "net.py"


def endless_symlink(folder: Path, _: bytes) -> Path:
    """A link to itself."""
    (folder / "net.py").symlink_to("net.py")
    return folder / "net.py"


def fifo(folder: Path, _: bytes) -> Path:
    """A named pipe that nobody writes."""
    os.mkfifo(folder / "net.py")
    return folder / "net.py"


def directory(folder: Path, content: bytes) -> Path:
    """A folder by the name of a file, found because its own folder is graded."""
    (folder / "net.py").mkdir()
    (folder / "net.py" / "__init__.py").write_bytes(content)
    return folder


def device(_: Path, __: bytes) -> Path:
    """An endless one."""
    return Path("/dev/zero")


def listening(folder: Path, _: bytes) -> Path:
    """A socket."""
    here = Path.cwd()
    os.chdir(folder)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("net.py")
    finally:
        os.chdir(here)
    return folder / "net.py"


def twins(folder: Path, content: bytes) -> Path:
    """Two files whose names differ in case alone."""
    (folder / "Net.py").write_bytes(b"raise SystemExit")
    (folder / "net.py").write_bytes(content)
    return folder / "net.py"


def named(filename: str) -> Case:
    """The honest network in a file of that name, whatever the name says when it is printed."""
    return Case(
        f"a file named {ascii(filename)[:40]}",
        NAMES,
        HONEST,
        PASSES,
        filename=filename,
        levels=(2,),
    )


CASES = (
    Case("labels beside the folder", READS, reads(f"'{CANARY}/labels'"), PASSES),
    Case(
        "labels through /proc/self/root", READS, reads(f"'/proc/self/root{CANARY}/labels'"), PASSES
    ),
    Case(
        "labels through a descriptor's folder",
        READS,
        reads(f"'/proc/self/cwd/../../../../../..{CANARY}/labels'"),
        PASSES,
    ),
    Case(
        "labels through a link",
        READS,
        reads(f"os.symlink('{CANARY}/labels', 'link') or 'link'"),
        PASSES,
    ),
    Case(
        "labels through torch.load",
        READS,
        net(f"try: torch.load('{CANARY}/labels')\nexcept OSError: pass"),
        PASSES,
    ),
    Case(
        "labels by ctypes",
        READS,
        net(
            f"import ctypes\nif ctypes.CDLL(None).open(b'{CANARY}/labels', 0) >= 0: raise RuntimeError"
        ),
        PASSES,
    ),
    Case(
        "labels at import",
        READS,
        f"LABELS = open('{CANARY}/labels').read()\n" + net("len(LABELS)"),
        error("LABELS could not be defined"),
    ),
    Case("another submission", READS, reads(f"'{CANARY}/other.py'"), PASSES),
    Case(
        "keys in the home folder",
        READS,
        reads("(glob.glob(os.path.expanduser('~root/.ssh/*')) + glob.glob('/home/*/.ssh/*'))[0]"),
        PASSES,
    ),
    Case("the folder of submissions", READS, lists(f"'{CANARY}'"), PASSES),
    Case("the home folder", READS, lists("'/root'"), PASSES),
    Case("the password file", READS, reads("'/etc/passwd'"), PASSES),
    Case("the parent's environment", READS, reads("f'/proc/{os.getppid()}/environ'"), PASSES),
    Case("the parent's command line", READS, reads("f'/proc/{os.getppid()}/cmdline'"), PASSES),
    Case("the parent's open files", READS, lists("f'/proc/{os.getppid()}/fd'"), PASSES),
    Case("the grader's key", READS, reads("os.path.expanduser('~root/.cache/grader/key')"), PASSES),
    Case(
        "labels overwritten",
        EDITS,
        writes(f"pathlib.Path('{CANARY}/labels').write_text({MARKED})"),
        PASSES,
    ),
    Case("labels removed", EDITS, writes(f"os.unlink('{CANARY}/labels')"), PASSES),
    Case("labels truncated", EDITS, writes(f"os.truncate('{CANARY}/labels', 0)"), PASSES),
    Case(
        "cached images replaced",
        EDITS,
        writes(f"os.replace('{CANARY}/id_rsa', '{CANARY}/train-images-idx3-ubyte')"),
        PASSES,
    ),
    Case(
        "another submission edited",
        EDITS,
        writes(f"open('{CANARY}/other.py', 'a').write({MARKED})"),
        PASSES,
    ),
    Case("the grader edited", EDITS, writes(f"open(grader.__file__, 'a').write({MARKED})"), PASSES),
    Case(
        "the grader's checks removed",
        EDITS,
        writes("os.rename(os.path.dirname(grader.__file__) + '/checks', 'checks')"),
        PASSES,
    ),
    Case(
        "a .pth beside torch",
        EDITS,
        writes("open(os.path.dirname(os.path.dirname(torch.__file__)) + '/hostile.pth', 'w')"),
        PASSES,
    ),
    Case(
        "compiled bytecode",
        EDITS,
        writes("os.utime(os.path.dirname(grader.__file__) + '/pipeline.py', (0, 0))"),
        PASSES,
    ),
    Case(
        "its own environment",
        EDITS,
        net("import os; os.environ.clear(); os.environ['GRADER_DATA'] = '/tmp'"),
        PASSES,
    ),
    Case(
        "its own grader in memory",
        EDITS,
        net(
            "import sys\nfor name in [n for n in sys.modules if n.startswith('grader.checks')]: del sys.modules[name]"
        ),
        PASSES,
    ),
    Case(
        "a symlink to a good file",
        KINDS,
        HONEST,
        error("a symbolic link, not a file"),
        place=symlink,
        levels=EVERYWHERE,
    ),
    Case(
        "a symlink to the labels", KINDS, HONEST, error("a symbolic link"), place=symlink_to_labels
    ),
    Case("a symlink to itself", KINDS, HONEST, error("a symbolic link"), place=endless_symlink),
    Case("a FIFO", KINDS, HONEST, error("a named pipe"), place=fifo),
    Case("a directory", KINDS, HONEST, PASSES, place=directory),
    Case("a device", KINDS, HONEST, error("a device"), place=device),
    Case("a socket", KINDS, HONEST, error("a socket"), place=listening),
    named("two\nlines.py"),
    named("-rf.py"),
    named("x" * 252 + ".py"),
    named("\u202eyp.tset.py"),
    named("\x1b[31mred\x1b]0;title\x07.py"),
    named("::error::pwned.py"),
    named("<img src=x onerror=alert(1)>.py"),
    named("=cmd|' !A0'.py"),
    named("$(touch hostile-mark).py"),
    named("[red]markup[`x`](y)|.py"),
    named(os.fsdecode(b"\xff\xfe.py")),
    named("模型.py"),
    named(" .py"),
    named("a\\nb.py"),
    Case("case twins", NAMES, HONEST, PASSES, place=twins),
    Case(
        "latin-1",
        BYTES,
        HONEST.encode() + b"# na\xefve\n",
        error("not UTF-8 text: byte 0xef in line"),
        levels=EVERYWHERE,
    ),
    Case("UTF-16", BYTES, HONEST.encode("utf-16"), error("is text in UTF-16")),
    Case("a surrogate in UTF-8", BYTES, HONEST.encode() + b"# \xed\xa0\x80\n", error("not UTF-8")),
    Case(
        "a byte order mark",
        BYTES,
        b"\xef\xbb\xbf" + HONEST.encode(),
        PASSES,
        levels=EVERYWHERE,
    ),
    Case("a NUL byte", BYTES, HONEST + "\0", error("NUL byte in line")),
    Case(
        "a utf-7 cookie",
        BYTES,
        "# coding: utf-7\n# +AAo-raise SystemExit\n" + HONEST,
        error("utf-7.*Save it as UTF-8", line=1),
    ),
    Case(
        "a cookie of no known encoding", BYTES, "# -*- coding: rot13 -*-\n" + HONEST, error("rot13")
    ),
    Case("a utf-8 cookie", BYTES, "# -*- coding: utf-8 -*-\n" + HONEST, PASSES),
    Case("lines that end as on Windows", BYTES, HONEST.replace("\n", "\r\n"), PASSES),
    Case("a form feed, tabs and no end of line", BYTES, "\f" + HONEST.strip() + "\n#\tend", PASSES),
    Case("letters that only look alike", BYTES, net("self.\u0441onv = nn.Conv2d(1, 1, 1)"), PASSES),
    Case("empty", BYTES, b"", error("is empty")),
    Case("a swap for a worse network", SWAPPED, HONEST, PASSES, swapped="raise SystemExit"),
    Case(
        "a swap for a better network",
        SWAPPED,
        net(forward="x = self.norm(self.stem(x))[:, :1]"),
        PASSES,
        swapped=HONEST,
    ),
    Case(
        "a swap for a network that passes",
        SWAPPED,
        net(end="x = x * x.mean(0)"),
        fails("independent_samples", words="by its batch"),
        swapped=HONEST,
    ),
)
