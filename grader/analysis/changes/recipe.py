"""What changed from one recipe to the next, in words: "SGD → Adam", "+ RandomRotation(±5)".

In: two recipes as the analysis holds them (JSON values). Out: sentences. What says the same in
other words (which line, whose recipe it is) is no change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Table = Mapping[str, Any]

_OF_IMAGES = ("ToTensor", "PILToTensor", "ToImage", "ToDtype", "ConvertImageDtype", "ToPILImage")
"""Transforms that change how an image is held, and nothing that is learned from."""
_USUAL = ("interpolation", "expand", "center", "fill", "inplace", "antialias", "resample")
"""Settings of a transform that people leave alone."""
_LOSSES = {"cross_entropy": "cross entropy", "nll": "negative log-likelihood"}
_SETTINGS = {"momentum": "momentum", "nesterov": "Nesterov's momentum", "betas": "betas"}


def changed(before: Table, after: Table) -> tuple[str, ...]:
    """What the later recipe has otherwise; nothing where both train alike."""
    return (
        *_optimizer(before, after),
        *_rate(before, after),
        *_numbers(before, after),
        *_loss(before, after),
        *_images(before, after),
        *_optional(before, after),
    )


def _optimizer(before: Table, after: Table) -> Iterator[str]:
    earlier, later = _name(before), _name(after)
    if earlier != later:
        yield f"{earlier} → {later}"
    settings = _settings(before), _settings(after)
    decay = [one.get("weight_decay") or 0 for one in settings]
    if decay[0] != decay[1]:
        yield f"weight decay {decay[0]:g} → {decay[1]:g}"
    if earlier != later:
        return
    for key, words in _SETTINGS.items():
        values = settings[0].get(key), settings[1].get(key)
        if values[0] != values[1]:
            yield _altered(words, *values)


def _name(recipe: Table) -> str:
    return str(_table(recipe.get("optimizer")).get("name", "no optimizer"))


def _settings(recipe: Table) -> Table:
    groups = _table(recipe.get("optimizer")).get("groups")
    first = groups[0] if isinstance(groups, list) and groups else {}
    return _table(_table(first).get("settings"))


def _altered(words: str, earlier: Any, later: Any) -> str:
    if isinstance(earlier, bool) or isinstance(later, bool):
        return f"+ {words}" if later else f"− {words}"
    return f"{words} {_value(earlier)} → {_value(later)}"


def _rate(before: Table, after: Table) -> Iterator[str]:
    earlier, later = _path(before), _path(after)
    if earlier != later:
        yield f"learning rate {earlier} → {later}"


def _path(recipe: Table) -> str:
    """As in "0.01", "OneCycleLR up to 0.003", "StepLR from 0.1 to 0.001"."""
    schedule = _table(recipe.get("schedule"))
    curves = schedule.get("learning_rate")
    curve = curves[0] if isinstance(curves, list) and curves else []
    values = [float(value) for value, _ in curve]
    if not values:
        return "unknown"
    if recipe.get("plateau"):
        return f"ReduceLROnPlateau from {values[0]:g}"
    name = schedule.get("scheduler") or ""
    if len(set(values)) == 1:
        return f"{name} {values[0]:g}".strip()
    if max(values) > values[0]:
        return f"{name} up to {max(values):.4g}".strip()
    return f"{name} from {values[0]:.4g} to {values[-1]:.4g}".strip()


def _numbers(before: Table, after: Table) -> Iterator[str]:
    epochs = before.get("epochs"), after.get("epochs")
    if epochs[0] != epochs[1]:
        yield f"{epochs[0]} → {epochs[1]} epochs"
    batch = before.get("batch_size"), after.get("batch_size")
    if batch[0] != batch[1]:
        yield f"{batch[0]} → {batch[1]} images a batch"
    images = before.get("images"), after.get("images")
    if images[0] != images[1]:
        shown = (f"{count:,}" if isinstance(count, int) else "all" for count in images)
        yield f"{' → '.join(shown)} training images"


def _loss(before: Table, after: Table) -> Iterator[str]:
    losses = _table(before.get("loss")), _table(after.get("loss"))
    names = [str(_LOSSES.get(str(loss.get("name")), loss.get("name"))) for loss in losses]
    if names[0] != names[1]:
        yield f"{names[0]} → {names[1]}"
    yield from _switched(
        "label smoothing", *[loss.get("label_smoothing") or None for loss in losses]
    )
    if bool(losses[0].get("weight")) != bool(losses[1].get("weight")):
        yield f"{'+' if losses[1].get('weight') else '−'} weights for the classes in the loss"
    penalties = _penalties(before), _penalties(after)
    yield from (f"− {words}" for words in penalties[0] if words not in penalties[1])
    yield from (f"+ {words}" for words in penalties[1] if words not in penalties[0])


def _penalties(recipe: Table) -> list[str]:
    found = recipe.get("penalties")
    shown = []
    for one in found if isinstance(found, list) else ():
        shown.append(f"{str(one.get('kind')).upper()} penalty {_value(one.get('factor'))}")
    return shown


def _images(before: Table, after: Table) -> Iterator[str]:
    """Augmentations by name: added, taken away, set otherwise; else in another order."""
    earlier, later = list(_augmentations(before)), list(_augmentations(after))
    names = [name for name, _ in earlier], [name for name, _ in later]
    for name, settings in earlier:
        if name not in names[1]:
            yield f"− {name}{_brackets(settings)}"
    for name, settings in later:
        if name not in names[0]:
            yield f"+ {name}{_brackets(settings)}"
    known = dict(earlier)
    for name, settings in later:
        if name in known and known[name] != settings:
            yield f"{name}{_brackets(known[name])} → {name}{_brackets(settings)}"
    if names[0] != names[1] and sorted(names[0]) == sorted(names[1]):
        yield "the transforms in another order"


def _augmentations(recipe: Table) -> Iterator[tuple[str, str]]:
    found = recipe.get("augmentations")
    for one in found if isinstance(found, list) else ():
        name = str(one.get("name"))
        if name not in _OF_IMAGES:
            yield name, _words(one)


def _words(one: Table) -> str:
    """The settings that say something: "±5", "translate 0.05, scale 0.98 to 1.02"."""
    shown = []
    for inner in one.get("inner") or ():
        shown.append(f"{inner.get('name')}{_brackets(_words(inner))}")
    for key, value in _table(one.get("settings")).items():
        if key in _USUAL or value is None or value in ([0, 0], [0.0, 0.0], 0, False):
            continue
        shown.append(_value(value) if key == "degrees" else f"{key} {_value(value)}")
    return ", ".join(shown)


def _brackets(words: str) -> str:
    return f"({words})" if words else ""


def _optional(before: Table, after: Table) -> Iterator[str]:
    """What a recipe may have or not."""
    for key, words in (
        ("clip_norm", "gradient clipping by norm"),
        ("clip_value", "gradient clipping by value"),
        ("stop_at_accuracy", "stop at accuracy"),
    ):
        yield from _switched(words, before.get(key), after.get(key))
    patience = [_table(one.get("patience")).get("epochs") for one in (before, after)]
    yield from _switched("patience in epochs", *patience)
    if bool(before.get("drop_last")) != bool(after.get("drop_last")):
        yield f"{'+' if after.get('drop_last') else '−'} dropping the last, smaller batch"


def _switched(words: str, earlier: Any, later: Any) -> Iterator[str]:
    if earlier == later:
        return
    if earlier is None:
        yield f"+ {words} {_value(later)}"
    elif later is None:
        yield f"− {words} {_value(earlier)}"
    else:
        yield f"{words} {_value(earlier)} → {_value(later)}"


def _value(value: Any) -> str:
    """A setting for people: 5e-05, ±5 for (-5, 5), 0.98 to 1.02."""
    if isinstance(value, bool) or not isinstance(value, int | float | list | tuple):
        return str(value)
    if isinstance(value, int | float):
        return f"{value:g}"
    return _range(value)


def _range(values: Sequence[Any]) -> str:
    shown = [_value(value) for value in values]
    if len(values) == 2 and all(isinstance(value, int | float) for value in values):
        if values[0] == -values[1]:
            return f"±{shown[1]}"
        return shown[0] if shown[0] == shown[1] else f"{shown[0]} to {shown[1]}"
    return ", ".join(shown)


def _table(value: Any) -> Table:
    return value if isinstance(value, Mapping) else {}
