"""Training follows the recipe: held to plain PyTorch loops, bit for bit, over optimizers, schedules
and clipping.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import lr_scheduler

from grader import network
from grader.errors import GraderError, SubmissionError
from grader.program.program import Program, read
from grader.training.choices import OPTIMIZERS
from grader.training.data import Look, TrainingData
from grader.training.device import choose, describe
from grader.training.engine.loop import epoch_batches, order, seeds, train
from grader.training.engine.optimizer import expand
from grader.training.records import INTERRUPTED, Ending, Epoch, Feedback, TrainingRun
from grader.training.run import train_seeds
from grader.training.task import Task

SEED = 3
BATCH = 16
EPOCHS = 3
STEPS = 3  # 40 images in batches of 16: 16, 16, 8


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 5, stride=3)
        self.norm = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4, 10)

    def forward(self, images):
        return self.linear(F.relu(self.norm(self.conv(images))).mean((2, 3)))


def tiny() -> Tiny:
    torch.manual_seed(0)
    return Tiny()


def graph(*, training: bool, dropout: float = 0.0) -> dict[str, Any]:
    def weight(name: str, shape: list[int]) -> dict[str, Any]:
        return {"name": name.replace(".", "_"), "op": "weight", "arguments": [name], "shape": shape}

    def call(name: str, op: str, *arguments: Any, shape: list[Any]) -> dict[str, Any]:
        return {
            "name": name,
            "op": f"aten.{op}",
            "arguments": list(arguments),
            "shape": shape,
            "dtype": "float32",
        }

    def ref(name: str) -> dict[str, str]:
        return {"node": name.replace(".", "_")}

    norm = [ref(f"norm.{part}") for part in ("weight", "bias", "running_mean", "running_var")]
    return {
        "nodes": [
            {"name": "x", "op": "input", "shape": ["N", 1, 28, 28], "dtype": "float32"},
            *(
                weight(name, list(tensor.shape))
                for name, tensor in tiny().state_dict().items()
                if tensor.ndim
            ),
            call(
                "a",
                "conv2d.default",
                ref("x"),
                ref("conv.weight"),
                ref("conv.bias"),
                [3, 3],
                shape=["N", 4, 8, 8],
            ),
            call(
                "b",
                "batch_norm.default",
                ref("a"),
                *norm,
                training,
                0.1,
                1e-5,
                True,
                shape=["N", 4, 8, 8],
            ),
            call("c", "relu.default", ref("b"), shape=["N", 4, 8, 8]),
            call("d", "dropout.default", ref("c"), dropout, training, shape=["N", 4, 8, 8]),
            call("e", "mean.dim", ref("d"), [2, 3], shape=["N", 4]),
            call(
                "f",
                "linear.default",
                ref("e"),
                ref("linear.weight"),
                ref("linear.bias"),
                shape=["N", 10],
            ),
        ],
        "output": "f",
    }


def program(*, dropout: float = 0.0, trainable: bool = True, **recipe: Any) -> Program:
    weights = [
        {
            "name": name,
            "kind": "parameter" if isinstance(tensor, nn.Parameter) else "buffer",
            "shape": list(tensor.shape),
            "dtype": "float32",
            "trainable": trainable and isinstance(tensor, nn.Parameter),
            "storage": name,
        }
        for name, tensor in tiny().state_dict(keep_vars=True).items()
        if tensor.ndim
    ]
    names = [weight["name"] for weight in weights if weight["kind"] == "parameter"]
    optimizer = {"name": "SGD", "groups": [{"parameters": names, "settings": {}}]}
    settings: dict[str, Any] = {
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "steps_per_epoch": STEPS,
        "optimizer": optimizer,
        "schedule": {"learning_rate": [[{"value": 0.1, "steps": EPOCHS * STEPS}]]},
        "loss": {"name": "cross_entropy"},
        **recipe,
    }
    text = {
        "model": "Tiny",
        "seeds": [0],
        "input_shape": [1, 28, 28],
        "classes": 10,
        "train": graph(training=True, dropout=dropout),
        "eval": graph(training=False, dropout=dropout),
        "weights": weights,
        "modules": [],
        "recipe": settings,
    }
    return read(Program.model_validate_json(json.dumps(text)).to_json())


def values() -> bytes:
    return safetensors.torch.save(
        {name: tensor for name, tensor in tiny().state_dict().items() if tensor.ndim}
    )


def images(count: int = 40, test: int = 12) -> TrainingData:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (count + test, 1, 28, 28), dtype=np.uint8)
    return TrainingData(
        "noise", True, pixels[:count], random.integers(0, 10, count), pixels[count:]
    )


def curve(values: list[float]) -> list[dict[str, float]]:
    return [{"value": value, "steps": 1} for value in values]


def collect(
    wanted: Program, data: TrainingData | None = None, **arguments: Any
) -> tuple[list[Epoch], network.Network]:
    net = network.build(wanted, values())
    return list(train(net, wanted.recipe, data or images(), seed=SEED, **arguments)), net


def student_loop(
    optimizer, *, model, scheduler=None, per_step=True, loss=F.cross_entropy, clip=None, data=None
):
    """What a student writes, on the same batches.

    Returns the mean loss per epoch and the recorded rates, momenta.
    """
    data = data or images()
    pixels = torch.tensor(data.train_images).float() / 255
    labels = torch.tensor(data.train_labels)
    losses, rates, momenta = [], [], []
    for epoch in range(1, EPOCHS + 1):
        total = 0.0
        for batch in order(len(pixels), BATCH, seeds(SEED, epoch).order):
            group = optimizer.param_groups[0]
            rates.append(group["lr"])
            momenta.append(group["betas"][0] if "betas" in group else group.get("momentum"))
            optimizer.zero_grad()
            value = loss(model(pixels[batch]), labels[batch])
            value.backward()
            if clip is not None:
                clip(model.parameters())
            optimizer.step()
            total += value.item() * len(batch)
            if scheduler is not None and per_step:
                scheduler.step()
        if scheduler is not None and not per_step:
            scheduler.step()
        losses.append(total / len(pixels))
    return losses, rates, momenta


def same_parameters(net: network.Network, model: Tiny) -> bool:
    return all(torch.equal(net.weights[name], tensor) for name, tensor in model.named_parameters())


TRIED = {
    "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4},
    "Adam": {"weight_decay": 1e-3, "amsgrad": True},
    "AdamW": {"betas": (0.8, 0.99)},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "NAdam": {"momentum_decay": 0.01},
    "RAdam": {"decoupled_weight_decay": True, "weight_decay": 0.1},
    "Adagrad": {"initial_accumulator_value": 0.1, "lr_decay": 0.01},
    "Adadelta": {"rho": 0.8, "weight_decay": 0.01},
}


@pytest.mark.parametrize("name", TRIED)
def test_every_optimizer_trains_as_torchs_own_bit_for_bit(name):
    settings = TRIED[name]
    model = tiny()
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.01, **settings)
    losses, rates, momenta = student_loop(optimizer, model=model)
    momentum = [] if momenta[0] is None else [curve(momenta)]
    group = {
        "parameters": [parameter for parameter, _ in model.named_parameters()],
        "settings": settings,
    }
    wanted = program(
        optimizer={"name": name, "groups": [group]},
        schedule={"learning_rate": [curve(rates)], "momentum": momentum},
    )
    epochs, net = collect(wanted)
    assert same_parameters(net, model)
    assert [epoch.train_loss for epoch in epochs] == pytest.approx(losses, rel=1e-6)


def test_every_optimizer_of_a_program_can_be_built():
    assert TRIED.keys() == OPTIMIZERS.keys()


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_a_one_cycle_schedule_moves_learning_rate_and_momentum_at_every_step(name):
    model = tiny()
    settings = {"momentum": 0.9} if name == "SGD" else {}
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.01, **settings)
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=EPOCHS * STEPS + 1)
    _, rates, momenta = student_loop(optimizer, model=model, scheduler=scheduler)
    group = {
        "parameters": [parameter for parameter, _ in model.named_parameters()],
        "settings": settings,
    }
    wanted = program(
        optimizer={"name": name, "groups": [group]},
        schedule={"learning_rate": [curve(rates)], "momentum": [curve(momenta)]},
    )
    epochs, net = collect(wanted)
    assert same_parameters(net, model)
    assert [epoch.learning_rate for epoch in epochs] == rates[STEPS - 1 :: STEPS]
    assert [epoch.momentum for epoch in epochs] == momenta[STEPS - 1 :: STEPS]


class Decay(lr_scheduler.LRScheduler):
    """Moves each group's weight decay, which it also switches off for a while."""

    def get_lr(self):
        for number, group in enumerate(self.optimizer.param_groups):
            group["weight_decay"] = 0.0 if self.last_epoch % 3 == 1 else 0.1 * (number + 1)
        return [group["lr"] for group in self.optimizer.param_groups]


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adadelta"])
@pytest.mark.parametrize("per_step", [True, False], ids=["per step", "per epoch"])
def test_weight_decay_moves_as_the_students_scheduler_moves_it(name, per_step):
    model = tiny()
    names = [name for name, _ in model.named_parameters()]
    groups = [
        {"params": model.conv.parameters()},
        {"params": [*model.norm.parameters(), *model.linear.parameters()]},
    ]
    optimizer = getattr(torch.optim, name)(groups, lr=0.01)
    settings = {"betas": (0.9, 0.999)} if "betas" in optimizer.defaults else {}
    seen: list[list[float]] = []
    optimizer.register_step_pre_hook(
        lambda taken, *_: seen.append([group["weight_decay"] for group in taken.param_groups])
    )
    student_loop(optimizer, model=model, scheduler=Decay(optimizer), per_step=per_step)
    decays = [curve([step[number] for step in seen]) for number in range(2)]
    assert len({run["value"] for run in decays[1]}) == 2
    wanted = program(
        optimizer={
            "name": name,
            "groups": [
                {"parameters": names[:2], "settings": settings},
                {"parameters": names[2:], "settings": settings},
            ],
        },
        schedule={"learning_rate": [curve([0.01] * len(seen))] * 2, "weight_decay": decays},
    )
    assert same_parameters(collect(wanted)[1], model)


