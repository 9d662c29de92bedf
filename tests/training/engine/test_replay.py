"""The recorded engine equals the eager one.

Without a GPU a recorded step is the step itself; see the end for GPUs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torchvision import transforms as v1
from torchvision.transforms import v2

from grader import network
from grader.capture.transforms import describe
from grader.errors import GraderError, SubmissionError
from grader.network import Network
from grader.program.program import Program
from grader.training import run
from grader.training.augment.transform import CONTAINERS
from grader.training.choices import TRANSFORMS
from grader.training.data import TrainingData
from grader.training.engine import loop, replay
from grader.training.engine.engine import Began, Training
from grader.training.engine.replay import NotRecordableError, Replay, Work
from grader.training.engine.rules import RULES
from grader.training.records import Ending, Epoch, Feedback
from grader.training.run import train_seeds
from grader.training.task import Task
from tests.networks import habits, program_of
from tests.training.engine.test_loop import (
    PLATEAU,
    batches_looked_at,
    curve,
    images,
    program,
    values,
    with_second_look,
)

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

EPOCHS = 17
STEPS = 3  # 40 images in batches of 16: 17 epochs are 51 steps
TRIED: dict[str, dict[str, Any]] = {
    # A large eps: a bias before BatchNorm has a gradient of rounding errors only, and Adam would
    # follow them.
    "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4},
    "Adam": {"weight_decay": 1e-3, "amsgrad": True, "eps": 1e-3},
    "AdamW": {"betas": [0.8, 0.99], "eps": 1e-3},
    "RMSprop": {"momentum": 0.5, "centered": True, "alpha": 0.9, "eps": 1e-2},
    "NAdam": {"momentum_decay": 0.01, "eps": 1e-3},
    "RAdam": {"decoupled_weight_decay": True, "weight_decay": 0.1, "eps": 1e-3},
    "Adagrad": {"initial_accumulator_value": 0.1, "lr_decay": 0.01},
    "Adadelta": {"rho": 0.8, "eps": 1e-3, "weight_decay": 0.01},
}


NOISE = {"conv.bias", "norm.running_mean"}
"""The bias before BatchNorm, which takes it away again: where it drifts to, nobody sees."""


def described(*steps: Any) -> list[dict[str, Any]]:
    return [item.model_dump() for item in describe(list(steps))]


ROTATION = described(
    v1.RandomRotation(10), v1.RandomCrop(28, padding=2), v1.ToTensor(), v1.Normalize((0.1,), (0.3,))
)

PENALTIES = [
    {"kind": "l1", "factor": 0.01, "parameters": ["conv.weight", "linear.weight"]},
    {"kind": "l2", "factor": 0.02, "parameters": ["linear.weight", "linear.bias"]},
    {"kind": "norm", "factor": 0.05, "parameters": ["conv.weight", "norm.bias"]},
]

Answer = Callable[[int, Epoch], Feedback | None]


class Immediate:
    """A recorder for any device: its replay is the work itself."""

    def run(self, branches: Sequence[Work]) -> None:
        for branch in branches:
            branch()

    def record(self, branches: Sequence[Work], generators: Sequence[torch.Generator]) -> Work:
        return lambda: self.run(branches)


class Refusing(Immediate):
    def record(self, branches: Sequence[Work], generators: Sequence[torch.Generator]) -> Work:
        raise NotRecordableError("no CUDA graph can hold it: operation not permitted")


def recipe(
    name: str = "SGD", *, epochs: int = EPOCHS, steps: int = STEPS, **changes: Any
) -> dict[str, Any]:
    """Fields for `program`: an optimizer whose learning rate is another at every step."""
    names = ["conv.weight", "conv.bias", "norm.weight", "norm.bias", "linear.weight", "linear.bias"]
    top = 0.1 if name == "SGD" else 0.005
    rates = [
        top * (0.1 + 0.9 * math.sin(math.pi * (step + 1) / (epochs * steps + 1)))
        for step in range(epochs * steps)
    ]
    return {
        "epochs": epochs,
        "steps_per_epoch": steps,
        "optimizer": {
            "name": name,
            "groups": [{"parameters": names, "settings": TRIED[name]}],
        },
        "schedule": {"learning_rate": [curve(rates)]},
        **changes,
    }


def nothing(seed: int, epoch: Epoch) -> None:
    return None


def alone(
    wanted: Program,
    seed: int,
    data: TrainingData,
    answer: Answer = nothing,
    device: str = "cpu",
    **arguments: Any,
) -> tuple[list[Epoch], Ending, Network]:
    """What the eager engine gives."""
    net = network.build(wanted, values(), device)
    training = loop.train(net, wanted.recipe, data, seed=seed, **arguments)
    epochs: list[Epoch] = []
    feedback = None
    while True:
        try:
            epochs.append(training.send(feedback))
        except StopIteration as stop:
            return epochs, stop.value, net
        feedback = answer(seed, epochs[-1])


def together(
    wanted: Program,
    seeds: Sequence[int],
    data: TrainingData,
    answer: Answer = nothing,
    device: str = "cpu",
    recorder: Any = None,
    **arguments: Any,
) -> dict[int, tuple[list[Epoch], Ending, Network]]:
    """What the recorded engine gives."""
    nets = {seed: network.build(wanted, values(), device) for seed in seeds}
    epochs: dict[int, list[Epoch]] = {seed: [] for seed in seeds}
    endings: dict[int, Ending] = {}
    training = started(nets, wanted, data, recorder or Immediate, **arguments)
    assert next(training) == dict.fromkeys(seeds, Began("CUDA graph", len(seeds)))
    answers: dict[int, Feedback | None] = {}
    while len(endings) < len(nets):
        news = training.send(answers)
        answers = {}
        for seed, item in news.items():
            if isinstance(item, Epoch):
                epochs[seed].append(item)
                answers[seed] = answer(seed, item)
            else:
                assert isinstance(item, Ending)
                endings[seed] = item
    assert next(training, None) is None
    return {seed: (epochs[seed], endings[seed], nets[seed]) for seed in seeds}


def started(
    nets: Mapping[int, Network],
    wanted: Program,
    data: TrainingData,
    recorder: Callable[[], Any],
    *,
    epochs: int | None = None,
    budget_seconds: float = math.inf,
) -> Training:
    return Replay(recorder).train(
        nets,
        wanted,
        data,
        epochs=epochs,
        budget_seconds=budget_seconds,
        on_step=lambda seed, step: None,
    )


def assert_same_epochs(ours: Sequence[Epoch], theirs: Sequence[Epoch]) -> None:
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine.epoch, mine.images) == (other.epoch, other.images)
        assert (mine.learning_rate, mine.momentum) == (other.learning_rate, other.momentum)
        assert mine.train_loss == pytest.approx(other.train_loss, rel=1e-4)
        assert mine.train_accuracy == pytest.approx(
            other.train_accuracy, abs=1.01 / other.images
        )  # a near tie
        torch.testing.assert_close(mine.logits, other.logits, rtol=1e-3, atol=1e-3)


def assert_equal(
    wanted: Program,
    seeds: Sequence[int],
    data: TrainingData,
    answer: Answer = nothing,
    **arguments: Any,
) -> dict[int, tuple[list[Epoch], Ending, Network]]:
    """The recorded engine trains `seeds` together as the eager one trains each."""
    found = together(wanted, seeds, data, answer, **arguments)
    longest = max(
        len(epochs) for epochs, _, _ in found.values()
    )  # a seed that stops earlier goes on unseen
    for seed, (epochs, ending, net) in found.items():
        expected, expected_ending, other = alone(wanted, seed, data, answer, **arguments)
        assert_same_epochs(epochs, expected)
        assert ending == expected_ending
        for name in net.weights.keys() - NOISE if len(epochs) == longest else ():
            torch.testing.assert_close(net.weights[name], other.weights[name], rtol=1e-3, atol=1e-3)
    return found


@pytest.mark.parametrize("name", RULES)
def test_fifty_steps_with_every_optimizer_equal_the_eager_engine(name):
    found = assert_equal(program(**recipe(name)), [3], images())
    losses = [epoch.train_loss for epoch in found[3][0]]
    assert losses[-1] < losses[0]
    assert len(losses) * STEPS > 50


@pytest.mark.parametrize("ahead", [1, 16, 32, 48, 1000], ids=lambda images: f"{images} images")
def test_however_many_images_are_augmented_ahead_each_batch_gets_its_own_draws(monkeypatch, ahead):
    monkeypatch.setattr(replay, "AUGMENTED_AHEAD", ahead)
    everything = described(*AUGMENTATIONS["pil, nearest"][:-1], *AUGMENTATIONS["crops and sizes"])
    assert_equal(
        program(**recipe(epochs=2, steps=8, augmentations=everything)), [3, 4], images(120)
    )


def test_augmenting_ahead_takes_a_third_of_the_kernels(meta, monkeypatch):
    steps = [
        v1.Pad(2),
        v1.RandomCrop(28),
        v1.RandomAffine(7, (0.1, 0.1), (0.9, 1.1)),
        v1.ToTensor(),
    ]
    wanted = program(**recipe(steps=16, epochs=1, augmentations=described(*steps)))

    def kernels(ahead: int) -> int:
        monkeypatch.setattr(replay, "AUGMENTED_AHEAD", ahead)
        engine = replay._Recording(
            {3: network.build(wanted, values(), "meta")}, wanted.recipe, images(256), Immediate()
        )
        with OnDevice("meta") as mode:
            for augment_ahead, _ in engine._lots:
                augment_ahead()
        return mode.kernels

    assert 3 * kernels(256) < kernels(16)


def test_with_channels_last_the_epochs_are_those_of_the_eager_engine():
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after in ((1, 4), (4, 6)):
        layers += [nn.Conv2d(before, after, 3, stride=2), nn.BatchNorm2d(after), nn.ReLU()]
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 10))
    small, blob = program_of(nn.Sequential(*layers, *head), shape=(1, 28, 28))
    wanted = two_epochs(small)
    ours, other = (network.build(wanted, blob) for _ in range(2))
    engine = Replay(Immediate, channels_last=True)
    arguments = {"epochs": None, "budget_seconds": math.inf, "on_step": lambda seed, step: None}
    news = [item[3] for item in engine.train({3: ours}, wanted, images(), **arguments)]
    expected = list(loop.train(other, wanted.recipe, images(), seed=3))
    assert_same_epochs([item for item in news if isinstance(item, Epoch)], expected)
    (filters,) = [tensor for tensor in ours.weights.values() if tensor.shape == (6, 4, 3, 3)]
    assert filters.stride() == (36, 1, 12, 4)


def test_the_looks_are_those_of_the_eager_engine_in_the_same_batches(monkeypatch):
    seen = batches_looked_at(monkeypatch)
    wanted, data = program(**recipe(epochs=2)), with_second_look()
    found = together(wanted, [3, 4], data)
    sizes = [3, 7, 2]
    assert seen[-12 - 4 :] == sizes * 4 + [2, 5] * 2  # before: warming up
    for seed, (_, ending, _) in found.items():
        _, expected, _ = alone(wanted, seed, data)
        torch.testing.assert_close(ending.second_look, expected.second_look, rtol=1e-3, atol=1e-3)


def test_a_seed_that_stops_early_is_looked_at_then_and_not_later():
    def answer(seed: int, epoch: Epoch) -> Feedback:
        return Feedback(accuracy=0.9 if seed == 3 else 0.1, loss=1.0)

    wanted, data = program(**recipe(epochs=3, stop_at_accuracy=0.5)), with_second_look()
    found = together(wanted, [3, 4], data, answer)
    for seed, (epochs, ending, _) in found.items():
        other, expected, _ = alone(wanted, seed, data, answer)
        assert len(epochs) == len(other) == (1 if seed == 3 else 3)
        torch.testing.assert_close(ending.second_look, expected.second_look, rtol=1e-3, atol=1e-3)


def test_three_seeds_at_once_are_what_each_is_alone():
    found = assert_equal(program(**recipe(augmentations=ROTATION)), [3, 4, 5], images())
    assert len({epochs[0].train_loss for epochs, _, _ in found.values()}) == 3


@pytest.mark.parametrize(
    ("count", "steps", "trained"),
    [(48, 3, 48), (40, 3, 40), (33, 3, 33), (9, 1, 9)],
    ids=["whole batches", "a tail", "a tail of one image", "less than one batch"],
)
def test_the_last_batch_is_treated_as_in_the_eager_engine(count, steps, trained):
    wanted = program(**recipe("NAdam", epochs=6, steps=steps))
    found = assert_equal(wanted, [3, 4], images(count))
    assert {epoch.images for epoch in found[3][0]} == {trained}


@pytest.mark.parametrize(
    ("changes", "trained"),
    [({"images": 25}, 25), ({"drop_last": True}, 32), ({"images": 33, "drop_last": True}, 32)],
    ids=["some images", "whole batches", "both"],
)
def test_images_that_are_left_out_are_the_eager_engines(changes, trained):
    wanted = program(**recipe("NAdam", epochs=6, steps=2, **changes))
    found = assert_equal(wanted, [3, 4], images())
    assert {epoch.images for epoch in found[3][0]} == {trained}


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": {"name": "cross_entropy", "reduction": "sum"}, "clip_norm": 0.5},
        {
            "loss": {
                "name": "cross_entropy",
                "label_smoothing": 0.1,
                "weight": [0.5] * 5 + [2.0] * 5,
            }
        },
        {"clip_value": 0.01},
        {"penalties": PENALTIES, "clip_norm": 0.5},
        {
            "schedule": {
                "learning_rate": [curve([0.05] * 51)],
                "momentum": [curve([0.95, 0.9, 0.85] * 17)],
            }
        },
        {
            "schedule": {
                "learning_rate": [curve([0.05] * 51)],
                "weight_decay": [curve([0.1, 0.0, 0.05] * 17)],
            }
        },
    ],
    ids=[
        *("sum, clip_norm", "smoothing, weight", "clip_value", "penalties"),
        *("momentum moves", "weight decay moves"),
    ],
)
def test_losses_clipping_and_momentum_equal_the_eager_engine(changes):
    assert_equal(program(**recipe(**changes)), [3], images())


def falling(seed: int, epoch: Epoch) -> Feedback:
    """Better at each epoch but the second and the third."""
    return Feedback(
        accuracy=epoch.epoch / 10, loss=5.0 if epoch.epoch in (2, 3) else 1 / epoch.epoch + seed
    )


def test_a_plateau_lowers_the_rate_of_each_seed_by_its_own_metric():
    def answer(seed: int, epoch: Epoch) -> Feedback:
        return falling(seed, epoch) if seed == 3 else Feedback(accuracy=0.5, loss=1 / epoch.epoch)

    wanted = program(**recipe(epochs=6, plateau=PLATEAU))
    found = assert_equal(wanted, [3, 4], images(), answer)
    first, second = ([epoch.learning_rate for epoch in found[seed][0]] for seed in (3, 4))
    assert first[-1] < first[0] == second[0] == second[-1]


def test_a_seed_that_reaches_its_accuracy_stops_and_the_others_go_on():
    def answer(seed: int, epoch: Epoch) -> Feedback:
        return Feedback(accuracy=0.3 if epoch.epoch >= 10 - seed else 0.0, loss=1.0)

    found = assert_equal(
        program(**recipe(epochs=8, stop_at_accuracy=0.2)), [3, 5, 1], images(), answer
    )
    assert {seed: len(epochs) for seed, (epochs, _, _) in found.items()} == {3: 7, 5: 5, 1: 8}


@pytest.mark.parametrize(
    ("rule", "lengths"),
    [
        ({"patience": {"monitor": "loss", "epochs": 2}}, {3: 3, 4: 8}),
        ({"stop_at_accuracy": 0.45, "stop_after": 3}, {3: 7, 4: 8}),
    ],
    ids=["patience", "some in a row"],
)
def test_each_seed_has_rules_of_its_own(rule, lengths):
    def answer(seed: int, epoch: Epoch) -> Feedback:
        told = falling(seed, epoch)
        return told if seed == 3 else Feedback(accuracy=0.1, loss=1 / epoch.epoch)

    found = assert_equal(program(**recipe(epochs=8, **rule)), [3, 4], images(), answer)
    assert {seed: len(epochs) for seed, (epochs, _, _) in found.items()} == lengths


@pytest.mark.parametrize(
    "rule",
    [
        {"patience": {"monitor": "train_loss", "epochs": 1, "threshold": 0.05}},
        {"patience": {"monitor": "train_accuracy", "epochs": 2}},
        {"stop_at_accuracy": 0.16, "stop_monitor": "train_accuracy"},
    ],
    ids=["loss", "accuracy", "a stop"],
)
def test_rules_that_watch_training_need_no_answer(rule):
    found = assert_equal(program(**recipe(**rule)), [3], images())
    epochs, ending, _ = found[3]
    assert 1 < len(epochs) < EPOCHS
    assert ending.finished
    assert "training" in ending.stopped_because


def test_a_diverged_training_stops_and_says_so():
    wanted = program(**recipe(epochs=3, schedule={"learning_rate": [curve([1e30] * 9)]}))
    found = together(wanted, [3, 4], images())
    assert all(
        len(epochs) == 1 and math.isnan(epochs[0].train_loss) for epochs, _, _ in found.values()
    )
    assert {ending for _, ending, _ in found.values()} == {
        Ending(False, "training diverged: the loss of epoch 1 is nan")
    }


def test_epochs_cut_short_keep_the_whole_schedule():
    found = assert_equal(program(**recipe()), [3], images(), epochs=2)
    assert len(found[3][0]) == 2


def test_a_used_up_time_budget_ends_training_with_the_epoch():
    found = together(program(**recipe(epochs=4)), [3, 4], images(), budget_seconds=0)
    for epochs, ending, _ in found.values():
        assert len(epochs) == 1
        assert ending == Ending(False, "its 0 s were over with epoch 1", out_of_time=True)


def test_missing_feedback_is_the_graders_fault():
    nets = {3: network.build(program(plateau=PLATEAU), values())}
    with pytest.raises(GraderError, match="follows a metric"):
        list(started(nets, program(plateau=PLATEAU), images(), Immediate))


def test_a_recipe_for_another_number_of_images_is_refused():
    with pytest.raises(GraderError, match="captured for 3 steps an epoch; 60 training images"):
        together(program(), [3], images(60))


def test_dropout_differs_from_step_to_step_and_a_repeated_run_is_equal():
    wanted = program(dropout=0.5, **recipe(epochs=3))
    first, second = (together(wanted, [3, 4], images()) for _ in range(2))
    for seed in (3, 4):
        assert [epoch.train_loss for epoch in first[seed][0]] == [
            epoch.train_loss for epoch in second[seed][0]
        ]
        assert all(
            torch.equal(a.logits, b.logits)
            for a, b in zip(first[seed][0], second[seed][0], strict=True)
        )
    still = program(dropout=0.5, **recipe(epochs=3, schedule={"learning_rate": [curve([0.0] * 9)]}))
    losses = {epoch.train_loss for epoch in together(still, [3], images())[3][0]}
    assert len(losses) == 3


# Before the first step


@pytest.fixture
def habitual() -> tuple[Program, bytes]:
    """A network with tied weights, frozen parts, BatchNorm buffers and in-place additions, and a
    recipe of 2 epochs.
    """
    torch.manual_seed(0)
    wanted, blob = program_of(habits(), shape=(1, 28, 28))
    return two_epochs(wanted), blob


def two_epochs(wanted: Program) -> Program:
    """The same with a recipe of 2 epochs of 3 steps."""
    taught = wanted.recipe.model_copy(
        update={
            "batch_size": 16,
            "steps_per_epoch": 3,
            "epochs": 2,
            "schedule": wanted.recipe.schedule,
        }
    )
    data = taught.model_dump()
    data["schedule"]["learning_rate"] = [curve([0.05] * 6)]
    return wanted.model_copy(update={"recipe": type(taught).model_validate(data)})


def copies(net: Network) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in net.weights.items()}


def assert_untouched(net: Network, before: Mapping[str, Tensor]) -> None:
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.weights.items())
    assert all(tensor.grad is None for tensor in net.weights.values())


def test_warming_up_leaves_no_trace(habitual):
    wanted, blob = habitual
    nets = {seed: network.build(wanted, blob) for seed in (3, 4)}
    before = {seed: copies(net) for seed, net in nets.items()}
    engine = replay._Recording(nets, wanted.recipe, images(), Immediate())
    for seed, net in nets.items():
        assert_untouched(net, before[seed])
        member = engine.members[seed]
        counters = (
            member._position,
            member._number,
            member._losses,
            member._correct,
            member.update._taken,
        )
        assert [float(counter) for counter in counters] == [0] * 5
        for group in member.update._groups:
            assert all((group.state[name] == value).all() for name, value in group.initial.items())


def test_a_network_of_every_habit_trains_as_in_the_eager_engine(habitual):
    """Tied weights, frozen parts, weights that the loss does not reach.

    Dropout is left out of it.
    """
    wanted, blob = habitual
    still = wanted.train.model_copy(
        update={"nodes": tuple(map(without_dropout, wanted.train.nodes))}
    )
    wanted = wanted.model_copy(update={"train": still})
    nets = [network.build(wanted, blob) for _ in range(2)]
    news = [item[3] for item in started({3: nets[0]}, wanted, images(), Immediate)]
    ours = [item for item in news if isinstance(item, Epoch)]
    theirs = list(loop.train(nets[1], wanted.recipe, images(), seed=3))
    assert_same_epochs(ours, theirs)
    assert ours[-1].train_loss != ours[0].train_loss


def without_dropout(node: Any) -> Any:
    if "dropout" not in node.op:
        return node
    arguments, keywords = list(node.arguments), dict(node.keywords)
    arguments[1] = 0.0
    return node.model_copy(update={"arguments": tuple(arguments), "keywords": keywords})


def test_a_network_that_cannot_learn_is_the_students_to_fix_and_stays_as_it_was():
    wanted = program(trainable=False)
    net = network.build(wanted, values())
    before = copies(net)
    with pytest.raises(SubmissionError, match="no trainable parameter"):
        list(started({3: net}, wanted, images(), Immediate))
    assert_untouched(net, before)


@pytest.mark.parametrize("wanted", [program(), program(**recipe("Adam"))], ids=["SGD", "Adam"])
def test_what_cannot_be_recorded_leaves_the_networks_as_they_came(wanted):
    nets = {seed: network.build(wanted, values()) for seed in (3, 4)}
    before = {seed: copies(net) for seed, net in nets.items()}
    with pytest.raises(NotRecordableError):
        list(started(nets, wanted, images(), Refusing))
    for seed, net in nets.items():
        assert_untouched(net, before[seed])


class OnAnyDevice(Replay):
    """Tried as if the device were a GPU; the engine after it still sees the CPU that it is."""

    def runs_on(self, device: torch.device) -> bool:
        return True


def test_a_run_that_cannot_be_recorded_is_trained_step_by_step_and_says_why(monkeypatch):
    monkeypatch.setattr(run, "FAST_ENGINES", (OnAnyDevice(Refusing),))
    done = train_seeds(Task(program(), images()), {3: values(), 4: values()})
    monkeypatch.undo()
    plain = train_seeds(Task(program(), images(), engine="torch"), {3: values(), 4: values()})
    for mine, other in zip(done, plain, strict=True):
        reason = "no CUDA graph can hold it: operation not permitted"
        assert mine.engine == f"{other.engine} ({reason})"
        assert mine.side_by_side == 1
        assert_same_epochs(mine.epochs, other.epochs)
        assert mine.ending == other.ending


def test_a_run_that_can_be_recorded_says_so(monkeypatch):
    monkeypatch.setattr(run, "FAST_ENGINES", (OnAnyDevice(Immediate),))
    for done in train_seeds(Task(program(), images()), {3: values(), 4: values()}):
        assert (done.engine, done.side_by_side, done.ending) == ("CUDA graph", 2, Ending(True))


# What a CUDA graph can hold. "meta" stands for the GPU: its tensors have no values, so that nobody
# can read them on the host, and the mode below refuses every operation that makes or meets a tensor
# elsewhere.


class OnDevice(TorchDispatchMode):
    """Refuses what no CUDA graph holds: reads on the host, results whose size depends on values,
    other devices.
    """

    REFUSED = (
        "_local_scalar_dense",
        "nonzero",
        "masked_select",
        "unique",
        "is_nonzero",
        "equal",
        "lift_fresh",
    )

    def __init__(self, device: str) -> None:
        super().__init__()
        self.kind = torch.device(device).type
        self.seen: set[str] = set()
        self.kernels = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.__name__.partition(".")[0]
        masked = any(
            isinstance(item, Tensor) and item.dtype == torch.bool for item in tree_leaves(args[1:])
        )
        sized_by_values = name in ("index", "index_put", "index_put_") and masked
        needs_the_host = name.startswith(self.REFUSED) or sized_by_values
        assert not needs_the_host, f"{func} needs the host"
        result = func(*args, **(kwargs or {}))
        tensors = [item for item in tree_leaves((args, kwargs, result)) if isinstance(item, Tensor)]
        assert all(item.device.type == self.kind for item in tensors), f"{func} mixes devices"
        self.seen.add(name)
        self.kernels += not func.is_view and not name.startswith("empty")
        return result


class Draws:
    """A generator on "meta", where torch has none."""

    device = torch.device("meta")

    def __init__(self, device: torch.device) -> None:
        assert device.type == "meta"

    def manual_seed(self, seed: int) -> Draws:
        return self


@pytest.fixture
def meta(monkeypatch: pytest.MonkeyPatch) -> None:
    rand, randn = torch.rand, torch.randn
    monkeypatch.setattr(torch, "Generator", Draws)
    monkeypatch.setattr(
        torch, "rand", lambda shape, *, generator, device: rand(shape, device=device)
    )
    monkeypatch.setattr(
        torch, "randn", lambda shape, *, generator, device: randn(shape, device=device)
    )
    monkeypatch.setattr(
        loop, "order", lambda images, size, seed: torch.split(torch.arange(images), size)
    )


def operations_of_a_step(wanted: Program, blob: bytes | None = None) -> set[str]:
    """What an epoch and an evaluation do, by name. Fails where a CUDA graph could not hold it."""
    net = network.build(wanted, blob or values(), "meta")
    engine = replay._Recording({3: net}, wanted.recipe, images(), Immediate())
    with OnDevice("meta") as mode:
        engine.train()
        engine._evaluate()
    return mode.seen


@pytest.mark.parametrize("name", RULES)
def test_a_step_of_every_optimizer_stays_on_the_device(meta, name):
    momentum = [] if name in ("Adagrad", "Adadelta") else [curve([0.9, 0.8, 0.7] * 3)]
    schedule = {
        "learning_rate": [curve([0.1, 0.2, 0.3] * 3)],
        "momentum": momentum,
        "weight_decay": [curve([0.1, 0.0, 0.2] * 3)],
    }
    wanted = program(**recipe(name, epochs=3, schedule=schedule, clip_norm=1.0, clip_value=0.5))
    assert {"take", "index", "clamp"} <= operations_of_a_step(wanted)


@pytest.mark.parametrize(
    "loss",
    [
        {"name": "cross_entropy", "label_smoothing": 0.1, "weight": [1.0] * 10},
        {"name": "nll", "reduction": "sum", "weight": [1.0] * 10},
    ],
    ids=["cross entropy", "nll"],
)
def test_a_step_of_every_loss_stays_on_the_device(meta, loss):
    assert operations_of_a_step(program(loss=loss, dropout=0.3))


def test_a_step_with_penalties_stays_on_the_device(meta):
    seen = operations_of_a_step(program(penalties=PENALTIES))
    assert {"abs", "pow", "linalg_vector_norm"} <= seen


def test_a_step_of_a_network_of_every_habit_stays_on_the_device(habitual, meta):
    assert operations_of_a_step(*habitual)


AUGMENTATIONS: dict[str, list[Any]] = {
    "pil, nearest": [
        v1.RandomRotation(10, fill=3),
        v1.RandomAffine(0, (0.1, 0.1), (0.9, 1.1)),
        v1.RandomAffine(5, (0.1, 0.1), (0.9, 1.1), (-3, 3, -2, 2)),
        v1.RandomPerspective(interpolation=v1.InterpolationMode.NEAREST),
        v1.Grayscale(1),
        v1.ToTensor(),
    ],
    "pil, bilinear": [
        v1.RandomRotation(10, interpolation=v1.InterpolationMode.BILINEAR),
        v1.RandomPerspective(),
        v1.RandomResizedCrop(28, interpolation=v1.InterpolationMode.BICUBIC),
        v1.ToTensor(),
    ],
    "crops and sizes": [
        v1.Pad(2, padding_mode="symmetric"),
        v1.RandomCrop(28, padding=2, padding_mode="reflect"),
        v1.RandomApply([v1.CenterCrop(22)], p=0.1),
        v1.Resize((32, 32), interpolation=v1.InterpolationMode.NEAREST),
        v1.Resize((28, 28)),
        v1.RandomHorizontalFlip(),
        v1.RandomVerticalFlip(),
        v1.ToTensor(),
    ],
    "colours": [
        v1.ColorJitter(0.2, 0.2),
        v1.GaussianBlur(3),
        v1.RandomAdjustSharpness(2),
        v1.RandomAutocontrast(),
        v1.RandomInvert(),
        v1.ToTensor(),
    ],
    "floats": [
        v1.ToTensor(),
        v1.Normalize((0.1307,), (0.3081,)),
        v1.RandomRotation(7, fill=1),
        v1.RandomAffine(5, interpolation=v1.InterpolationMode.BILINEAR),
        v1.RandomPerspective(fill=2),
        v1.RandomResizedCrop(28),
        v1.ColorJitter(0.2, 0.2),
        v1.GaussianBlur(3),
        v1.RandomAdjustSharpness(2),
        v1.RandomErasing(value="random"),
        v1.RandomErasing(),
    ],
    "bytes": [
        v1.PILToTensor(),
        v1.RandomRotation(7),
        v1.RandomPerspective(),
        v1.ColorJitter(0.2, 0.2),
        v1.RandomAutocontrast(),
        v1.ConvertImageDtype(torch.float32),
    ],
    "containers": [
        v1.RandomChoice(
            [v1.RandomRotation(7), v1.RandomInvert(), v1.Compose([v1.CenterCrop(20), v1.Pad(4)])]
        ),
        v1.RandomOrder([v1.RandomPerspective(), v1.ColorJitter(0.1, 0.1)]),
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
    ],
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_step_with_augmentation_stays_on_the_device(meta, name):
    operations_of_a_step(program(augmentations=described(*AUGMENTATIONS[name])))


def test_every_augmentation_that_the_grader_has_was_tried_above():
    tried = {item.name for steps in AUGMENTATIONS.values() for item in walk(describe(steps))}
    assert tried >= TRANSFORMS.keys() | (set(CONTAINERS) - {"Compose"})


def walk(items: Sequence[Any]) -> Iterator[Any]:
    for item in items:
        yield item
        yield from walk(item.inner)


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x[torch.zeros((), dtype=torch.int64)],
        lambda x: x.sum().item(),
        lambda x: x[x > 0],
        lambda x: x * torch.tensor([1.0, 2.0, 3.0]),
    ],
    ids=["an index without dimension", "a number", "a mask", "a constant of the host"],
)
def test_what_needs_the_host_is_noticed(read):
    with OnDevice("cpu"), pytest.raises(AssertionError, match="needs the host"):
        read(torch.ones(3))


def test_a_tensor_elsewhere_is_noticed():
    with OnDevice("meta"), pytest.raises(AssertionError, match="mixes devices"):
        torch.ones(3, device="meta") * torch.ones(())


# On a GPU


@pytest.fixture
def exact_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions without TensorFloat-32, in which a difference of rounding may grow a
    thousandfold.
    """
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@needs_cuda
@pytest.mark.usefixtures("exact_convolutions")
@pytest.mark.parametrize("seeds", [[3], [3, 4, 5]], ids=["one seed", "three seeds"])
@pytest.mark.parametrize("name", RULES)
def test_fifty_recorded_steps_equal_the_eager_engine_on_a_gpu(name, seeds):
    wanted = program(**recipe(name, augmentations=ROTATION))
    found = together(wanted, seeds, images(), device="cuda", recorder=replay.CudaGraphs)
    for seed, (epochs, ending, _) in found.items():
        expected, expected_ending, _ = alone(wanted, seed, images(), device="cuda")
        assert_same_epochs(epochs, expected)
        assert ending == expected_ending


