"""Numbers that a work says of itself: quoted beside what is measured, never believed.

In: the text of docstrings, comments, markdown cells and a README, and the stored outputs of a
notebook. Out: `Claims`. A number that the text asks for ("target: 99.4 %") is no claim.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from grader.printable import printable

LONGEST_QUOTE = 100
MOST_BARS = 50


@dataclass(frozen=True, slots=True)
class Text:
    """Some text of the work, where it stands for people, and whether a run has printed it."""

    text: str
    place: str
    printed: bool = False
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A number, the words around it, and where they stand. An accuracy is from 0 to 1.

    `line` is in the listing: of the cell whose output says so, of the docstring or comment.
    """

    number: float
    quote: str
    place: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """What the work says: the best accuracy and the last one that was printed, and the counts.

    `parameters` are those that learn, where the work says so; `all_parameters` the total. `bars`
    are the lengths of progress bars that ran to their end, each once.
    """

    accuracy: Claim | None = None
    last_accuracy: Claim | None = None
    parameters: Claim | None = None
    all_parameters: Claim | None = None
    epochs: Claim | None = None
    bars: tuple[Claim, ...] = ()


NO_CLAIMS = Claims()

_WANTED = re.compile(
    r"\b(target|goal|aim|at least|at most|should|must|need|require|want|expect|less than|"
    r"fewer than|more than|under|below|above|limit|todo|if|assert|baseline)|[<>≤≥]",
    re.IGNORECASE,
)
_NUMBER = r"(?P<number>\d{1,3}(?:\.\d+)?|0?\.\d+)(?![\d.]*\d|,\d)"
_ACCURACY = re.compile(
    rf"acc(?:uracy)?\b(?P<between>[^\d\n%]{{0,25}}?)"
    rf"(?:\d+\s*/\s*\d+\s*\(\s*)?{_NUMBER}\s*(?P<percent>%|percent)?",
    re.IGNORECASE,
)
_ACCURACY_FIRST = re.compile(
    rf"{_NUMBER}\s*(?P<percent>%)[^\d\n.,;]{{0,25}}\bacc(?:uracy)?\b", re.IGNORECASE
)
_KIND = re.compile(r"(?P<train>train)|(?P<test>test|val(?!ue))", re.IGNORECASE)
_BAR = re.compile(r"it/s|s/it|batch_id|\d%\|", re.IGNORECASE)
_WHOLE_BAR = re.compile(r"(?<![\d./])(?P<length>\d{1,6})/(?P=length) \[")
_COUNT = r"(?P<number>\d{1,3}(?:[,_ ]\d{3})+|\d+)(?![\d.%kKmM])"
_PARAMETERS = (
    re.compile(
        rf"(?P<kind>non-trainable|trainable|total)?\s*(?:number of )?(?:trainable )?"
        rf"param(?:eter)?s?(?: count)?\b[^\w\n<>]{{1,20}}(?:is |are )?{_COUNT}",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?<![\w.,]){_COUNT}\s+(?P<kind>trainable|total)?\s*(?:model )?param(?:eter)?s\b",
        re.IGNORECASE,
    ),
)
_EPOCH = re.compile(
    r"\bepochs?\b\s*[:=#\[(]?\s*(?P<now>\d{1,4})(?:\s*(?:/|of)\s*(?P<all>\d{1,4}))?(?![\d.])",
    re.IGNORECASE,
)
_IN_EPOCHS = re.compile(r"\b(?P<now>\d{1,4})(?:th|st|nd|rd)?\s+epochs?\b", re.IGNORECASE)


def read(texts: Iterable[Text]) -> Claims:
    """What all these texts claim. Outputs, which a run has printed, come before prose."""
    known = [(text, line) for text in texts for line in _lines(text)]
    printed = [(text, line) for text, line in known if text.printed]
    prose = [(text, line) for text, line in known if not text.printed]
    accuracies = [*_accuracies(printed)]
    said = accuracies or [*_accuracies(prose)]
    best = max(said, key=lambda claim: claim.number, default=None)
    last = accuracies[-1] if accuracies else None
    counts = _counts(printed) or _counts(prose)
    total = counts.get("total")
    parameters = counts.get("trainable") or total or counts.get("")
    epochs = _counted(printed) or _last(_epochs, prose)
    return Claims(best, last, parameters, total, epochs, _bars(printed))


