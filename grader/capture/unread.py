"""Say what of a student's recipe is not read: names that are nearly settings, and training code.

In: the file's definitions, and what was read of them. Out: notes, each with the line and what to
do. Runs in the child; looks at the syntax tree alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch.optim import lr_scheduler

from grader.capture.load import SETTINGS, Definitions
from grader.capture.spellings import READ_BY_NAME, USED_INSTEAD, fits, is_spelling, meant_by
from grader.capture.statements import is_main_guard

MOST_NAMED = 6
"""Of one kind; a file may hold hundreds."""

_OF_TRAINING = (
    "lr learning momentum decay gamma warmup accum accumulate accumulation ema amp fp16 bf16 "
    "autocast precision swa mixup cutmix cutout smoothing lookahead grad grads gradient gradients "
    "clip clipping patience scheduler schedule optimizer optimiser optim regularization l1 l2 "
    "augment augmentation distill distillation teacher iterations stopping freeze unfreeze epochs "
    "epoch batch loss criterion sam rho betas nesterov milestones annealing averaging sampler "
    "curriculum tta"
)
_OF_LOOKING = "test val valid validation eval log print save plot show path"
_OF_RATES = "lr momentum decay gamma betas nesterov milestones warmup annealing"
_TRAINING_WORDS = frozenset(_OF_TRAINING.split())
_NOT_TRAINING = frozenset(_OF_LOOKING.split())
_OWN_RATE = frozenset(_OF_RATES.split())

_OPTIMIZERS = frozenset(
    name for name, kind in vars(torch.optim).items() if isinstance(kind, type) and name[0].isupper()
) - {"Optimizer"}
_SCHEDULERS = frozenset(
    name
    for name, kind in vars(lr_scheduler).items()
    if isinstance(kind, type) and issubclass(kind, lr_scheduler.LRScheduler)
) - {"LRScheduler"}


@dataclass(frozen=True)
class _Bound:
    """A name, how the file shows it, its line, its value, and the function that it is hidden in."""

    name: str
    shown: str
    line: int
    value: ast.expr | None
    hidden: str = ""
    is_function: bool = False


def notes(definitions: Definitions, *, method: bool) -> list[str]:
    """What the file says of training that nobody reads.

    `method`: the network itself has the configure_optimizers that is used.
    """
    settings = definitions.lines.keys() | ({"configure_optimizers"} if method else set())
    bound = list(_bindings(definitions.nodes))
    near = list(_near(bound, settings, definitions.read))
    known = [item for item, _ in near]
    found = _limited([_near_note(item, meant) for item, meant in near])
    others = [item for item in bound if item not in known]
    settings |= {meant for _, meant in near if meant == "configure_optimizers"}
    return [*found, *_unknown(others, definitions.read), *_own_optimizer(definitions, settings)]


def _limited(texts: list[str]) -> list[str]:
    texts = list(dict.fromkeys(texts))
    more = len(texts) - MOST_NAMED
    return texts[:MOST_NAMED] + ([f"{more} more names like these are not read"] * (more > 0))


def _bindings(nodes: Iterable[ast.stmt], hidden: str = "") -> Iterator[_Bound]:
    """What top-level statements bind, and main() and the main guard, and tables of settings."""
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from _assigned(target, node.value, hidden)
        elif isinstance(node, ast.FunctionDef):
            yield _Bound(node.name, node.name, node.lineno, None, hidden, is_function=True)
            if node.name == "main":
                yield from _bindings(node.body, "main()")
        elif isinstance(node, ast.ClassDef) and not _is_network(node):
            for item in _bindings(item for item in node.body if isinstance(item, ast.Assign)):
                shown = f"{node.name}.{item.shown}"
                yield _Bound(item.name, shown, item.line, item.value, hidden)
        elif isinstance(node, ast.If | ast.With | ast.Try):
            inner = '`if __name__ == "__main__":`' if is_main_guard(node) else hidden
            yield from _bindings(node.body, inner)


def _is_network(node: ast.ClassDef) -> bool:
    return any("Module" in ast.unparse(base) for base in node.bases)


def _assigned(target: ast.expr, value: ast.expr | None, hidden: str) -> Iterator[_Bound]:
    if isinstance(target, ast.Name):
        yield _Bound(target.id, target.id, target.lineno, value, hidden)
        if isinstance(value, ast.Dict):
            for key, entry in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    shown = f'{target.id}["{key.value[:40]}"]'
                    yield _Bound(key.value, shown, key.lineno, entry, hidden)
    elif isinstance(target, ast.Tuple | ast.List):
        values: list[ast.expr | None] = [None] * len(target.elts)
        if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
            values = list(value.elts)
        for inner, item in zip(target.elts, values, strict=True):
            yield from _assigned(inner, item, hidden)


def _near(
    bound: list[_Bound], settings: Iterable[str], read: set[str]
) -> Iterator[tuple[_Bound, str]]:
    """Names that nearly are a setting that the file does not have, and which."""
    for item in bound:
        meant = meant_by(item.name)
        if meant is None or meant in settings or not _could_be(item, meant, read):
            continue
        if item.name != meant or item.hidden or item.shown != item.name:
            yield item, meant


def _could_be(item: _Bound, meant: str, read: set[str]) -> bool:
    """Whether it is the kind of thing that the setting is, and not something else that is read."""
    if meant in READ_BY_NAME:
        return fits(meant, item.value) and not _is_read(item, read)
    if meant == "configure_optimizers":
        return item.is_function or isinstance(item.value, ast.Lambda)
    if meant in ("criterion", "train_transform"):
        number = isinstance(item.value, ast.Constant)
        return not number and not (meant == "criterion" and _is_a_loss_value(item))
    return not item.is_function and not isinstance(item.value, ast.List | ast.ListComp | ast.Dict)


def _is_a_loss_value(item: _Bound) -> bool:
    """`loss = criterion(scores, labels)` and `loss = []` are no loss functions."""
    plain = item.name.lower()
    if plain not in ("loss", "train_loss", "trainloss"):
        return False
    return item.is_function or "Loss" not in ast.unparse(item.value or ast.Constant(None))


def _near_note(item: _Bound, meant: str) -> str:
    if item.hidden and item.name == meant:
        return (
            f"{item.shown} (line {item.line}) stands in {item.hidden}, where it is not read: move "
            f"it to the top level of the file. Until then {USED_INSTEAD[meant]}"
        )
    where = f", in {item.hidden}" if item.hidden else ""
    return (
        f"{item.shown} (line {item.line}{where}) is not read: did you mean {meant}? Until it is "
        f"called so, at the top level, {USED_INSTEAD[meant]}"
    )


def _unknown(bound: list[_Bound], read: set[str]) -> list[str]:
    """Settings that the grader does not have, and that nothing here reads."""
    strangers: list[_Bound] = []
    rates: list[_Bound] = []
    for item in bound:
        words = _words(item.name)
        if (
            item.is_function
            or is_spelling(item.name)
            or _is_read(item, read)
            or not _is_literal(item.value)
            or words & _NOT_TRAINING
        ):
            continue
        if words & _OWN_RATE and not words & {"ema", "swa"}:
            rates.append(item)
        elif words & _TRAINING_WORDS:
            strangers.append(item)
    found = []
    if rates:
        found.append(
            f"{_listed(rates)} not read: rates are what configure_optimizers gives its optimizer "
            "and its scheduler, so use them there"
        )
    if strangers:
        found.append(
            f"{_listed(strangers)} not read: the grader has no such setting, and trains without "
            f"it. It reads {', '.join(SETTINGS[1:])}"
        )
    return found


def _is_read(item: _Bound, read: set[str]) -> bool:
    return item.name in read or item.shown.partition("[")[0].partition(".")[0] in read


def _words(name: str) -> set[str]:
    spaced = re.sub("([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    return set(re.split("[^a-z0-9]+", spaced))


def _is_literal(value: ast.expr | None) -> bool:
    try:
        return value is not None and ast.literal_eval(value) is not None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False


def _listed(items: list[_Bound]) -> str:
    texts = list(dict.fromkeys(f"{item.shown} (line {item.line})" for item in items))
    return _and(texts) + (" is" if len(texts) == 1 else " are")


def _and(texts: list[str]) -> str:
    if len(texts) > MOST_NAMED:
        texts = [*texts[:MOST_NAMED], f"{len(texts) - MOST_NAMED} more"]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _own_optimizer(definitions: Definitions, settings: Iterable[str]) -> list[str]:
    """An optimizer or a scheduler that the file makes for itself, and nobody returns."""
    if "configure_optimizers" in settings:
        return []
    made = _made(definitions.nodes)
    if not made:
        return []
    lines = _and([f"{name} (line {line})" for name, line in sorted(made, key=lambda item: item[1])])
    taken = ["EPOCHS", "BATCH_SIZE", "train_transform", "criterion"]
    yours = _and([name for name in taken if name in settings] or [""])
    beside = f", beside your {yours}" if yours else ""
    return [
        f"{lines} of this file {'is' if len(made) == 1 else 'are'} not read: the network is "
        f"trained with the assignment's optimizer and schedule{beside}. To train with your own, "
        "return them from a function configure_optimizers(model, steps_per_epoch, epochs)"
    ]


def _made(nodes: list[ast.stmt]) -> list[tuple[str, int]]:
    known = _OPTIMIZERS | _SCHEDULERS
    imported: dict[str, str] = {}
    for node in nodes:
        for alias in _imported_from_optim(node):
            names = known if alias.name == "*" else {alias.name}
            imported |= {alias.asname or name: name for name in names}
    found: dict[str, int] = {}
    for node in nodes:
        for call in ast.walk(node):
            if not isinstance(call, ast.Call):
                continue
            if isinstance(call.func, ast.Attribute):
                name = call.func.attr
            else:
                name = imported.get(getattr(call.func, "id", ""), "")
            if name in known:
                found.setdefault(name, call.lineno)
    return list(found.items())


def _imported_from_optim(node: ast.stmt) -> list[ast.alias]:
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("torch.optim"):
        return node.names
    return []


def other_arguments(definitions: Definitions, name: str) -> list[str]:
    """A note where the file itself builds the network `name` with arguments of its own.

    The grader builds it as `name()`.
    """
    nodes = {item.name: item for item in definitions.nodes if isinstance(item, ast.ClassDef)}
    usual = _defaults(nodes[name]) if name in nodes else {}
    for node in definitions.nodes:
        for call in ast.walk(node):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Name)
                and call.func.id == name
            ):
                given = dict(zip(usual, call.args, strict=False))
                given |= {item.arg: item.value for item in call.keywords if item.arg}
                changed = [key for key, value in given.items() if _differs(usual.get(key), value)]
                if changed and all(map(_is_literal, given.values())):
                    return [_other_arguments_note(name, call, changed, usual)]
    return []


def _defaults(node: ast.ClassDef) -> dict[str, ast.expr | None]:
    """The arguments of __init__ in order, and the default of each."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            names = [argument.arg for argument in item.args.args[1:]]
            values = item.args.defaults
            without: list[ast.expr | None] = [None] * (len(names) - len(values))
            found = dict(zip(names, [*without, *values], strict=False))
            keywords = zip(item.args.kwonlyargs, item.args.kw_defaults, strict=True)
            return found | {argument.arg: value for argument, value in keywords}
    return {}


def _differs(default: ast.expr | None, value: ast.expr) -> bool:
    return default is None or ast.dump(default) != ast.dump(value)


def _other_arguments_note(
    name: str, call: ast.Call, changed: list[str], usual: dict[str, ast.expr | None]
) -> str:
    defaults = [f"{key}={ast.unparse(value)}" for key in changed if (value := usual.get(key))]
    with_them = f", so with {_and(defaults)}" if defaults else ""
    return (
        f"The grader builds {name}(){with_them}; line {call.lineno} of the file builds "
        f"{ast.unparse(call)[:100]}. To have that graded, make these the defaults, or write "
        f"model = {ast.unparse(call)[:100]} at the top level"
    )
