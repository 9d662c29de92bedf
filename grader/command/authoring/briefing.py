"""Whether a brief says what the rules say. In: the text of a README.md and an Assignment.

Out: each number that disagrees, with its line. What is understood: the table of rules, by the names
of `facts.RULES`; bounds in prose ("at most 8,000 parameters"); shapes, numbers of images, mean and
deviation, the data set's name. What is not understood is not judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from grader.assignment import Assignment, Bound
from grader.command.authoring import facts
from grader.training.datasets import DATASETS


@dataclass(frozen=True, slots=True)
class Disagreement:
    """At `line`: what is `said`, and what `assignment.toml` has under `key`. Plain words."""

    line: int | None
    key: str
    said: str
    has: str


_NUMBER = r"([\d][\d,_]*)"
_FEWER = "fewer than|less than|under|below"
_MOST = "at most|up to|no more than|not more than|a maximum of|max\\.?|within|<="


def _pattern(words: str) -> re.Pattern[str]:
    """In capitals or not, and wherever a line of the brief ends."""
    return re.compile(words.replace(" ", r"\s+"), re.IGNORECASE)


_PARAMETERS = _pattern(rf"({_FEWER}|{_MOST}|<)\s*{_NUMBER} (?:trainable |learnable )?parameters")
_EPOCHS = _pattern(rf"(?:{_FEWER}|{_MOST})\s*{_NUMBER} epochs")
_ACCURACY = _pattern(r"(?:at least|reaches?|above|over|>=)\s*(\d+(?:\.\d+)?)\s*(?:%|percent)")
_PIXELS = _pattern(r"(\d+) pixels or more|at least (\d+) pixels")
_TRAIN = _pattern(rf"{_NUMBER} training images")
_TEST = _pattern(rf"{_NUMBER} (?:[\w-]+ )?test images")
_SHAPE = _pattern(r"\(N, (\d+, \d+, \d+)\)")
_SCORES = _pattern(r"\(N, (\d+)\)")
_MEAN = _pattern(r"\bmean (0\.\d+)")
_DEVIATION = _pattern(r"\bdeviation (0\.\d+)")  # not "a deviation of"
_FOLDERS = re.compile(r"\b(?:assignments|grades)/([a-z]\w*)/")
_RUNS = _pattern(r"up to (\w+) runs in all")
_BORDERLINE = _pattern(r"borderline\W[^.]*?earns (its|no) points")
NEAR = 60
"""Characters."""

_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}


def disagreements(text: str, asked: Assignment) -> list[Disagreement]:
    """All that a brief says otherwise."""
    plain = text.replace("*", "")
    found = [*_prose(plain, asked), *_table(plain, asked), *_names(plain, asked)]
    seen: dict[tuple[int | None, str, str], Disagreement] = {}
    for one in found:  # a row of the table is prose, too
        seen.setdefault((one.line, one.key, one.has), one)
    return list(seen.values())


def line_at(text: str, place: int) -> int:
    """The line (from 1) of a position in a text."""
    return text.count("\n", 0, place) + 1


def _number(text: str) -> int:
    return int(re.sub("[,_]", "", text))


@dataclass(frozen=True, slots=True)
class _Claim:
    """What prose may say: `read` makes a value of the words, which are true if it is `right`.

    It is about the assignment only where one of the words of `near` is near.
    """

    pattern: re.Pattern[str]
    key: str
    read: Callable[[str], object]
    right: tuple[object, ...]
    near: str = ""

    def is_meant(self, text: str, match: re.Match[str]) -> bool:
        """Whether the words around the match are about the same thing."""
        around = text[max(0, match.start() - NEAR) : match.end() + NEAR]
        return re.search(self.near, around, re.IGNORECASE) is not None


def _claims(asked: Assignment) -> Iterator[_Claim]:
    images, limits = DATASETS[asked.dataset], asked.limits
    held_back = asked.validation_images(images.train_images)
    learning = (images.train_images, images.train_images - held_back, held_back)
    yield _Claim(_EPOCHS, "limits.epochs", _number, (limits.epochs,))
    about = "accura|test images|correct|recogni|right"  # not: come to 80 % of the lectures
    yield _Claim(_ACCURACY, "limits.accuracy", _fraction, _accuracies(asked), about)
    yield _Claim(_PIXELS, "limits.receptive_field", int, (limits.receptive_field,))
    yield _Claim(_TRAIN, "dataset", _number, learning)
    yield _Claim(_TEST, "dataset", _number, (images.test_images,))
    yield _Claim(_MEAN, "dataset", float, (images.mean,))
    yield _Claim(_DEVIATION, "dataset", float, (images.deviation,))
    yield _Claim(_SHAPE, "input_shape", "[{}]".format, (str(list(asked.input_shape)),))
    about = "return|score|logit|output"  # not: flattened to (N, 784)
    yield _Claim(_SCORES, "classes", int, (asked.classes,), about)
    yield _Claim(_RUNS, "most_seeds", _count, (asked.most_seeds,))
    yield _Claim(_FOLDERS, "name", str, (asked.name,))
    earns = asked.borderline_earns_points
    yield _Claim(_BORDERLINE, "borderline_earns_points", lambda said: said == "its", (earns,))


def _accuracies(asked: Assignment) -> tuple[float, ...]:
    """The accuracy that is asked for, and those of the checks that ask for more."""
    limits = asked.limits
    more = {
        "robust_noise": limits.robust_noise.accuracy,
        "robust_shift": limits.robust_shift.accuracy,
        "per_class": limits.per_class.accuracy,
    }
    return (limits.accuracy, *(more[name] for name in more if name in asked.checks))


def _fraction(said: str) -> float:
    return round(float(said) / 100, 9)


def _count(said: str) -> object:
    return _WORDS.get(said, said if not said.isdigit() else int(said))


def _prose(text: str, asked: Assignment) -> Iterator[Disagreement]:
    limit = asked.limits.parameters
    for match in _PARAMETERS.finditer(text):
        inclusive = not re.fullmatch(rf"{_FEWER}|<", match[1], re.IGNORECASE)
        if (_number(match[2]), inclusive) != (limit.number, limit.inclusive):
            line = line_at(text, match.start())
            yield Disagreement(line, "limits.parameters", _shown(match), f'"{limit}"')
    for claim in _claims(asked):
        for match in claim.pattern.finditer(text):
            said = next(filter(None, match.groups()))
            if claim.read(said) not in claim.right and claim.is_meant(text, match):
                line = line_at(text, match.start())
                yield Disagreement(line, claim.key, _shown(match), _in_toml(claim))


def _in_toml(claim: _Claim) -> str:
    has = claim.right[0]
    if isinstance(has, bool):
        return str(has).lower()
    return f"{has:,}" if isinstance(has, int) else str(has)


def _shown(match: re.Match[str]) -> str:
    return " ".join(match[0].split())


def _names(text: str, asked: Assignment) -> Iterator[Disagreement]:
    """Which data set it names: its own, or none but another's."""
    own = DATASETS[asked.dataset]
    said = {one.title: _mention(text, one.title) for one in DATASETS.values()}
    others = {title: place for title, place in said.items() if title != own.title and place >= 0}
    if said[own.title] < 0 and others:
        title, place = min(others.items(), key=lambda item: item[1])
        yield Disagreement(line_at(text, place), "dataset", title, f'"{own.name}" ({own.title})')


