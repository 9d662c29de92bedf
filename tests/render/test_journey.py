"""The journey of a work in steps, and two works side by side, as people read them."""

import io
import json

import pytest
from rich.console import Console

from grader.render import card, html, journey, markdown, terminal, versus
from grader.report import Helped, Stated, StepRow, Verdict
from tests import report_examples as examples

BETTER = Helped(difference=0.0134, margin=0.0017, answer="better", seeds=2)
NOISE = Helped(difference=-0.0002, margin=0.0011, answer="within noise", seeds=240)
FIRST = StepRow(
    name="step_1",
    title="Step 1",
    report="ada/step_1",
    verdict=Verdict.PASSED,
    points=25,
    max_points=25,
    parameters=1_674,
    receptive_field=(10, 10),
    accuracy=0.9577,
    spread=0.0059,
    seeds=5,
    protocol="best",
    claimed=0.9658,
    stated=(Stated(part="result", text="96.58 % in the best epoch", place="step_1.py, line 3"),),
)
SECOND = FIRST.model_copy(
    update={
        "name": "step_2",
        "title": "Step 2",
        "verdict": Verdict.FAILED,
        "stated": (),
        "network": ("+ BatchNorm after each convolution", "16 → 12 channels in convolution 3"),
        "recipe": (),
        "helped": BETTER,
    }
)


def report(*steps):
    return examples.passed().model_copy(update={"steps": steps or (FIRST, SECOND)})


def printed(part, width=100):
    console = Console(width=width, file=io.StringIO())
    console.print(part)
    return console.file.getvalue()


def test_a_step_in_a_row():
    assert journey.cells(FIRST) == (
        "✓",
        "Step 1",
        "1,674",
        "10 px",
        "95.77 ± 0.59 %, n = 5",
        "96.58 %",
    )


def test_a_step_that_was_not_trained_and_cannot_be_read():
    empty = StepRow(
        name="a",
        title="A",
        report="x/a",
        verdict=Verdict.FAILED,
        points=0,
        max_points=5,
        problem="No.",
    )
    assert journey.cells(empty) == ("✗", "A", "–", "–", "–", "–")
    assert journey.changes(empty) == [("problem", "No.")]
    assert journey.in_short(empty) == "nothing that could be graded"


def test_what_changed_and_whether_it_helped():
    assert journey.changes(SECOND) == [
        ("network", "+ BatchNorm after each convolution; 16 → 12 channels in convolution 3"),
        ("recipe", "the same"),
        ("helped", "better beyond noise: +1.34 ± 0.17 points (best epoch)"),
    ]


def test_a_difference_within_noise_says_how_many_seeds_it_takes():
    assert journey.helped(NOISE) == (
        "within noise: −0.02 ± 0.11 points. If it is real, 240 seeds of each would show it, in "
        "four of five attempts."
    )
    small = NOISE.model_copy(update={"seeds": None})
    assert "takes more than 1,000 seeds" in journey.helped(small)


def test_the_short_scorecard_has_a_line_for_each_step():
    text = printed(card.draw(report()), width=80)
    assert "✓ 1,674 parameters · 10 px · 95.77 ± 0.59 %, n = 5" in text
    assert "better by 1.34" in text


@pytest.mark.parametrize("write", [markdown.render, html.render])
def test_the_journey_stands_on_every_page(write):
    text = write([report()])
    for said in ("The journey", "BatchNorm after each convolution", "better beyond noise", "96.58"):
        assert said in text


def test_the_journey_stands_above_all_else_in_the_details():
    text = printed(terminal.details(report()))
    assert text.index("The journey") < text.index("“96.58 % in the best epoch”")
    assert "The journey" not in printed(terminal.details(examples.passed()))


def side_by_side(**more):
    found = {
        "before": examples.passed(),
        "after": examples.borderline(),
        "network": ("16 → 12 channels in convolution 3",),
        "recipe": (),
        "helped": NOISE,
        **more,
    }
    return versus.Versus(**found)


def test_two_works_side_by_side():
    text = printed(versus.draw(side_by_side()))
    assert "16 → 12 channels in convolution 3" in text
    assert "The difference is within noise: −0.02 ± 0.11 points" in text
    assert "second − first" in text


def test_the_curves_of_two_trainings_of_different_length():
    longer, shorter = examples.passed(), examples.passed()
    run = shorter.training.runs[0]
    cut = run.model_copy(update={"epochs": run.epochs[:2]})
    training = shorter.training.model_copy(update={"runs": (cut,)})
    shorter = shorter.model_copy(update={"training": training})
    rows = versus.curves(side_by_side(before=longer, after=shorter))
    assert rows[0][0] == 1
    assert rows[1][2] is not None
    assert rows[2][2] is None
    assert "–" in printed(versus.draw(side_by_side(before=longer, after=shorter)))


def test_what_was_not_trained_cannot_be_told_apart():
    untrained = examples.passed().model_copy(update={"training": None})
    text = versus.meaning(side_by_side(before=untrained, helped=None))
    assert text.startswith("Not known: ")
    assert "Curves" not in printed(versus.draw(side_by_side(before=untrained, helped=None)))
    both = side_by_side(before=untrained, after=untrained, helped=None)
    assert "both works were not trained" in versus.meaning(both)


def test_the_facts_are_json_values():
    found = versus.facts(side_by_side())
    assert found["difference"] == NOISE.model_dump(mode="json")
    assert found["first"]["accuracy"] == examples.passed().training.score
    assert found["recipe"] == ()
    assert json.loads(json.dumps(found))["meaning"].startswith("The difference is within noise")
