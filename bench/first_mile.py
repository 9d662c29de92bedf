"""Time the first mile: from a clone, a fresh home and an empty cache to the second command.

`python bench/first_mile.py CLONE` copies the commit that the clone is at, and runs a new user's
commands there, one after the other, with no variable of Python's and nothing installed but Python.
Each line says how long a command took, how much of that was processor time, and by how much all
that is on the disk (environments and uv's cache, a file that both share counted once) has grown.
Only the standard library is used, so that any Python can measure any version of this project.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

KEPT = ("PATH", "LANG", "TERM", "SSL_CERT_FILE")
KEPT_BEGINNINGS = ("PIP_", "UV_")
COMMANDS = (
    ("python", "-m", "pip", "install", "--quiet", "nox", "uv"),
    ("nox", "-s", "explain", "--", "gap"),
    ("nox", "-s", "explain", "--", "gap"),
    ("nox", "-s", "grade", "--", "--help"),
    ("nox", "-s", "recipe", "--", "--help"),
    ("nox", "-s", "export", "--", "--help"),
    ("nox", "-s", "lint"),
)


def main() -> None:
    """Run the commands, and print a line for each as it ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clone", type=Path)
    parser.add_argument("--log", type=Path, help="append what the commands print to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="first_mile-") as name:
        room = Path(name)
        home, copy, tools = room / "home", room / "copy", room / "tools"
        home.mkdir()
        git = ["git", "clone", "--quiet", "--no-hardlinks", str(arguments.clone.resolve())]
        subprocess.run([*git, str(copy)], check=True)  # noqa: S603 - our own command
        subprocess.run([sys.executable, "-m", "venv", str(tools)], check=True)  # noqa: S603 - the same
        environment = bare(home, tools)
        before = on_disk([tools, home, copy / ".nox"])
        say("| command | seconds | processor seconds | MB more on the disk |")
        say("| --- | --- | --- | --- |")
        for command in COMMANDS:
            seconds, processor = timed(command, copy, environment, arguments.log)
            after = on_disk([tools, home, copy / ".nox"])
            shown = " ".join(command)
            say(f"| `{shown}` | {seconds:.1f} | {processor:.1f} | {(after - before) / 1e6:,.0f} |")
            before = after


def bare(home: Path, tools: Path) -> dict[str, str]:
    """A new user's environment: what names the package registry stays, and little else."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith(KEPT_BEGINNINGS)
    }
    path = os.pathsep.join([str(tools / "bin"), str(tools / "Scripts"), kept.get("PATH", "")])
    return {**kept, "HOME": str(home), "USERPROFILE": str(home), "PATH": path}


def timed(
    command: Sequence[str], folder: Path, environment: dict[str, str], log: Path | None
) -> tuple[float, float]:
    """Seconds by the clock and of the processor. Ends the measurement where the command fails."""
    began, used = time.perf_counter(), of_children()
    done = subprocess.run(  # noqa: S603 - our own commands
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, processor = time.perf_counter() - began, of_children() - used
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds, processor


def of_children() -> float:
    """Processor seconds of all commands so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def on_disk(folders: Iterable[Path]) -> int:
    """Bytes of all files, each once: uv links what is in its cache into the environments."""
    sizes: dict[tuple[int, int], int] = {}
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                found = os.lstat(os.path.join(parent, name))  # noqa: PTH118 - 60,000 files
                sizes[found.st_dev, found.st_ino] = found.st_size
    return sum(sizes.values())


def say(line: str) -> None:
    """Print a line at once: the next may take minutes."""
    print(line, flush=True)  # noqa: T201 - this is what the script is for


if __name__ == "__main__":
    main()
