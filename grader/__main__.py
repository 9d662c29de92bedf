"""The command line: parse, call, exit. `python -m grader --help` loads no torch.

Exit codes: 0 when every required check passed, 1 when one failed or could not tell, 2 for wrong
usage, 3 when the grader itself could not grade, 130 when it was interrupted.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import grader
from grader.command.choices import Commands
from grader.command.endings import code_of, guarded
from grader.render import formats
from grader.training.datasets import DATASETS

if TYPE_CHECKING:
    from grader.options import Options

# Threads that wait by spinning make training ten times slower as soon as anything else runs on the
# machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Device(StrEnum):
    """Where to train."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Platform(StrEnum):
    """Whose gradebook is written."""

    CANVAS = "canvas"
    MOODLE = "moodle"
    NBGRADER = "nbgrader"
    OTTER = "otter"


class BoardForm(StrEnum):
    """How a leaderboard is shown."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


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


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"grader {grader.__version__}")
        raise typer.Exit


Root = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="The folder that holds assignments/ [default: the nearest above the current one, "
        "else the assignments that come with the grader].",
    ),
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


@app.callback()
def options_of_all(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say which grader it is."),
    ] = False,
) -> None:
    """Grade small PyTorch networks."""


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
    minutes: Annotated[
        int | None,
        typer.Option(min=1, help="The most that the training of one submission takes here."),
    ] = None,
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
    changed_from: Annotated[
        str | None,
        typer.Option(
            metavar="COMMIT",
            help="Grade what a pull request changes in submissions/, since it left this commit.",
        ),
    ] = None,
    from_commit: Annotated[
        str,
        typer.Option(
            metavar="COMMIT", help="The last commit of the pull request; nothing is checked out."
        ),
    ] = "HEAD",
    ci: Annotated[
        bool,
        typer.Option(
            "--ci", help="Print remarks beside the lines; write a summary, HTML, JUnit and JSON."
        ),
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
    root: Root = None,
) -> None:
    """Check and train submissions, and print a scorecard for each."""
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
        minutes=minutes,
        train_anyway=train_anyway,
        fresh=fresh,
        require_isolation=require_isolation,
        output=output,
        as_json=as_json,
        quiet=quiet,
        details=details,
    )
    if changed_from is None and not ci:
        raise typer.Exit(guarded(lambda: _graded(options, root)))
    if ci and as_json:
        raise typer.BadParameter("--ci prints remarks: leave out --json, and read grades/run.json.")
    from grader.command import ci as run
    from grader.command.project import placed

    raise typer.Exit(
        guarded(
            lambda: run.grade(
                placed(options, root), changed_from=changed_from, head=from_commit, publish=ci
            )
        )
    )


def _graded(options: Options, root: Path | None) -> int:
    from grader.command import head_start

    with head_start.workroom(options) as room:
        from grader.command import session
        from grader.command.project import placed

        return session.grade_in(room, placed(options, root))


@app.command(name="class")
def whole_class(
    folder: Annotated[
        Path, typer.Argument(help="The hand-ins: a folder, or the zip of a platform.")
    ],
    *,
    assignment: Named = None,
    roster: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="The class, as your learning platform exports it: names, ids, e-mail.",
        ),
    ] = None,
    due: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The deadline: 2026-11-30T23:59, or with +01:00."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Submissions at once [default: one a core]."),
    ] = None,
    training: Training = None,
    dataset: Annotated[
        str, typer.Option(metavar="NAME", help="The images, as for grade.")
    ] = "auto",
    data: Annotated[
        Path | None, typer.Option(help="The folder that holds MNIST/ or the like, as for grade.")
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
    rerun: Annotated[
        bool,
        typer.Option(
            "--rerun", "--fresh", help="Grade again what is unchanged since its report was written."
        ),
    ] = False,
    output: Annotated[Path, typer.Option(help="Where reports are written.")] = Path("grades"),
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress: only the summary.")] = False,
    root: Root = None,
) -> None:
    """Grade a class side by side: reports, a page, a gradebook, and a summary."""
    from grader.classroom import late
    from grader.command import whole_class
    from grader.command.project import placed
    from grader.command.whole_class import ClassOptions
    from grader.options import Options

    options = Options(
        paths=(folder,),
        assignment=assignment,
        training=training,
        dataset=_dataset(dataset),
        data=data,
        device=device.value,
        static=static,
        epochs=epochs,
        seeds=_seeds(seeds),
        train_anyway=train_anyway,
        fresh=rerun,
        require_isolation=require_isolation,
        output=output,
        quiet=quiet,
    )

    def graded() -> int:
        asked = ClassOptions(roster, jobs, late.deadline(due) if due else None)
        return whole_class.grade(placed(options, root), asked)

    raise typer.Exit(guarded(graded))


@app.command()
def watch(
    path: Annotated[Path, typer.Argument(help="One submission: a file or a folder.")],
    *,
    assignment: Named = None,
    training: Training = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The folder that holds MNIST/ or the like, as for grade."),
    ] = None,
    require_isolation: Annotated[
        int | None,
        typer.Option(min=1, max=3, help="Refuse to grade at a weaker level of isolation."),
    ] = None,
    idle: Annotated[
        int, typer.Option(min=1, help="Minutes without a save after which it ends.")
    ] = 30,
    output: Annotated[Path, typer.Option(help="Where reports are written.")] = Path("grades"),
    root: Root = None,
) -> None:
    """Check a submission again each time that it is saved, without training it."""
    from grader.command import resident
    from grader.command.project import placed
    from grader.options import Options

    options = Options(
        paths=(path,),
        assignment=assignment,
        training=training,
        data=data,
        require_isolation=require_isolation,
        static=True,
        output=output,
    )
    raise typer.Exit(
        guarded(lambda: resident.watch(placed(options, root), idle_seconds=60.0 * idle))
    )


@app.command()
def analyse(
    path: Annotated[Path, typer.Argument(help="One submission.")],
    *,
    assignment: Named = None,
    training: Training = None,
    output: Annotated[
        Path | None, typer.Option(help="Write here instead of standard output.")
    ] = None,
    root: Root = None,
) -> None:
    """Print what the network is, as JSON, without training it."""
    from grader.command import session
    from grader.command.project import find

    raise typer.Exit(
        guarded(
            lambda: session.analyse(
                path,
                assignment=assignment,
                training=training,
                output=output,
                project=find(root),
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
    root: Root = None,
) -> None:
    """Show how a submission would be trained, line by line, and what was not understood."""
    from grader.command import session
    from grader.command.project import find

    raise typer.Exit(
        guarded(
            lambda: session.show_recipe(
                path, assignment=assignment, training=training, project=find(root), write=write
            )
        )
    )


@app.command()
def export(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Reports, or folders that are searched for report.json; for an autograder the "
            "folder of an assignment."
        ),
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
    """Write saved reports in another format, or an assignment as an autograder."""
    if form in formats.OF_ASSIGNMENTS:
        from grader.command import autograder

        raise typer.Exit(guarded(lambda: autograder.write(paths, output)))
    from grader.render.export import export_reports

    raise typer.Exit(guarded(lambda: export_reports(paths, form, output)))


@app.command()
def gradebook(
    paths: Annotated[list[Path], typer.Argument(help="Reports of one assignment, or folders.")],
    *,
    roster: Annotated[
        Path, typer.Option(metavar="CSV", help="The class, as your learning platform exports it.")
    ],
    platform: Annotated[
        Platform,
        typer.Option(
            "--format",
            help="canvas: its gradebook; moodle: its grading worksheet, filled in; nbgrader, "
            "otter: the table that they export.",
        ),
    ] = Platform.CANVAS,
    column: Annotated[
        str, typer.Option(help="Canvas's own name of the column, as in 'MNIST (4711)'.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option(help="Write here instead of standard output.")
    ] = None,
) -> None:
    """Write a class's points as its learning platform takes them back."""
    from grader.command import class_tables

    raise typer.Exit(
        guarded(
            lambda: class_tables.write_gradebook(
                paths, roster, platform, column=column, output=output
            )
        )
    )