def test_parameter_groups_keep_their_own_settings_and_rates():
    model = tiny()
    groups = [
        {"params": model.conv.parameters(), "lr": 0.1, "weight_decay": 0.01},
        {"params": [*model.norm.parameters(), *model.linear.parameters()], "lr": 0.01},
    ]
    student_loop(torch.optim.SGD(groups), model=model)
    names = [name for name, _ in model.named_parameters()]
    wanted = program(
        optimizer={
            "name": "SGD",
            "groups": [
                {"parameters": names[:2], "settings": {"weight_decay": 0.01}},
                {"parameters": names[2:], "settings": {"weight_decay": 0}},
            ],
        },
        schedule={
            "learning_rate": [[{"value": rate, "steps": EPOCHS * STEPS}] for rate in (0.1, 0.01)]
        },
    )
    assert same_parameters(collect(wanted)[1], model)


@pytest.mark.parametrize(
    ("recipe", "clip"),
    [
        ({"clip_norm": 0.1}, lambda parameters: nn.utils.clip_grad_norm_(parameters, 0.1)),
        ({"clip_value": 0.01}, lambda parameters: nn.utils.clip_grad_value_(parameters, 0.01)),
    ],
    ids=["norm", "value"],
)
def test_gradients_are_clipped_as_torch_clips_them(recipe, clip):
    model = tiny()
    student_loop(torch.optim.SGD(model.parameters(), lr=0.1), model=model, clip=clip)
    clipped, unclipped = collect(program(**recipe))[1], collect(program())[1]
    assert same_parameters(clipped, model)
    assert not same_parameters(unclipped, model)


