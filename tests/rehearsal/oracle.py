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
            print(_in_a_fork(folder, script), flush=True)


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
    quiet = Path(os.devnull).open("w")
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
    import torch
    from torch.nn import functional, utils
    from torch.optim.optimizer import register_optimizer_step_pre_hook
    from torchvision import transforms

    seen |= {"optimizers": [], "steps": [], "losses": [], "clips": [], "transform": None}

    def before_step(optimizer: Any, *_: Any) -> None:
        name = type(optimizer).__name__
        if name not in seen["optimizers"]:
            seen["optimizers"].append(name)
        now = []
        for group in optimizer.param_groups:
            momentum = group["betas"][0] if "betas" in group else group.get("momentum")
            now.append([group["lr"], momentum, group["weight_decay"]])
        seen["steps"].append(now)

    register_optimizer_step_pre_hook(before_step)

    def loss(name: str, real: Any) -> Any:
        def call(scores: Any, labels: Any, *args: Any, **keywords: Any) -> Any:
            if scores.requires_grad and torch.is_grad_enabled():
                told = {key: value for key, value in keywords.items() if value is not None}
                call_ = [name, told.get("label_smoothing", 0.0), told.get("reduction", "mean")]
                if call_ not in seen["losses"]:
                    seen["losses"].append(call_)
            return real(scores, labels, *args, **keywords)

        return call

    for name in ("cross_entropy", "nll_loss"):
        setattr(functional, name, loss(name, getattr(functional, name)))

    def clip(name: str, real: Any) -> Any:
        def call(parameters: Any, most: Any, *args: Any, **keywords: Any) -> Any:
            if [name, most] not in seen["clips"]:
                seen["clips"].append([name, most])
            return real(parameters, most, *args, **keywords)

        return call

    utils.clip_grad_norm_ = clip("norm", utils.clip_grad_norm_)

    def clip_value(parameters: Any, clip_value: float) -> None:
        if ["value", clip_value] not in seen["clips"]:
            seen["clips"].append(["value", clip_value])
        real_value(parameters, clip_value)

    real_value = utils.clip_grad_value_
    utils.clip_grad_value_ = clip_value

    real_get = transforms.Compose.__call__

    def composed(self: Any, image: Any) -> Any:
        if seen["transform"] is None:
            seen["transform"] = [repr(item) for item in self.transforms]
        return real_get(self, image)

    transforms.Compose.__call__ = composed


if __name__ == "__main__":
    main()
