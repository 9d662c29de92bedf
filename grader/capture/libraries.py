"""Stand-ins for libraries that wrap a network, so that it can be built where they are missing.

Runs in the child.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import types
from collections.abc import Sequence

from grader.capture import siblings

_STOOD_IN = ("lightning", "pytorch_lightning", "torchmetrics")


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds stand-ins for Lightning, whose module may be the network, and for torchmetrics.

    `filename` is what all of the student's code is compiled with.
    """

    def __init__(self, filename: str) -> None:
        self._filename = filename

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A stand-in, if the student's code asks for one of these."""
        if name.partition(".")[0] not in _STOOD_IN or siblings.asking()[0] != self._filename:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """The stand-in itself."""
        from grader.capture.rehearsal import lightning  # few files need it

        return lightning.stand_in(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to run."""
