"""Run a submission as its student does: a script as the program, a notebook cell by cell.

In: the pieces of a listing. Out: what failed, as remarks with lines; what else happened is in the
trace. A cell that fails does not stop the next one, as in Jupyter.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import shlex
import sys
import traceback
import types
from collections.abc import Callable, Coroutine
from pathlib import Path, PurePosixPath
from typing import Any

from grader.capture import siblings
from grader.capture.rehearsal.absorbed import NoNetworkError, UnknownValueError
from grader.capture.rehearsal.machine import NotHandedInError
from grader.capture.rehearsal.others import Others
from grader.capture.rehearsal.pieces import Pieces
from grader.program.listing import Part
from grader.program.recipe import Remark

MOST_TROUBLES = 20
WEIGHTS = (".pth", ".pt", ".ckpt", ".safetensors", ".npz", ".npy", ".pkl", ".bin", ".h5")
"""How the names of files end that hold weights."""
STARTER = frozenset({"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"})
"""Variables of the environment that torchrun sets."""
_LONGEST = 400


class OutOfTimeError(BaseException):
    """The rehearsal has used its processor time."""


class Tail(io.TextIOBase):
    """Keeps the end of what is printed.

    `except Exception as error: print(error); sys.exit(1)` says there what failed.
    """

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, length: int) -> None:
        self._length, self.text = length, ""

    def write(self, text: str) -> int:
        """Keep the end."""
        self.text = (self.text + str(text))[-self._length :]
        return len(text)

    def writable(self) -> bool:
        """Print here."""
        return True

    def isatty(self) -> bool:
        """Nobody is looking."""
        return False

    def reconfigure(self, **_: Any) -> None:
        """As a real stream has it."""

    @property
    def buffer(self) -> Any:
        """Where bytes may go."""
        return io.BytesIO()


def _nothing(_: str, __: int | None) -> None:
    """Nobody wants to know."""


class Runner:
    """Runs the parts of `pieces`; `troubles` are what failed, `out_of_time` how it ended.

    `doubt` is told, with its line, what makes every training after it another one than the
    student's.
    """

    def __init__(
        self, pieces: Pieces, finder: Others, doubt: Callable[[str, int | None], None] = _nothing
    ) -> None:
        self._pieces, self._finder, self._doubt = pieces, finder, doubt
        self.printed: Tail | None = None
        self.names: dict[str, Any] = {}
        self.troubles: list[Remark] = []
        self.out_of_time = False

    def run(self) -> None:
        """Run it from the first line to the last."""
        listing = self._pieces.listing
        self.names = self._main_module(listing.main, is_notebook=self._is_notebook).__dict__
        for part in listing.parts:
            if part.file != listing.main:
                self._write(part)
            elif not self._run(part, self.names):
                break

    @property
    def _is_notebook(self) -> bool:
        listing = self._pieces.listing
        return any(part.cell is not None for part in listing.parts if part.file == listing.main)

    def _main_module(self, file: str, *, is_notebook: bool = False) -> types.ModuleType:
        main = types.ModuleType("__main__")
        if not is_notebook:
            main.__file__ = str(Path(PurePosixPath(file).name).absolute())
        folder = PurePosixPath(file).parent
        main.__package__ = ".".join((siblings.TOP, *folder.parts))
        sys.modules["__main__"] = main
        return main

    def _write(self, part: Part) -> None:
        """A cell that writes a file of Python can be imported from now on."""
        if part.cell is None:
            return
        if part.file.lower().endswith(".py"):
            self._finder.write(part)
        else:
            write(part.file, part.text)

    def _run(self, part: Part, names: dict[str, Any]) -> bool:
        """Run a part; False where nothing can follow."""
        goes_on = part.cell is not None
        try:
            self._execute(part, names)
        except OutOfTimeError:
            self.out_of_time = True
            return False
        except KeyboardInterrupt:
            self.trouble("The file stops itself (KeyboardInterrupt).", None)
            return goes_on
        except SystemExit as error:
            if error.code not in (None, 0) and not self.troubles:
                text = f"The file ends the program: {said(error.code)}{self._printed_last}"
                self.trouble(text, self._line(error))
            return goes_on
        except SyntaxError as error:
            self._not_python(error, part)
            return goes_on
        # MemoryError, and whatever else a student's file raises, is theirs to hear about.
        except BaseException as error:
            if isinstance(error.__context__, OutOfTimeError):
                self.out_of_time = True
                return False
            if (file := _weights_of(error)) is not None:
                self._doubt(
                    f"The training begins with weights from {file}, which was not handed in; the "
                    "grader begins with those that the network's class gives: train it from there",
                    self._line(error),
                )
            self.trouble(in_words(error), self._line(error))
            return goes_on
        return True

    def _execute(self, part: Part, names: dict[str, Any]) -> None:
        code = self._pieces.code(part)
        if code.co_flags & inspect.CO_COROUTINE:
            function = types.FunctionType(code, names)
            _finish(function())
        else:
            exec(code, names)  # noqa: S102 - what this process is for

    def _not_python(self, error: SyntaxError, part: Part) -> None:
        inside = part.first <= (error.lineno or 0) <= part.last
        line = error.lineno if inside else part.first
        if part.cell is None:
            end = "" if str(error.msg).endswith("?") else "."  # "Perhaps you forgot a comma?"
            text = f"The file is not valid Python: {error.msg}{end} Fix this line first."
        else:
            text = f"This cell is not valid Python ({error.msg}), and was left out."
        self.trouble(text, line)

    def trouble_here(self, text: str) -> None:
        """Write down what fails at the student's line that runs just now."""
        frame: types.FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != self._pieces.name:
            frame = frame.f_back
        self.trouble(text, frame.f_lineno if frame is not None else None)

    def trouble(self, text: str, line: int | None) -> None:
        """Write down what failed."""
        remark = Remark(text=text[:2000], line=line)
        if len(self.troubles) < MOST_TROUBLES and remark not in self.troubles:
            self.troubles.append(remark)

    def start_program(self, command: str) -> None:
        """Run `!python train.py --epochs 3` or `%run train.py`: another file, as the program."""
        try:
            words = shlex.split(command, comments=True)
        except ValueError:
            words = command.split()
        file = self._known(words[0]) if words else None
        if file is None:
            self.trouble_here(
                f"{words[0] if words else command} is started here, but it is not among the files "
                "that were handed in: hand it in beside the notebook."
            )
            return
        before, main = sys.argv, sys.modules["__main__"]
        sys.argv = [file, *words[1:]]
        try:
            self._finder.run(file, self._main_module(file).__dict__)
        except SystemExit as error:
            if error.code not in (None, 0) and not self.troubles:
                self.trouble(f"{file} ends the program: {said(error.code)}", self._line(error))
        finally:
            sys.argv, sys.modules["__main__"] = before, main

    @property
    def _printed_last(self) -> str:
        """The last line that was printed, which most likely says why."""
        lines = self.printed.text.split("\n") if self.printed is not None else []
        shown = [line.strip() for line in lines if line.strip()]
        return f". It printed last: {shown[-1][:_LONGEST]}" if shown else ""

    def _line(self, error: BaseException) -> int | None:
        return line_of(error, self._pieces.name)

    def _known(self, name: str) -> str | None:
        """The file of the submission that a command names, in whatever folder it believes to be."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        for first in range(len(parts)):
            file = "/".join(parts[first:])
            if self._finder.knows(file):
                return file
        return None


def line_of(error: BaseException, filename: str) -> int | None:
    """The innermost line of the student's code on the way to the error, or the one it names."""
    if isinstance(made := getattr(error, "rehearsal_line", None), int):
        return made
    steps = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in steps if frame.f_code.co_filename == filename]
    return lines[-1] if lines else None