def _mention(text: str, title: str) -> int:
    """Where a data set is named; not MNIST in Fashion-MNIST, nor in mnist_8k."""
    match = re.search(rf"(?<![\w-]){re.escape(title)}(?![\w-])", text)
    return match.start() if match else -1


def _table(text: str, asked: Assignment) -> Iterator[Disagreement]:
    rows = list(_rows(text))
    points = {}
    for line, cells in rows:
        check = _check_of(cells[0], asked)
        if check is not None and len(cells) >= 4:
            points[check] = _points(cells[-1])
            yield from _row(line, cells, check, asked)
        elif re.match(r"(?i)(total|sum|all of them|together)\b", cells[0]):
            total = _points(cells[-1])
            if total is not None and total != asked.points:
                said = f"{total:g} points in all"
                yield Disagreement(line, "checks", said, f"{asked.points:g} points in all")
        elif cells[0].strip("`") in ("EPOCHS", "BATCH_SIZE"):
            yield from _default(line, cells, asked)
    if points:
        yield from _not_said(points, asked)


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row of a table."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("|") and not re.fullmatch(r"[\s|:-]+", line):
            yield number, [cell.strip() for cell in line.strip().strip("|").split("|")]


def _check_of(rule: str, asked: Assignment) -> str | None:
    """The check that a row is about: the one that is asked, where two have one name."""
    own = {check.title.rstrip("."): check.name for check in asked.own_checks.checks}
    named = [name for name, known in facts.RULES.items() if known.name.lower() == rule.lower()]
    named += [own[rule]] if rule in own else []
    return next((name for name in named if name in asked.checks), next(iter(named), None))


def _points(cell: str) -> float | None:
    if cell in ("", "–", "-", "0"):
        return 0.0
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?: points?)?", cell)
    return float(match[1]) if match else None


