"""The command line: parse, call, exit. `python -m grader --help` loads no torch.

Exit codes: 0 when every required check passed, 1 when one failed or could not tell, 2 for wrong
usage, 3 when the grader itself could not grade, 130 when it was interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.errors import GraderError
from grader.render import formats
from grader.training.datasets import DATASETS

if TYPE_CHECKING:  # a session takes half a second to import: not for --help
    from grader.session import Work

# Threads that wait by spinning make training ten times slower as soon as anything else runs on the
# machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Grade small PyTorch networks.",
    rich_markup_mode=None,
)


class Device(StrEnum):
    """Where to train."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


def _seeds(value: str) -> int | None:
    if value == "auto":
        return None
    if not value.isdigit() or not 1 <= int(value) <= 100:
        raise typer.BadParameter(f"{value!r}: write a number from 1 to 100, or auto.")
    return int(value)


def _dataset(value: str) -> str:
    if value not in ("auto", "own", *DATASETS):
        raise typer.BadParameter(f"{value!r}: write auto, own, or one of {', '.join(DATASETS)}.")
    return value


def _format(value: str) -> str:
    if value not in formats.every():
        raise typer.BadParameter(f"{value!r}: write one of {', '.join(formats.every())}.")
    return value


Root = Annotated[
    Path, typer.Option("--root", hidden=True, help="The folder that holds assignments/.")
]
Named = Annotated[
    str | None,
    typer.Option("--assignment", help="The assignment; needed for files outside its folder."),
]

Training = Annotated[
    str | None,
    typer.Option(
        "--training",
        metavar="FILE",
        help="The file that trains, in a folder or archive that holds several.",
    ),
]


@app.command()
def grade(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders; all submissions if none.")
    ] = None,
    *,
    assignment: Named = None,
    training: Training = None,
    dataset: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="auto: the assignment's own, or practice digits where it cannot be had; "
            f"own: the assignment's own, or an error. Else one of: {', '.join(DATASETS)}.",
        ),
    ] = "auto",
    data: Annotated[
        Path | None,
        typer.Option(
            help="The folder that holds MNIST/ or the like [default: GRADER_DATA, else a cache]."
        ),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.AUTO,
    static: Annotated[
        bool, typer.Option("--static", help="Only the checks that need no training.")
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Train fewer epochs for a quick look; never graded.")
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="Training runs; auto: as many as it takes to be sure.")
    ] = "auto",
    train_anyway: Annotated[
        bool, typer.Option("--train-anyway", help="Train even when a required check failed.")
    ] = False,
    require_isolation: Annotated[
        int | None,
        typer.Option(min=1, max=3, help="Refuse to grade at a weaker level of isolation."),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Grade again what is unchanged since its report was written."),
    ] = False,
    output: Annotated[Path, typer.Option(help="Where reports are written.")] = Path("grades"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report alone, as JSON, on standard output.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress, no scorecards: only the summary.")
    ] = False,
    details: Annotated[
        bool,
        typer.Option("--details", help="Show recipe, layers and accuracy above each scorecard."),
    ] = False,
    root: Root = Path(),
) -> None:
    """Check and train submissions, and print a scorecard for each."""
    from grader import session
    from grader.options import Options

    options = Options(
        paths=tuple(paths or ()),
        assignment=assignment,
        training=training,
        dataset=_dataset(dataset),
        data=data,
        device=device.value,
        static=static,
        epochs=epochs,
        seeds=_seeds(seeds),
        train_anyway=train_anyway,
        fresh=fresh,
        require_isolation=require_isolation,
        output=output,
        as_json=as_json,
        quiet=quiet,
        details=details,
        root=root,
    )
    raise typer.Exit(guarded(lambda: session.grade(options)))


