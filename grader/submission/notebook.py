"""Read a notebook as code cells, and what is stored of their last run. Nothing is executed.

In: the bytes of an .ipynb file of any writer (Jupyter, Colab, Kaggle, VS Code, Databricks), format
3 or 4, also where it is not quite as the format says. Out: `Notebook`. Raises SubmissionError where
it is no notebook at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from grader.errors import SubmissionError
from grader.printable import printable
from grader.program.listing import MOST_PARTS
from grader.submission.source import MOST_BYTES, MOST_NOTEBOOK_BYTES, with_newlines

MOST_OUTPUT = 100_000
"""Characters of a cell's stored output that are read, from its end."""

_LOOKS_LIKE = re.compile(rb'\s*\{\s*"(cells|metadata|nbformat|worksheets)"')
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_MAGIC = re.compile(r"\s*(%%?)([A-Za-z]\w*)[ \t]*([^\n]*)")
_WRITES = ("writefile", "file")
_OTHER_LANGUAGES = re.compile(
    r"bash|sh|script|system|sx|cmd|powershell|html|javascript|js|latex|markdown|svg|sql|bigquery|"
    r"perl|ruby|pypy|python2|R|cython|writetemplate|ai"
)
"""`%%` magics that hand their cell to something else than this Python."""
_DATABRICKS = frozenset({"md", "scala", "r", "fs", "sh", "sql"})
"""`%` magics at the head of a cell that do so in Databricks."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell: `number` from 1, its text, and the file that it writes instead of running.

    `outputs` is the stored text of its last run, `count` its place in the order of that run.
    """

    number: int
    text: str
    writes: str = ""
    appends: bool = False
    outputs: str = ""
    count: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Notebook:
    """The code cells in order, and the text of those between."""

    cells: tuple[Cell, ...]
    prose: str


def is_renamed(source: bytes) -> bool:
    """Whether the bytes of a ".py" file are a notebook's."""
    return _LOOKS_LIKE.match(source.removeprefix(b"\xef\xbb\xbf")) is not None


def read(name: str, content: bytes) -> Notebook:
    """The notebook in the bytes of a file. Raises SubmissionError."""
    document = _document(name, content)
    _refuse_other_languages(name, document)
    number, cells, prose = 0, [], []
    for raw in _raw_cells(document):
        kind = raw.get("cell_type")
        text = _text(raw.get("source", raw.get("input")))
        if kind == "code":
            number += 1
            cells.append(_cell(number, text, raw))
        elif kind in ("markdown", "heading"):
            prose.append(text)
    if not any(cell.text.strip() for cell in cells):
        raise SubmissionError(
            f"{name} has no code cells. Hand in the notebook that you trained in."
        )
    if len(cells) > MOST_PARTS // 2 or sum(len(cell.text) for cell in cells) > MOST_BYTES:
        raise SubmissionError(
            f"{name} holds too much code: {len(cells)} cells of more than {MOST_BYTES // 1024} KiB "
            f"or more than {MOST_PARTS // 2}. Hand in the cells that train the network."
        )
    return Notebook(tuple(cells), "\n".join(prose)[:MOST_OUTPUT])


def out_of_order(cells: Iterable[Cell]) -> tuple[Cell, Cell] | None:
    """The first two cells, as they stand, of which the later was run before the earlier."""
    before = None
    for cell in cells:
        if cell.count is None:
            continue
        if before is not None and before.count is not None and cell.count < before.count:
            return before, cell
        before = cell
    return None


def _document(name: str, content: bytes) -> dict[str, Any]:
    if len(content) > MOST_NOTEBOOK_BYTES:
        raise SubmissionError(
            f"{name} is larger than {MOST_NOTEBOOK_BYTES // 2**20} MiB. Clear the outputs that "
            "hold pictures, save it, and hand it in again."
        )
    if not content.strip():
        raise SubmissionError(f"{name} is empty. Save the notebook, and hand it in again.")
    try:
        # json takes NaN and Infinity, which some writers store, and so does this.
        document = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SubmissionError(
            f"{name} is not UTF-8 text, as notebooks are. Download it again as .ipynb."
        ) from error
    except json.JSONDecodeError as error:
        raise SubmissionError(
            f"{name} is not a whole notebook: its JSON breaks in line {error.lineno} of the file "
            f"({printable(error.msg, 80)}). Open it in Jupyter or Colab, and download it again as "
            ".ipynb."
        ) from error
    except (ValueError, RecursionError) as error:
        raise SubmissionError(
            f"{name} is not a notebook that can be read ({type(error).__name__}). Open it in "
            "Jupyter or Colab, and download it again as .ipynb."
        ) from error
    if not isinstance(document, dict) or not list(_raw_cells(document)):
        raise SubmissionError(
            f"{name} has no cells: it is not a notebook. Hand in the .ipynb file that Jupyter or "
            "Colab saves."
        )
    return document


