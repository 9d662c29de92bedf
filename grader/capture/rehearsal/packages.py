"""Stand-ins for packages that only show something, and for those that are not here.

They take everything and do nothing. They never pretend to know a number: `range(absorbed)` or
`lr=absorbed` fails. A comparison or an `if` that asks one is answered with False and written down
as a guess. A progress bar of tqdm iterates.
"""

from __future__ import annotations

import builtins
import dis
import importlib.abc
import importlib.machinery
import re
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from grader.capture import siblings
from grader.program.recipe import Remark

SHOW = frozenset(
    """
    matplotlib pylab seaborn plotly bokeh altair pandas wandb tensorboard tensorboardX
    torchsummary torchsummaryX torchinfo torchviz torchview hiddenlayer netron graphviz pydot
    IPython ipywidgets ipykernel sklearn scipy skimage cv2 imageio albumentations tqdm google
    psutil GPUtil pynvml prettytable tabulate colorama termcolor requests gdown torchmetrics
    thop fvcore ptflops mlflow comet_ml neptune clearml rich loguru dotenv gradio streamlit
    flask fastapi onnx onnxruntime lightning lightning_fabric pytorch_lightning torch_lr_finder
    timm datasets transformers kornia boto3 pytest optuna ray hydra omegaconf progressbar
    alive_progress livelossplot visdom torch_xla kaggle_secrets
    """.split()  # noqa: SIM905 - one name a line would be longer than all the rest
)
"""What takes long to import or is not here, and decides nothing about a training."""
DETECTED = frozenset({"google", "IPython", "torch_xla", "kaggle_secrets", "apex"})
"""What files import to find out where they run: here, it is not there."""
REAL = frozenset({"torch", "torchvision", "numpy", "PIL", "torchgen", "functorch"})
BOARD = "torch.utils.tensorboard"
OWN_LIBRARIES = ("builtins", "numpy", "torch", "torchvision")

MOST_LOOPS = 20

Guess = Callable[[str], object]
Asked = Literal["library", "student", "ready"]
"""Who imports something: the student's code may be ready for what is missing."""
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

    def __call__(self, *args: Any, **_: Any) -> Any:
        """Something absorbed again, or what it decorates."""
        if len(args) == 1 and _can_be_decorated(args[0]):
            return args[0]
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


def _package(absorbed: Absorbed) -> str:
    return absorbed._absorbed.partition(".")[0].removesuffix("()")


def _unknown(absorbed: Absorbed) -> str:
    return f"a number of {_package(absorbed)} is needed, which only has a stand-in here"


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


