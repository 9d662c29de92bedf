"""A step as it is being written: the calls of its kernels, and where everything lies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from grader.training.engine.lanes.ir import Function, Operand, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.plan import Plan
from grader.training.engine.lanes.stages import Chain


@dataclass(slots=True)
class Library:
    """The kernels of a network: equal ones are one."""

    texts: list[str] = field(default_factory=list)
    _known: dict[str, Function] = field(default_factory=dict)

    def add(self, kernel: Function) -> Function:
        """The kernel, under a name of its own, or an equal one."""
        text = kernel.text()
        if text not in self._known:
            kernel.name = f"{kernel.name}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
            self._known[text] = kernel
            self.texts.append(kernel.text())
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
        self.range = groups
        self._written: set[int] = set()

    def call(self, kernel: Function, *values: Operand) -> None:
        """Call a kernel."""
        self.f.call(self.library.add(kernel), *values)

    def values(self, of: Map) -> Value:
        """Where a map's values lie."""
        return self.f.at(self.base, of.at)

    def gradient(self, of: Map) -> Value:
        """Where a map's gradient lies."""
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
        """Let every thread come to here."""
        f = self.f
        place = f.at(f["memory"], self.plan.barrier)
        f.line(
            f"call void @barrier(ptr {place.name}, i64 {f['threads'].name}, "
            f"ptr {f['give_way'].name})"
        )

    def coefficients(self, stage: Chain) -> Value:
        """Of this thread, or of this thread's look."""
        f, places = self.f, self.plan.norms.get(id(stage))
        if places is None:
            return self.base
        if f.name == "train":
            return f.at(f["memory"], f["thread"] * places.coefficients_stride + places.coefficients)
        return f.at(self.base, places.coefficients)
