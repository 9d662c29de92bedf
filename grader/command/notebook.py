"""The grader in a notebook: `grader.check(Net)`, `grader.grade(Net)`, `%grader check`.

In: a class, and the cells that were run so far. Out: a `Scorecard`, which the notebook shows. The
class is graded from the text of the cells, not from memory: what stands in the notebook is what
would be handed in, and a class that an old, rewritten cell left behind is not graded by mistake.
"""

from __future__ import annotations

import argparse
import atexit
import inspect
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from grader.assignment import Assignment, did_you_mean, load_each
from grader.command import cells, project
from grader.command.project import Project
from grader.command.scorecard import Scorecard
from grader.command.self_check import Bench
from grader.errors import GraderError
from grader.options import Options
from grader.printable import printable
from grader.render.next_step import IN_CELLS
from grader.submission import assembly, find, stepwise
from grader.submission.submission import Submission, UsageError

FILE = "notebook.ipynb"


def check(network: Any = None, *, assignment: str | None = None) -> Scorecard | None:
    """The checks that need no training, on a class of this notebook (or the network that is there).

    `network` is a class, an object of it, its name, or the path of a file. Returns None after a
    message where there is nothing to check.
    """

    def work() -> Scorecard:
        found, asked = _submission(network, assignment)
        return Scorecard(_bench().check(found, asked, _images()))

    return _answered(work)


def grade(
    network: Any = None,
    *,
    assignment: str | None = None,
    epochs: int | None = None,
    seeds: int | None = 1,
    device: str = "auto",
    dataset: str = "auto",
    data: str | Path | None = None,
    train_anyway: bool = False,
) -> Scorecard | None:
    """All checks: the training of this notebook is rehearsed, then trained by the grader.

    That is on a GPU where there is one. `epochs` fewer for a quick look, `seeds` training runs
    (None: as many as it takes to be sure), `data` the folder that holds MNIST/; `train_anyway`:
    also where a required check failed. Returns None after a message where there is nothing to
    grade.
    """

    def work() -> Scorecard:
        found, asked = _submission(network, assignment)
        options = Options(
            epochs=epochs,
            seeds=seeds,
            device=device,
            dataset=dataset,
            train_anyway=train_anyway,
            data=Path(data) if data else _images(),
        )
        return Scorecard(_bench().grade(found, asked, options))

    return _answered(work)


def load_magic(shell: Any) -> None:
    """Make `%grader` known to IPython, and have the sandbox get ready for the first check."""
    shell.register_magic_function(_magic, "line", "grader")
    _bench().begin()


@cache
def _bench() -> Bench:
    bench = Bench()
    atexit.register(bench.close)
    return bench


def _answered(work: Callable[[], Scorecard]) -> Scorecard | None:
    """In a notebook, a mistake in the call is a sentence and no page of traceback."""
    try:
        return work()
    except (UsageError, GraderError) as error:
        if _shell() is None:
            raise
        print(f"grader: {error}", file=sys.stderr)  # noqa: T201 - for the student
        return None


def _submission(network: Any, name: str | None) -> tuple[Submission, Assignment]:
    """What is to be graded, and by whose rules. Raises UsageError and GraderError."""
    found = project.find()
    asked = _assignment(found, name)
    if isinstance(network, str | Path) and str(network).endswith((".py", ".ipynb", ".zip")):
        return _file(Path(network), "", asked, found), asked
    kind, model = _named(network)
    module = getattr(kind, "__module__", "__main__")
    if module != "__main__":
        return _file(_source_of(kind, model), model, asked, found), asked
    shell = _shell()
    if shell is None:
        if kind is None:
            raise UsageError("There is no notebook here: name a class or a file, check('model.py')")
        return _file(_source_of(kind, model), model, asked, found), asked
    inputs = list(shell.history_manager.input_hist_raw)[1:]
    content = cells.as_notebook(inputs, model)
    work = assembly.of_file(FILE, content)
    shown = model or IN_CELLS
    return (
        Submission(
            path=Path.cwd() / FILE,
            name="notebook",
            display=IN_CELLS,
            assignment=asked.name,
            listing=work.listing,
            sha256=work.sha256,
            problem=work.problem,
            shown=shown,
            claims=work.claims,
            notes=work.notes,
        ),
        asked,
    )


