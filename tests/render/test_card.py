"""The short scorecard: all that a student needs, on the last screen of 80 x 24."""

import io
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from grader.render import card, card_checks, next_step
from grader.report import Placed, Verdict
from tests import report_examples as examples
from tests.render import hostile


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch, tmp_path):
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "NOX_CURRENT_SESSION", "UV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path(examples.MODEL_PATH).write_text(examples.MODEL)


def shown(report, width=80, **options):
    stream = io.StringIO()
    console = Console(file=stream, width=width, legacy_windows=False, **options)
    file = Path("grades", report.assignment, report.submission, "report.json")
    console.print(card.draw(report, file))
    return stream.getvalue()


@pytest.mark.parametrize("example", examples.CARDS)
def test_it_fits_on_a_screen_with_the_prompt_and_two_lines_of_nox(example):
    lines = shown(example()).splitlines()
    assert len(lines) <= 24 - 3
    assert max(map(cell_len, lines)) <= 80


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("example", examples.CARDS)
def test_it_says_verdict_points_report_and_what_is_next(example, width):
    report = example()
    text = "".join(shown(report, width).split())
    points = f"{report.points:g}of{report.max_points:g}points"
    for part in (points, "report.json", "next"):
        assert part in text


def test_each_failed_check_has_its_first_hint_with_a_place_and_the_line_beside_it():
    text = shown(examples.quoted())
    for place, words, hint in (
        ("model.py:9", "self.conv2 = nn.Conv2d(32, 80, 3)", "conv2 holds 23,120 of them"),
        ("model.py:10", "self.drop = nn.Dropout(0.05)", "self.drop is made here"),
        ("model.py:16", "return self.head(x).mean((2, 3))", "The mean leaves out a border."),
    ):
        assert f"→ {place}  {words}" in text
        assert hint in text


def test_one_failed_check_is_told_with_the_class_and_function_of_the_line():
    one = examples.quoted()
    text = shown(one.model_copy(update={"checks": one.checks[:2]}))
    assert "→ model.py:9  in Net.__init__" in text
    assert "9 │ self.conv2 = nn.Conv2d(32, 80, 3)" in text


def test_more_failed_checks_than_a_screen_holds_are_named():
    assert "and 6 more: check 6, check 7" in shown(examples.everything_failed())


@pytest.mark.parametrize(
    ("example", "said"),
    [
        (examples.rehearsed, "yours, as you handed it in: 15 epochs of 469 steps"),
        (examples.obstructed, "the assignment's: yours could not be used, 1 of 2 reasons:"),
    ],
)
def test_it_says_whose_recipe_was_trained(example, said):
    assert said in shown(example())


def test_a_recipe_that_could_not_be_used_says_where_and_why():
    text = shown(examples.obstructed())
    assert "train.py:57" in text
    assert "The learning rate is set by a rule that reads the test images." in text


@pytest.mark.parametrize(
    ("example", "command"),
    [
        (examples.quoted, "grader explain parameter_limit"),
        (examples.quoted, "grader grade model.py --assignment mnist_8k --static"),
        (examples.edited, "grader grade 'assignments/mnist_8k/submissions/José"),
        (examples.borderline, "grader explain accuracy"),
        (examples.uncaptured, "grader grade assignments/mnist_8k/submissions/bob.py --static"),
        (examples.practice, "--data FOLDER"),
    ],
)
def test_the_next_command_is_ready_to_paste(example, command):
    assert command in shown(example())


def test_what_nox_says_below_has_its_room(monkeypatch):
    # 14 + 22 + 11 + 51 + 24 characters: two lines of 80, then one for the session
    monkeypatch.setenv("NOX_CURRENT_SESSION", "grade")
    monkeypatch.setattr("sys.argv", ["grader", "grade", "my_model.py", "--assignment", "mnist_20k"])
    assert next_step.lines_of_nox(1, 80) == 3
    assert next_step.lines_of_nox(0, 80) == 1
    assert len(shown(examples.everything_failed()).splitlines()) <= 24 - 3 - 1
    monkeypatch.delenv("NOX_CURRENT_SESSION")
    assert next_step.lines_of_nox(1, 80) == 0


def test_a_report_outside_of_grades_is_named_by_its_folder():
    step = next_step.more(examples.passed(), Path("elsewhere/mnist_8k/alice/report.json"))
    assert step.command == "grader report elsewhere/mnist_8k/alice"


@pytest.mark.parametrize("text", ["[bold]x[/]", "\x1b[2J", "\u202e", "$(reboot)", "a\nb" * 30])
def test_hostile_strings_are_text(text):
    screen = shown(hostile.everywhere(text))
    assert not set(screen) & set("\x1b\u202e\r\x07")
    assert max(map(cell_len, screen.splitlines())) <= 80


def test_a_command_with_a_hostile_path_is_quoted_for_the_shell():
    one = examples.quoted().model_copy(update={"path": "a;$(reboot) b.py"})
    assert next_step.again(one) == "grader grade 'a;$(reboot) b.py' --assignment mnist_8k"


def test_forced_colours_and_none(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    plain = shown(examples.failed(), force_terminal=True)
    codes = {code for part in plain.split("\x1b[")[1:] for code in part.split("m")[0].split(";")}
    assert codes <= {"0", "1", "2", "3"}
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in shown(examples.failed())


@pytest.mark.parametrize("example", examples.CARDS)
def test_every_verdict_has_a_next_step(example):
    assert all(step.use for step in next_step.steps(example()))
    assert isinstance(example().verdict, Verdict)


def test_a_place_without_a_line_quotes_nothing():
    assert str(card_checks.place_text(examples.quoted(), Placed())) == "model.py"


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_place_is_never_cut(width):
    text = "".join(shown(examples.everything_failed(), width).split())
    shown_checks = text.count("✗") - 1  # one is the verdict
    assert shown_checks >= 1
    for line in range(1, shown_checks + 1):
        assert f"submissions/alice.py:{line}Line{line}iswhereitbelongs." in text
