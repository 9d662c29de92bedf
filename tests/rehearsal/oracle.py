"""What a training really does: the same script, unchanged, with real torch on tiny data.

In: folders with scripts, named on the command line (`FOLDER MAIN ...`, pairs). Out: one JSON line
for each: its optimizer, the (learning rate, momentum, weight decay) of each group in every step,
its losses and clips, the operations that the first training images went through, and how it ended.

Nothing is replaced: optimizers, schedulers, losses, loaders and transforms are torch's own. They
are watched from outside, and MNIST's files, in their own format, hold TRAIN and TEST images. Runs
each script in a fork of its own. Imports nothing of the grader.
"""

from __future__ import annotations

import gzip
import json
import os
import runpy
import struct
import sys
import tempfile
import types
import warnings
from pathlib import Path
from typing import Any

TRAIN, TEST = 200, 60
_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")


def main() -> None:
    """Run all scripts that the command line names."""
    import torch
    import torchvision

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as data:
        _write_mnist(Path(data))
        torchvision.datasets.MNIST.raw_folder = property(lambda _: data)
        for folder, script in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
            sys.stdout.write(_in_a_fork(folder, script) + "\n")
            sys.stdout.flush()


def _write_mnist(folder: Path) -> None:
    """MNIST's four files, with few images: grey noise, labels in turn."""
    for kind, count in (("train", TRAIN), ("t10k", TEST)):
        images, labels = (folder / name.replace("train", kind) for name in _NAMES)
        pixels = bytes((place * 37 + place // 784 * 11) % 256 for place in range(count * 784))
        images.write_bytes(struct.pack(">4I", 0x803, count, 28, 28) + pixels)
        labels.write_bytes(struct.pack(">2I", 0x801, count) + bytes(i % 10 for i in range(count)))
        for path in (images, labels):  # torchvision may look for the packed ones
            path.with_suffix(".gz").write_bytes(gzip.compress(path.read_bytes()))


def _in_a_fork(folder: str, script: str) -> str:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        seen: dict[str, Any] = {}
        try:
            _run(folder, script, seen)
            seen["ended"] = "well"
        except BaseException as error:
            seen["ended"] = f"{type(error).__name__}: {error}"
        with os.fdopen(writer, "w") as pipe:
            pipe.write(json.dumps(seen))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def _run(folder: str, script: str, seen: dict[str, Any]) -> None:
    path = Path(folder, script)
    os.chdir(path.parent)
    sys.path.insert(0, str(path.parent))
    sys.argv = [path.name]
    warnings.simplefilter("ignore")
    _without_workers()
    _without_bars()
    _watch(seen)
    with Path(os.devnull).open("w") as quiet:
        sys.stdout = sys.stderr = quiet
        runpy.run_path(str(path), run_name="__main__")


def _without_workers() -> None:
    from torch.utils.data import DataLoader

    real = DataLoader.__init__

    def init(self: Any, *args: Any, **keywords: Any) -> None:
        keywords.pop("num_workers", None)
        keywords.pop("pin_memory", None)
        real(self, *args, **keywords)

    DataLoader.__init__ = init


def _without_bars() -> None:
    """A machine without tqdm shows no bar."""

    class Bar:
        def __init__(self, items: Any, **_: Any) -> None:
            self.items = items

        def __iter__(self) -> Any:
            return iter(self.items)

        def set_description(self, *_: Any, **__: Any) -> None:
            """Nobody looks."""

        set_postfix = set_description

    sys.modules["tqdm"] = types.SimpleNamespace(tqdm=Bar)  # type: ignore[assignment]


def _watch(seen: dict[str, Any]) -> None:
    from torch.nn import functional, utils
    from torch.optim.optimizer import register_optimizer_step_pre_hook
    from torchvision import transforms

    seen |= {"optimizers": [], "steps": [], "losses": [], "clips": [], "transform": None}
    register_optimizer_step_pre_hook(lambda optimizer, *_: _note_step(seen, optimizer))
    for name in ("cross_entropy", "nll_loss"):
        setattr(functional, name, _noted_loss(seen["losses"], name, getattr(functional, name)))
    utils.clip_grad_norm_ = _noted_clip(seen["clips"], "norm", utils.clip_grad_norm_)
    utils.clip_grad_value_ = _noted_clip(seen["clips"], "value", utils.clip_grad_value_)
    real = transforms.Compose.__call__

    def composed(self: Any, image: Any) -> Any:
        if seen["transform"] is None:
            seen["transform"] = [repr(item) for item in self.transforms]
        return real(self, image)

    transforms.Compose.__call__ = composed


def _note_step(seen: dict[str, Any], optimizer: Any) -> None:
    _note(seen["optimizers"], type(optimizer).__name__)
    now = []
    for group in optimizer.param_groups:
        momentum = group["betas"][0] if "betas" in group else group.get("momentum")
        now.append([group["lr"], momentum, group["weight_decay"]])
    seen["steps"].append(now)


def _noted_loss(losses: list[Any], name: str, real: Any) -> Any:
    def call(scores: Any, labels: Any, *args: Any, **keywords: Any) -> Any:
        if scores.requires_grad:
            smoothing = keywords.get("label_smoothing", 0.0)
            _note(losses, [name, smoothing, keywords.get("reduction", "mean")])
        return real(scores, labels, *args, **keywords)

    return call


def _noted_clip(clips: list[Any], name: str, real: Any) -> Any:
    def call(parameters: Any, *args: Any, **keywords: Any) -> Any:
        _note(clips, [name, *args, *keywords.values()])
        return real(parameters, *args, **keywords)

    return call


def _note(seen: list[Any], what: Any) -> None:
    if what not in seen:
        seen.append(what)


if __name__ == "__main__":
    main()
