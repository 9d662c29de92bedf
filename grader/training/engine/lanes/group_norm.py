"""Group norm: each image by itself, over the channels of a group and all pixels.

    m, v = mean and variance of x over a group;  s = 1 / sqrt(v + eps);  n = (x - m) s
    y    = w n + b
    dx   = s (w dy - mean of w dy - n * mean of w dy n)
    dw   = sum over images of dy n,  db = sum over images of dy

Every lane is another image, so that mean and variance are vectors. The weight is one of the
channel, or, for layer norm, one of each number of a group. They are computed again on the way
back.
"""

from __future__ import annotations

from dataclasses import dataclass

from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.stages import Group

_RANGE = [("i64", "first"), ("i64", "end")]


def forward(stage: Group, target: Target) -> Function:
    """The kernel that computes the stage's target."""
    parameters = [("ptr", "source"), ("ptr", "target"), ("ptr", "weight"), ("ptr", "bias")]
    f = Function("norm", [*parameters, *_RANGE], target.lanes)
    with f.loop(f["first"], f["end"]) as group, f.loop(stage.groups) as part:
        here = _Part(f, stage, group, part)
        mean, scale = here.statistics()
        with f.loop(here.channels) as number:
            channel = here.begin + number
            with f.loop(stage.source.height) as y, f.loop(stage.source.width) as x:
                place = stage.source.values.at(group, channel, y, x)
                normal = (f.load(f["source"], place) - mean) * scale
                which = here.which(channel, y, x)
                if stage.weight:
                    normal = normal * f.every(f["weight"], which)
                if stage.bias:
                    normal = normal + f.every(f["bias"], which)
                f.store(normal, f["target"], stage.target.values.at(group, channel, y, x))
    return f


def backward(
    stage: Group, target: Target, *, of_source: bool, learns: tuple[bool, bool], accumulates: bool
) -> Function:
    """The kernel of the gradient of the source, which it may add to, and of weight and bias.

    `target` is here the gradient of the stage's target; `learns`: weight, bias.
    """
    parameters = ["source", "target", "gradient", "weight", "of_weight", "of_bias"]
    f = Function("unnorm", [*(("ptr", name) for name in parameters), *_RANGE], target.lanes)
    with f.loop(f["first"], f["end"]) as group, f.loop(stage.groups) as part:
        here = _Part(f, stage, group, part)
        mean, scale = here.statistics()
        sums = f.sums(2)
        with f.loop(here.channels) as number:
            channel = here.begin + number
            with f.loop(stage.source.height) as y, f.loop(stage.source.width) as x:
                given, normal = here.gradient(channel, y, x, mean, scale)
                which = here.which(channel, y, x)
                for key, yes, value in (
                    ("of_weight", learns[0], given * normal),
                    ("of_bias", learns[1], given),
                ):
                    if yes:
                        f.put(f.total(value) + f.scalar(f[key], which), f[key], which)
                if stage.weight:
                    given = given * f.every(f["weight"], which)
                sums[0].add(given)
                sums[1].set(f.fma(given, normal, sums[1].get()))
        if of_source:
            first, second = (total.get() * (1 / here.count) for total in sums)
            here.write_gradient(mean, scale, first, second, accumulates=accumulates)
    return f


@dataclass(slots=True)
class _Part:
    """The channels of one group, of some images."""

    f: Function
    stage: Group
    group: Value
    part: Value

    @property
    def channels(self) -> int:
        return self.stage.source.channels // self.stage.groups

    @property
    def begin(self) -> Value:
        return self.part * self.channels

    @property
    def count(self) -> int:
        return self.channels * self.stage.source.pixels

    def which(self, channel: Value, y: Value, x: Value) -> Value:
        """The number of the weight."""
        if not self.stage.by_pixel:
            return channel
        source = self.stage.source
        return ((channel - self.begin) * source.height + y) * source.width + x

    def value(self, channel: Value, y: Value, x: Value) -> Value:
        place = self.stage.source.values.at(self.group, channel, y, x)
        return self.f.load(self.f["source"], place)

    def gradient(
        self, channel: Value, y: Value, x: Value, mean: Value, scale: Value
    ) -> tuple[Value, Value]:
        """What reaches the stage's target, and the normed value."""
        place = self.stage.target.gradient.at(self.group, channel, y, x)
        given = self.f.load(self.f["target"], place)
        return given, (self.value(channel, y, x) - mean) * scale

    def write_gradient(
        self, mean: Value, scale: Value, first: Value, second: Value, *, accumulates: bool
    ) -> None:
        """That of the source, from the means of w dy and of w dy n."""
        f, stage = self.f, self.stage
        with f.loop(self.channels) as number:
            channel = self.begin + number
            with f.loop(stage.source.height) as y, f.loop(stage.source.width) as x:
                given, normal = self.gradient(channel, y, x, mean, scale)
                if stage.weight:
                    given = given * f.every(f["weight"], self.which(channel, y, x))
                result = (given - first - normal * second) * scale
                place = stage.source.gradient.at(self.group, channel, y, x)
                if accumulates:
                    result = result + f.load(f["gradient"], place)
                f.store(result, f["gradient"], place)

    def statistics(self) -> tuple[Value, Value]:
        """Mean, and 1 / standard deviation, of each image: first one, then the other."""
        f = self.f
        mean = self._sum(None) * (1 / self.count)
        variance = self._sum(mean) * (1 / self.count)
        return mean, 1.0 / f.unary("sqrt", variance + self.stage.epsilon)

    def _sum(self, mean: Value | None) -> Value:
        """Of the values, or of the squares of what they are off the mean."""
        f, source = self.f, self.stage.source
        total = f.variable(f.vector, 0.0)
        with f.loop(self.channels) as number:
            row_sum = f.variable(f.vector, 0.0)
            with f.loop(source.height) as y, f.loop(source.width) as x:
                value = self.value(self.begin + number, y, x)
                if mean is not None:
                    value = (value - mean) * (value - mean)
                row_sum.add(value)
            total.add(row_sum.get())
        return total.get()
