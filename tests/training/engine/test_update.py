"""The recorded optimizers take the steps that torch.optim takes: 50 of them, to rounding, whatever
the settings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from grader.errors import SubmissionError
from grader.program.recipe import Loss, Optimizer, OptimizerGroup, Plateau, Recipe, Run, Schedule
from grader.training.choices import OPTIMIZERS
from grader.training.engine.optimizer import Driver
from grader.training.engine.rules import RULES
from grader.training.engine.update import NotRecordableError, Update

STEPS = 50
SHAPES = {"filter": (3, 1, 2, 2), "bias": (3,), "matrix": (10, 7), "scale": (), "unused": (4,)}
WITHOUT_GRADIENT = {"unused"}

OWN_RANGE: dict[str, dict[str, list[Any]]] = {
    "SGD": {"momentum": [0.0, 0.5, 0.9], "dampening": [0.0, 0.3], "weight_decay": [0.0, 0.01]},
    "Adam": {
        "weight_decay": [0.0, 0.01],
        "amsgrad": [False, True],
        "decoupled_weight_decay": [False, True],
    },
    "AdamW": {"weight_decay": [0.0, 0.05], "amsgrad": [False, True]},
    "RMSprop": {
        "momentum": [0.0, 0.5],
        "alpha": [0.9, 0.99],
        "centered": [False, True],
        "weight_decay": [0.0, 0.01],
    },
    "NAdam": {
        "momentum_decay": [0.004, 0.05],
        "decoupled_weight_decay": [False, True],
        "weight_decay": [0.0, 0.01],
    },
    "RAdam": {"decoupled_weight_decay": [False, True], "weight_decay": [0.0, 0.01]},
    "Adagrad": {
        "lr_decay": [0.0, 0.1],
        "initial_accumulator_value": [0.0, 0.5],
        "weight_decay": [0.0, 0.01],
    },
    "Adadelta": {"rho": [0.9, 0.5], "weight_decay": [0.0, 0.01]},
}
SHARED_RANGE: dict[str, list[Any]] = {
    "betas": [(0.9, 0.999), (0.0, 0.99), (0.8, 0.9), (0.95, 0.5)],
    "eps": [1e-8, 1e-3],
    "maximize": [False, True],
    "nesterov": [False, True],
}
CYCLED = {"SGD", "RMSprop", "Adam", "AdamW", "NAdam", "RAdam"}


def choices(name: str) -> dict[str, list[Any]]:
    shared = {
        setting: values for setting, values in SHARED_RANGE.items() if setting in OPTIMIZERS[name]
    }
    return shared | OWN_RANGE[name]


def curve(values: Sequence[float]) -> tuple[Run, ...]:
    return tuple(Run(value=value, steps=1) for value in values)


def wave(low: float, high: float, phase: float = 0.0) -> list[float]:
    """Another value at every step."""
    return [low + (high - low) * (0.5 + 0.5 * math.sin(step / 3 + phase)) for step in range(STEPS)]


def recipe(name: str, *groups: Mapping[str, Any], cycled: bool = False, **changes: Any) -> Recipe:
    """Two parameter groups (the second has one parameter, and `extra` stays with nobody)."""
    members = [("filter", "bias", "matrix", "unused"), ("scale",)]
    groups = groups if len(groups) == 2 else groups * 2
    rates = [wave(0.001, 0.05), wave(0.002, 0.02, phase=1)]
    momenta = [wave(0.6, 0.95), wave(0.3, 0.8, phase=2)] if cycled else []
    fields: dict[str, Any] = {
        "epochs": 1,
        "batch_size": 1,
        "steps_per_epoch": STEPS,
        "optimizer": Optimizer(
            name=name,
            groups=tuple(
                OptimizerGroup(parameters=p, settings=dict(g))
                for p, g in zip(members, groups, strict=True)
            ),
        ),
        "schedule": Schedule(
            learning_rate=tuple(map(curve, rates)), momentum=tuple(map(curve, momenta))
        ),
        "loss": Loss(name="cross_entropy"),
        **changes,
    }
    return Recipe(**fields)


def weights(dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(0)
    shapes = {**SHAPES, "extra": (5, 2)}
    made = {
        name: nn.Parameter(torch.randn(shape, generator=random).to(dtype))
        for name, shape in shapes.items()
    }
    return {**made, "frozen": nn.Parameter(torch.ones(3), requires_grad=False)}


def gradients(learned: Mapping[str, Tensor], step: int) -> list[Tensor]:
    """The gradient of a bowl around 0.3, with noise that is the same for everybody: it follows what
    steps do.
    """
    random = torch.Generator().manual_seed(step)
    return [
        item.detach() - 0.3 + torch.randn(item.shape, generator=random) for item in learned.values()
    ]


def learned_of(everything: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: item
        for name, item in everything.items()
        if item.requires_grad and name not in WITHOUT_GRADIENT
    }


def by_torch(wanted: Recipe) -> tuple[dict[str, Tensor], list[Any]]:
    """The weights after all steps of the schedule, and the rate and momentum of each step."""
    everything = weights()
    driver = Driver(wanted, everything)
    seen = []
    for number in range(STEPS):
        driver.begin_step()
        learned = learned_of(everything)
        for item, gradient in zip(learned.values(), gradients(learned, number), strict=True):
            item.grad = gradient
        driver.step()
        seen.append((driver.learning_rate, driver.momentum))
    return everything, seen


def by_update(wanted: Recipe) -> tuple[dict[str, Tensor], list[Any]]:
    everything = weights()
    learned = learned_of(everything)
    update = Update(wanted, everything, list(learned.values()))
    seen = []
    for number in range(STEPS):
        with torch.no_grad():
            update.step(gradients(learned, number), torch.tensor(number))
        seen.append((update.learning_rate(number), update.momentum(number)))
    return everything, seen


def assert_equal_steps(wanted: Recipe) -> None:
    (theirs, their_curve), (ours, our_curve) = by_torch(wanted), by_update(wanted)
    for name, tensor in theirs.items():
        torch.testing.assert_close(
            ours[name].data, tensor.data, rtol=2e-5, atol=2e-6, msg=lambda m, n=name: f"{n}: {m}"
        )
    assert our_curve == their_curve
    assert all(ours[name].shape == tensor.shape for name, tensor in theirs.items())


def test_every_optimizer_of_a_program_has_a_rule_and_every_setting_is_tried():
    assert {name: choices(name).keys() for name in RULES} == {
        name: OPTIMIZERS[name] for name in RULES
    }


@pytest.mark.parametrize("cycled", [False, True], ids=["momentum stays", "momentum moves"])
@pytest.mark.parametrize("name", RULES)
def test_fifty_steps_with_default_settings_equal_torchs(name, cycled):
    if cycled and name not in CYCLED:
        pytest.skip("it has no momentum")
    assert_equal_steps(recipe(name, {}, cycled=cycled))


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        (name, setting, value)
        for name in RULES
        for setting, values in choices(name).items()
        for value in values
    ],
)
def test_fifty_steps_with_one_setting_equal_torchs(name, setting, value):
    needed = {"momentum": 0.9} if setting in ("nesterov", "dampening") else {}
    needed |= {"weight_decay": 0.01} if setting == "decoupled_weight_decay" else {}
    assert_equal_steps(recipe(name, {**needed, setting: value}))


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    name = draw(st.sampled_from(sorted(RULES)))
    groups = [
        {key: draw(st.sampled_from(values)) for key, values in choices(name).items()}
        for _ in range(2)
    ]
    cycled = name in CYCLED and draw(st.booleans())
    for group in groups:
        if group.get("nesterov"):
            group |= {"dampening": 0.0, "momentum": 0.9}
    clips = st.sampled_from(
        [{}, {"clip_value": 0.7}, {"clip_norm": 1.5}, {"clip_value": 0.7, "clip_norm": 1.5}]
    )
    return recipe(name, *groups, cycled=cycled, **draw(clips))


@given(recipes())
@settings(max_examples=20)
def test_fifty_steps_with_any_settings_of_each_group_equal_torchs(wanted):
    assert_equal_steps(wanted)


@pytest.mark.parametrize("name", RULES)
def test_the_comparison_notices_one_wrong_setting(name):
    setting, values = next(
        item for item in OWN_RANGE[name].items() if item[0] not in ("decoupled_weight_decay",)
    )
    (theirs, _), (ours, _) = (
        by_torch(recipe(name, {setting: values[0]})),
        by_update(recipe(name, {setting: values[-1]})),
    )
    assert not torch.allclose(theirs["matrix"], ours["matrix"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("clip", [{"clip_value": 0.3}, {"clip_norm": 0.5}, {"clip_norm": 100.0}])
def test_gradients_are_clipped_over_all_parameters_also_those_that_nobody_updates(clip):
    assert_equal_steps(recipe("SGD", {}, **clip))


def test_a_parameter_without_gradient_stays_and_one_outside_of_the_optimizer_too():
    before, after = weights(), by_update(recipe("AdamW", {"weight_decay": 0.1}))[0]
    assert all(torch.equal(before[name], after[name]) for name in ("unused", "extra", "frozen"))
    assert not any(
        torch.equal(before[name], after[name]) for name in ("filter", "bias", "matrix", "scale")
    )


def test_a_group_in_which_nothing_learns_is_passed_over():
    groups = (
        OptimizerGroup(parameters=("unused",), settings={}),
        OptimizerGroup(parameters=("matrix",), settings={}),
    )
    for clip in ({}, {"clip_value": 0.3}, {"clip_norm": 0.5}):
        assert_equal_steps(
            recipe("Adam", {}, optimizer=Optimizer(name="Adam", groups=groups), **clip)
        )


def test_after_a_reset_the_same_steps_follow():
    wanted = recipe("NAdam", {})
    everything = weights()
    learned = learned_of(everything)
    update = Update(wanted, everything, list(learned.values()))
    ends = []
    for _ in range(2):
        with torch.no_grad():
            for name, tensor in weights().items():
                everything[name].copy_(tensor)
            for number in range(5):
                update.step(gradients(learned, number), torch.tensor(number))
        ends.append(everything["matrix"].detach().clone())
        update.reset()
    assert torch.equal(*ends)


@pytest.mark.parametrize("name", ["SGD", "RMSprop"])
def test_momentum_that_is_zero_at_some_steps_only_is_refused_before_anything_moved(name):
    """torch.optim then leaves the velocity alone; RMSprop has none if the first step had none."""
    some = curve([0.0 if step % 7 == 3 else 0.9 for step in range(STEPS)])
    schedule = Schedule(learning_rate=(curve(wave(0.01, 0.02)),) * 2, momentum=(some, some))
    everything = weights()
    places = {key: tensor.data_ptr() for key, tensor in everything.items()}
    with pytest.raises(NotRecordableError, match="momentum is zero at some steps only"):
        Update(
            recipe(name, {}, schedule=schedule), everything, list(learned_of(everything).values())
        )
    assert {key: tensor.data_ptr() for key, tensor in everything.items()} == places


def test_beta1_that_is_zero_at_some_steps_only_is_followed():
    some = curve([0.0 if step % 7 == 3 else 0.9 for step in range(STEPS)])
    schedule = Schedule(learning_rate=(curve(wave(0.01, 0.02)),) * 2, momentum=(some, some))
    for name in ("Adam", "AdamW", "NAdam", "RAdam"):
        assert_equal_steps(recipe(name, {}, schedule=schedule))


def test_momentum_that_is_zero_at_all_steps_is_plain_descent():
    none = (curve([0.0] * STEPS),) * 2
    schedule = Schedule(learning_rate=(curve(wave(0.01, 0.02)),) * 2, momentum=none)
    for name in ("SGD", "RMSprop"):
        assert_equal_steps(recipe(name, {}, schedule=schedule))


@pytest.mark.parametrize("decoupled", [False, True], ids=["gradient", "decoupled"])
@pytest.mark.parametrize("name", RULES)
def test_weight_decay_that_moves_equals_torchs(name, decoupled):
    settings = {"weight_decay": 0.5}
    if "decoupled_weight_decay" in OPTIMIZERS[name]:
        settings["decoupled_weight_decay"] = decoupled
    elif decoupled:
        pytest.skip("it has no such setting")
    some = curve([0.0 if step % 7 < 3 else share for step, share in enumerate(wave(0.01, 0.2))])
    rates = (curve(wave(0.01, 0.02)),) * 2
    schedule = Schedule(learning_rate=rates, weight_decay=(some, curve([0.1] * STEPS)))
    assert_equal_steps(recipe(name, settings, schedule=schedule))
    still = recipe(name, settings, schedule=Schedule(learning_rate=rates))
    moved = by_update(recipe(name, settings, schedule=schedule))[0]
    assert not torch.allclose(moved["matrix"], by_update(still)[0]["matrix"], rtol=1e-3)


def test_parameters_in_double_precision_are_left_to_torch():
    everything = weights(torch.float64)
    with pytest.raises(NotRecordableError, match="some parameters are float64, not float32"):
        Update(recipe("SGD", {}), everything, list(learned_of(everything).values()))


def test_a_plateau_lowers_the_rate_of_the_following_steps():
    rule = Plateau(
        monitor="loss",
        mode="min",
        factor=0.5,
        patience=0,
        threshold=1e-4,
        threshold_mode="rel",
        cooldown=0,
        min_lr=(0.0, 0.01),
        eps=1e-8,
    )
    wanted = recipe("Adam", {}, plateau=rule)
    everything = weights()
    update = Update(wanted, everything, list(learned_of(everything).values()))
    first = update.learning_rate(0)
    assert first == update.learning_rate(STEPS - 1) == wanted.schedule.learning_rate[0][0].value
    rates = []
    for metric in (1.0, 1.0, 0.5, 0.6):
        update.tell(metric)
        rates.append(update.learning_rate(STEPS - 1))
    assert rates == [first, first / 2, first / 2, first / 4]


def test_settings_that_torch_refuses_are_the_students_to_fix():
    everything = weights()
    with pytest.raises(SubmissionError, match="Invalid weight_decay"):
        Update(
            recipe("SGD", {"weight_decay": -1.0}), everything, list(learned_of(everything).values())
        )
