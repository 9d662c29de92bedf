"""What a file asks of the machine beside torch: other programs, its command line, its keyboard.

None of it exists in a rehearsal. Programs (`pip install`) end well and do nothing; a question at
the keyboard finds nobody, and an argument that must be given is not.
"""

from __future__ import annotations

import argparse
import asyncio
import builtins
import os
import subprocess
from collections.abc import Callable
from typing import Any, NoReturn

from grader.capture.rehearsal.absorbed import Absorbed

Trouble = Callable[[str], object]


def install(trouble: Trouble) -> None:
    """Put all of it in; `trouble` is told of what cannot be had, while it is asked for."""
    _command_line(trouble)
    _keyboard(trouble)
    _programs()
    _folders()
    vars(asyncio)["sleep"] = _no_sleep
    vars(builtins)["get_ipython"] = lambda: Absorbed("IPython")


def _command_line(trouble: Trouble) -> None:
    def error(self: argparse.ArgumentParser, message: str) -> NoReturn:
        trouble(
            f"The file needs arguments on its command line, and none are given here: {message}. "
            "Give each a default that is the value you trained with."
        )
        raise SystemExit(2)

    argparse.ArgumentParser.error = error  # type: ignore[method-assign] # for this run


def _keyboard(trouble: Trouble) -> None:
    def ask(*_: Any) -> str:
        trouble(
            "The file waits for input() from the keyboard, where nobody sits: write the value that "
            "you trained with into the file."
        )
        raise EOFError("input() finds nobody at the keyboard")

    vars(builtins)["input"] = ask


def _programs() -> None:
    def run(args: Any = (), *_: Any, **keywords: Any) -> subprocess.CompletedProcess[Any]:
        nothing = "" if keywords.get("text") or keywords.get("universal_newlines") else b""
        return subprocess.CompletedProcess(args, 0, nothing, nothing)

    def output(*args: Any, **keywords: Any) -> Any:
        return run(*args, **keywords).stdout

    stood_in = {
        "run": run,
        "call": lambda *_, **__: 0,
        "check_call": lambda *_, **__: 0,
        "check_output": output,
        "getoutput": lambda *_, **__: "",
        "getstatusoutput": lambda *_, **__: (0, ""),
        "Popen": lambda *_, **__: Absorbed("subprocess"),
    }
    vars(subprocess).update(stood_in)
    vars(os)["system"] = lambda *_: 0


def _folders() -> None:
    real = os.chdir

    def change(path: Any) -> None:
        """Go there, if it is here: `/content/drive/MyDrive` is not."""
        if os.path.isdir(path):  # noqa: PTH112 - as os.chdir takes it
            real(path)

    vars(os)["chdir"] = change


async def _no_sleep(_: float = 0, result: Any = None) -> Any:
    return result