@app.command()
def leaderboard(
    paths: Annotated[list[Path], typer.Argument(help="Reports of one assignment, or folders.")],
    *,
    form: Annotated[
        BoardForm, typer.Option("--format", help="table: for this terminal.")
    ] = BoardForm.TABLE,
    pseudonyms: Annotated[
        bool, typer.Option("--pseudonyms", help="Names that say nothing, and stay the same.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Write here instead of standard output.")
    ] = None,
) -> None:
    """Show who has the smallest, the best and the fastest network."""
    from grader.command import class_tables

    raise typer.Exit(
        guarded(
            lambda: class_tables.show_leaderboard(paths, form, pseudonyms=pseudonyms, output=output)
        )
    )


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
    *,
    root: Root = None,
) -> None:
    """Say what a check means and why it matters, with examples."""
    from grader.checks import own
    from grader.command.project import find
    from grader.render import explanation

    owned = list(own.find(find(root).root))
    raise typer.Exit(guarded(lambda: explanation.show(check, owned)))


@app.command()
def new_assignment(
    name: Annotated[str, typer.Argument(help="Small letters, digits and _: my_course.")],
    *,
    model: Annotated[
        str, typer.Option("--from", metavar="NAME", help="The assignment to begin with.")
    ] = "mnist_8k",
    dataset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"On other images: {', '.join(DATASETS)}."),
    ] = None,
    root: Root = None,
) -> None:
    """Make a folder for an assignment of your own, which can be graded at once."""
    from grader.command import scaffold
    from grader.command.project import find

    def made() -> int:
        typer.echo(scaffold.next_steps(scaffold.begin(name, model, find(root), dataset)))
        return 0

    raise typer.Exit(guarded(made))


@app.command()
def check_assignment(
    named: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|FOLDER]...", help="All of the project if none."),
    ] = None,
    *,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Do not run the starter and the examples.")
    ] = False,
    write_brief: Annotated[
        bool,
        typer.Option(
            "--write-brief",
            help="First write README.md and starter.py anew from the rules, over what is there.",
        ),
    ] = False,
    root: Root = None,
) -> None:
    """Find what is wrong with an assignment: its rules, brief, starter, examples, own checks."""
    from grader.command.authoring import command
    from grader.command.project import find

    raise typer.Exit(
        guarded(
            lambda: command.check(named or (), find(root), runs=not read_only, anew=write_brief)
        )
    )


def main() -> None:
    """Run the command of the command line, and end with its exit code."""
    try:
        app(prog_name=_called())
    except SystemExit as end:
        # The help is printed outside of any command.
        code = guarded(partial(code_of, end))
        raise SystemExit(code) from end
    except OSError as error:
        raise SystemExit(guarded(partial(_fail, error))) from error


def _called() -> str:
    """What the user typed to get here, for messages: `grader`, or `python -m grader`."""
    return "python -m grader" if Path(sys.argv[0]).stem == "__main__" else "grader"


def _fail(error: OSError) -> int:
    raise error


if __name__ == "__main__":
    main()