def _row(line: int, cells: list[str], check: str, asked: Assignment) -> Iterator[Disagreement]:
    kind = asked.checks.get(check)
    if kind is None:
        yield Disagreement(line, f"checks.{check}", f"a rule: {cells[0]}", "no such check")
        return
    said = _points(cells[-1])
    if said is not None and said != kind.points:
        yield Disagreement(line, f"checks.{check}", f"{said:g} points", f"points = {kind.points:g}")
    required = {"yes": True, "required": True, "no": False, "advice": False}.get(cells[2].lower())
    if required is not None and required != kind.required:
        has = f"required = {str(kind.required).lower()}"
        yield Disagreement(line, f"checks.{check}", f"required: {cells[2]}", has)
    yield from _limit(line, cells[1], check, asked)


_COUNT = rf"(?:(?P<bound>{_FEWER}|{_MOST}|<)\s*)?(?P<number>[\d][\d,_]*)"
_PERCENT = r"(?P<number>\d+(?:\.\d+)?)\s*%"
_POINTS = r"(?P<number>\d+(?:\.\d+)?)\s*points?"
_LIMITS: Mapping[str, tuple[str, str]] = {
    "parameter_limit": ("limits.parameters", _COUNT),
    "epochs": ("limits.epochs", _COUNT),
    "receptive_field": ("limits.receptive_field", r"(?P<number>\d+)"),
    "accuracy": ("limits.accuracy", _PERCENT),
    "robust_noise": ("limits.robust_noise.accuracy", _PERCENT),
    "robust_shift": ("limits.robust_shift.accuracy", _PERCENT),
    "per_class": ("limits.per_class.accuracy", _PERCENT),
    "calibrated": ("limits.calibrated.error", _PERCENT),
    "fast_inference": ("limits.fast_inference.ratio", r"(?P<number>\d+(?:\.\d+)?) times"),
    "gradients_flow": ("limits.gradients_flow.share", r"(?P<number>0\.\d+)"),
    "stable": ("limits.stable.deviation", _POINTS),
    "no_overfit": ("limits.no_overfit.gap", _POINTS),
}
IN_PERCENT = (_PERCENT, _POINTS)


def _limit(line: int, cell: str, check: str, asked: Assignment) -> Iterator[Disagreement]:
    """The number in a row's limit; and which epochs count, where it is about accuracy."""
    key, pattern = _LIMITS.get(check, ("", ""))
    match = re.search(pattern, cell, re.IGNORECASE) if key else None
    if match is not None:
        limits = asked.limits
        number, has = _in_rules(key, asked)
        said = float(re.sub("[,_]", "", match["number"])) / (100 if pattern in IN_PERCENT else 1)
        if abs(said - number) > 1e-9:
            yield Disagreement(line, key, _shown(match), str(has))
        elif check == "parameter_limit" and match["bound"]:
            inclusive = not re.fullmatch(rf"{_FEWER}|<", match["bound"], re.IGNORECASE)
            if inclusive != limits.parameters.inclusive:
                yield Disagreement(line, key, _shown(match), str(has))
    if check == "accuracy":
        words = {"best epoch": "best", "last epoch": "last", "last three": "mean_last_3"}
        said_protocols = [name for said, name in words.items() if said in cell]
        if said_protocols and asked.protocol not in said_protocols:
            has = f'"{asked.protocol}"'
            yield Disagreement(line, "protocol", facts.protocol(said_protocols[0]), has)


def _in_rules(key: str, asked: Assignment) -> tuple[float, object]:
    """The number that stands under a key of the rules, and how it is written there."""
    found: object = asked
    for part in key.split("."):
        found = getattr(found, part)
    if isinstance(found, Bound):
        return found.number, f'"{found}"'
    assert isinstance(found, int | float)
    return found, found


def _default(line: int, cells: list[str], asked: Assignment) -> Iterator[Disagreement]:
    name, said = cells[0].strip("`"), cells[-1]
    has = asked.recipe.epochs if name == "EPOCHS" else asked.recipe.batch_size
    if said.isdigit() and int(said) != has:
        yield Disagreement(line, f"recipe.{name.lower()}", f"{name}: {said}", str(has))


def _not_said(points: Mapping[str, float | None], asked: Assignment) -> Iterator[Disagreement]:
    """Checks that earn points and have no row."""
    for name, check in asked.checks.items():
        if check.points and name not in points:
            has = f"points = {check.points:g}"
            yield Disagreement(None, f"checks.{name}", "no row in the table of rules", has)
