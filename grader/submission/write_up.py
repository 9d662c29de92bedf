"""What a work states of itself in words: its Target, its Result and its Analysis.

In: the text of docstrings, comments, Markdown cells and a README, in the order in which they stand.
Out: `WriteUp`. A statement begins with its word and a colon, or under a heading of that word, and
ends at an empty line, a heading or the next of the three. It is quoted, and never believed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from grader.printable import printable
from grader.submission.claims import Text

PARTS = ("target", "result", "analysis")
LONGEST = 600
MOST_TEXTS = 20_000
"""Lines that are searched."""

_WORD = r"(?P<part>targets?|results?|analysis)"
_KEY = re.compile(
    rf"(?:^|(?<=[.;!?] ))[ \t>#*_-]*(?<!\w){_WORD}[ \t]*[*_]*[ \t]*[:–—][ \t*_]*"
    rf"|^[ \t]*(?:\#+[ \t]*|[*_]{{2}})(?:step \d+[:,. –—-]*)?{_WORD.replace('part', 'heading')}"
    r"[ \t*_:]*$",
    re.IGNORECASE | re.MULTILINE,
)
_HEADING = re.compile(r"^[ \t]*#+[ \t]", re.MULTILINE)
_PERCENT = re.compile(
    r"(?P<number>\d{1,3}(?:\.\d+)?)\s*(?:%|percent)|(?<![\d.])(?P<share>0?\.\d{2,})"
)
_PARAMETERS = re.compile(r"(?<![\d.,])(?P<number>\d{1,3}(?:[, _]\d{3})+|\d+)\s+\w*\s?param", re.I)
_NOT_TESTED = re.compile(
    r"(train\w*|target|goal|at least|epochs?)\W*(?:\w+\W+){0,2}$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Statement:
    """The words, and where they stand; `line` is in the listing."""

    text: str
    place: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class WriteUp:
    """The three statements, as far as the work makes them."""

    target: Statement | None = None
    result: Statement | None = None
    analysis: Statement | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Those that it does not make, by name."""
        return tuple(part for part in PARTS if getattr(self, part) is None)

    @property
    def accuracy(self) -> float | None:
        """The first accuracy (0 to 1) in the result that is not said of training images."""
        if self.result is None:
            return None
        for found in _PERCENT.finditer(self.result.text):
            if _NOT_TESTED.search(self.result.text, 0, found.start()):
                continue
            number = float(found["number"]) / 100 if found["number"] else float(found["share"])
            if 0.05 < number <= 1:
                return round(number, 8)
        return None

    @property
    def parameters(self) -> int | None:
        """The number of parameters in the result."""
        found = _PARAMETERS.search(self.result.text) if self.result else None
        return int(re.sub(r"\D", "", found["number"])[:12]) if found else None

    @property
    def is_of_best_epoch(self) -> bool:
        """Whether the result says that its accuracy is that of the best epoch."""
        return self.result is not None and bool(re.search(r"\bbest\b", self.result.text, re.I))


NOTHING = WriteUp()


def read(texts: Iterable[Text]) -> WriteUp:
    """The first statement of each kind in these texts."""
    known = [text for text in texts if not text.printed][:MOST_TEXTS]
    whole, starts = _joined(known)
    found: dict[str, Statement] = {}
    keys = list(_KEY.finditer(whole))
    ends = [*(key.start() for key in keys[1:]), len(whole)]
    for key, end in zip(keys, ends, strict=False):
        part = _part(key)
        text = _paragraph(whole[key.end() : end])
        if text and part not in found:
            source = known[_index(starts, key.end() - len(key[0].lstrip()))]
            found[part] = Statement(printable(text, LONGEST), source.place, source.line)
    return WriteUp(**found)


def _part(key: re.Match[str]) -> str:
    word = (key["part"] or key["heading"]).lower()
    return word if word == "analysis" else word.rstrip("s")


def _joined(texts: Sequence[Text]) -> tuple[str, list[int]]:
    """One text of all, with an empty line where some are left out; and where each begins."""
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    for before, text in pairwise([None, *texts]):
        assert text is not None
        if before is not None and not _follows(before, text):
            parts.append("")
            length += 1
        starts.append(length)
        parts.append(text.text)
        length += len(text.text) + 1
    return "\n".join(parts), starts


def _follows(before: Text, text: Text) -> bool:
    if before.line is None or text.line is None:
        return before.place == text.place
    return text.line == before.line + 1


def _index(starts: Sequence[int], place: int) -> int:
    return max((number for number, start in enumerate(starts) if start <= place), default=0)


def _paragraph(text: str) -> str:
    """The first paragraph, in one line."""
    text = text.lstrip("\n \t*_")
    heading = _HEADING.search(text)
    if heading:
        text = text[: heading.start()]
    first = re.split(r"\n[ \t]*\n", text, maxsplit=1)[0]
    return " ".join(first.split()).strip("*_ ")


def of_class(source: str, name: str, place: str) -> WriteUp:
    """What the docstring of the class of that name states; nothing where that cannot be read."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return NOTHING
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            said = ast.get_docstring(node, clean=True) or ""
            first = node.body[0].lineno
            lines = enumerate(said.split("\n"), start=first)
            return read(
                Text(line, f"{place}, line {number}", line=number) for number, line in lines
            )
    return NOTHING