@app.command()
def analyse(
    path: Annotated[Path, typer.Argument(help="One submission.")],
    *,
    assignment: Named = None,
    training: Training = None,
    output: Annotated[
        Path | None, typer.Option(help="Write here instead of standard output.")
    ] = None,
    root: Root = Path(),
) -> None:
    """Print what the network is, as JSON, without training it."""
    from grader import session

    raise typer.Exit(
        guarded(
            lambda: session.analyse(
                path, assignment=assignment, training=training, output=output, root=root
            )
        )
    )


@app.command()
def recipe(
    path: Annotated[Path, typer.Argument(help="One submission.")],
    *,
    assignment: Named = None,
    training: Training = None,
    write: Annotated[
        bool, typer.Option("--write", help="Print it as settings, ready to paste into a file.")
    ] = False,
    root: Root = Path(),
) -> None:
    """Show how a submission would be trained, line by line, and what was not understood."""
    from grader import session

    raise typer.Exit(
        guarded(
            lambda: session.show_recipe(
                path, assignment=assignment, training=training, root=root, write=write
            )
        )
    )


@app.command()
def export(
    paths: Annotated[
        list[Path], typer.Argument(help="Reports, or folders that are searched for report.json.")
    ],
    *,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="|".join(formats.every()),
            callback=_format,
            help=formats.described(),
        ),
    ] = "markdown",
    output: Annotated[
        Path | None, typer.Option(help="Write here instead of standard output.")
    ] = None,
) -> None:
    """Write saved reports in another format."""
    from grader.render.export import export_reports

    raise typer.Exit(guarded(lambda: export_reports(paths, form, output)))


@app.command()
def report(
    name: Annotated[str, typer.Argument(help="Whose: a name in grades/, or a path.")],
    *,
    opened: Annotated[
        bool, typer.Option("--open", help="Write it as a page and open that in the browser.")
    ] = False,
    output: Annotated[Path, typer.Option(help="Where reports were written.")] = Path("grades"),
) -> None:
    """Show a saved report again, with recipe, layers and accuracy."""
    from grader.render import saved

    raise typer.Exit(guarded(lambda: saved.show(name, output, opened=opened)))


@app.command()
def explain(
    check: Annotated[
        str | None, typer.Argument(help="A check's name; lists all checks if none.")
    ] = None,
) -> None:
    """Say what a check means and why it matters, with examples."""
    from grader.render import explanation

    raise typer.Exit(guarded(lambda: explanation.show(check)))


def guarded(work: Work) -> int:
    """Run a command; what can go wrong becomes a message on standard error and an exit code."""
    from grader.submission.submission import UsageError

    try:
        code = work()
        if sys.stdout is not None:
            sys.stdout.flush()  # what it still holds may find the disk full
        return code
    except UsageError as error:
        print(str(error), file=sys.stderr)  # noqa: T201 - messages go to standard error
        return 2
    except GraderError as error:
        print(f"The grader cannot work here: {error}", file=sys.stderr)  # noqa: T201 - as above
        return 3
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # whoever read the output has seen enough; typer knows what to do
        why = error.strerror or str(error)
        print(f"The grader cannot work here: {why}", file=sys.stderr)  # noqa: T201 - as above
        _let_go_of_output()
        return 3
    except KeyboardInterrupt:
        print("Interrupted. Finished reports are kept.", file=sys.stderr)  # noqa: T201 - as above
        return 130


def _let_go_of_output() -> None:
    """What could not be printed is not tried again: Python would end with 120 for it."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def main() -> None:
    """Run the command of the command line, and end with its exit code."""
    try:
        app(prog_name="python -m grader")
    except SystemExit as end:
        # The help is printed outside of any command.
        code = guarded(partial(_code, end))
        raise SystemExit(code) from end
    except OSError as error:
        raise SystemExit(guarded(partial(_fail, error))) from error


def _code(end: SystemExit) -> int:
    return end.code if isinstance(end.code, int) else int(end.code is not None)


def _fail(error: OSError) -> int:
    raise error


if __name__ == "__main__":
    main()
