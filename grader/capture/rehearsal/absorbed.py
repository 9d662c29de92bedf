"""What stands in for values of packages: it takes everything, and pretends to know nothing.

`range(absorbed)` or `lr=absorbed` fails. A comparison or an `if` that asks one is answered with no
(or yes, where the request says so) and written down as a guess.
"""

from __future__ import annotations

import dis
import inspect
import re
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch

from grader.capture.rehearsal.shows import SHOW
from grader.program.recipe import Remark

OWN_LIBRARIES = ("builtins", "numpy", "torch", "torchvision")

MOST_LOOPS = 20

Guess = Callable[[str], object]
_guesses: list[Guess] = []
"""Who is told of guesses: one, in the child."""
_answers: list[bool] = []
"""What a condition is answered with: one, in the child."""
_read: dict[str, int] = {}
"""Files that packages were told to read, and the line that says so."""
_imported: dict[str, int] = {}
"""The line of the first import of each package."""
_loops: dict[str, int] = {}
"""What loops went over that never ran, and their lines."""
_weights: dict[str, int] = {}
"""What took weights, and the line."""
_FILE = re.compile(r"[^/\\]+\.(csv|tsv|parquet|json|jsonl|npy|npz|mat|h5|hdf5|pkl|zip|gz|feather)")


class UnknownValueError(TypeError):
    """A number is asked of a package that is only stood in for.

    `rehearsal_line` is where it comes from, if that is known.
    """

    rehearsal_line: int | None = None


class NoNetworkError(ModuleNotFoundError):
    """The network's class is asked of something that is not here."""

    rehearsal_line: int | None = None


def _guess(package: str, what: str) -> None:
    answer = "yes" if any(_answers) else "no"
    for tell in _guesses:
        tell(f"{what} {package}, which only has a stand-in here, was answered with {answer}")


class Absorbed:
    """Takes every attribute, call and operator; `_absorbed` is how it came about."""

    _absorbed: str

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "_absorbed", name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        if name in ("parameters", "named_parameters"):
            raise _no_network(_package(self))
        return Absorbed(f"{self._absorbed}.{name}")

    def __setattr__(self, name: str, value: object) -> None:
        """Nothing is kept."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Something absorbed again, or what it decorates."""
        is_class = self._absorbed.rpartition(".")[2][:1].isupper()  # Engine(step) makes an object
        if len(args) == 1 and _can_be_decorated(args[0]) and not is_class:
            return args[0]
        for item in (*args, *keywords.values()):
            _look(self._absorbed, item)
        files = [item for item in args if isinstance(item, str) and _FILE.search(item)]
        if files and (found := _FILE.search(files[0])):
            _read[found[0]] = sys._getframe(1).f_lineno
            return Absorbed(f"{self._absorbed}({found[0]!r})")
        return Absorbed(f"{self._absorbed}()")

    def __getitem__(self, key: object) -> Any:
        return Absorbed(f"{self._absorbed}[]")

    def __setitem__(self, key: object, value: object) -> None:
        """Nothing is kept."""

    def __delitem__(self, key: object) -> None:
        """Nothing is kept."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (AbsorbedBase,)

    def __iter__(self) -> Iterator[Any]:
        """As many as `a, b = absorbed` unpacks; none for a loop."""
        count = _unpacked(sys._getframe(1))
        if not count and len(_loops) < MOST_LOOPS:
            _loops.setdefault(self._absorbed[:200], sys._getframe(1).f_lineno)
        return iter([Absorbed(f"{self._absorbed}[{index}]") for index in range(count)])

    def __contains__(self, item: object) -> bool:
        return self._asked()

    def __instancecheck__(self, instance: object) -> bool:
        return self._asked()

    def _more(self, *_: Any) -> Any:
        return Absorbed(self._absorbed)

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _more
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _more
    __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __and__ = __rand__ = __or__ = __ror__ = _more
    __neg__ = __pos__ = __abs__ = __invert__ = __round__ = _more

    def _asked(self, *_: Any) -> bool:
        _guess(_package(self), "A comparison with something of")
        return any(_answers)

    __lt__ = __le__ = __gt__ = __ge__ = _asked

    def __eq__(self, other: object) -> bool:
        return self is other or self._asked()

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        _guess(_package(self), "A condition that asks")
        return any(_answers)

    def __float__(self) -> float:
        if _formats(sys._getframe(1)):
            return 0.0
        raise _unknown_value(self)

    def __int__(self) -> int:
        if _formats(sys._getframe(1)):
            return 0
        raise _unknown_value(self)

    def __index__(self) -> int:
        raise _unknown_value(self)

    def __len__(self) -> int:
        raise _unknown_value(self)

    def __str__(self) -> str:
        return f"<{self._absorbed}>"

    __repr__ = __str__

    def __format__(self, _: str) -> str:
        return str(self)


class AbsorbedBase:
    """What a class has for a base where the file derives it from something absorbed."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Take everything."""


