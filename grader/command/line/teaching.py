"""Commands of a course: a class, its tables and boards, its own assignments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.command.endings import guarded
from grader.command.line.app import (
    BoardForm,
    By,
    Device,
    Engine,
    Epochs,
    Kind,
    LeastIsolation,
    Named,
    Platform,
    Root,
    Seeds,
    Static,
    TrainAnyway,
    Training,
    app,
    dataset_of,
    format_of,
    seeds_of,
)
from grader.render import formats
from grader.training.datasets import DATASETS

if TYPE_CHECKING:
    pass


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
    device: Kind = Device.AUTO,
    engine: By = Engine.AUTO,
    static: Static = False,
    epochs: Epochs = None,
    seeds: Seeds = "auto",
    train_anyway: TrainAnyway = False,
    require_isolation: LeastIsolation = None,
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
        dataset=dataset_of(dataset),
        data=data,
        device=device.value,
        engine=engine.value,
        static=static,
        epochs=epochs,
        seeds=seeds_of(seeds),
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
            callback=format_of,
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
    roster: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="The class, for its names [default: as `grader class` last named the works].",
        ),
    ] = None,
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
            lambda: class_tables.show_leaderboard(
                paths, form, students=roster, pseudonyms=pseudonyms, output=output
            )
        )
    )


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
