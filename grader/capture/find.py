"""Find the one network in a student's file, and a way to build it again under any seed.

In: the file's definitions. Out: a `Builder`. Runs in the child.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from grader.capture import explain
from grader.capture.load import FACTORIES, INSTANCES, Definitions, Missing
from grader.errors import SubmissionError


@dataclass(frozen=True)
class Builder:
    """Builds the network: `name` is the class or function, `line` where the file defines it."""

    name: str
    line: int | None
    call: Callable[[], Any]

    def build(self, seed: int) -> nn.Module:
        """A new network whose random numbers come from `seed`. Raises SubmissionError when it is no nn.Module."""
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        model = self.call()
        if not isinstance(model, nn.Module):
            raise SubmissionError(
                f"{self.name} gives a {type(model).__name__}, not an nn.Module. Return the network itself.",
                line=self.line,
            )
        return model.to("cpu")


@dataclass(frozen=True)
class _Tried:
    """A class that was built and run once: what it contains, and what is wrong with it as the submission."""

    builder: Builder
    parts: frozenset[type]
    problem: SubmissionError | None


def find(definitions: Definitions, *, example: Tensor, classes: int, filename: str) -> Builder:
    """The network of the file, for images like `example` (2, *input_shape) and that many classes.

    First `MODEL`, then a factory function, then the one class that fits, then a top-level `model`.
    Raises SubmissionError that lists what was found where the choice is not clear.
    """
    named = definitions.names.get("MODEL")
    if named is not None:
        return _named(definitions, named)
    for name in FACTORIES:
        factory = definitions.names.get(name)
        if callable(factory):
            return _factory(definitions, name, factory)
    tried = [_try(builder, example, classes, filename) for builder in _builders(definitions)]
    if definitions.instances and not any(item.problem is None for item in tried):
        return _instance(definitions)
    return _choose(tried) if tried else _nothing(definitions)


def _factory(definitions: Definitions, name: str, factory: Callable[..., Any]) -> Builder:
    if needed := _required(factory):
        raise SubmissionError(
            f"{name}() needs the argument {needed[0]}. The grader calls it without any: give every argument a default.",
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
            f"MODEL is {found}, which is no class of this file. Write MODEL = Name with one of: "
            f"{', '.join(_modules(definitions)) or 'no nn.Module class found'}.",
            line=definitions.lines.get("MODEL"),
        )
    return _factory(definitions, name, definitions.names[name])


def _modules(definitions: Definitions) -> dict[str, type[nn.Module]]:
    return {name: value for name, value in definitions.classes.items() if issubclass(value, nn.Module)}


def _required(call: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [item.name for item in parameters if item.default is item.empty and item.kind not in kinds]


def _builders(definitions: Definitions) -> list[Builder]:
    return [Builder(name, definitions.lines.get(name), kind) for name, kind in _modules(definitions).items()]


def _try(builder: Builder, example: Tensor, classes: int, filename: str) -> _Tried:
    parts: frozenset[type] = frozenset()
    if needed := _required(builder.call):
        problem = SubmissionError(
            f"{builder.name} needs the argument {needed[0]} to be built. The grader builds your network by calling "
            f"{builder.name}(): give every argument a default, or add a function build_model() that returns the "
            "network.",
            line=builder.line,
        )
        return _Tried(builder, parts, problem)
    try:
        model = builder.build(0)
        parts = frozenset(type(module) for module in model.modules() if module is not model)
        check_run(model, example, classes=classes, filename=filename)
    except Exception as error:
        problem = explain.explained(error, filename)
        return _Tried(builder, parts, SubmissionError(problem.message, line=problem.line or builder.line))
    return _Tried(builder, parts, None)


def _choose(tried: list[_Tried]) -> Builder:
    parts = {part for item in tried for part in item.parts}
    whole = [item for item in tried if item.builder.call not in parts] or tried
    fitting = [item for item in whole if item.problem is None]
    if len(fitting) == 1:
        return fitting[0].builder
    if fitting:
        names = ", ".join(item.builder.name for item in fitting)
        raise SubmissionError(
            f"The file holds {len(fitting)} networks that fit: {names}. Say which one to grade with a line such as "
            f"MODEL = {fitting[-1].builder.name}.",
            line=fitting[0].builder.line,
        )
    if len(whole) == 1 and whole[0].problem:
        raise whole[0].problem
    reasons = " ".join(f"{item.builder.name}: {item.problem}" for item in whole)
    raise SubmissionError(f"None of the networks in the file can be graded. {reasons}", line=whole[0].builder.line)


def _instance(definitions: Definitions) -> Builder:
    name = next(name for name in INSTANCES if name in definitions.instances)
    return Builder(name, definitions.lines.get(name), lambda: definitions.instance(name))


def _nothing(definitions: Definitions) -> Builder:
    for value in definitions.names.values():
        if isinstance(value, Missing):
            raise SubmissionError(value.why, line=value.line)
    raise SubmissionError(
        "The file defines no nn.Module that can be built without arguments. The grader builds your network by calling "
        "it: write a class that inherits from nn.Module, or add a function build_model() that returns the network."
    )


def check_run(model: nn.Module, example: Tensor, *, classes: int, filename: str) -> None:
    """Run the network on two images. Raises SubmissionError unless it gives (2, classes) scores."""
    state = torch.get_rng_state()
    try:
        with torch.no_grad():
            output = model.eval()(example.clone())
    except Exception as error:
        raise explain.explained(error, filename) from error
    finally:
        torch.set_rng_state(state)
    line = _forward_line(model)
    if not isinstance(output, Tensor):
        raise SubmissionError(
            f"forward() returns a {type(output).__name__}, not one tensor. Return the scores of the classes alone.",
            line=line,
        )
    if tuple(output.shape) != (len(example), classes):
        raise SubmissionError(_wrong_shape(tuple(output.shape), len(example), classes), line=line)
    if not output.is_floating_point():
        raise SubmissionError(
            f"forward() returns {output.dtype} numbers, not scores. Return logits or log-probabilities, not a class.",
            line=line,
        )


def _wrong_shape(shape: tuple[int, ...], images: int, classes: int) -> str:
    text = f"forward() returns a tensor of shape {shape} for {images} images, where {(images, classes)} is needed"
    if len(shape) == 2 and shape[0] == images:
        return f"{text}: {shape[1]} scores for {classes} classes. Give the last layer {classes} outputs."
    if len(shape) == 2 and shape[1] == classes:
        return (
            f"{text}: view(-1, {classes}) has turned image positions into images. Pool the map to 1×1 first, and "
            "flatten with x.flatten(1)."
        )
    if len(shape) > 2:
        return f"{text}. Pool over the image and flatten with x.flatten(1) before you return."
    if shape == (images,):
        return f"{text}: one number per image. Return the scores of all classes, without argmax() or max()."
    return f"{text}: one row per image, one score per class."


def _forward_line(model: nn.Module) -> int | None:
    code = getattr(type(model).forward, "__code__", None)
    return code.co_firstlineno if code else None