@pytest.mark.parametrize(
    ("recipe", "loss"),
    [
        (
            {"name": "cross_entropy", "label_smoothing": 0.1},
            nn.CrossEntropyLoss(label_smoothing=0.1),
        ),
        (
            {"name": "nll", "weight": [2.0] + [1.0] * 9},
            nn.NLLLoss(weight=torch.tensor([2.0] + [1.0] * 9)),
        ),
        ({"name": "cross_entropy"}, nn.CrossEntropyLoss()),
    ],
)
def test_the_loss_has_the_recipes_options(recipe, loss):
    model = tiny()
    losses, _, _ = student_loop(torch.optim.SGD(model.parameters(), lr=0.1), model=model, loss=loss)
    epochs, net = collect(program(loss=recipe))
    assert same_parameters(net, model)
    assert [epoch.train_loss for epoch in epochs] == pytest.approx(losses, rel=1e-5)


def test_a_summed_loss_is_reported_per_image():
    epochs, _ = collect(
        program(loss={"name": "cross_entropy", "reduction": "sum"}, epochs=1, **rate(0.0, 1))
    )
    untrained, _ = collect(program(epochs=1, **rate(0.0, 1)))
    assert epochs[0].train_loss == pytest.approx(untrained[0].train_loss, rel=1e-6)


