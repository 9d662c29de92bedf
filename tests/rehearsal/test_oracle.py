"""A plain run of the same file, on tiny data with real torch, did what its rehearsal says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grader.program.rehearsed import Rehearsal, RehearsalRequest
from grader.sandbox.ending import Limits
from tests.rehearsal import oracle
from tests.rehearsal.cases import all_cases
from tests.rehearsal.comparing import NAMES, spread

CASES = {case.name: case for case in all_cases() if case["oracle"]}
LIMITS = Limits(seconds=60, memory_bytes=2**33, subject="The training", too_long="")


@pytest.fixture(scope="module")
def really(tmp_path_factory):
    """What each script really did, by its name."""
    folder = tmp_path_factory.mktemp("oracle")
    arguments: list[str] = []
    for name, case in CASES.items():
        case.write(folder / name)
        arguments += [str(folder / name), case.main]
    script = Path(oracle.__file__)
    ran = subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, check=True
    )
    return dict(zip(CASES, map(json.loads, ran.stdout.splitlines()), strict=True))


@pytest.fixture(scope="module")
def rehearsed(sandbox):
    """Rehearse for as many images as the oracle has, on a machine like the oracle's."""

    def rehearse(case):
        request = RehearsalRequest(
            listing=case.listing,
            cuda=False,
            seconds=10,
            dataset="mnist",
            train_images=oracle.TRAIN,
            test_images=oracle.TEST,
            input_shape=(1, 28, 28),
            classes=10,
            most_steps=100_000,
        )
        asked = request.model_dump(mode="json")
        (said,) = sandbox.run(asked, LIMITS, kind="rehearse", prepare=["torchvision"])
        return Rehearsal.model_validate_json(said).counting

    return rehearse


def test_there_are_twenty_of_them():
    assert len(CASES) >= 20


@pytest.mark.parametrize("name", CASES)
def test_a_rehearsal_is_what_torch_really_does(name, really, rehearsed):
    real, training = really[name], rehearsed(CASES[name])
    assert real["ended"] == "well"
    recipe = training.recipe
    assert recipe is not None, training.obstacles
    assert [recipe.optimizer.name] == real["optimizers"]
    assert curves(recipe) == real_curves(real["steps"], recipe)
    assert losses(recipe) == real["losses"]
    assert clips(recipe) == real["clips"]


@pytest.mark.parametrize("name", CASES)
def test_what_is_expected_is_what_the_images_really_went_through(name, really):
    expected = CASES[name]["transform"]
    shown = [repr(item) for item in eval(f"[{expected}]", NAMES)]
    assert really[name]["transform"] in (None, shown)


def curves(recipe):
    """(learning rate, momentum, weight decay) of each group in every step."""
    schedule = recipe.schedule
    found = {}
    for number, group in enumerate(recipe.optimizer.groups):
        decay = [group.settings["weight_decay"]] * recipe.steps
        if schedule.weight_decay:
            decay = spread(schedule.weight_decay[number])
        momentum = spread(schedule.momentum[number]) if schedule.momentum else None
        found[number] = (spread(schedule.learning_rate[number]), momentum, decay)
    return found


def real_curves(steps, recipe):
    """The same of what was seen; a momentum that an optimizer does not have is None."""
    found = {}
    for number in range(len(recipe.optimizer.groups)):
        rates, momenta, decays = (
            list(values) for values in zip(*(now[number] for now in steps), strict=True)
        )
        found[number] = (rates, momenta if recipe.schedule.momentum else None, decays)
    return found


def losses(recipe):
    """As the oracle writes them."""
    name = {"nll": "nll_loss"}.get(recipe.loss.name, recipe.loss.name)
    return [[name, recipe.loss.label_smoothing, recipe.loss.reduction]]


def clips(recipe):
    """As the oracle writes them."""
    given = [["norm", recipe.clip_norm], ["value", recipe.clip_value]]
    return [clip for clip in given if clip[1] is not None]
