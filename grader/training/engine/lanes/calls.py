"""A step as it is being written: the calls of its kernels, and where everything lies.

Kernels that work on images are called for one group after the other, not each for all of them:

    for each group    convolution, then sums for batch norm    all of what lies between two barriers
    barrier
    for each group    batch norm and ReLU, next convolution, ...

so that what one kernel wrote is still in the second cache when the next one reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from grader.training.engine.lanes.arena import ALIGNED
from grader.training.engine.lanes.ir import Function, Operand, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.plan import Plan
from grader.training.engine.lanes.stages import Chain


@dataclass(slots=True)
class Library:
    """The kernels of a network: equal ones are one.

    `by_tiles`: convolutions as `tiling` says, which takes more code than without.
    """

    by_tiles: bool = True
    texts: list[str] = field(default_factory=list)
    _known: dict[str, Function] = field(default_factory=dict)

    def add(self, kernel: Function) -> Function:
        """The kernel, under a name of its own, or an equal one."""
        text = kernel.text()
        if text not in self._known:
            self._known[text] = kernel.named()
            self.texts.append(kernel.text())
            for callee in kernel.callees:
                if callee.text() not in self.texts:
                    self.texts.append(callee.text())
        return self._known[text]


class Calls:
    """A function that calls kernels, of a thread's images or of a look's."""

    def __init__(
        self,
        library: Library,
        plan: Plan,
        target: Target,
        function: Function,
        base: Value,
        groups: tuple[Operand, Operand],
    ) -> None:
        self.library = library
        self.plan = plan
        self.target = target
        self.f = function
        self.base = base
        self.range = Value(function, "i64", "first"), Value(function, "i64", "end")
        """Stand for the group, and the one after it, that a kernel is called for."""
        self._groups = groups
        self._by_group: list[tuple[Function, tuple[Operand, ...]]] = []
        self._afterwards: list[tuple[Function, tuple[Operand, ...]]] = []
        self._written: set[int] = set()

    def call(self, kernel: Function, *values: Operand) -> None:
        """Call a kernel: now, or, where the range is among the values, for each group in turn."""
        known = self.library.add(kernel)
        if self.range[0] in values:
            self._by_group.append((known, values))
        else:
            self.f.call(known, *values)

    def afterwards(self, kernel: Function, *values: Operand) -> None:
        """Call a kernel when all groups are done."""
        self._afterwards.append((self.library.add(kernel), values))

    def all_groups(self) -> None:
        """Write the loop over the groups, which calls what was to be called for each of them."""
        if self._by_group:
            with self.f.loop(*self._groups) as group:
                here = dict(zip(self.range, (group, group + 1), strict=True))
                for kernel, values in self._by_group:
                    given = [here.get(v, v) if isinstance(v, Value) else v for v in values]
                    self.f.call(kernel, *given)
        for kernel, values in self._afterwards:
            self.f.call(kernel, *values)
        self._by_group.clear()
        self._afterwards.clear()

    def values(self, of: Map) -> Value:
        """Where a map's values lie."""
        return self.f.at(self.base, of.at)

    def gradient(self, of: Map) -> Value:
        """Where a map's gradient lies."""
        if of.passing:
            return self.f.at(self.base, self.f["thread"] * of.gradient_stride + of.gradient_at)
        return self.f.at(self.base, of.gradient_at)

    def weight(self, name: str | None) -> Value:
        """Where a weight lies; anywhere for none."""
        return self.f.at(self.f["memory"], self.plan.weights[name] if name else 0)

    def weight_gradient(self, name: str | None) -> Value:
        """Of this thread's images."""
        f, plan = self.f, self.plan
        begin = f["thread"] * plan.gradients_stride
        return f.at(f["memory"], begin + (plan.gradients + plan.learned.get(name or "", 0)))

    def learns(self, name: str | None) -> bool:
        """Whether that weight has a gradient."""
        return name is not None and name in self.plan.learned

    def adds(self, of: Map) -> bool:
        """Whether a gradient of that map was written in this step already."""
        before = id(of) in self._written
        self._written.add(id(of))
        return before

    @property
    def seed(self) -> Operand:
        """Of the step; in a look nothing is random."""
        return self.f["seed"] if self.f.name == "train" else 0

    def wait(self) -> None:
        """Let every thread come to here, when it is done with its groups."""
        self.all_groups()
        f = self.f
        place = f.at(f["memory"], self.plan.barrier)
        f.line(
            f"call void @barrier(ptr {place.name}, i64 {f['threads'].name}, "
            f"ptr {f['give_way'].name})"
        )

    @property
    def scratch(self) -> Value:
        """Memory of this thread's, for a kernel while it runs."""
        f, plan = self.f, self.plan
        return f.at(f["memory"], f["thread"] * plan.scratch_stride + plan.scratch)

    def room(self, floats: int) -> Value:
        """Memory of this thread's, for the whole of a step or look."""
        f, stride = self.f, -(-floats // ALIGNED) * ALIGNED
        begin = self.plan.arena.take(stride * self.plan.threads)
        return f.at(f["memory"], f["thread"] * stride + begin)

    def forget(self, place: Value, floats: int) -> None:
        """Write zeros there now, before what is called for each group adds to them."""
        with self.f.loop(floats // self.f.lanes) as vector:
            self.f.store(0.0, place, vector)

    def coefficients(self, stage: Chain) -> Value:
        """Of this thread, or of this thread's look."""
        f, places = self.f, self.plan.norms.get(id(stage))
        if places is None:
            return self.base
        if f.name == "train":
            return f.at(f["memory"], f["thread"] * places.coefficients_stride + places.coefficients)
        return f.at(self.base, places.coefficients)