@needs_cuda
def test_recorded_dropout_differs_from_step_to_step_and_a_repeated_run_is_equal_on_a_gpu():
    still = program(
        dropout=0.5, **recipe(epochs=4, schedule={"learning_rate": [curve([0.0] * 12)]})
    )
    first, second = (
        together(still, [3, 4], images(48), device="cuda", recorder=replay.CudaGraphs)
        for _ in range(2)
    )
    for seed in (3, 4):
        losses = [epoch.train_loss for epoch in first[seed][0]]
        assert len(set(losses)) == 4
        assert losses == [epoch.train_loss for epoch in second[seed][0]]
        assert all(
            torch.equal(a.logits, b.logits)
            for a, b in zip(first[seed][0], second[seed][0], strict=True)
        )


@needs_cuda
def test_each_replay_draws_another_dropout_and_augmentation_on_a_gpu():
    """The losses of epochs over the same images in the same order: what is drawn is all that
    differs.
    """
    for changes in ({"dropout": 0.5}, {"augmentations": ROTATION}):
        wanted = program(
            **changes, **recipe(epochs=4, schedule={"learning_rate": [curve([0.0] * 12)]})
        )
        net = network.build(wanted, values(), "cuda")
        engine = replay._Recording({3: net}, wanted.recipe, images(48), replay.CudaGraphs())
        member = engine.members[3]
        member.generator.manual_seed(1)
        losses = []
        for _ in range(4):
            member.rewind()
            engine.train()
            torch.cuda.synchronize()
            losses.append(float(member._losses))
        assert len(set(losses)) == 4


