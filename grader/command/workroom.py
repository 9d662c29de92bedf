"""Where work is read and trained: started when first needed, kept until the `with` ends.

In: the least level of isolation, and whether anything will be trained. Out: the sandbox, proven,
and who trains. Loads no torch for static checks.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import TYPE_CHECKING, Self

from grader.sandbox import isolation, loading
from grader.sandbox.isolation import Proven
from grader.sandbox.kept import Lent
from grader.sandbox.zygote import Zygote

if TYPE_CHECKING:
    from grader.analysis.untrained.watched import Watched
    from grader.training.data import Source
    from grader.training.worker.crew import Crew


class Workroom:
    """A context manager. Use it in one thread: a box ends with the thread that started it.

    `require` is the least level of isolation. `trains`: torch is loaded here, too, while the
    sandbox gets ready. `seen`: what the networks showed that were watched here.
    """

    def __init__(self, require: int | None = None, *, trains: bool = False) -> None:
        self.require = require
        self.trains = trains
        self._stack = contextlib.ExitStack()
        self._begun: Zygote | None = None
        self._has_begun = False
        self._sandbox: Proven | None = None
        self._crew: Crew | None = None
        self._images: list[Source] = []
        self.seen: dict[bytes, Watched] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def begin(self, *, stays: bool = False) -> None:
        """Let the sandbox get ready, and return at once, or when torch is loaded here.

        Where it `stays`, it outlives this workroom, and one that an earlier one left is taken.
        """
        if self._has_begun:
            return
        self._has_begun = True
        self._begun = isolation.begin(stays=stays)
        if self._begun is not None:
            self._stack.callback(self._begun.close)
        if self.trains:
            with loading.uncollected():
                # Torch would load this part of itself only for the first tensor that has a shape
                # and no data.
                import torch._dynamo  # noqa: F401 - loaded for its effect

    @property
    def leaves_a_sandbox(self) -> bool:
        """Whether a sandbox was started here that outlives this workroom."""
        return isinstance(self._begun, Lent) and self._begun.is_new

    @property
    def sandbox(self) -> Proven:
        """The strongest sandbox that this machine gives. Raises GraderError below `require`."""
        if self._sandbox is None:
            self.begin()
            chosen = isolation.choose(self.require, begun=self._begun)
            self._sandbox = self._stack.enter_context(chosen)
        return self._sandbox

    @property
    def crew(self) -> Crew | None:
        """Who trains; None where nothing is trained."""
        if self._crew is None and self.trains:
            from grader.training.worker.crew import Crew

            self._crew = Crew()
        return self._crew

    def held(self, source: Source) -> Source:
        """The same images, or those that were read here before: then they need not be read again.

        Their folder was looked into just now.
        """
        for known in self._images:
            if known == source:
                return known
        self._images.append(source)
        return source
