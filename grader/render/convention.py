"""A recipe as settings that a file can hold: the convention, ready to paste.

In: a Recipe, and the scheduler that made its learning rate, where one is known. Out: Python source
that the grader reads as the same recipe. The little that the convention has no way to say stands in
a comment.
"""

from __future__ import annotations

from collections.abc import Iterator

from grader.program.recipe import Augmentation, Recipe
from grader.program.rehearsed import SchedulerUse, TrainedNetwork
from grader.render import configure

ONLY_IN_VERSION_2 = ("ToImage", "ToDtype")
INTERPOLATIONS = ("nearest", "nearest-exact", "bilinear", "bicubic", "box", "hamming", "lanczos")


def written(
    recipe: Recipe,
    scheduler: SchedulerUse | None = None,
    *,
    network: TrainedNetwork | None = None,
    trains_all: bool = True,
) -> str:
    """The source, with its imports.

    `network` is the one that was trained, where that is known; `trains_all` is False where some of
    its weights are kept from the optimizer.
    """
    optimizer = "\n".join(configure.written(recipe, scheduler, trains_all=trains_all))
    settings = "\n".join([*_network(network), *_settings(recipe)])
    head = "import torch\nfrom torch import nn\n"
    if recipe.augmentations:
        head += "from torchvision import transforms\n"
    if "v2." in settings:
        head += "from torchvision.transforms import v2\n"
    return f"{head}\n{settings}\n\n\n{optimizer}\n"


def _network(network: TrainedNetwork | None) -> Iterator[str]:
    """Which class is graded, and what it is made with."""
    if network is None or not network.name.isidentifier():
        return
    arguments = [repr(value) for value in network.arguments]
    arguments += [f"{name}={value!r}" for name, value in network.keywords.items()]
    if not network.whole:
        yield f"# not part of the convention: the arguments that {network.name} is made with"
    if arguments and network.whole:
        yield f"def build_model():\n    return {network.name}({', '.join(arguments)})\n\n"
    else:
        yield f"MODEL = {network.name}"


def _settings(recipe: Recipe) -> Iterator[str]:
    yield f"EPOCHS = {recipe.epochs}"
    yield f"BATCH_SIZE = {recipe.batch_size}"
    if recipe.images is not None:
        yield f"TRAIN_IMAGES = {recipe.images}"
    if recipe.drop_last:
        yield "DROP_LAST = True"
    if recipe.augmentations:
        steps = "".join(f"    {_made(step)},\n" for step in recipe.augmentations)
        yield f"train_transform = transforms.Compose([\n{steps}])"
    else:
        yield "train_transform = []"
    yield f"criterion = {_loss(recipe)}"
    yield from _penalties(recipe)
    for name, value in (
        ("GRADIENT_CLIP_NORM", recipe.clip_norm),
        ("GRADIENT_CLIP_VALUE", recipe.clip_value),
    ):
        if value is not None:
            yield f"{name} = {value!r}"
    yield from _stops(recipe)


def _penalties(recipe: Recipe) -> Iterator[str]:
    """A number where a penalty is on all weights that are trained, else one for each weight."""
    trained = [name for group in recipe.optimizer.groups for name in group.parameters]
    for kind in ("l1", "l2", "norm"):
        terms = [penalty for penalty in recipe.penalties if penalty.kind == kind]
        if not terms:
            continue
        if [list(term.parameters) for term in terms] == [trained]:
            yield f"{kind.upper()}_PENALTY = {terms[0].factor!r}"
            continue
        entries = [f'"{name}": {term.factor!r},' for term in terms for name in term.parameters]
        lines = configure.folded(" ".join(entries), " " * 4)
        yield f"{kind.upper()}_PENALTY = {{\n{lines}\n}}"


def _stops(recipe: Recipe) -> Iterator[str]:
    if recipe.stop_at_accuracy is not None:
        yield f"STOP_AT_ACCURACY = {recipe.stop_at_accuracy!r}"
        if recipe.stop_after > 1:
            yield f"EPOCHS_AT_ACCURACY = {recipe.stop_after}"
        if recipe.stop_monitor != "accuracy":
            yield f'STOP_MONITOR = "{recipe.stop_monitor}"'
    if recipe.patience is not None:
        monitor = recipe.patience.monitor
        yield f"PATIENCE = {recipe.patience.epochs}"
        if recipe.patience.threshold:
            yield f"MIN_DELTA = {recipe.patience.threshold!r}"
        yield f'PATIENCE_MONITOR = "{monitor if monitor.startswith("train") else "val_" + monitor}"'


def _loss(recipe: Recipe) -> str:
    loss = recipe.loss
    arguments = []
    if loss.label_smoothing:
        arguments.append(f"label_smoothing={loss.label_smoothing!r}")
    if loss.reduction != "mean":
        arguments.append(f"reduction={loss.reduction!r}")
    if loss.weight is not None:
        arguments.append(f"weight=torch.tensor({list(loss.weight)})")
    name = "CrossEntropyLoss" if loss.name == "cross_entropy" else "NLLLoss"
    return f"nn.{name}({', '.join(arguments)})"


def _made(step: Augmentation) -> str:
    arguments = []
    for name, value in step.settings.items():
        # These alone may be told None; the scale of ConvertImageDtype is what its name says.
        said = value is not None or name == "antialias"
        if said and (step.name, name) != ("ConvertImageDtype", "scale"):
            arguments.append(f"{name}={_value(name, value)}")
    if step.inner:
        inner = ", ".join(map(_made, step.inner))
        arguments.insert(0, f"[{inner}]")
    module = "v2" if step.name in ONLY_IN_VERSION_2 else "transforms"
    return f"{module}.{step.name}({', '.join(arguments)})"


def _value(name: str, value: object) -> str:
    if name == "interpolation" and value in INTERPOLATIONS:
        return f"transforms.InterpolationMode.{str(value).upper().replace('-', '_')}"
    if name == "dtype" and value in ("float32", "uint8"):
        return f"torch.{value}"
    if isinstance(value, list):
        value = tuple(value)
    return repr(value)