class Bar:
    """tqdm: it iterates, and takes everything else."""

    def __init__(self, iterable: Any = None, *_: Any, total: Any = None, **__: Any) -> None:
        self.iterable, self.total, self.desc = iterable, total, ""
        self.n = self.last_print_n = 0
        self.format_dict: dict[str, Any] = {}

    def __iter__(self) -> Iterator[Any]:
        return iter(() if self.iterable is None else self.iterable)

    def __len__(self) -> int:
        return self.total if self.iterable is None else len(self.iterable)

    def __bool__(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return _nothing

    def update(self, n: Any = 1) -> None:
        """Count, as a file may read it."""
        self.n += n

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""

    write = pandas = staticmethod(lambda *_, **__: None)


def _nothing(*_: Any, **__: Any) -> None:
    return None


class BarModule(types.ModuleType):
    """tqdm, and every module in it; `import tqdm; tqdm(...)` is wrong, but shows only."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.tqdm = self.tqdm_notebook = self.tqdm_gui = Bar
        self.trange = self.tnrange = lambda *args, **_: Bar(range(*args))
        self.notebook = self.auto = self.autonotebook = self.std = self
        self.logging_redirect_tqdm = Absorbed("tqdm")
        self.__path__: list[str] = []
        self.__all__ = ["tqdm", "trange", "tqdm_notebook", "tnrange"]

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """As its `tqdm` does."""
        return Bar(*args, **keywords)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """First for packages that only show (`last` False); last for whatever nobody else finds.

    Only the student's own code is served: libraries try what may be missing, and mean it.
    """

    def __init__(
        self, used: dict[str, bool], asked: Callable[[], Asked], own: frozenset[str], *, last: bool
    ) -> None:
        self._used, self._asked, self._own, self._last = used, asked, own, last

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A stand-in, unless the package is real or the file is ready for its absence."""
        top = name.partition(".")[0]
        shows = (top in SHOW and top not in self._own) or name.startswith(BOARD)
        if shows == self._last or (self._last and _is_real(top)):
            return None
        asked = self._asked()
        if asked == "library" or (asked == "ready" and (self._last or top in DETECTED)):
            return None
        _imported.setdefault(top, siblings.asking()[1])
        self._used["tensorboard" if name.startswith(BOARD) else top] = True
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """The stand-in itself."""
        top = spec.name.partition(".")[0]
        if special := _SPECIAL.get(spec.name) or _SPECIAL.get(top):
            return special(spec.name)
        return BarModule(spec.name) if top == "tqdm" else AbsorbedModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to run."""


def _is_real(top: str) -> bool:
    return top in sys.builtin_module_names or top in sys.stdlib_module_names or top in REAL


def _split(*arrays: Any, test_size: Any = None, train_size: Any = None, **_: Any) -> list[Any]:
    """As `train_test_split` of sklearn, of the right lengths: the last are the test's."""
    count = len(arrays[0])
    tested = _share(test_size, count, up=True)
    trained = _share(train_size, count, up=False)
    if tested is None:
        tested = count - trained if trained is not None else -(-count // 4)
    trained = count - tested if trained is None else trained
    parts: list[Any] = []
    for array in arrays:
        parts += [array[:trained], array[trained : trained + tested]]
    return parts


def _share(size: Any, count: int, *, up: bool) -> int | None:
    if not isinstance(size, float):
        return size if size is None else int(size)
    return -int(-size * count // 1) if up else int(size * count)


def _selection(name: str) -> types.ModuleType:
    module = AbsorbedModule(name)
    vars(module)["train_test_split"] = _split
    return module


def _hydra(name: str) -> types.ModuleType:
    """Hydra calls main() with settings from files, in a way that is its own."""

    def main(*_: Any, config_path: Any = None, config_name: Any = None, **__: Any) -> Any:
        def decorate(_: Any) -> Any:
            return refuse

        def refuse(*_: Any, **__: Any) -> Any:
            where = "/".join(str(item) for item in (config_path, config_name) if item)
            raise UnknownValueError(
                f"hydra gives this function its settings from {where or 'its files'}, and is not "
                "here: write the settings into the file itself"
            )

        return decorate

    module = AbsorbedModule(name)
    vars(module)["main"] = main
    return module


_SPECIAL: dict[str, Callable[[str], types.ModuleType]] = {
    "sklearn.model_selection": _selection,
    "hydra": _hydra,
}
"""Packages, or modules in them, with a stand-in of their own."""


def add(tops: Sequence[str], make: Callable[[str], types.ModuleType]) -> None:
    """Let `make` be what makes the modules of some packages."""
    _SPECIAL.update(dict.fromkeys(tops, make))


def install(
    guess: Guess,
    asked: Callable[[], Asked],
    own: frozenset[str] = frozenset(),
    *,
    yes: bool = False,
) -> dict[str, bool]:
    """Put the stand-ins in; gives a dictionary that will name those that were used.

    `guess` is told of guesses, which are all answered with `yes` or no; `asked` says who imports
    something just now. What the names in `own` stand for is the student's own.
    """
    _guesses[:], _answers[:] = [guess], [yes]
    used: dict[str, bool] = {}
    shown = SHOW - own
    for name in [item for item in sys.modules if item.partition(".")[0] in shown]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder(used, asked, own, last=False))
    sys.meta_path.append(Finder(used, asked, own, last=True))
    vars(builtins)["display"] = _nothing
    return used
