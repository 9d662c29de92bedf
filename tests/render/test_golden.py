"""What every output looks like: files to be read in a diff. `pytest tests/render --update-golden`

The option writes `golden/` anew from today's code; without it the two must be equal, byte for byte.
"""

import io
from functools import partial
from itertools import chain
from pathlib import Path

import pytest
from rich.console import Console

from grader.checks import pages
from grader.render import explanation, formats, terminal
from grader.report import Verdict
from tests import report_examples as examples

GOLDEN = Path(__file__).parent / "golden"
WIDTHS = (80, 100, 140)


def printed(*parts, width=80):
    """As on a terminal of that many columns, without its colours and the padding of its lines."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=False, legacy_windows=False)
    for part in parts:
        console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().split("\n")[:-1])


def scorecards(width):
    """Every example's scorecard, after a line with the example's name."""
    parts = []
    for example in examples.ALL:
        parts += [f"======== {example.__name__} ========", terminal.scorecard(example())]
    return printed(*parts, width=width)


def table(width):
    return printed(terminal.summary(reports()), width=width)


def reports():
    return [example() for example in examples.ALL]


def outputs():
    """The name of every golden file, and how its text is made."""
    found = {
        "report.json": lambda: examples.unknown().model_dump_json(indent=2) + "\n",
        "explain.txt": lambda: printed(explanation.page(pages.load("dropout"))),
    }
    for width in WIDTHS:
        found[f"scorecard_{width}.txt"] = partial(scorecards, width)
        found[f"class_{width}.txt"] = partial(table, width)
    for name in formats.FORMATS:
        found[f"{name}.txt"] = lambda name=name: formats.render(reports(), name)
    return found


OUTPUTS = outputs()


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_output_is_as_it_was(name, request, monkeypatch):
    for variable in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(variable, raising=False)
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
