"""Stand in for fire, click and typer: what a command line calls runs with its own defaults.

In: a student's function, made a command. Out: a call of it, as `python train.py` without arguments
makes it. Only what decides the arguments is here; the rest of the packages is absorbed.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any

from grader.capture.rehearsal.absorbed import AbsorbedModule, UnknownValueError

_OPTIONS = "rehearsal_options"


def fire(name: str) -> types.ModuleType:
    """`fire.Fire(main)` calls main; of a class or an object, it needs to be told what."""

    def call(component: Any = None, *_: Any, **__: Any) -> Any:
        if not isinstance(component, types.FunctionType | types.MethodType):
            raise UnknownValueError(
                "fire calls what its command line names, and none is given here: call the function "
                "that trains yourself"
            )
        return _called(component)

    return _module(name, Fire=call)


def click(name: str) -> types.ModuleType:
    """`@click.command()` and `@click.option("--lr", default=0.1)`."""

    def option(*names: str, default: Any = None, is_flag: bool = False, **_: Any) -> Any:
        def decorate(function: Any) -> Any:
            vars(function).setdefault(_OPTIONS, {})[_variable(names)] = (
                False if is_flag and default is None else default
            )
            return function

        return decorate

    def command(*given: Any, **_: Any) -> Any:
        if given and callable(given[0]):
            return _command(given[0])
        return _command

    return _module(name, option=option, command=command, argument=option)


def typer(name: str) -> types.ModuleType:
    """`typer.run(main)`, and defaults as `typer.Option(0.1)` has them."""

    def run(function: Callable[..., Any]) -> Any:
        return _called(function)

    def option(default: Any = None, *_: Any, **__: Any) -> Any:
        return default

    return _module(name, run=run, Option=option, Argument=option)


def _module(name: str, **known: Any) -> types.ModuleType:
    module = AbsorbedModule(name)
    vars(module).update(known)
    return module


def _variable(names: tuple[str, ...]) -> str:
    """The argument that `option("-e", "--num-epochs", "epochs")` fills: "epochs"."""
    plain = [name for name in names if not name.startswith("-")]
    longest = max(names, key=lambda name: name.startswith("--"))
    return (plain or [longest])[0].lstrip("-").partition("/")[0].replace("-", "_").lower()


def _command(function: Callable[..., Any]) -> Callable[..., Any]:
    options = vars(function).get(_OPTIONS, {})

    @functools.wraps(function)
    def run(*_: Any, **__: Any) -> Any:
        return function(**options)

    return run


def _called(function: Callable[..., Any]) -> Any:
    """What it gives with its defaults. Raises UnknownValueError where an argument has none."""
    for name, parameter in inspect.signature(function).parameters.items():
        is_one = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if is_one and parameter.default is parameter.empty:
            raise UnknownValueError(
                f"{name} must be given on the command line: give it the default that you trained "
                "with"
            )
    return function()
