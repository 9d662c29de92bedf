"""Before code trains, what it computes is compared with torch, on the submission's own images.

Three batches of different sizes, augmented, forward and backward, and a look at test images. The
augmented images of code that is right are the same bit for bit. Its losses and scores differ from
torch's by rounding. So do gradients, but where two pixels of a window are nearly equal, or one is
nearly 0, rounding may send a gradient another way: that happens in one batch or another, while code
that is wrong is wrong in all of them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grader.network import Network
from grader.program.program import Program
from grader.training import augment
from grader.training.data import TrainingData
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import gathering
from grader.training.engine.lanes.compiled import Batch, Compiled, Written
from grader.training.engine.lanes.dropout import Masks, share
from grader.training.engine.lanes.learner import share_of
from grader.training.engine.lanes.machine import Code, Target
from grader.training.engine.learner import Lesson, loss_function

BATCHES = (48, 33, 7)
LOSS_WITHIN = 1e-5
"""Of the loss, or of 1."""
GRADIENT_WITHIN = 1e-3
"""Of the largest gradient of the same weight, in the best of the batches."""
NEGLIGIBLE = 0.05
"""A weight's gradients below this share of the largest of all are rounding: a bias before batch
norm has no others."""
SCORES_WITHIN = 1e-4
"""Of the largest score."""


def check(
    network: Network, program: Program, data: TrainingData, written: Written, code: Code, on: Target
) -> None:
    """Raises CannotTrainError where the code does not compute what torch computes."""
    largest = written.plan.groups * written.plan.lanes
    sizes = [min(size, largest, len(data.train_images)) for size in BATCHES]
    masks = Masks(on.lanes)
    values = {name: tensor.detach() for name, tensor in network.weights.items()}
    torchs = share(Network(program, values), masks)
    ours = Compiled(written, code)
    try:
        for name, tensor in torchs.weights.items():
            room = ours.weight(name, tuple(tensor.shape))
            if room is not None:
                room.copy_(tensor.detach())
        worst = dict.fromkeys(ours.learned, float("inf"))
        for number, size in enumerate(sizes):
            images, labels = _batch(program, data, size, number)
            masks.seed = number + 1
            _compare(program, torchs, ours, (images, labels), masks.seed, worst)
        _weigh(worst)
        _compare_images(program, data, ours, sizes)
        _compare_scores(program, torchs, ours, data)
    finally:
        ours.close()


def _batch(program: Program, data: TrainingData, size: int, number: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(number)
    pipeline = augment.build(program.recipe.augmentations, image_shape=data.image_shape)
    images = torch.tensor(data.train_images[:size])
    return pipeline(images, generator), torch.tensor(data.train_labels[:size])


def _compare(
    program: Program,
    torchs: Network,
    ours: Compiled,
    batch: tuple[Tensor, Tensor],
    seed: int,
    worst: dict[str, float],
) -> None:
    """One batch; `worst` keeps each weight's error in the best batch so far."""
    images, labels = batch
    torchs.train()
    torchs.zero_grad()
    loss = loss_function(program.recipe.loss, torch.device("cpu"))(torchs(images), labels)
    loss.backward()  # type: ignore[no-untyped-call] # torch does not annotate it
    by_factor = share_of(program.recipe.loss, labels.numpy())
    total, _ = ours.step(images, labels.numpy(), by_factor, seed)
    expected = float(loss.detach())
    if not abs(total * by_factor - expected) <= LOSS_WITHIN * max(1.0, abs(expected)):
        raise CannotTrainError(
            f"its machine code gives a loss of {total * by_factor:.6g} where torch gives "
            f"{expected:.6g}"
        )
    theirs = {name: torchs.weights[name].grad for name in worst}
    sizes = [float(g.abs().max()) for g in theirs.values() if g is not None]
    for name, gradient in theirs.items():
        if gradient is not None:
            scale = max(float(gradient.abs().max()), NEGLIGIBLE * max(sizes))
            mine = ours.gradient(name, tuple(gradient.shape))
            error = float((mine - gradient).abs().max()) / (scale or 1.0)
            worst[name] = min(worst[name], error)


def _compare_images(program: Program, data: TrainingData, ours: Compiled, sizes: list[int]) -> None:
    """Batches that the code gathers are those of the Pipeline, bit for bit."""
    if ours.way is None:
        return
    images, labels = (
        torch.tensor(all_of_them[: max(sizes)])
        for all_of_them in (data.train_images, data.train_labels)
    )
    pipeline = augment.build(program.recipe.augmentations, image_shape=data.image_shape)
    batches = [torch.arange(size).flip(0) for size in sizes]
    mine, theirs = (
        Lesson(images, labels, batches, pipeline, torch.Generator().manual_seed(0))
        for _ in range(2)
    )
    gathered = gathering.gathered(ours.way, mine, ours.lanes)
    first = 0
    for number, batch in enumerate(batches):
        expected, _ = theirs.batch(number)
        if not torch.equal(ours.loaded(Batch(gathered, first), len(batch)), expected):
            raise CannotTrainError("its machine code augments images otherwise than the grader")
        first += len(batch)


def _weigh(worst: dict[str, float]) -> None:
    for name, error in worst.items():
        if not error <= GRADIENT_WITHIN:
            raise CannotTrainError(f"its machine code has another gradient of {name} than torch")


def _compare_scores(program: Program, torchs: Network, ours: Compiled, data: TrainingData) -> None:
    prepare = augment.evaluation(program.recipe.augmentations, image_shape=data.image_shape)
    images = prepare(torch.tensor(data.test_images[: sum(BATCHES)]))
    torchs.eval()
    with torch.no_grad():
        expected = torchs(images)
    error = (ours.look(images) - expected).abs().max()
    if not error <= SCORES_WITHIN * max(1.0, float(expected.abs().max())):
        raise CannotTrainError("its machine code gives other scores than torch")