def _raw_cells(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The cells of format 4, or of all worksheets of format 3."""
    sheets = document.get("worksheets")
    holders = [document, *(sheets if isinstance(sheets, list) else [])]
    for holder in holders:
        cells = holder.get("cells") if isinstance(holder, dict) else None
        for cell in cells if isinstance(cells, list) else ():
            if isinstance(cell, dict):
                yield cell


def _refuse_other_languages(name: str, document: dict[str, Any]) -> None:
    metadata = _table(document.get("metadata"))
    language = _table(metadata.get("language_info")).get("name")
    language = language or _table(metadata.get("kernelspec")).get("language")
    if isinstance(language, str) and language and not language.lower().startswith(_PYTHONS):
        raise SubmissionError(
            f"{name} is a notebook in {printable(language, 30)}. The grader reads Python with "
            "PyTorch: hand in a Python notebook."
        )


_PYTHONS = ("python", "ipython", "xpython", "sage")


def _cell(number: int, text: str, raw: dict[str, Any]) -> Cell:
    count = raw.get("execution_count", raw.get("prompt_number"))
    count = count if isinstance(count, int) and not isinstance(count, bool) else None
    cell = Cell(number, text, outputs=_outputs(raw.get("outputs")), count=count)
    other = _table(_table(raw.get("metadata")).get("vscode")).get("languageId", raw.get("language"))
    if isinstance(other, str) and not other.lower().startswith(_PYTHONS):
        return _blank(cell)
    magic = _MAGIC.match(text)
    if not magic:
        return cell
    marks, name, rest = magic.groups()
    if marks == "%%" and name in _WRITES:
        return _writing(cell, rest)
    # One line of them is left to whoever blanks commands.
    is_databricks = marks == "%" and name in _DATABRICKS and "\n" in text
    if is_databricks or (marks == "%%" and _OTHER_LANGUAGES.fullmatch(name)):
        return _blank(cell)
    return cell


def _blank(cell: Cell, note: str = "") -> Cell:
    """The same cell without its text, in as many lines."""
    return replace(cell, text="\n" * cell.text.count("\n"), note=note)


def _writing(cell: Cell, arguments: str) -> Cell:
    """A cell of `%%writefile [-a] x.py`: a file in the folder of the notebook."""
    words = [word.strip("\"'") for word in arguments.split("#")[0].split()]
    appends = any(word in ("-a", "--append") for word in words)
    name = next((word for word in words if not word.startswith("-")), "")
    file = inside(name)
    if not file:
        shown = printable(name, 60) or "a file without a name"
        note = f"writes {shown}, which is left out: write a file beside the notebook"
        return _blank(cell, note)
    lines = cell.text.lstrip("\n")
    before = "\n" * (len(cell.text) - len(lines))
    _, newline, body = lines.partition("\n")
    command = f"%%writefile {'-a ' if appends else ''}{file}"
    if not file.lower().endswith(".py"):
        command = ""  # nobody blanks it in a file that is no Python
    text = f"{before}{command}{newline}{body}"
    return replace(cell, text=text, writes=file, appends=appends)


def inside(name: str) -> str:
    """The path of a file within the submission; "" for one that is or may be elsewhere.

    The folders of Colab, Kaggle and Databricks are where the notebook is.
    """
    for home in ("/content/", "/kaggle/working/", "/databricks/driver/"):
        name = name.removeprefix(home)
    path = PurePosixPath(name)
    odd = path.is_absolute() or ".." in path.parts or re.search(r"[\\{}$~:*?\x00-\x1f]", name)
    return "" if odd or not path.parts or len(name) > 200 else str(path)


def _outputs(outputs: Any) -> str:
    """All stored text of a cell, as it would be printed; pictures and widgets are left out."""
    found = []
    for output in outputs if isinstance(outputs, list) else ():
        if isinstance(output, dict) and output.get("output_type") not in ("error", "pyerr"):
            data = _table(output.get("data"))
            found.append(_text(output.get("text")) or _text(data.get("text/plain")))
    return _ANSI.sub("", "\n".join(found))[-MOST_OUTPUT:]


def _text(value: Any) -> str:
    """A text of the format, which may be a list of lines; what is no Unicode text is replaced."""
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    if not isinstance(value, str):
        return ""
    whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return with_newlines(whole)


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
