"""What a command ends with: the worst of what its reports say."""

from pathlib import Path

import pytest

from grader import assignment
from grader.command import session
from grader.report import Verdict
from tests import report_examples as examples

KNOWN = assignment.load_all(Path(__file__).parents[1])


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.PASSED, 0),
        (Verdict.PASSED_SO_FAR, 0),
        (Verdict.BORDERLINE, 0),
        (Verdict.FAILED, 1),
        (Verdict.UNKNOWN, 1),
        (Verdict.BROKEN, 3),
    ],
)
def test_a_verdict_has_its_exit_code(verdict, code):
    assert session.exit_code([examples.report(verdict=verdict)], KNOWN) == code


def test_every_verdict_has_an_exit_code():
    assert set(session.EXIT) == set(Verdict)


def test_a_close_call_that_earns_no_points_is_a_failure():
    stern = KNOWN["mnist_8k"].model_copy(update={"borderline_earns_points": False})
    assert session.exit_code([examples.borderline()], {"mnist_8k": stern}) == 1


def test_the_worst_report_decides():
    reports = [examples.passed(), examples.unknown(), examples.broken(), examples.failed()]
    assert session.exit_code(reports[:2], KNOWN) == 1
    assert session.exit_code(reports, KNOWN) == 3
    assert session.exit_code([], KNOWN) == 0
