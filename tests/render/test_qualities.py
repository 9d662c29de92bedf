"""What is measured beyond accuracy is said in the report's lines, and nothing where nothing was."""

from __future__ import annotations

import io

from rich.console import Console

from grader.render import figures, formats, qualities, terminal
from grader.report import read
from grader.storage import json_text
from tests import report_examples as examples
from tests.checks.beyond import alike, counted, relus, run, updates


def example():
    """An example's report, with qualities in two runs."""
    report = examples.ALL[0]()
    assert report.training is not None
    (first, *_) = report.training.runs
    runs = []
    for number, shift in ((0, 0), (1, 20)):
        found = run(
            noise=counted(9_600 + shift),
            shift=counted(9_800 + shift),
            rotation=counted(9_700 + shift),
            classes=tuple(counted(correct, 1_000) for correct in (998, 981, 999, 990)),
            calibration=alike(0.98, 10_000, 9_940),
            train=counted(9_970 + shift),
            updates=updates(0.1, 0.05, 0.85),
            relus=relus(24, 3),
        ).qualities
        runs.append(first.model_copy(update={"seed": number, "qualities": found}))
    training = report.training.model_copy(update={"runs": tuple(runs)})
    return report.model_copy(update={"training": training})


LINES = {
    "robust": "96.10 % noisy · 98.10 % moved · 97.10 % turned",
    "classes": "worst 1: 98.10 % · 3: 99.00 % · 0: 99.80 % · best 2: 99.90 %",
    "confidence": "off by 1.40 % (chance alone: 0.11 %) · 98.00 % sure when wrong",
    "by heart": "99.80 % of 10,000 training images, not augmented",
    "gradients": "least of the first update: layer2 5.00 %, layer1 10.00 %, layer3 85.00 % "
    "· 3 of 24 ReLU channels dead",
}


def test_there_is_a_line_for_each_thing_the_mean_of_the_runs():
    assert dict(qualities.lines(example().training)) == LINES


def test_they_stand_with_the_facts_of_training():
    names = [fact.name for fact in figures.facts(example().training)]
    assert names[-5:] == list(LINES)


def test_they_are_in_markdown_on_the_page_and_on_the_scorecard():
    for name in ("markdown", "html"):
        assert "98.10 % moved" in formats.render([example()], name)
    screen = Console(width=100, file=io.StringIO())
    screen.print(terminal.details(example()))
    assert "98.10 % moved" in screen.file.getvalue()


def test_a_run_without_them_says_nothing():
    training = examples.ALL[0]().training
    assert qualities.lines(training) == []


def test_they_are_the_same_after_the_way_to_json_and_back():
    report = example()
    assert read(json_text.of_report(report)) == report
