"""Lanes code beside torch in single and in double precision, under the same dropout."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grader import network
from grader.network import Network
from grader.program.program import Program
from grader.training.engine.lanes import compiled, machine
from grader.training.engine.lanes.compiled import Compiled
from grader.training.engine.lanes.dropout import Masks, share
from grader.training.engine.lanes.learner import share_of
from grader.training.engine.learner import loss_function
from tests.networks import program_of

HERE = machine.here()


@dataclass(frozen=True, slots=True)
class Computed:
    """What one batch gives."""

    loss: float
    right: int
    gradients: dict[str, Tensor]
    statistics: dict[str, Tensor]
    scores: Tensor


@dataclass(frozen=True, slots=True)
class Case:
    """A network's Program, and its batches: images, labels and the seed of the dropout."""

    program: Program
    values: bytes
    batches: tuple[tuple[Tensor, Tensor, int], ...]

    def by_torch(self, precision: torch.dtype) -> list[Computed]:
        """Each batch in turn, from the initial weights on, which stay."""
        masks = Masks(HERE.lanes)
        values = network.read_values(self.program, self.values)
        net = share(
            Network(
                self.program,
                {n: v.to(precision) if v.is_floating_point() else v for n, v in values.items()},
            ),
            masks,
        )
        return [self._one(net, masks, batch, precision) for batch in self.batches]

    def _one(
        self, net: Network, masks: Masks, batch: tuple[Tensor, Tensor, int], precision: torch.dtype
    ) -> Computed:
        images, labels, masks.seed = batch
        net.train()
        net.zero_grad()
        wanted = self.program.recipe.loss
        if wanted.weight is not None and precision == torch.float64:
            torch.set_default_dtype(torch.float64)
        try:
            loss = loss_function(wanted, torch.device("cpu"))(net(images.to(precision)), labels)
        finally:
            torch.set_default_dtype(torch.float32)
        loss.backward()
        net.eval()
        with torch.no_grad():
            scores = net(images.to(precision))
        net.train()
        own = {weight.name for weight in self.program.weights if weight.storage == weight.name}
        weights = {name: net.weights[name] for name in net.weights if name in own}
        gradients = {name: w.grad for name, w in weights.items() if w.grad is not None}
        statistics = {name: w.detach().clone() for name, w in weights.items() if "running" in name}
        with torch.no_grad():
            right = int((scores.argmax(1) == labels).sum())
        return Computed(
            float(loss.detach()),
            right,
            {name: gradient.clone() for name, gradient in gradients.items()},
            statistics,
            scores,
        )

    def by_lanes(self, threads: int = 1) -> list[Computed]:
        """The same by machine code of this machine."""
        batch = max(len(labels) for _, labels, _ in self.batches)
        written = compiled.write(self.program, batch, threads, HERE)
        ours = Compiled(written, compiled.compile_(written, HERE))
        try:
            net = network.build(self.program, self.values)
            for name, weight in net.weights.items():
                room = ours.weight(name, tuple(weight.shape))
                if room is not None:
                    room.copy_(weight.detach())
            return [self._step(ours, net, batch) for batch in self.batches]
        finally:
            ours.close()

    def _step(self, ours: Compiled, net: Network, batch: tuple[Tensor, Tensor, int]) -> Computed:
        images, labels, seed = batch
        by_factor = share_of(self.program.recipe.loss, labels.numpy())
        total, right = ours.step(images, labels.numpy(), by_factor, seed)
        statistics = {}
        for name, weight in net.weights.items():
            room = ours.weight(name, tuple(weight.shape))
            if "running" in name and room is not None:
                statistics[name] = room.clone()
        gradients = {
            name: ours.gradient(name, tuple(net.weights[name].shape)).clone()
            for name in ours.learned
        }
        return Computed(total * by_factor, right, gradients, statistics, ours.look(images))


def case(
    model: nn.Module, shape: tuple[int, ...], sizes: tuple[int, ...] = (20, 7), **loss: object
) -> Case:
    """A Case of that module with random images."""
    program, values = program_of(model.train(), shape)
    if loss:
        recipe = program.recipe
        changed = recipe.loss.model_copy(update=loss)
        program = program.model_copy(update={"recipe": recipe.model_copy(update={"loss": changed})})
    draws = torch.Generator().manual_seed(0)
    batches = []
    for number, size in enumerate(sizes):
        images = torch.randn((size, *shape), generator=draws)
        labels = torch.randint(0, 10, (size,), generator=draws)
        batches.append((images, labels, 77 + number))
    return Case(program, values, tuple(batches))


def distance(found: dict[str, Tensor], wanted: dict[str, Tensor], floor: float) -> float:
    """The largest difference of any weight's gradient, as a share of the largest of all."""
    largest = max((float(g.abs().max()) for g in wanted.values()), default=0.0)
    return max(
        (float((found[name].double() - g.double()).abs().max()) for name, g in wanted.items()),
        default=0.0,
    ) / max(largest, floor)


def assert_as_torch(tried: Case, threads: int = 1) -> None:
    """Lanes code is as near to double precision as torch's single precision is, or nearly so.

    A maximum that changes places by rounding changes gradients at once; it does so in one batch or
    another, while wrong code is wrong in all.
    """
    exact, single = tried.by_torch(torch.float64), tried.by_torch(torch.float32)
    ours = tried.by_lanes(threads)
    errors = []
    for wanted, theirs, found in zip(exact, single, ours, strict=True):
        bound = 1e-5 * max(1.0, abs(wanted.loss)) + 3 * abs(theirs.loss - wanted.loss)
        assert abs(found.loss - wanted.loss) <= bound, (found.loss, wanted.loss)
        assert found.gradients.keys() == wanted.gradients.keys()
        for name, statistic in wanted.statistics.items():
            torch.testing.assert_close(
                found.statistics[name].double(), statistic.double(), rtol=1e-5, atol=1e-5
            )
        largest = max(1.0, float(wanted.scores.abs().max()))
        assert float((found.scores.double() - wanted.scores).abs().max()) <= 1e-4 * largest
        mine = distance(found.gradients, wanted.gradients, 1e-6)
        theirs_off = distance(theirs.gradients, wanted.gradients, 1e-6)
        errors.append(mine - 3 * theirs_off)
    assert min(errors) <= 2e-5, errors
