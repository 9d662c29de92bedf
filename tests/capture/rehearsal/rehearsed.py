"""Run a source against the stand-ins in a forked process, which torch does not survive, and look.

`look(trace)` runs in there, after the source; what it gives must be plain data.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import sys
import tempfile
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import torch
import torchvision  # noqa: F401 - once, for all forks

from grader.capture.rehearsal import stand_ins
from grader.capture.rehearsal.trace import Trace, TrainingRecord
from grader.program.listing import Listing
from grader.program.rehearsed import RehearsalRequest

NAME = "train.py"
BEGIN = Path(__file__).with_name("begin.txt").read_text()
"""A network, loaders and a loop as students write them."""


def request(text: str, **settings: Any) -> RehearsalRequest:
    """A request for MNIST."""
    values: dict[str, Any] = {
        "listing": Listing.of_file(NAME, text),
        "seconds": 10.0,
        "dataset": "mnist",
        "train_images": 1_000,
        "test_images": 200,
        "input_shape": (1, 28, 28),
        "classes": 10,
        "most_steps": 100_000,
    }
    return RehearsalRequest(**(values | settings))


def rehearsed(source: str, look: Callable[[Trace], Any], **settings: Any) -> Any:
    """What `look` sees after `source`, which goes on where BEGIN ends, has run."""
    text = BEGIN + dedent(source)
    asked = request(text, **settings)
    with tempfile.TemporaryDirectory() as folder:
        return _in_a_fork(asked, text, look, folder)


def _in_a_fork(
    asked: RehearsalRequest, text: str, look: Callable[[Trace], Any], folder: str
) -> Any:
    """The same; what the source writes lies in `folder`, and not where the tests were started."""
    reader, writer = os.pipe()
    gc.freeze()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.chdir(folder)
        try:
            said = pickle.dumps(_seen(asked, text, look))
        except BaseException:
            said = pickle.dumps(AssertionError(traceback.format_exc()))
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(said)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        found = pickle.loads(pipe.read())
    os.waitpid(child, 0)
    gc.unfreeze()
    if isinstance(found, AssertionError):
        raise found
    return found


def _seen(asked: RehearsalRequest, text: str, look: Callable[[Trace], Any]) -> Any:
    torch.set_num_threads(1)
    trace = Trace(asked)
    stand_ins.install(trace, asked)
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    vars(main)["trace"] = trace
    with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
        exec(compile(text, NAME, "exec"), vars(main))
    return look(trace)


def only(trace: Trace) -> TrainingRecord:
    """The training of a source that has one."""
    (training,) = [item for item in trace.trainings if item.steps]
    return training


def kind(trace: Trace) -> Any:
    """The kind that all steps of its training have."""
    (found,) = only(trace).kinds
    return found


def line(text: str) -> int:
    """The number of the line of BEGIN that begins with a text."""
    lines = BEGIN.split("\n")
    return 1 + next(place for place, item in enumerate(lines) if item.strip().startswith(text))
