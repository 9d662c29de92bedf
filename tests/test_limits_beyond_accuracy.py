"""The limits of the checks beyond accuracy in assignment.toml: read, refused, said in the brief."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.assignment import load
from grader.checks.names import check_names
from grader.command.authoring import beyond_accuracy, briefing, facts, rules
from grader.errors import AssignmentError

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "assignments" / "mnist_8k" / "assignment.toml").read_text(encoding="utf-8")
NAMES = beyond_accuracy.TABLES


def asking(folder: Path, tables: str = "", *, names=NAMES, **changes: str):
    """mnist_8k with these checks and tables of limits; `changes` are keys of the file."""
    checks = "".join(f"{name} = {{ required = false, points = 1 }}\n" for name in names)
    text = TEXT.replace("\n[checks]\n", f"\n{tables}\n[checks]\n{checks}")
    for key, value in changes.items():
        line = next(line for line in text.splitlines() if line.startswith(f"{key} = "))
        text = text.replace(line, f"{key} = {value}")
    (folder / "mnist_8k").mkdir(exist_ok=True)
    (folder / "mnist_8k" / "assignment.toml").write_text(text, encoding="utf-8")
    return load(folder / "mnist_8k")


def refused(folder: Path, tables: str, **changes: str) -> str:
    with pytest.raises(AssignmentError) as caught:
        asking(folder, tables, **changes)
    return str(caught.value)


def test_they_are_off_in_the_assignments_that_ship():
    for name in ("mnist_8k", "mnist_20k"):
        assert not set(NAMES) & set(load(ROOT / "assignments" / name).checks)


def test_each_is_a_check_with_limits_of_its_own(tmp_path):
    asked = asking(tmp_path)
    assert set(NAMES) <= set(check_names())
    assert asked.limits.robust_noise.accuracy == 0.8
    tables = "[limits.robust_noise]\naccuracy = 0.97\ndeviation = 0.1\n[limits.stable]\nseeds = 5\n"
    asked = asking(tmp_path, tables)
    noise, stable = asked.limits.robust_noise, asked.limits.stable
    assert (noise.accuracy, noise.deviation, stable.seeds) == (0.97, 0.1, 5)
    assert stable.deviation == 0.002


@pytest.mark.parametrize(
    ("table", "line", "words"),
    [
        ("robust_noise", "acuracy = 0.9", 'Did you mean "accuracy"'),
        ("robust_nose", "accuracy = 0.9", 'Did you mean "robust_noise"'),
        ("robust_noise", "accuracy = 97", "0.994 is 99.4 %"),
        ("robust_noise", "deviation = 0", "more than 0"),
        ("robust_noise", "deviation = 40.0", "at most 1"),
        ("robust_shift", "pixels = 15", "write at most 14"),
        ("robust_shift", "pixels = 0", "at least 1"),
        ("robust_shift", "degrees = 180", "at most 45"),
        ("per_class", "spread = 2.0", "0.994 is 99.4 %"),
        ("calibrated", "error = 0", "0.994 is 99.4 %"),
        ("fast_inference", "ratio = 0", "more than 0"),
        ("fast_inference", "multiply_adds = 0", "at least 1"),
        ("gradients_flow", "share = 1.5", "0.994 is 99.4 %"),
        ("gradients_flow", "dead = 1", "less than 1"),
        ("stable", "seeds = 1", "at least 2"),
        ("stable", "seeds = 6", "more training runs than most_seeds = 5 allows"),
        ("no_overfit", "gap = -0.1", "0.994 is 99.4 %"),
    ],
)
def test_a_limit_that_nobody_can_meet_is_refused_with_its_key(tmp_path, table, line, words):
    said = refused(tmp_path, f"[limits.{table}]\n{line}\n")
    assert words in said
    assert table in said


def contradictions(asked):
    return {one.key: one for one in rules.contradictions(asked)}


def test_the_usual_limits_contradict_nothing(tmp_path):
    assert contradictions(asking(tmp_path)) == {}


@pytest.mark.parametrize(
    ("table", "line", "words"),
    [
        ("robust_noise.accuracy", "accuracy = 0.1", "guessing"),
        ("robust_noise.accuracy", "accuracy = 0.995", "limits.accuracy = 0.994"),
        ("robust_shift.accuracy", "accuracy = 0.999", "limits.accuracy = 0.994"),
        ("per_class.accuracy", "accuracy = 0.999", "limits.accuracy = 0.994"),
        ("calibrated.error", "error = 0.0007", "10,000 test images"),
        ("stable.deviation", "deviation = 0.0003", "10,000 test images"),
        ("no_overfit.gap", "gap = 0.0007", "10,000 test images"),
        ("fast_inference.multiply_adds", "multiply_adds = 2_000_000_000", "refuses more"),
    ],
)
def test_check_assignment_finds_a_limit_beyond_what_can_be(tmp_path, table, line, words):
    name = table.partition(".")[0]
    found = contradictions(asking(tmp_path, f"[limits.{name}]\n{line}\n"))
    assert found.keys() == {f"limits.{table}"}
    assert words in found[f"limits.{table}"].found


def test_what_is_written_as_the_least_limit_is_one_that_can_be(tmp_path):
    tables = "[limits.calibrated]\nerror = 0.0001\n[limits.stable]\ndeviation = 0.0001\n"
    said = [one.do for one in rules.contradictions(asking(tmp_path, tables))]
    assert said == ["Write at least 0.00078.", "Write at least 0.00039."]
    tables = "[limits.calibrated]\nerror = 0.00078\n[limits.stable]\ndeviation = 0.00039\n"
    assert contradictions(asking(tmp_path, tables)) == {}


def test_limits_of_a_check_that_is_not_asked_are_found(tmp_path):
    found = contradictions(asking(tmp_path, "[limits.stable]\nseeds = 3\n", names=()))
    assert found.keys() == {"limits.stable"}
    assert "stable = { required" in found["limits.stable"].do


def brief(asked) -> str:
    rows = [f"| {row.rule} | {row.limit} | {row.points:g} |" for row in facts.rows(asked)]
    return "\n".join(rows)


def row(asked, check: str) -> str:
    (found,) = (one for one in facts.rows(asked) if one.check == check)
    required = "yes" if found.required else "no"
    return f"| {found.rule} | {found.limit} | {required} | {found.points:g} |\n"


@pytest.mark.parametrize(
    ("check", "old", "new", "key"),
    [
        ("robust_noise", "80.0 %", "91.0 %", "robust_noise.accuracy"),
        ("robust_shift", "95.0 %", "94.0 %", "robust_shift.accuracy"),
        ("per_class", "98.0 %", "97.0 %", "per_class.accuracy"),
        ("calibrated", "2.0 %", "3.0 %", "calibrated.error"),
        ("fast_inference", "5 times", "3 times", "fast_inference.ratio"),
        ("gradients_flow", "0.1 of", "0.2 of", "gradients_flow.share"),
        ("stable", "0.2 points", "0.1 points", "stable.deviation"),
        ("no_overfit", "1 point", "2 points", "no_overfit.gap"),
    ],
)
def test_a_brief_is_held_to_each_limit(tmp_path, check, old, new, key):
    asked = asking(tmp_path, names=(check,))
    text = row(asked, check)

    def of_limits(said: str):
        found = briefing.disagreements(said, asked)
        return {one.key for one in found if one.key.startswith("limits.")}

    assert old in text
    assert of_limits(text) == set()
    assert f"limits.{key}" in of_limits(text.replace(old, new))


def test_a_brief_says_the_limits_that_are_optional_too(tmp_path):
    tables = (
        "[limits.per_class]\nspread = 0.02\n[limits.calibrated]\nwrong_confidence = 0.8\n"
        "[limits.fast_inference]\nmultiply_adds = 2_000_000\n[limits.robust_shift]\npixels = 1\n"
    )
    text = brief(asking(tmp_path, tables))
    for words in (
        "the best class at most 2 points above the worst",
        "wrong answers given with 80.0 % at most",
        "at most 2,000,000 multiply-adds",
        "moved by 1 pixel,",
    ):
        assert words in text