def rate(value: float, epochs: int = EPOCHS, steps: int = STEPS) -> dict[str, Any]:
    return {
        "schedule": {"learning_rate": [[{"value": value, "steps": epochs * steps}]]},
        "steps_per_epoch": steps,
    }


def test_the_logits_are_those_of_the_eval_network_in_the_test_images_order():
    data = images(test=7)
    epochs, net = collect(program(dropout=0.5), data)
    net.eval()
    expected = net(torch.tensor(data.test_images).float() / 255)
    assert epochs[-1].logits.shape == (7, 10)
    assert torch.allclose(epochs[-1].logits, expected, atol=1e-6)


def with_second_look(sizes: tuple[int, ...] = (2, 5)) -> TrainingData:
    """Test images in batches of 3, 7 and 2, and seven others to look at when a run is finished."""
    others = np.random.default_rng(1).integers(0, 256, (7, 1, 28, 28), dtype=np.uint8)
    look = Look(others, sizes)
    return dataclasses.replace(images(), batch_sizes=(3, 7, 2), second_look=look)


def batches_looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that go through eval graphs from now on."""
    seen: list[int] = []
    forward = network.Network.forward

    def watched(self: network.Network, batch: torch.Tensor) -> torch.Tensor:
        if not self.training:
            seen.append(len(batch))
        return forward(self, batch)

    monkeypatch.setattr(network.Network, "forward", watched)
    return seen


def ended(wanted: Program, data: TrainingData, **arguments: Any) -> tuple[Ending, network.Network]:
    net = network.build(wanted, values())
    training = train(net, wanted.recipe, data, seed=SEED, **arguments)
    feedback = None
    while True:
        try:
            training.send(feedback)
        except StopIteration as stop:
            return stop.value, net
        feedback = Feedback(accuracy=0.9, loss=1.0)


def test_images_are_looked_at_in_the_sizes_that_are_asked_for_and_the_others_once(monkeypatch):
    seen = batches_looked_at(monkeypatch)
    data = with_second_look()
    ending, net = ended(program(dropout=0.5), data)
    assert seen == [3, 7, 2] * EPOCHS + [2, 5]
    net.eval()
    expected = net(torch.tensor(data.second_look.images).float() / 255)
    assert torch.allclose(ending.second_look, expected, atol=1e-6)


def test_the_second_look_comes_after_an_early_stop_and_a_quick_look(monkeypatch):
    assert ended(program(stop_at_accuracy=0.5), with_second_look())[0].second_look is not None
    assert ended(program(), with_second_look(), epochs=1)[0].second_look is not None


def test_a_run_that_is_cut_short_has_no_second_look():
    assert ended(program(), with_second_look(), budget_seconds=0)[0].second_look is None


def test_every_image_is_seen_once_an_epoch_and_the_short_batch_is_kept():
    batches = order(40, 16, seed=1)
    assert [len(batch) for batch in batches] == [16, 16, 8]
    assert sorted(torch.cat(batches).tolist()) == list(range(40))


def test_a_last_batch_of_one_image_is_trained_on_as_torch_does():
    assert [len(batch) for batch in order(33, 16, seed=1)] == [16, 16, 1]


def test_batches_of_one_are_kept_where_the_recipe_wants_them():
    assert len(order(3, 1, seed=1)) == 3


def test_epochs_are_shuffled_differently_and_repeatably():
    first, second = (order(40, 40, seeds(SEED, epoch).order)[0].tolist() for epoch in (1, 2))
    assert first != second
    assert first == order(40, 40, seeds(SEED, 1).order)[0].tolist()


def augmentation(name: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "settings": settings}


ROTATION = augmentation(
    "RandomRotation",
    degrees=[-7.0, 7.0],
    interpolation="nearest",
    expand=False,
    center=None,
    fill=0,
)


def test_the_same_seed_gives_the_same_bits_whatever_is_drawn_in_between():
    wanted = program(dropout=0.3, augmentations=[ROTATION, augmentation("ToTensor")])
    first, _ = collect(wanted)
    second = []
    for epoch in train(network.build(wanted, values()), wanted.recipe, images(), seed=SEED):
        torch.rand(100)  # the caller's own randomness
        second.append(epoch)
    assert all(torch.equal(one.logits, two.logits) for one, two in zip(first, second, strict=True))
    assert [epoch.train_loss for epoch in first] == [epoch.train_loss for epoch in second]


def test_training_images_are_augmented_and_test_images_only_converted():
    normalise = [augmentation("ToTensor"), augmentation("Normalize", mean=[0.5], std=[0.25])]
    wanted = program(augmentations=[ROTATION, *normalise], epochs=1, **rate(0.0, 1))
    epochs, net = collect(wanted)
    straight, _ = collect(program(augmentations=normalise, epochs=1, **rate(0.0, 1)))
    net.eval()
    expected = net((torch.tensor(images().test_images).float() / 255 - 0.5) / 0.25)
    assert torch.allclose(epochs[0].logits, expected, atol=1e-5)
    assert epochs[0].train_loss != straight[0].train_loss


def test_a_transform_that_changes_the_size_of_the_images_is_the_students_to_fix():
    resize = augmentation(
        "Resize", size=[32, 32], interpolation="bilinear", max_size=None, antialias=True
    )
    with pytest.raises(
        SubmissionError, match="gives images of 1 x 32 x 32, but the network takes 1 x 28 x 28"
    ):
        trained(program(augmentations=[resize, augmentation("ToTensor")]))


def test_a_loss_with_weights_for_another_number_of_classes_is_the_students_to_fix():
    with pytest.raises(SubmissionError, match="weights for 3 classes; there are 10"):
        trained(program(loss={"name": "nll", "weight": [1.0, 1.0, 1.0]}))


def test_another_seed_gives_another_run():
    wanted = program()
    net = network.build(wanted, values())
    other = list(train(net, wanted.recipe, images(), seed=SEED + 1))
    assert not torch.equal(other[-1].logits, collect(wanted)[0][-1].logits)


def test_the_callers_random_numbers_are_left_alone():
    wanted = program(dropout=0.5)
    training = train(network.build(wanted, values()), wanted.recipe, images(), seed=SEED)
    before = torch.get_rng_state()
    list(training)
    assert torch.equal(torch.get_rng_state(), before)


def test_run_length_coding_is_undone():
    runs = program(
        schedule={"learning_rate": [[{"value": 0.1, "steps": 2}, {"value": 0.2, "steps": 7}]]}
    )
    assert list(expand(runs.recipe.schedule.learning_rate[0])) == [0.1] * 2 + [0.2] * 7


def test_a_quick_look_ends_early_and_keeps_the_whole_schedule():
    wanted = program(
        schedule={"learning_rate": [curve([i / 100 for i in range(1, EPOCHS * STEPS + 1)])]}
    )
    epochs, _ = collect(wanted, epochs=1)
    assert [epoch.learning_rate for epoch in epochs] == [0.03]


def test_more_epochs_than_the_recipe_has_are_not_trained():
    assert len(collect(program(), epochs=99)[0]) == EPOCHS


PLATEAU = {
    "monitor": "loss",
    "mode": "min",
    "factor": 0.5,
    "patience": 0,
    "threshold": 1e-4,
    "threshold_mode": "rel",
    "cooldown": 0,
    "min_lr": [0.0],
    "eps": 1e-8,
}


def test_a_plateau_lowers_the_rate_when_the_judge_sees_no_progress():
    wanted = program(plateau=PLATEAU)
    rates = trained(wanted, lambda epoch: Feedback(accuracy=0.5, loss=1.0))
    assert [epoch.learning_rate for epoch in rates.epochs] == [0.1, 0.1, 0.05]


def test_a_plateau_of_accuracy_follows_accuracy():
    wanted = program(plateau={**PLATEAU, "monitor": "accuracy", "mode": "max"})
    rates = trained(wanted, lambda epoch: Feedback(accuracy=epoch.epoch / 10, loss=1.0))
    assert [epoch.learning_rate for epoch in rates.epochs] == [0.1] * 3


def test_a_recipe_that_stops_at_an_accuracy_stops_there_and_is_finished():
    wanted = program(stop_at_accuracy=0.2)
    stopped = trained(wanted, lambda epoch: Feedback(accuracy=epoch.epoch / 10, loss=1.0))
    assert len(stopped.epochs) == 2
    assert stopped.ending.finished
    assert (
        stopped.ending.stopped_because == "epoch 2 reached the accuracy at which the recipe stops"
    )


def test_missing_feedback_is_the_graders_fault():
    wanted = program(plateau=PLATEAU)
    assert wanted.recipe.follows_metric
    with pytest.raises(GraderError, match="follows a metric"):
        collect(wanted)


def test_a_plain_recipe_wants_no_feedback():
    assert not program().recipe.follows_metric


def trained(
    wanted: Program,
    after_epoch: Any = lambda epoch: None,
    on_step: Any = lambda step: None,
    **arguments: Any,
) -> TrainingRun:
    told = {
        "after_epoch": lambda _, epoch: after_epoch(epoch),
        "on_step": lambda _, step: on_step(step),
    }
    (done,) = train_seeds(
        Task(wanted, images(), **told, **arguments, engine="torch"), {SEED: values()}
    )
    return done


def test_a_whole_run_is_finished_and_says_what_it_used():
    done = trained(program())
    assert done.ending == Ending(finished=True)
    assert [epoch.epoch for epoch in done.epochs] == [1, 2, 3]
    assert done.device.startswith("cpu (")
    assert done.seed == SEED
    assert done.parameters_moved
    assert done.peak_memory_bytes > 1_000_000
    assert done.images_per_second == pytest.approx(
        120 / sum(epoch.seconds for epoch in done.epochs)
    )
    assert done.seconds >= sum(epoch.seconds for epoch in done.epochs) > 0


def test_without_a_learning_rate_no_parameter_moves():
    assert not trained(program(**rate(0.0))).parameters_moved


def test_ctrl_c_keeps_the_epochs_that_were_finished():
    def interrupt(step):
        if (step.epoch, step.step) == (3, 2):
            raise KeyboardInterrupt

    done = trained(program(), on_step=interrupt)
    assert [epoch.epoch for epoch in done.epochs] == [1, 2]
    assert done.ending == INTERRUPTED


def test_seeds_train_one_after_the_other_and_ctrl_c_keeps_the_whole_ones():
    def interrupt(seed, epoch):
        if (seed, epoch.epoch) == (4, 2):
            raise KeyboardInterrupt

    blobs = {seed: values() for seed in (3, 4, 5)}
    first, second = train_seeds(
        Task(program(), images(), after_epoch=interrupt, engine="torch"), blobs
    )
    assert (first.seed, first.ending, len(first.epochs)) == (3, Ending(True), EPOCHS)
    assert (second.seed, second.ending, len(second.epochs)) == (4, INTERRUPTED, 2)


def test_a_display_is_told_of_every_step():
    seen = []
    trained(
        program(),
        on_step=lambda step: seen.append(
            (step.epoch, step.step, step.learning_rate, float(step.loss))
        ),
    )
    assert [item[:2] for item in seen] == [
        (epoch, step) for epoch in (1, 2, 3) for step in (1, 2, 3)
    ]
    assert all(item[2] == 0.1 and math.isfinite(item[3]) for item in seen)


def test_a_diverged_training_stops_and_says_so():
    done = trained(program(**rate(1e30)))
    assert len(done.epochs) == 1
    assert not done.ending.finished
    assert "diverged: the loss of epoch 1 is nan" in done.ending.stopped_because


def test_a_used_up_time_budget_stops_within_the_epoch():
    done = trained(program(), budget_seconds=0)
    assert done.epochs == ()
    assert done.ending == Ending(False, "its 0 s were over in epoch 1", out_of_time=True)
    assert done.images_per_second == 0


def test_a_recipe_for_another_number_of_images_is_refused():
    with pytest.raises(GraderError, match="captured for 3 steps an epoch; 60 training images"):
        collect(program(), images(60))


def test_a_network_that_cannot_learn_is_the_students_to_fix():
    with pytest.raises(SubmissionError, match="no trainable parameter"):
        collect(program(trainable=False))


def test_an_unknown_setting_of_the_optimizer_is_refused_by_name():
    group = {"parameters": ["conv.weight"], "settings": {"magic": 1}}
    with pytest.raises(SubmissionError, match=r"magic = 1 of torch.optim.SGD"):
        collect(program(optimizer={"name": "SGD", "groups": [group]}))


def test_settings_that_torch_refuses_are_the_students_to_fix():
    group = {"parameters": ["conv.weight"], "settings": {"weight_decay": -1.0}}
    with pytest.raises(
        SubmissionError, match="refuses the recipe's settings: Invalid weight_decay"
    ):
        collect(program(optimizer={"name": "SGD", "groups": [group]}))


def test_a_momentum_for_which_rmsprop_has_no_place_is_refused():
    group = {"parameters": ["conv.weight"], "settings": {}}
    schedule = {
        "learning_rate": [[{"value": 0.1, "steps": 9}]],
        "momentum": [curve([0.0, *[0.5] * 8])],
    }
    with pytest.raises(SubmissionError, match="momentum is 0 at the first step"):
        collect(program(optimizer={"name": "RMSprop", "groups": [group]}, schedule=schedule))


def test_a_forged_recipe_without_learning_rates_is_refused():
    with pytest.raises(SubmissionError, match="no learning rate"):
        collect(program(schedule={"learning_rate": []}))


def test_auto_finds_a_device_and_an_absent_one_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose("auto") == torch.device("cpu")
    assert describe(choose("cpu")).startswith("cpu (")
    with pytest.raises(GraderError, match="finds no cuda device"):
        choose("cuda")
    with pytest.raises(GraderError, match="no device 'tpu'"):
        choose("tpu")


# Some of the images, and no smaller batch at the end


KEPT_BACK = {  # name: (fields of the recipe, images that are trained on in each epoch)
    "some": ({"images": 25, "steps_per_epoch": 2}, 25),
    "whole batches": ({"drop_last": True, "steps_per_epoch": 2}, 32),
    "both": ({"images": 20, "drop_last": True, "steps_per_epoch": 1}, 16),
    "all": ({"images": 40}, 40),
    "more than there are": ({"images": 60_000}, 40),
}


def rated(steps: int) -> dict[str, Any]:
    return {"learning_rate": [[{"value": 0.1, "steps": EPOCHS * steps}]]}


@pytest.mark.parametrize("name", KEPT_BACK)
def test_some_of_the_images_and_whole_batches_are_torchs_subset_and_loader(name):
    fields, count = KEPT_BACK[name]
    steps = fields.get("steps_per_epoch", STEPS)
    epochs, net = collect(program(**fields, schedule=rated(steps)))
    data, total = images(), fields.get("images", 40)
    pixels = torch.tensor(data.train_images).float() / 255
    every = torch.utils.data.TensorDataset(pixels, torch.tensor(data.train_labels))
    if total < len(every):  # as random_split does it
        begin = torch.Generator().manual_seed(seeds(SEED, 0).order)
        every, _ = torch.utils.data.random_split(every, [total, 40 - total], generator=begin)
    model = tiny()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for number in range(1, EPOCHS + 1):
        shuffled = order(len(every), len(every), seeds(SEED, number).order)[0].tolist()
        loader = torch.utils.data.DataLoader(
            every, BATCH, sampler=shuffled, drop_last=fields.get("drop_last", False)
        )
        for inputs, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
    assert same_parameters(net, model)
    assert {epoch.images for epoch in epochs} == {count}


def test_every_seed_keeps_other_images_and_keeps_them():
    recipe = program(images=25, steps_per_epoch=2, schedule=rated(2)).recipe
    chosen = {}
    for seed in (0, 1):
        epochs = [torch.cat(epoch_batches(recipe, 40, seed, number)) for number in (1, 2)]
        assert len(epochs[0].unique()) == 25
        assert not torch.equal(*epochs)
        assert torch.equal(epochs[0].sort().values, epochs[1].sort().values)
        chosen[seed] = set(epochs[0].tolist())
    assert chosen[0] != chosen[1]


def test_images_that_make_no_whole_batch_are_the_graders_fault():
    wanted = program(images=9, drop_last=True, steps_per_epoch=1, schedule=rated(1))
    with pytest.raises(GraderError, match="9 training images in batches of 16 are 0"):
        collect(wanted)
