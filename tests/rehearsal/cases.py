"""The cases: students' files, and what is expected of each, written at its head in TOML.

    #: epochs = 15
    #: lr = "0.1 * 0.5 ** (epoch // 4)"

These lines are no part of the file: they are taken out before anybody runs it, so its first line is
the first line after them. A folder is one file here, in which `#=== name.py` begins the next file.
A notebook is written in percent format (see `notebook_files`), or stored as it is, with a .toml.

A recipe is expected with `epochs`, `batch`, `optimizer` (as a call: every setting that is not
torch's default), `lr` (a formula, see `formulas`) and what else differs from DEFAULTS. Otherwise
`refused` holds words that the reason must hold, and `at` what stands in the line that it names.
"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.program.listing import Listing, Part
from tests.rehearsal import notebook_files

FOLDER = Path(__file__).parent
DEFAULTS: dict[str, Any] = {
    "loss": "cross_entropy",
    "label_smoothing": 0.0,
    "reduction": "mean",
    "weight": None,
    "transform": "ToTensor(), Normalize((0.1307,), (0.3081,))",
    "images": None,
    "drop_last": False,
    "momentum": None,
    "weight_decay": None,
    "penalties": [],
    "clip_norm": None,
    "clip_value": None,
    "plateau": None,
    "patience": None,
    "stop": None,
}
OTHERS = {
    *("epochs", "batch", "optimizer", "lr", "network", "network_file", "arguments", "keywords"),
    *("optimizer_at", "loss_at", "notes", "trainings", "refused", "at", "or_recipe", "oracle"),
    *("main", "editor"),
}


@dataclass(frozen=True)
class Case:
    """`files` by their names, as they were handed in; `expected` as it is written."""

    name: str
    expected: dict[str, Any]
    files: dict[str, str]
    main: str

    def __str__(self) -> str:
        return self.name

    @property
    def trains(self) -> bool:
        """Whether a recipe is expected."""
        return "refused" not in self.expected

    def __getitem__(self, key: str) -> Any:
        return self.expected.get(key, DEFAULTS.get(key))

    def write(self, folder: Path) -> Path:
        """Put its files into a folder; gives what a student would hand in."""
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder / self.main if len(self.files) == 1 else folder

    @functools.cached_property
    def listing(self) -> Listing:
        """Its parts in order, made here: independent of how the grader reads a submission."""
        order = [self.main, *(name for name in self.files if name != self.main)]
        parts: list[Part] = []
        for name in order:
            for cell, text in _pieces(name, self.files[name]):
                first = parts[-1].last + 1 if parts else 1
                writes = re.match(r"%%writefile (\S+)", text)
                file = writes[1] if writes else name
                code = text[writes.end() :] if writes else text
                parts.append(Part(file=file, cell=cell, first=first, text=code))
        return Listing(main=self.main, parts=tuple(parts))

    def lines_of(self, text: str) -> set[int]:
        """The numbers of all lines of the listing that hold a text."""
        found: set[int] = set()
        for part in self.listing.parts:
            for number, line in enumerate(part.text.split("\n")):
                if text in line:
                    found.add(part.first + number)
        assert found, f"{self.name} has no line with {text!r}"
        return found


def _pieces(name: str, text: str) -> list[tuple[int | None, str]]:
    """(cell, text) of a file; a script has no cells."""
    if not name.endswith(".ipynb"):
        return [(None, text)]
    codes = notebook_files.codes(text)
    return [(number, code) for number, code in enumerate(codes, start=1)]


def read(path: Path) -> Case:
    """The case in a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        expected = tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))
        return _case(path.stem, expected, {path.name: text})
    lines = text.split("\n")
    head = [line.removeprefix("#: ") for line in lines if line.startswith("#: ")]
    expected = tomllib.loads("\n".join(head))
    body = "\n".join(line for line in lines if not line.startswith("#: "))
    if "editor" in expected:
        stored = notebook_files.notebook(body, expected["editor"])
        return _case(path.stem, expected, {f"{path.stem}.ipynb": stored})
    main = expected.get("main", f"{path.stem}.py")
    names = [main, *re.findall(r"^#=== (\S+)$", body, re.M)]
    texts = re.split(r"^#=== \S+\n", body, flags=re.M)
    return _case(path.stem, expected, dict(zip(names, texts, strict=True)))


def _case(name: str, expected: dict[str, Any], files: dict[str, str]) -> Case:
    unknown = set(expected) - set(DEFAULTS) - OTHERS
    assert not unknown, f"{name} expects {unknown}, which nobody looks at"
    return Case(name, expected, files, expected.get("main", next(iter(files))))


@functools.cache
def all_cases() -> tuple[Case, ...]:
    """All cases, scripts first."""
    found: list[Case] = []
    for kind in ("scripts", "notebooks"):
        paths = sorted((FOLDER / kind).iterdir())
        found += [read(path) for path in paths if path.suffix in (".py", ".ipynb")]
    names = [case.name for case in found]
    assert len(set(names)) == len(names)
    return tuple(found)