def _named(network: Any) -> tuple[Any, str]:
    """The class that is meant, and its name in the notebook."""
    if network is None:
        return None, ""
    if isinstance(network, str):
        if not network.isidentifier():
            raise UsageError(f"{printable(network, 100)!r} is neither a class nor a file.")
        return None, network
    kind = network if isinstance(network, type) else type(network)
    if not hasattr(kind, "forward"):
        raise UsageError(
            f"{printable(kind.__name__, 100)} is not a network: it has no forward(). Name the "
            "class that inherits from nn.Module: grader.check(Net)"
        )
    return kind, kind.__name__


def _source_of(kind: Any, model: str) -> Path:
    try:
        file = inspect.getsourcefile(kind)
    except TypeError:
        file = None
    if file is None or not Path(file).exists():
        raise UsageError(
            f"The text of {printable(model, 100)} cannot be found: define it in a cell or a file."
        )
    return Path(file)


def _file(path: Path, model: str, asked: Assignment, found: Project) -> Submission:
    """The file at that path, and in it the class `model`. Raises UsageError."""
    (submission,) = find.discover(
        [path], [asked.name], root=found.root, home=found.home, assignment=asked.name
    )
    if not model or submission.problem:
        return submission
    listing, digest = stepwise.naming(submission.listing, submission.sha256, model)
    return replace(submission, listing=listing, sha256=digest, shown=model)


_last: dict[str, str] = {}
"""The assignment that was named last, which stays until another is."""


def _assignment(found: Project, name: str | None) -> Assignment:
    known, broken = load_each(found.root)
    chosen = name or _last.get("name", "")
    if chosen in known:
        _last["name"] = chosen
        return known[chosen]
    if chosen in broken:
        raise broken[chosen]
    listed = ", ".join(known)
    if chosen:
        raise UsageError(
            f"There is no assignment {printable(chosen, 100)!r}; known: "
            f"{listed}.{did_you_mean(chosen, known)}"
        )
    if not known:
        raise next(iter(broken.values()))
    first, *others = known
    _last["name"] = first
    if others:
        text = f"By the rules of {first}. For others: assignment={others[0]!r}, said once."
        print(f"grader: {text}", file=sys.stderr)  # noqa: T201 - for the student
    return known[first]


def _images() -> Path | None:
    """The folder where notebooks have torchvision put MNIST, if it is there."""
    folder = Path("data")
    return folder.resolve() if (folder / "MNIST" / "raw").is_dir() else None


def _shell() -> Any:
    """The notebook that this runs in; None in a script."""
    loaded = sys.modules.get("IPython")
    return loaded.get_ipython() if loaded is not None else None


class _Parser(argparse.ArgumentParser):
    """Says what is wrong, and ends nothing."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. {self.format_usage().strip()}")


def _magic(line: str) -> Scorecard | None:
    """`%grader check [Net] [--assignment NAME]`, or `%grader grade [Net] [--epochs N] ...`."""
    parser = _Parser(prog="%grader", add_help=False)
    parser.add_argument("command", choices=("check", "grade"))
    parser.add_argument("network", nargs="?")
    parser.add_argument("--assignment")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dataset", default="auto")
    parser.add_argument("--data")
    parser.add_argument("--train-anyway", action="store_true")
    try:
        asked = vars(parser.parse_args(shlex.split(line)))
    except (UsageError, ValueError) as error:
        print(f"grader: {error}", file=sys.stderr)  # noqa: T201 - for the student
        return None
    network = _known(asked.pop("network"))
    if asked.pop("command") == "check":
        return check(network, assignment=asked["assignment"])
    return grade(network, **asked)


def _known(name: str | None) -> Any:
    """What the notebook calls that; the name itself where it is nothing, or a file."""
    shell = _shell()
    return shell.user_ns.get(name, name) if shell is not None and name else name