def _look(name: str, item: object) -> None:
    """Say that something absorbed is given an optimizer, whose rates it would set.

    Who is given weights may be an optimizer, which is said where nothing else steps.
    """
    shown = name.partition("(")[0][:200]
    if isinstance(item, torch.optim.Optimizer):
        for tell in _guesses:
            tell(
                f"The optimizer is given to {shown}, which only has a stand-in here, so what it "
                "does to the learning rate is not known: use one of torch.optim.lr_scheduler"
            )
    is_weights = inspect.isgenerator(item) and item.gi_code.co_name == "parameters"
    if isinstance(item, list) and item and isinstance(item[0], torch.nn.Parameter):
        is_weights = True
    if is_weights and len(_weights) < MOST_LOOPS:
        frame = sys._getframe(2)
        _weights.setdefault(shown, frame.f_lineno)


def given_weights() -> tuple[Remark, ...]:
    """What took weights, perhaps to train them."""
    return tuple(
        Remark(
            text=f"The weights are given to {name}, which only has a stand-in here: train with an "
            "optimizer of torch.optim",
            line=line,
        )
        for name, line in _weights.items()
    )


def _package(absorbed: Absorbed) -> str:
    return absorbed._absorbed.partition(".")[0].removesuffix("()")


def _unknown(absorbed: Absorbed) -> str:
    return (
        f"a value that {_package(absorbed)} would give is needed, and {_package(absorbed)} is not "
        "here, only something that takes its place: write the value into the file"
    )


def _unknown_value(absorbed: Absorbed) -> UnknownValueError:
    """What to raise: a file that is read stands for the data."""
    for name, line in _read.items():
        if repr(name) in absorbed._absorbed:
            error = UnknownValueError(
                f"the data come from {name}, which {_package(absorbed)} would read and the grader "
                "does not have: take the images of torchvision's data set instead"
            )
            error.rehearsal_line = line
            return error
    return UnknownValueError(_unknown(absorbed))


def _no_network(package: str) -> NoNetworkError:
    text = "which is not here: write it with torch"
    if package not in SHOW:
        text = f"which was not handed in: hand in {package}.py too"
    error = NoNetworkError(f"the network comes from {package}, {text}")
    error.rehearsal_line = _imported.get(package)
    return error


def empty_loops() -> tuple[Remark, ...]:
    """Loops over what packages would have given, none of which ran."""
    return tuple(
        Remark(
            text=f"The loop over {name} does not run: {name.partition('.')[0]} only has a "
            "stand-in here",
            line=line,
        )
        for name, line in _loops.items()
    )


def _can_be_decorated(thing: Any) -> bool:
    """`@absorbed` gives back a function or class of the student's."""
    if not isinstance(thing, types.FunctionType | type):
        return False
    return str(thing.__module__).partition(".")[0] not in OWN_LIBRARIES


def _instruction(frame: types.FrameType) -> tuple[str, int]:
    """The name and argument of what a frame does just now."""
    code, place = frame.f_code.co_code, frame.f_lasti
    argument, before = code[place + 1], place - 2
    if before >= 0 and dis.opname[code[before]] == "EXTENDED_ARG":
        argument += code[before + 1] << 8
    return dis.opname[code[place]], argument


def _unpacked(frame: types.FrameType) -> int:
    """How many values the frame unpacks: `a, *rest, b = ...` takes those with a name of its own."""
    name, argument = _instruction(frame)
    if name == "UNPACK_EX":
        return (argument & 0xFF) + (argument >> 8)
    return argument if name == "UNPACK_SEQUENCE" else 0


def _formats(frame: types.FrameType) -> bool:
    """Whether it is asked for by `"%.2f" % ...`, which only shows it."""
    return _instruction(frame)[0] == "BINARY_OP"


class AbsorbedModule(types.ModuleType):
    """A package that takes everything."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Absorbed(f"{self.__name__}.{name}")

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """As a function would be."""
        return Absorbed(self.__name__)(*args, **keywords)


def begin(guess: Guess, *, yes: bool) -> None:
    """Tell `guess` of guesses from now on, and answer them all with yes or no."""
    _guesses[:], _answers[:] = [guess], [yes]


def imported(package: str, line: int) -> None:
    """The file imports a package that is only stood in for."""
    _imported.setdefault(package, line)
