"""Lightning's Tuner: what it finds by trying, nobody can know without trying.

Part of the stand-in for Lightning; see `lightning`. It leaves the weights as they were. A learning
rate or batch size that it sets in the module makes the training one that cannot be followed.
"""

from __future__ import annotations

from typing import Any

from grader.capture.rehearsal.absorbed import Absorbed, AbsorbedModule

_RATE = (
    "The learning rate is found by trying (lr_find), so it is another one each time: write the one "
    "that you trained with into the file, and give lr_find update_attr=False"
)
_BATCH = (
    "The batch size is found by trying (scale_batch_size), so it depends on the machine: write the "
    "one that you trained with into the file"
)


class Tuner:
    """Tries learning rates and batch sizes on a Trainer's network."""

    def __init__(self, trainer: Any, *, sets: bool = True) -> None:
        self._trainer, self._sets = trainer, sets

    def lr_find(self, *_: Any, update_attr: bool | None = None, **__: Any) -> Any:
        """A learning rate, which is not known here."""
        if self._sets if update_attr is None else update_attr:
            self._trainer.tuned.append(_RATE)
        return Absorbed("lightning.Tuner.lr_find()")

    def scale_batch_size(self, *_: Any, **__: Any) -> Any:
        """A batch size, which is not known here."""
        self._trainer.tuned.append(_BATCH)
        return Absorbed("lightning.Tuner.scale_batch_size()")


def tune(trainer: Any, arguments: dict[str, Any]) -> Any:
    """What `trainer.tune(model)` does."""
    if arguments.get("auto_lr_find"):
        trainer.tuned.append(_RATE)
    if arguments.get("auto_scale_batch_size"):
        trainer.tuned.append(_BATCH)
    return Absorbed("lightning.Trainer.tune()")


def module(name: str) -> AbsorbedModule:
    """`lightning.pytorch.tuner`, or a module in it."""
    found = AbsorbedModule(name)
    vars(found)["Tuner"] = Tuner
    return found
