"""Find the one network in a student's file, and a way to build it again under any seed.

In: the file's definitions. Out: a `Builder`. Runs in the child.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from grader.capture import explain, no_network
from grader.capture.load import FACTORIES, INSTANCES, Definitions
from grader.capture.missing import Missing
from grader.capture.one_run import check_run
from grader.capture.statements import read_by
from grader.errors import SubmissionError
from grader.program.rehearsed import TrainedNetwork


@dataclass(frozen=True)
class Builder:
    """Builds the network: `name` is the class or function, `line` where the file defines it."""

    name: str
    line: int | None
    call: Callable[[], Any]

    def build(self, seed: int) -> nn.Module:
        """A new network whose random numbers come from `seed`. Raises SubmissionError."""
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        model = _unwrapped(self.call())
        if not isinstance(model, nn.Module):
            raise SubmissionError(
                f"{self.name} gives a {type(model).__name__}, not an nn.Module. Return the "
                "network itself.",
                line=self.line,
            )
        return model if _is_on_cpu(model) else model.to("cpu")


def _is_on_cpu(model: nn.Module) -> bool:
    """Nearly always: a move would look at every tensor, of every network that is built."""
    tensors = itertools.chain(model.parameters(), model.buffers())
    return all(tensor.device.type == "cpu" for tensor in tensors)


def _unwrapped(model: Any) -> Any:
    """What torch.compile() or nn.DataParallel wraps.

    It is the same network, and neither wrapper can be exported.
    """
    if type(model).__name__ == "OptimizedModule":
        return model._orig_mod
    return model.module if isinstance(model, nn.DataParallel) else model


@dataclass(frozen=True)
class _Tried:
    """A class that was built and run once: its parts, and why it cannot be the submission."""

    builder: Builder
    parts: frozenset[type]
    problem: SubmissionError | None


def find_builder(
    definitions: Definitions, *, example: Tensor, classes: int, filename: str
) -> Builder:
    """The network of the file, for images like `example` (2, *input_shape) and that many classes.

    First `MODEL`, then a factory function, then the top-level `model` that a class of the file is
    read for, then the one class that fits, then any other top-level `model`. Raises SubmissionError
    that lists what was found where the choice is not clear.
    """
    named = definitions.names.get("MODEL")
    if named is not None:
        return _named(definitions, named)
    factories = [name for name in FACTORIES if callable(definitions.names.get(name))]
    ready = [name for name in factories if not _required(definitions.names[name])]
    if ready:
        return _factory(definitions, ready[0], definitions.names[ready[0]])
    attempt = partial(_try, example=example, classes=classes, filename=filename)
    tried = [attempt(builder) for builder in _builders(definitions)]
    if deciding := _deciding(definitions, tried, factories):
        return _decided(definitions, deciding, tried, attempt)
    if definitions.instances and not _fitting(tried):
        return _instance(
            definitions, next(name for name in INSTANCES if name in definitions.instances)
        )
    if factories and all(_required(item.builder.call) for item in tried):
        return _factory(definitions, factories[0], definitions.names[factories[0]])
    return _choose(tried) if tried else no_network.refuse(definitions)


def trained_builder(
    definitions: Definitions, trained: TrainedNetwork, filename: str
) -> Builder | None:
    """The class that a rehearsal saw trained, with the arguments that it was built with.

    None where these were not plain data, or the class is torch's own: the file then has to say how
    its network is built.
    """
    if not trained.whole:
        return None
    found = _class(definitions, trained, filename)
    if not isinstance(found, type) or not issubclass(found, nn.Module):
        return None
    code = getattr(found.__init__, "__code__", None)
    line = definitions.siblings.line(found) if definitions.siblings is not None else None
    line = line or definitions.lines.get(trained.name) or (code and code.co_firstlineno)
    make = partial(found, *trained.arguments, **trained.keywords)
    if needed := _required(make):
        raise SubmissionError(
            f"{trained.name} cannot be built as the training builds it, without the argument "
            f"{needed[0]}: it is another class where the training does not run. Define it once, "
            "the same for whoever imports the file.",
            line=line,
        )
    return Builder(trained.name, line, make)


def _class(definitions: Definitions, trained: TrainedNetwork, filename: str) -> Any:
    """What `trained.name` ("Net", "Outer.Net") is in the file, or in another of the submission."""
    first, *inner = trained.name.split(".")
    if trained.file in ("", filename):
        definitions.define([first])
        found = definitions.names.get(first)
    else:
        found = definitions.of(trained.file, first)
    for name in inner:
        found = getattr(found, name, None)
    return found


def _factory(definitions: Definitions, name: str, factory: Callable[..., Any]) -> Builder:
    if needed := _required(factory):
        raise SubmissionError(
            f"{name}() needs the argument {needed[0]}. The grader calls it without any: give "
            "every argument a default.",
            line=definitions.lines.get(name),
        )
    return Builder(name, definitions.lines.get(name), factory)


def _named(definitions: Definitions, named: Any) -> Builder:
    if isinstance(named, Missing):
        raise SubmissionError(named.why, line=named.line)
    name = named if isinstance(named, str) else getattr(named, "__name__", "")
    if definitions.names.get(name) is None or not callable(definitions.names[name]):
        found = f'"{named}"' if isinstance(named, str) else f"a {type(named).__name__}"
        raise SubmissionError(
            f"MODEL is {found}, which is not a class in this file. Write MODEL = Name with one of: "
            f"{', '.join(_modules(definitions)) or 'no nn.Module class found'}.",
            line=definitions.lines.get("MODEL"),
        )
    return _factory(definitions, name, definitions.names[name])


def _modules(definitions: Definitions) -> dict[str, type[nn.Module]]:
    return {
        name: value for name, value in definitions.classes.items() if issubclass(value, nn.Module)
    }


def _required(call: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        item.name for item in parameters if item.default is item.empty and item.kind not in kinds
    ]


def _builders(definitions: Definitions) -> list[Builder]:
    return [
        Builder(name, definitions.lines.get(name), kind)
        for name, kind in _modules(definitions).items()
    ]


def _try(builder: Builder, *, example: Tensor, classes: int, filename: str) -> _Tried:
    parts: frozenset[type] = frozenset()
    if needed := _required(builder.call):
        problem = SubmissionError(
            f"{builder.name} needs the argument {needed[0]} to be built. The grader builds your "
            f"network by calling {builder.name}(): give every argument a default, or add a "
            "function build_model() that returns the network.",
            line=builder.line,
        )
        return _Tried(builder, parts, problem)
    try:
        model = builder.build(0)
        parts = frozenset(type(module) for module in model.modules() if module is not model)
        check_run(model, example, classes=classes, filename=filename)
    except Exception as error:
        problem = explain.explained(error, filename)
        return _Tried(
            builder, parts, SubmissionError(problem.message, line=problem.line or builder.line)
        )
    return _Tried(builder, parts, None)


def _fitting(tried: list[_Tried]) -> list[_Tried]:
    return [item for item in tried if item.problem is None]


def _whole(tried: list[_Tried]) -> list[_Tried]:
    """Those that are not a part of another."""
    parts = frozenset[type]().union(*(item.parts for item in tried))
    return [item for item in tried if item.builder.call not in parts] or tried


def _deciding(definitions: Definitions, tried: list[_Tried], factories: list[str]) -> list[str]:
    """The top-level `model`, `net`, `network` that say which class is the network.

    Those that are a part of another are left out.

    A factory that needs arguments counts where there are several classes: only its call knows which
    one.
    """
    telling = {item.builder.name for item in tried}
    if len(_whole(tried)) > 1:
        telling |= set(factories)
    made = definitions.instances
    names = [name for name in INSTANCES if name in made and made[name].reads & telling]
    parts = read_by(made[name] for name in names)
    return [name for name in names if name not in parts] or names


def _decided(
    definitions: Definitions,
    deciding: list[str],
    tried: list[_Tried],
    attempt: Callable[[Builder], _Tried],
) -> Builder:
    """What the first of the `deciding` statements builds: the class itself if that is the same."""
    made, name = definitions.instances, deciding[0]
    read_there = read_by(made[other] for other in deciding)
    rivals = [item for item in tried if item.builder.name in read_there]
    if len(deciding) > 1 and len(_fitting(rivals)) > 1:
        return _choose(rivals)
    whole = _whole([item for item in rivals if item.builder.name in made[name].reads])
    alone = whole[0] if len(whole) == 1 else None
    bare = alone if alone and _calls_bare(made[name].node, alone.builder.name) else None
    if bare and bare.problem is None:
        return bare.builder
    built = attempt(_instance(definitions, name))
    if built.problem is None:
        return built.builder
    if alone and alone.problem is None:
        definitions.notes.append(_instead(built, alone.builder))
        return alone.builder
    for other, statement in made.items():
        if name in statement.reads:  # `net` is the first part of `model = nn.Sequential(net, ...)`
            return _instance(definitions, other)
    raise _blamed((bare and bare.problem) or built.problem, built.builder, tried)


def _instead(built: _Tried, chosen: Builder) -> str:
    return (
        f"Line {built.builder.line}, {built.builder.name} = ..., cannot be used here, so "
        f"{chosen.name}() is graded instead, with its default arguments: {built.problem}"
    )[:1000]


def _blamed(problem: SubmissionError, statement: Builder, tried: list[_Tried]) -> SubmissionError:
    """What is wrong with the network of `statement`, and what to do if another was meant."""
    message = problem.message
    if others := _fitting(_whole(tried)):
        name = others[-1].builder.name
        message += (
            f" Line {statement.line} makes this the network. If it is another, write "
            f"MODEL = {name}."
        )
    return SubmissionError(message, line=problem.line)


def _calls_bare(statement: ast.stmt, name: str) -> bool:
    """Whether `name` is called without arguments, and not as one layer among others."""
    calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
    bare = [call.func for call in calls if not call.args and not call.keywords]
    if not any(isinstance(function, ast.Name) and function.id == name for function in bare):
        return False
    called = [(getattr(call.func, "attr", ""), getattr(call.func, "id", "")) for call in calls]
    return not any("Sequential" in names for names in called)


def _choose(tried: list[_Tried]) -> Builder:
    whole = _whole(tried)
    fitting = _fitting(whole)
    if len(fitting) == 1:
        return fitting[0].builder
    if fitting:
        names = _names(fitting)
        raise SubmissionError(
            f"The file holds {len(fitting)} networks that fit: {names} Say which one to grade "
            f"with a line such as MODEL = {fitting[-1].builder.name}.",
            line=fitting[0].builder.line,
        )
    if len(whole) == 1 and whole[0].problem:
        raise whole[0].problem
    raise SubmissionError(
        f"None of the networks in the file can be graded. {_reasons(whole)}",
        line=whole[0].builder.line,
    )


def _names(tried: list[_Tried]) -> str:
    """The names, with their lines where two might look alike."""
    names = [item.builder.name for item in tried]
    if all(name.isascii() for name in names):
        return f"{', '.join(names)}."
    placed = [f"{item.builder.name} (line {item.builder.line})" for item in tried]
    return f"{', '.join(placed)}. Some have letters that look like others: rename one, first."


def _reasons(tried: list[_Tried]) -> str:
    """Why none can be graded: in one sentence for those that need arguments."""
    needy = [item for item in tried if _required(item.builder.call)]
    others = [item for item in tried if item not in needy]
    reasons = [f"{item.builder.name}: {item.problem}" for item in others[:5]]
    if len(others) > 5:
        reasons.append(f"{len(others) - 5} more cannot either.")
    if len(needy) == 1:
        reasons.append(f"{needy[0].builder.name}: {needy[0].problem}")
    elif needy:
        listed = ", ".join(
            f"{item.builder.name} ({', '.join(_required(item.builder.call)[:3])})"
            for item in needy[:20]
        )
        reasons.append(
            "The grader builds a network by calling it without arguments, and these need some: "
            f"{listed}. Give each argument of your network a default, or add a function "
            "build_model() that returns the network."
        )
    return " ".join(reasons)


def _instance(definitions: Definitions, name: str) -> Builder:
    return Builder(
        name, definitions.instances[name].node.lineno, lambda: definitions.instance(name)
    )