def in_words(error: BaseException) -> str:
    """What stopped the file: in plain words where the grader knows more than Python says."""
    if isinstance(error, UnknownValueError | NoNetworkError):
        text = said(error)
        return f"It cannot go on: {text}"
    name = PurePosixPath(str(getattr(error, "filename", None) or "").replace("\\", "/")).name
    if isinstance(error, FileNotFoundError) and name:
        return (
            f"It reads {name[:80]}, which was not handed in: hand in the folder with this file in "
            "it, or write what it says into the code"
        )
    if isinstance(error, KeyError) and error.args and error.args[0] in STARTER:
        return (
            f"It asks for {error.args[0]}, which torchrun sets where it starts several processes; "
            "the grader runs the file itself, as one: let the file train without torchrun"
        )
    if isinstance(error, OSError) and name and error.strerror:
        return f"It cannot use {name[:80]}: {error.strerror.lower()}"
    words = f"{type(error).__name__}: {said(error)}".removesuffix(": ")
    return f"It stops with an error: {words}"


def _weights_of(error: BaseException) -> str | None:
    """The file of weights that is not here, where that is the error."""
    if isinstance(error, NotHandedInError):
        return error.file
    name = str(getattr(error, "filename", None) or "")
    is_one = isinstance(error, FileNotFoundError) and name.lower().endswith(WEIGHTS)
    return name[:80] if is_one else None


def _finish(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run what a cell awaits; whoever waits for something outside would wait for ever."""
    try:
        for _ in range(100_000):
            coroutine.send(None)
    except StopIteration:
        return
    finally:
        coroutine.close()
    raise RuntimeError("the cell awaits something that does not happen here")


def write(file: str, text: str) -> None:
    """Put a file that the student's code may read into the child's own folder.

    Where no disk takes its name, it is not there.
    """
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts:
        return
    with contextlib.suppress(OSError):
        os.makedirs(path.parent, exist_ok=True)  # noqa: PTH103 - the folder is the current one
        Path(path).write_text(text, encoding="utf-8", errors="replace")


def said(error: object) -> str:
    """What an error says, in one line; a hostile `__str__` says nothing."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        return ""
    return text[:_LONGEST]