_Line = tuple[Text, str]


def _bars(printed: list[_Line]) -> tuple[Claim, ...]:
    found: dict[int, Claim] = {}
    for line in printed:
        for match in _WHOLE_BAR.finditer(line[1]):
            length = int(match["length"])
            if len(found) < MOST_BARS:
                found.setdefault(length, _claim(length, line, match))
    return tuple(found.values())


def _lines(text: Text) -> Iterator[str]:
    """The lines of a text; a progress bar that was drawn over itself is many."""
    for line in re.split(r"[\n\r]", text.text):
        shown = line.strip()
        if shown and (text.printed or not _WANTED.search(shown)):
            yield shown[:1_000]


def _claim(number: float, line: _Line, found: re.Match[str]) -> Claim:
    text, words = line
    if len(words) > LONGEST_QUOTE and found.start() > LONGEST_QUOTE // 2:
        words = words[found.start() - LONGEST_QUOTE // 2 :]
        words = f"… {words.partition(' ')[2] or words}"
    quote = printable(" ".join(words.split()), LONGEST_QUOTE)
    return Claim(number, quote, text.place, text.line)


def _accuracies(lines: list[_Line]) -> Iterator[Claim]:
    """Those on test or validation images; where no line says which, those that say nothing."""
    found = [(kind, claim) for line in lines for kind, claim in _of_line(line)]
    tested = [claim for kind, claim in found if kind == "test"]
    yield from tested or [claim for kind, claim in found if not kind]


def _of_line(line: _Line) -> Iterator[tuple[str, Claim]]:
    words = line[1]
    is_bar = line[0].printed and _BAR.search(words) is not None
    matches = [*_ACCURACY.finditer(words)] or [*_ACCURACY_FIRST.finditer(words)]
    for match in matches:
        kinds = [kind.lastgroup or "" for kind in _KIND.finditer(words, 0, match.end())]
        kind = kinds[-1] if kinds else ""
        number = float(match["number"])
        if not match["percent"] and number > 1 and not re.search("[:=|]", match["between"]):
            continue  # "accuracy after 15 epochs"
        if match["percent"] or number > 1:
            number = round(number / 100, 8)
        if 0.05 < number <= 1 and not (is_bar and kind != "test"):
            yield kind, _claim(number, line, match)


def _last(read: Callable[[_Line], Iterator[Claim]], lines: list[_Line]) -> Claim | None:
    found = [claim for line in lines for claim in read(line)]
    return found[-1] if found else None


def _counts(lines: list[_Line]) -> dict[str, Claim]:
    """The last count of parameters of each kind: "trainable", "total", and "" without a word."""
    found = {}
    for line in lines:
        for pattern in _PARAMETERS:
            for match in pattern.finditer(line[1]):
                number = int(re.sub(r"\D", "", match["number"])[:15])
                if number >= 10:
                    found[(match["kind"] or "").lower()] = _claim(number, line, match)
    return found


def _epochs(line: _Line) -> Iterator[Claim]:
    for match in (*_IN_EPOCHS.finditer(line[1]), *_EPOCH.finditer(line[1])):
        if int(match["now"]):
            yield _claim(int(match["now"]), line, match)


def _counted(lines: list[_Line]) -> Claim | None:
    """The epochs that were printed: "Epoch 3/20", or the largest number, which may begin at 0."""
    found = [(match, line) for line in lines for match in _EPOCH.finditer(line[1])]
    if not found:
        return None
    totals = [(match, line) for match, line in found if match["all"]]
    if totals:
        match, line = totals[-1]
        return _claim(int(match["all"]), line, match)
    match, line = max(found, key=lambda one: int(one[0]["now"]))
    from_zero = any(int(one["now"]) == 0 or "v_num=" in words for one, (_, words) in found)
    return _claim(int(match["now"]) + from_zero, line, match)
