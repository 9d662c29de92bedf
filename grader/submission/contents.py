"""What a folder or an archive holds, in memory: the files that are read, and what is left out.

In: names and ways to read them, in any number. Out: `Contents`, bounded: so many files, so many
bytes. The rest is named with its reason, many of a kind as one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from grader.errors import SubmissionError
from grader.printable import printable, printable_path
from grader.submission.source import MOST_BYTES, MOST_NOTEBOOK_BYTES
from grader.submission.submission import LeftOut

MOST_FILES = 200
MOST_TOTAL = 2 * MOST_NOTEBOOK_BYTES
MOST_ENTRIES = 20_000
"""Names that are looked at in a folder or an archive."""
MOST_SETTINGS_BYTES = 64 * 1024

CODE = (".py", ".ipynb")
SETTINGS = (".yaml", ".yml", ".json", ".toml", ".txt", ".ini", ".cfg")
"""Files that code may read: they are parts of the work as well."""

_KINDS = {
    **dict.fromkeys(
        (".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".h5", ".hdf5", ".keras", ".pkl", ".pb"),
        "weights: the grader trains the network itself",
    ),
    **dict.fromkeys(
        (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".svg", ".webp", ".tif", ".tiff", ".ico"),
        "a picture",
    ),
    **dict.fromkeys(
        (".csv", ".npy", ".npz", ".gz", ".bz2", ".xz", ".parquet", ".mat", ".bin", ".idx", ".db"),
        "data: the grader has its own",
    ),
    **dict.fromkeys((".pyc", ".pyo", ".so", ".pyd", ".o"), "compiled code: hand in its source"),
    **dict.fromkeys((".zip", ".tgz", ".tar", ".rar", ".7z"), "an archive inside: unpack it"),
    **dict.fromkeys((".md", ".rst", ".pdf", ".docx", ".html", ".tex"), "a text, not code"),
}
_FOLDERS = {
    "__pycache__": "compiled code",
    ".git": "the history of the work",
    "node_modules": "packages, not the work",
    "site-packages": "packages, not the work",
    **dict.fromkeys(("venv", ".venv", "env", ".env", "virtualenv"), "an environment, not the work"),
    **dict.fromkeys((".ipynb_checkpoints", ".idea", ".vscode"), "an editor's own"),
    **dict.fromkeys(("wandb", "mlruns", "runs", "lightning_logs"), "logs of a training"),
}
NOBODYS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX"})
"""What systems put there, and nobody handed in."""


def why_not_enter(name: str) -> str:
    """Why a folder of that name is not looked into; empty where it is."""
    if name.startswith(".") and name not in _FOLDERS:
        return "hidden"
    return _FOLDERS.get(name.lower(), "")


def is_readme(name: str) -> bool:
    """Whether the file says what the work is: read for what it claims, never run."""
    path = PurePosixPath(name)
    return path.stem.lower() == "readme" and path.suffix.lower() in ("", ".md", ".txt", ".rst")


@dataclass(slots=True)
class Contents:
    """`files` by their path within, with "/"; `skipped` by path, with the reason."""

    files: dict[str, bytes] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    entries: int = 0

    @property
    def code(self) -> list[str]:
        """The names of Python files and notebooks."""
        return [name for name in self.files if name.lower().endswith(CODE)]

    def has_room(self) -> bool:
        """Count one more name; False, with a word about it, where there are too many."""
        self.entries += 1
        if self.entries <= MOST_ENTRIES:
            return True
        self.skipped["..."] = f"the rest: more than {MOST_ENTRIES:,} files, not looked at"
        return False

    def take(self, name: str, size: int, read: Callable[[int], bytes]) -> None:
        """Read a file that may be a part of the work, at most as many bytes as `read` is told."""
        reason = self._why_not(name, size)
        if reason:
            self.skipped[name] = reason
            return
        most = _most(name)
        try:
            content = read(most)
        except SubmissionError as error:
            self.skipped[name] = error.message.rstrip(".")
            return
        if len(content) > most:
            self.skipped[name] = _too_large(name)
            return
        self.files[name] = content

    def without_outer_folder(self) -> Contents:
        """The same without the one folder that everything of an archive is in.

        Code that names that folder in an import (`from src.model import Net`) needs it.
        """
        tops = {name.partition("/")[0] for name in self.files if "/" in name}
        if len(tops) != 1 or any("/" not in name for name in self.files):
            return self
        [top] = tops
        if re.search(
            rf"(?m)^\s*(?:from|import)\s+{re.escape(top)}\b".encode(),
            b"\n".join(self.files[name] for name in self.code),
        ):
            return self
        inner = {name.removeprefix(f"{top}/"): content for name, content in self.files.items()}
        skipped = {name.removeprefix(f"{top}/"): why for name, why in self.skipped.items()}
        return Contents(inner, skipped, self.entries)

    def left_out(self) -> tuple[LeftOut, ...]:
        """What was not read. More than three of a kind in one folder are counted."""
        groups: dict[tuple[str, str], list[str]] = {}
        for name, reason in self.skipped.items():
            folder = name.rstrip("/").rpartition("/")[0]
            groups.setdefault((folder, reason), []).append(name)
        found = []
        for (folder, reason), names in groups.items():
            if len(names) > 3:
                where = f"{folder}/*" if folder else "*"
                names = [f"{where}: {len(names)} files"]
            found += [LeftOut(printable_path(Path(_short(name))), reason) for name in names]
        return tuple(found)

    def _why_not(self, name: str, size: int) -> str:
        path = PurePosixPath(name)
        suffix = path.suffix.lower()
        if is_readme(name):
            return "" if size <= MOST_SETTINGS_BYTES else "a text, not code"
        if path.name.startswith("."):
            return "hidden"
        if suffix not in (*CODE, *SETTINGS):
            return _KINDS.get(suffix, "not code")
        if size > _most(name):
            return _too_large(name)
        if len(self.files) >= MOST_FILES:
            return f"more than {MOST_FILES} files: hand in those that the training needs"
        if sum(map(len, self.files.values())) + size > MOST_TOTAL:
            return f"more than {MOST_TOTAL // 2**20} MiB in all"
        return ""


def _short(name: str) -> str:
    folder = "/" if name.endswith("/") else ""
    return f"{printable(name.rstrip('/'), 200)}{folder}" if len(name) > 200 else name


def _most(name: str) -> int:
    suffix = PurePosixPath(name).suffix.lower()
    return {".py": MOST_BYTES, ".ipynb": MOST_NOTEBOOK_BYTES}.get(suffix, MOST_SETTINGS_BYTES)


def _too_large(name: str) -> str:
    return f"larger than {_most(name) // 1024:,} KiB"


def grouped(parts: Iterable[LeftOut], within: str) -> list[LeftOut]:
    """The same, by paths that begin at the folder `within`."""
    return [LeftOut(f"{within}/{part.display}", part.reason) for part in parts]