@needs_cuda
def test_a_run_on_a_gpu_is_recorded_and_leaves_the_callers_random_numbers_alone():
    before = torch.cuda.get_rng_state()
    (done,) = train_seeds(Task(program(dropout=0.5), images(), "cuda"), {3: values()})
    assert (done.engine, done.ending) == ("CUDA graph", Ending(True))
    assert torch.equal(torch.cuda.get_rng_state(), before)


@needs_cuda
def test_what_no_graph_can_hold_falls_back_to_the_eager_engine_on_a_gpu(monkeypatch):
    """And it draws random numbers afterwards, on the stream that was current before."""
    step = replay._Member.step

    def reads(member: Any, size: int) -> None:
        step(member, size)
        float(member._losses)

    monkeypatch.setattr(replay._Member, "step", reads)
    current = torch.cuda.current_stream()
    (done,) = train_seeds(Task(program(dropout=0.5), images(), "cuda"), {3: values()})
    assert done.engine.startswith("eager (no CUDA graph can hold it: ")
    assert "captur" in done.engine
    assert done.ending == Ending(True)
    assert torch.cuda.current_stream() == current
    assert not torch.cuda.is_current_stream_capturing()
    monkeypatch.undo()
    (again,) = train_seeds(Task(program(dropout=0.5), images(), "cuda"), {3: values()})
    assert again.engine == "CUDA graph"
