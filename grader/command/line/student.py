"""Commands on one's own work: check it, train it, see what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.command.endings import guarded
from grader.command.line.app import (
    By,
    Device,
    Engine,
    Epochs,
    Kind,
    LeastIsolation,
    Named,
    Root,
    Seeds,
    Static,
    TrainAnyway,
    Training,
    app,
    dataset_of,
    seeds_of,
)
from grader.training.datasets import DATASETS

if TYPE_CHECKING:
    from grader.options import Options


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
    device: Kind = Device.AUTO,
    engine: By = Engine.AUTO,
    static: Static = False,
    epochs: Epochs = None,
    seeds: Seeds = "auto",
    minutes: Annotated[
        int | None,
        typer.Option(min=1, help="The most that the training of one submission takes here."),
    ] = None,
    train_anyway: TrainAnyway = False,
    require_isolation: LeastIsolation = None,
    stay: Annotated[
        bool | None,
        typer.Option(
            "--stay/--no-stay",
            envvar="GRADER_STAY",
            show_default=False,
            help="With --static: the sandbox stays ready for 10 minutes, so that the next check "
            "takes half the time [default: at a terminal].",
        ),
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
        dataset=dataset_of(dataset),
        data=data,
        device=device.value,
        engine=engine.value,
        static=static,
        epochs=epochs,
        seeds=seeds_of(seeds),
        minutes=minutes,
        train_anyway=train_anyway,
        stay=stay,
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

        if room.leaves_a_sandbox and not (options.quiet or options.as_json):
            session.say(head_start.STAYS, style="dim")
        return session.grade_in(room, placed(options, root))


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
    from grader.command import single
    from grader.command.project import find

    raise typer.Exit(
        guarded(
            lambda: single.analyse(
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
    from grader.command import single
    from grader.command.project import find

    raise typer.Exit(
        guarded(
            lambda: single.show_recipe(
                path, assignment=assignment, training=training, project=find(root), write=write
            )
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
def compare(
    first: Annotated[str, typer.Argument(help="A work, or a saved report: its name or its file.")],
    second: Annotated[str, typer.Argument(help="What it is compared with, in the same way.")],
    *,
    assignment: Named = None,
    data: Annotated[
        Path | None, typer.Option(help="The folder that holds MNIST/ or the like, as for grade.")
    ] = None,
    dataset: Annotated[
        str, typer.Option(metavar="NAME", help="The images, as for grade.")
    ] = "auto",
    device: Kind = Device.AUTO,
    static: Static = False,
    epochs: Epochs = None,
    seeds: Seeds = "auto",
    train_anyway: TrainAnyway = False,
    output: Annotated[Path, typer.Option(help="Where reports are.")] = Path("grades"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    root: Root = None,
) -> None:
    """Say what changed from one work to another, and whether that helped beyond noise."""
    from grader.command import comparison
    from grader.command.project import placed
    from grader.options import Options

    options = Options(
        assignment=assignment,
        data=data,
        dataset=dataset_of(dataset),
        device=device.value,
        static=static,
        epochs=epochs,
        seeds=seeds_of(seeds),
        train_anyway=train_anyway,
        output=output,
    )
    raise typer.Exit(
        guarded(lambda: comparison.compare(first, second, placed(options, root), as_json=as_json))
    )


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
