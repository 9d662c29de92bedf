"""Make one listing of what was read: a script, the cells of a notebook, the files of a folder.

In: bytes by name. Out: `Work`: the listing, what the work claims, notes, and what is left out; or a
`problem` where it cannot be graded as it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grader.errors import SubmissionError
from grader.printable import printable, printable_path
from grader.program.listing import Listing, Part
from grader.program.recipe import Remark
from grader.submission import claims, keras, main_file, notebook, write_up, wrong_kind
from grader.submission.claims import Text
from grader.submission.contents import SETTINGS, Contents, is_readme
from grader.submission.main_file import Script
from grader.submission.notebook import Cell
from grader.submission.source import MOST_BYTES, python_text, with_newlines
from grader.submission.submission import LeftOut, Work

_PROSE = re.compile(r'(?P<quotes>"""|\'\'\')(?P<text>.*?)(?P=quotes)', re.DOTALL)
_COMMENT = re.compile(r"\s*#+(?P<text>.*)")
MOST_CLAIMING = 2_000_000
"""Characters that are searched for claims."""


def of_file(name: str, content: bytes) -> Work:
    """A single file. Raises nothing: what is wrong with it is the work's `problem`."""
    shown = printable_path(Path(name))
    assembler = _Assembler(shown)
    digest = hashlib.sha256(content).hexdigest()
    try:
        assembler.add_main(name, content)
    except SubmissionError as problem:
        return Work(blank(shown), problem=problem)
    return assembler.work(digest, ())


def of_contents(name: str, contents: Contents, *, training: str | None = None) -> Work:
    """Files that belong together; `training` is the one that trains, where someone has said so."""
    left_out = contents.left_out()
    try:
        main, remark = _main(name, contents, training)
        assembler = _Assembler(printable_path(Path(main)))
        assembler.notes += [remark] if remark else []
        assembler.add_main(main, contents.files[main])
        beside = assembler.add_others(contents, main)
        return assembler.work(_digest(main, contents.files), (*left_out, *beside))
    except SubmissionError as problem:
        return Work(blank(name), problem=problem, left_out=left_out)


def blank(name: str) -> Listing:
    """The listing of what could not be read."""
    return Listing.of_file(printable_path(Path(name))[:500], "")


def _digest(main: str, files: dict[str, bytes]) -> str:
    """A hash of all files with their names, and of which one is run."""
    digest = hashlib.sha256()
    for name in [main, *sorted(files)]:
        content = files[name]
        label = name.encode("utf-8", "surrogatepass")
        digest.update(b"%d %d\n" % (len(label), len(content)))
        digest.update(label + content)
    return digest.hexdigest()


def digest_of(digests: Iterable[str]) -> str:
    """One hash for several, which may be empty."""
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def scripts(contents: Contents) -> list[Script]:
    """The Python files and notebooks that can be read, as what they say."""
    found = []
    for name in contents.code:
        try:
            found.append(Script(name, *_code_text(name, contents.files[name])))
        except SubmissionError:
            continue
    return found


def _code_text(name: str, content: bytes) -> tuple[str, bool]:
    """The text of a file of code, of those cells of a notebook that are Python; which it is."""
    shown = printable_path(Path(name))
    if not _is_notebook(name, content):
        return python_text(shown, content), False
    cells = [cell.text for cell in notebook.read(shown, content).cells if not cell.writes]
    return "\n".join(text for text in cells if main_file.parse(text)), True


def _is_notebook(name: str, content: bytes) -> bool:
    return name.lower().endswith(".ipynb") or notebook.is_renamed(content)


def _left_out_code(contents: Contents) -> str:
    """The first file of code that was left out, and why; "" where there is none."""
    found = contents.skipped.items()
    texts = [f"{file}: {why}" for file, why in found if file.lower().endswith((".py", ".ipynb"))]
    return texts[0] if texts else ""


def _main(name: str, contents: Contents, training: str | None) -> tuple[str, Remark | None]:
    """The file that trains, and how that is known. Raises SubmissionError."""
    code = contents.code
    if not code and (left := _left_out_code(contents)):
        raise SubmissionError(f"{name} holds code that cannot be read: {left}.")
    if not code:
        raise SubmissionError(
            f"{name} holds no Python file and no notebook. Hand in the code that trains the "
            "network."
        )
    if training is not None:
        return _named(name, code, training), None
    found = main_file.candidates(scripts(contents)) or code
    if len(found) == 1:
        if len(code) == 1:
            return found[0], None
        text = f"{found[0]} is taken for the file that trains; --training FILE names another."
        return found[0], Remark(text=printable(text, 1_000))
    listed = printable(", ".join(found[:8]), 400)
    raise SubmissionError(
        f"{name} holds {len(code)} files of code, and it is not clear which one trains the "
        f"network: {listed}. Name it: --training {printable(found[0], 100)}"
    )


def _named(name: str, code: list[str], training: str) -> str:
    """The file that someone named, by its path within or by its name alone."""
    wanted = training.replace("\\", "/").removeprefix("./").casefold()
    by_path = [file for file in code if file.casefold() == wanted]
    by_name = [file for file in code if file.casefold().rpartition("/")[2] == wanted]
    found = by_path or by_name
    if len(found) == 1:
        return found[0]
    known = printable(", ".join(sorted(found or code)[:12]), 500)
    what = f"{len(found)} files" if found else "no file of code"
    raise SubmissionError(
        f"{name} holds {what} of the name {printable(training, 100)}, which is to train. "
        f"Name one of these with --training: {known}."
    )


