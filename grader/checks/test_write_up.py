"""Whether the work says what it was to reach, what it reached, and why."""

from grader.judging.stated import StatedResult
from grader.report import Hint


def test_write_up(write_up, show):
    """The work states its target, its result and its analysis."""
    missing = write_up.missing
    found = [part for part in ("target", "result", "analysis") if part not in missing]
    example = "Result: 98.91 %, 5,208 parameters."
    where = "in the docstring, in a Markdown cell or in the README"
    hint = Hint(text=f"Write a line for each {where}: {example}")
    show(
        measured=", ".join(found) or "none of the three",
        asked="target, result, analysis",
        value=len(found),
        relation=">=",
        limit=3,
        unit="statements",
        hints=[hint],
    )
    assert not missing, f"it does not state its {' and its '.join(missing)}"


def test_stated_result(write_up, parameters, training, show, skip):
    """The stated result is what is measured."""
    stated = StatedResult(write_up, parameters.counted, training.training)
    show(
        measured=stated.measured or "no accuracy is stated",
        asked="no more than chance above",
        hints=[Hint(text="State what the grader measures: its mean, and how many runs.")],
    )
    if write_up.accuracy is None and write_up.parameters is None:
        skip("the result states no accuracy and no parameters")
    if training.skipped:
        skip(training.skipped)
    assert not stated.wrong, "; ".join(stated.wrong)
