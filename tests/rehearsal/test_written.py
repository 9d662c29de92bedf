"""What `grader recipe --write` prints, pasted into the file, is read as the same recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grader import assignment as assignments
from grader import pipeline
from grader.render import convention
from grader.submission.find import discover
from tests.rehearsal.cases import Case, all_cases
from tests.rehearsal.comparing import differences, steps

ROOT = Path(__file__).parents[2]
ASKED = assignments.load(ROOT / "assignments" / "mnist_20k")
IMAGES = 60_000
UNNAMED = "# not part of the convention: "
CHOSEN = (
    "all_at_top_level",
    "function_with_defaults",
    "frozen_first_layer",
    "multi_step_before_training",
    "one_cycle_per_batch",
    "one_cycle_per_epoch",
    "lambda_warm_up",
    "rate_set_by_hand",
    "a_rate_for_each_layer",
    "groups_without_decay",
    "plateau_on_test_loss",
    "plateau_on_training_loss",
    "stop_at_99_4",
    "transforms_v2",
    "random_apply_crop",
    "class_weights",
    "clip_norm",
    "folder_of_files",
    "lightning_script",
    "session_five",
    "label_smoothing",
    "three_models_last_counts",
    "l1_term",
    "decay_switched_off",
    "drop_last",
    "random_split_50000",
    "early_stopping_class",
    "stop_at_training_accuracy",
)
CASES = {case.name: case for case in all_cases()}


def told(path: Path, proven) -> pipeline.Told:
    (submission,) = discover([path], {"mnist_20k": ASKED}, root=ROOT, assignment="mnist_20k")
    return pipeline.recipe(submission, ASKED, proven)


def source(found: pipeline.Told) -> str:
    return convention.written(
        found.recipe, found.scheduler, network=found.network, trains_all=found.trains_all
    )


def pasted(case: Case, text: str) -> Case:
    """The case with the settings at the end of its main file, or in a last cell."""
    main = case.files[case.main]
    if case.main.endswith(".ipynb"):
        stored = json.loads(main)
        cells = stored["cells"] if "cells" in stored else stored["worksheets"][0]["cells"]
        cells.append({"cell_type": "code", "metadata": {}, "outputs": [], "source": text})
        main = json.dumps(stored)
    else:
        main += f"\n\n{text}"
    return Case(case.name, case.expected, {**case.files, case.main: main}, case.main)


@pytest.mark.parametrize("name", CHOSEN)
def test_a_file_with_its_written_recipe_is_trained_the_same(name, proven, tmp_path):
    case = CASES[name]
    first = told(case.write(tmp_path / "first"), proven)
    assert first.recipe.origin == "rehearsed"
    text = source(first)
    assert UNNAMED not in text
    second = told(pasted(case, text).write(tmp_path / "second"), proven)
    assert second.recipe.origin == "convention"
    expected = steps(case, train_images=IMAGES, held_back=ASKED.validation_images(IMAGES))
    assert differences(case, second.recipe, steps_per_epoch=expected) == []


def test_rates_by_a_rule_of_ones_own_that_are_too_many_to_write_are_said(proven, tmp_path):
    case = CASES["warm_up_by_hand_in_steps"]
    text = source(told(case.write(tmp_path), proven))
    assert "# The learning rate moves at every step, by a rule of your own" in text
    assert "lr=0.0004" in text  # the first step of the warm-up: 0.2 / 500