@dataclass(slots=True)
class _Assembler:
    """Puts part after part; `next` is the number of the next line."""

    main: str
    parts: list[Part] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)
    next: int = 1

    def work(self, digest: str, left_out: tuple[LeftOut, ...]) -> Work:
        """All of it. Keras' networks are a problem, whose claims are read all the same."""
        listing = Listing(main=self.main, parts=tuple(self.parts))
        texts = list(_bounded(self.texts))
        said = claims.read(texts)
        problem = keras.problem(listing, said)
        stated = write_up.read(texts)
        return Work(listing, digest, problem, said, tuple(self.notes), left_out, stated)

    def add_main(self, name: str, content: bytes) -> None:
        """The file that is run. Raises SubmissionError."""
        shown = printable_path(Path(name))
        wrong_kind.refuse_disguised(shown, content)
        if not _is_notebook(name, content):
            self._script(shown, python_text(shown, content))
            return
        found = notebook.read(shown, content)
        if not name.lower().endswith(".ipynb"):
            text = f"{shown} is a notebook that was renamed; it is read as the notebook that it is."
            self.notes.append(Remark(text=printable(text, 1_000), line=1))
        self.texts += [Text(line, "the text of the notebook") for line in found.prose.split("\n")]
        for cell in found.cells:
            self._cell(cell)
        self._order(found.cells)

    def add_others(self, contents: Contents, main: str) -> list[LeftOut]:
        """All files but the main one, sorted. What cannot be read as text is returned, named."""
        beside = []
        for name in sorted(contents.files):
            if name == main:
                continue
            shown = printable_path(Path(name))
            try:
                self._other(shown, contents.files[name])
            except SubmissionError as problem:
                beside.append(LeftOut(shown, problem.message.rstrip(".")))
        return beside

    def _other(self, name: str, content: bytes) -> None:
        if is_readme(name):
            text = content.decode("utf-8", "replace")
            self.texts += [Text(line, name) for line in text.split("\n")]
        elif name.lower().endswith(".py") and not content.strip():
            self._add(name, "")  # an __init__.py
        elif _is_notebook(name, content):
            raise SubmissionError(f"a notebook beside {self.main}, which trains")
        elif name.lower().endswith(SETTINGS):
            self._add(name, _settings_text(name, content))
        else:
            self._script(name, python_text(name, content))

    def _script(self, name: str, text: str) -> None:
        part = self._add(name, text)
        self.texts += _prose(part)

    def _cell(self, cell: Cell) -> None:
        part = self._add(cell.writes or self.main, cell.text, cell.number)
        self.texts += _prose(part)
        if cell.outputs:
            place = f"cell {cell.number}"
            self.texts.append(Text(cell.outputs, place, printed=True, line=part.first))
        if cell.note:
            self.notes.append(Remark(text=f"Cell {cell.number} {cell.note}.", line=part.first))

    def _add(self, file: str, text: str, cell: int | None = None) -> Part:
        if sum(len(part.text) for part in self.parts) + len(text) > 4 * MOST_BYTES:
            raise SubmissionError(
                f"more than {4 * MOST_BYTES // 1024} KiB of code in all: hand in what trains"
            )
        part = Part(file=file[:500], cell=cell, first=self.next, text=text)
        self.next = part.last + 1
        self.parts.append(part)
        return part

    def _order(self, cells: tuple[Cell, ...]) -> None:
        """A note where the cells were last run in another order than they stand in."""
        found = notebook.out_of_order(cells)
        if found is None:
            return
        earlier, later = found
        first = next(part.first for part in self.parts if part.cell == later.number)
        text = (
            f"Cell {later.number} was last run before cell {earlier.number}, which stands above it "
            f"([{later.count}] and [{earlier.count}]). The grader runs the cells from top to "
            "bottom, so it may see another training than you saw: restart the notebook and run "
            "all cells, to be sure."
        )
        self.notes.append(Remark(text=text, line=first))


def _settings_text(name: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SubmissionError("not UTF-8 text") from error
    if "\0" in text:
        raise SubmissionError("not a text: it holds NUL bytes")
    return with_newlines(text)


def _prose(part: Part) -> Iterator[Text]:
    """The lines of docstrings and other long strings, and the comments."""
    place = f"cell {part.cell}, " if part.cell else ""
    place = f"{part.file}, {place}"
    for found in _PROSE.finditer(part.text):
        first = part.text.count("\n", 0, found.start("text"))
        for number, line in enumerate(found["text"].split("\n"), start=first):
            yield Text(line, f"{place}line {number + 1}", line=part.first + number)
    for number, line in enumerate(part.text.split("\n")):
        if comment := _COMMENT.match(line):
            yield Text(comment["text"], f"{place}line {number + 1}", line=part.first + number)


def _bounded(texts: list[Text]) -> Iterator[Text]:
    """The last of the texts, in order, as many as are searched."""
    left, kept = MOST_CLAIMING, []
    for text in reversed(texts):
        left -= len(text.text)
        if left < 0:
            break
        kept.append(text)
    yield from reversed(kept)
