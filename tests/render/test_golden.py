"""What every output looks like: files to be read in a diff. `pytest tests/render --update-golden`

The option writes `golden/` anew from today's code; without it the two must be equal, byte for byte.
"""

import io
from functools import partial
from itertools import chain
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from grader.checks import pages
from grader.render import card, explanation, formats, terminal
from grader.report import Verdict
from grader.storage import json_text
from tests import report_examples as examples
from tests.render import crowded
from tests.render.test_classroom50 import RUNNER

GOLDEN = Path(__file__).parent / "golden"
WIDTHS = (80, 100)
CLASS_WIDTHS = (80, 100, 140)
CARD_WIDTHS = (40, 80, 120, 200)
SCREENS = ((60, 20), (80, 24), (120, 40))
OF_ONE = ("gradescope", "classroom50")
"""Formats of one submission."""


def printed(*parts, width=80):
    """As on a terminal of that many columns, without its colours and the padding of its lines."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=False, legacy_windows=False)
    for part in parts:
        console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().split("\n")[:-1])


def under_names(draw, found):
    """What `draw` makes of each example, after a line with the example's name."""
    parts = []
    for example in found:
        parts += [Text(f"======== {example.__name__} ========"), draw(example())]
    return parts


def details(width):
    """What `--details` shows above the short scorecards."""
    return printed(*under_names(terminal.details, examples.ALL), width=width)


def a_card(report):
    return card.draw(report, Path("grades", report.assignment, report.submission, "report.json"))


def cards(width):
    """Every short scorecard; the file of one is in the current folder, so that it is quoted."""
    return printed(*under_names(a_card, examples.CARDS), width=width)


def crowded_cards(width, height):
    """One to eight failed checks, on a terminal of that size."""
    parts = []
    for number in range(1, len(crowded.FAILED) + 1):
        parts += [Text(f"======== {number} failed ========"), a_card(crowded.failed(number))]
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, height=height, force_terminal=True, color_system=None
    )
    for part in parts:
        console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().split("\n")[:-1])


def coloured():
    """As on a terminal with colours, each escape sequence in words that a diff can show."""
    return screen(color_system="standard", force_terminal=True).replace("\x1b[", "⟨")


def screen(**options):
    stream = io.StringIO()
    console = Console(file=stream, width=80, height=24, legacy_windows=False, **options)
    for part in under_names(a_card, (examples.passed, examples.quoted, examples.borderline)):
        console.print(part)
    return stream.getvalue()


def in_ascii():
    """As in a log that knows no other characters."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=stream, width=80, force_terminal=False, legacy_windows=False)
    for part in under_names(a_card, (examples.passed, examples.quoted, examples.rehearsed)):
        console.print(part)
    stream.flush()
    return stream.buffer.getvalue().decode()


def table(width):
    return printed(terminal.summary(reports()), width=width)


def reports():
    return [example() for example in examples.ALL]


def exported(name):
    found = [examples.failed()] if name in OF_ONE else reports()
    return formats.render(found, name)


def outputs():
    """The name of every golden file, and how its text is made."""
    found = {
        "report.json": lambda: json_text.of_report(examples.unknown()) + "\n",
        "card_ascii.txt": in_ascii,
        "card_colours.txt": coloured,
        "card_pipe.txt": lambda: screen(force_terminal=False),
        "explain.txt": lambda: printed(explanation.page(pages.load("dropout"))),
    }
    for width in WIDTHS:
        found[f"details_{width}.txt"] = partial(details, width)
    for width in CARD_WIDTHS:
        found[f"card_{width}.txt"] = partial(cards, width)
    for width, height in SCREENS:
        found[f"crowded_{width}x{height}.txt"] = partial(crowded_cards, width, height)
    for width in CLASS_WIDTHS:
        found[f"class_{width}.txt"] = partial(table, width)
    for name in formats.FORMATS:
        found[f"{name}.txt"] = partial(exported, name)
    return found


OUTPUTS = outputs()


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_output_is_as_it_was(name, request, monkeypatch, tmp_path):
    (tmp_path / examples.MODEL_PATH).write_text(examples.MODEL)
    (tmp_path / crowded.PATH).write_text(crowded.FILE)
    monkeypatch.chdir(tmp_path)
    for variable in (
        "FORCE_COLOR",
        "NO_COLOR",
        "COLUMNS",
        "TTY_COMPATIBLE",
        "NOX_CURRENT_SESSION",
        "UV",
    ):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in RUNNER.items():
        monkeypatch.setenv(variable, value)
    text = OUTPUTS[name]().encode()
    file = GOLDEN / name
    if request.config.getoption("--update-golden"):
        file.write_bytes(text)
    assert file.read_bytes() == text, "after a look at it: pytest tests/render --update-golden"


def test_every_golden_file_is_one_of_these_outputs():
    assert {file.name for file in GOLDEN.iterdir()} == set(OUTPUTS)


def test_the_golden_reports_have_every_verdict_that_a_report_can_have():
    verdicts = {report.verdict for report in reports()}
    assert verdicts == set(Verdict) - {Verdict.SKIPPED}  # which is a check's alone
    checks = chain.from_iterable(report.checks for report in reports())
    assert {check.verdict for check in checks} == set(Verdict) - {Verdict.PASSED_SO_FAR}
