"""The explanations of the checks: there is one for each, and its examples come out as it says."""

import importlib
import io
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
from rich.console import Console

from grader.assignment import Check
from grader.checks import pages, plugin
from grader.checks.names import check_names
from grader.judging import judge, starting, trial
from grader.options import Options
from grader.render import explanation
from grader.report import CheckResult, Verdict
from grader.submission import write_up
from grader.submission.submission import UsageError
from grader.training.records import Ending
from tests.checks import beyond
from tests.static_grading import every_check, plain, report

ROOT = Path(__file__).parents[2]
CHECKS = ROOT / "grader" / "checks"
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def result(name: str, example: pages.Example) -> CheckResult:
    """What the check says about an example: a submission, or a training in words."""
    if name == "stated_result":
        checks = stated(example.text)
    elif example.language == "python":
        found = report(example.text)
        assert found.problem is None
        checks = found.checks
    else:
        numbers = [number.replace(",", "") for number in NUMBER.findall(example.text)]
        if name in beyond.EXAMPLES:
            return beyond.of_page(name, list(map(float, numbers)))
        checks = trained(*map(int, numbers))
    return next(check for check in checks if check.name == name)


def trained(number: int, total: int = 0, shaded: int = 0) -> tuple[CheckResult, ...]:
    """The checks on one run: `number` of `total` images correct, or so many seconds.

    `shaded` are recognised when they are a shade different.
    """
    every = every_check()
    asked = {name: every.checks[name] for name in ("accuracy", "steady", "time_budget")}
    assignment = every.model_copy(update={"checks": asked})
    limits = assignment.limits
    share = Fraction(number, total or number)
    judgement = judge.verdict([share], judge.exact(limits.accuracy), images=10_000)
    run = SimpleNamespace(
        seconds=float(number), side_by_side=1, device="cpu", ending=Ending(finished=True)
    )
    last = SimpleNamespace(correct=number, total=total)
    row = SimpleNamespace(epochs=[last], dimmed=shaded, noisy=shaded)
    training = SimpleNamespace(
        protocol="best", threshold=limits.accuracy, practice=False, runs=[row]
    )
    done = trial.Trial((run,), ((number,),), judgement, training, interrupted=False)
    known = plugin.Known(
        assignment=assignment,
        options=Options(train_anyway=True),
        analysis=mock.MagicMock(),
        behaviour=mock.MagicMock(),
        training=starting.Training(lambda: done),
    )
    return plain(plugin.run_checks(known))


def stated(text: str) -> tuple[CheckResult, ...]:
    """The check on a stated result: "claimed 99.54 %, measured 99.46 ± 0.05, n = 3"."""
    claimed, mean, spread, runs = map(float, re.findall(r"\d+(?:\.\d+)?", text))
    images = 10_000_000  # so that scores of exactly that spread can be had
    # As many above the mean as below: each as far away as gives that standard deviation.
    away = spread * ((runs - 1) / (runs - runs % 2)) ** 0.5
    places = [away, -away] * int(runs // 2) + [0.0] * int(runs % 2)
    rows = []
    for place in places:
        epoch = SimpleNamespace(correct=round((mean + place) / 100 * images), total=images)
        rows.append(SimpleNamespace(epochs=[epoch]))
    training = SimpleNamespace(runs=rows, protocol="best", test_images=10_000)
    every = every_check()
    known = plugin.Known(
        assignment=every.model_copy(
            update={"checks": {"stated_result": Check(required=True, points=5)}}
        ),
        options=Options(train_anyway=True),
        analysis=mock.MagicMock(),
        behaviour=mock.MagicMock(),
        training=starting.Training(lambda: SimpleNamespace(training=training, skipped="")),
        write_up=write_up.WriteUp(result=write_up.Statement(f"{claimed} %", "net.py")),
    )
    return plain(plugin.run_checks(known))


def told(check: CheckResult) -> tuple[str, ...]:
    hints = (f"line {hint.line}: {hint.text}" if hint.line else hint.text for hint in check.hints)
    return (check.measured, check.detail, *hints)


@pytest.mark.parametrize("name", check_names())
def test_the_passing_example_passes(name):
    assert result(name, pages.load(name).passes).verdict is Verdict.PASSED


@pytest.mark.parametrize("name", check_names())
def test_the_failing_example_fails_and_is_told_exactly_that(name):
    explained = pages.load(name)
    check = result(name, explained.fails)
    assert check.verdict is Verdict.FAILED
    assert told(check) == explained.told


@pytest.mark.parametrize("name", check_names())
def test_an_explanation_is_headed_by_the_line_on_the_scorecard(name):
    functions = [getattr(load(file), f"test_{name}", None) for file in CHECKS.glob("test_*.py")]
    (check,) = filter(None, functions)
    assert pages.load(name).title == check.__doc__


def load(file: Path):
    return importlib.import_module(f"grader.checks.{file.stem}")


def test_every_markdown_file_beside_the_checks_explains_one():
    assert {file.stem for file in CHECKS.glob("*.md")} == set(check_names())


def test_a_misspelt_check_is_told_the_nearest_one():
    with pytest.raises(UsageError, match=r"There is no check 'droput'.*Did you mean \"dropout\""):
        pages.load("droput")


def shown(part) -> str:
    console = Console(width=100, file=io.StringIO())
    console.print(part)
    return console.file.getvalue()


def test_a_page_shows_meaning_reason_and_both_examples():
    page = shown(explanation.page(pages.load("gap")))
    assert "gap: Global average pooling ends the network" in page
    assert "Why it matters" in page
    assert (
        page.index("✓ passes")
        < page.index("self.gap = nn.AdaptiveAvgPool2d(1)")
        < page.index("✗ fails")
    )
    assert "→ line 8: This pools windows of one pixel" in page


def test_the_list_has_a_line_for_each_check():
    lines = shown(explanation.listing([pages.load(name) for name in check_names()]))
    assert all(re.search(rf"^ {name}  ", lines, flags=re.MULTILINE) for name in check_names())


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-X", "importtime", "-m", "grader", "explain", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command_explains_without_torch():
    done = run("dropout")
    assert done.returncode == 0
    assert "F.dropout" in done.stdout
    assert not re.search(r"\| +torch$", done.stderr, flags=re.MULTILINE)


def test_an_unknown_check_is_wrong_usage():
    done = run("droput")
    assert done.returncode == 2
    assert 'Did you mean "dropout"?' in done.stderr
