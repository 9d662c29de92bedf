"""One command: find the submissions, grade each, show and keep the results; the exit code.

In: what the user asked for. Out: an exit code. Progress goes to standard error, results to standard
output.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from grader.assignment import Assignment, Step, load_each
from grader.command import filing, stepwise
from grader.command.project import refuse_hidden
from grader.command.workroom import Workroom
from grader.errors import AssignmentError, GraderError
from grader.options import Options
from grader.render import card, notices, terminal
from grader.render.called import called
from grader.render.plain import Plain
from grader.render.progress import TrainingProgress
from grader.render.queue import Queue
from grader.report import Report, Verdict
from grader.storage import json_text, places, reports, seal
from grader.submission import find
from grader.submission.submission import LeftOut, Submission
from grader.training import present
from grader.training.datasets import DATASETS

if TYPE_CHECKING:
    from grader.training.data import Source

MOST_NAMED = 100
"""Of what is left out; the rest is counted."""


BROUGHT = (
    "There is no assignments/ folder here or above, so the example that comes with the grader is "
    "graded. Name a file to grade your own: {command}"
)


def grade_in(room: Workroom, options: Options, graded: list[Report] | None = None) -> int:
    """Grade every submission that was asked for, in a workroom that may have been used before.

    Each report is added to `graded` when it is there. Raises UsageError and GraderError.
    """
    graded = [] if graded is None else graded
    speak_any_encoding()
    known, broken = load_each(options.root)
    messages = Console(stderr=True)
    names = sorted([*known, *broken])
    refuse_hidden(options.assignment, names, options.root)
    looked = find.look(
        options.paths,
        names,
        root=options.root,
        home=options.home,
        assignment=options.assignment,
        training=options.training,
        trainings=trainings(known),
        steps=steps(known),
    )
    found = looked.submissions
    if options.home not in (None, options.root) and not options.paths:
        command = called("grade", "my_model.py", "--assignment", "mnist_8k")
        _say(messages, BROUGHT.format(command=command))
    say_left_out(messages, looked.left_out)
    asked = dict.fromkeys(item.assignment for item in found)
    refuse_all_broken(asked, broken)
    broken |= tried_out(
        [known[name] for name in asked if name in known], options.root, apart=options.static
    )
    refuse_all_broken(asked, broken)
    for name in broken if not options.paths and not options.assignment else asked:
        if name in broken:
            _say(messages, f"{name} is left out. {broken[name]}", style="red")
    reports.check_writable(options.output)
    device_kind = training_device(options, room)
    fit = [known[name] for name in asked if name not in broken]
    sources = images(fit, options, messages)
    home = options.home or options.root
    secret = seal.secret()
    queue = Queue(stepwise.number(found))
    desk = _Desk(options, sources, room, device_kind, secret, messages, queue)
    try:
        for one in found:
            item = places.own(one, options.output, root=home, secret=secret)
            if error := broken.get(item.assignment):
                report = desk.refuse(item, error, known.get(item.assignment))
            else:
                report = desk.report(item, known[item.assignment].of_step(item.step))
            graded.append(report)
            if report.interrupted:
                _show_finished(graded, len(found), options)
                finished = f" {len(graded) - 1} of {len(found)} are finished." if found[1:] else ""
                text = f"Interrupted.{finished} The reports so far are in {options.output}."
                _say(messages, text, style="")
                return 130
    except KeyboardInterrupt:
        _show_finished(graded, len(found), options)
        raise
    _conclude(graded, options)
    return 3 if desk.unwritten else exit_code(graded, known)


def _show_finished(graded: list[Report], asked: int, options: Options) -> None:
    """After an interruption in the middle of several: a table of those that there are."""
    if graded and asked > 1 and not options.as_json:
        results().print(terminal.summary(graded))


def training_device(options: Options, room: Workroom) -> str:
    """The kind of device that trains, "none" for static checks. Raises GraderError."""
    if options.static:
        return "none"
    known = present.kind_without_torch(options.device)
    if known is not None:
        return known
    room.begin()  # the sandbox gets ready while torch is loaded here
    from grader.training import device

    return device.choose(options.device).type


EXIT = {
    Verdict.PASSED: 0,
    Verdict.PASSED_SO_FAR: 0,
    Verdict.BORDERLINE: 0,
    Verdict.FAILED: 1,
    Verdict.UNKNOWN: 1,
    Verdict.SKIPPED: 1,
    Verdict.BROKEN: 3,
}


def exit_code(graded: Sequence[Report], known: Mapping[str, Assignment]) -> int:
    """0: every required check passed; 1: one failed or could not tell; 3: the grader broke."""
    return max((_exit_code(report, known) for report in graded), default=0)


def _exit_code(report: Report, known: Mapping[str, Assignment]) -> int:
    if report.verdict is Verdict.BORDERLINE:
        return 0 if known[report.assignment].borderline_earns_points else 1
    return EXIT[report.verdict]


def _say(messages: Console, text: str, *, style: str = "dim") -> None:
    """A message for people, word for word: a path may hold what rich would read as markup.

    A terminal gets lines that break between words; anything else, one line.
    """
    messages.print(Plain(Text(text, style=style)), soft_wrap=not messages.is_terminal)


def say(text: str, *, style: str = "dim") -> None:
    """A message for people on standard error, as `grade` writes its own."""
    _say(Console(stderr=True), text, style=style)


def say_left_out(messages: Console, left_out: Sequence[LeftOut]) -> None:
    """In one line, whatever the command says about being quiet: nobody's work is lost unseen."""
    if left_out:
        shown = [str(one) for one in left_out[:MOST_NAMED]]
        more = len(left_out) - len(shown)
        shown += [f"and {more} more"] if more else []
        _say(messages, f"{len(left_out)} left out: {', '.join(shown)}", style="yellow")


def refuse_all_broken(asked: Iterable[str], broken: Mapping[str, AssignmentError]) -> None:
    """Where no assignment that is asked for can be graded, that is all there is to say."""
    if all(name in broken for name in asked):
        errors = [str(broken[name]) for name in asked]
        raise AssignmentError("\n".join(errors))


def tried_out(
    asked: Sequence[Assignment], root: Path, *, apart: bool
) -> dict[str, AssignmentError]:
    """Those whose default recipe does not work, each with the reason.

    `apart`: in another process, where nothing else in this one needs torch.
    """
    from grader.judging import default_recipe  # for this command alone

    broken = {}
    for assignment in asked:
        try:
            folder = root / "assignments" / assignment.name if apart else None
            default_recipe.try_recipe(assignment, folder=folder)
        except AssignmentError as error:
            broken[assignment.name] = error
    return broken


def images(asked: Sequence[Assignment], options: Options, messages: Console) -> dict[str, Source]:
    """The images for each assignment, by the name of its data set, which is looked for once.

    Before anything is graded: what is missing or damaged is better known now than hours later.
    """
    from grader.training import data

    found: dict[str, Source] = {}
    for name in dict.fromkeys(assignment.dataset for assignment in asked):
        found[name] = data.resolve(
            DATASETS[name],
            options.data,
            choice=options.dataset,
            fetch=not options.static,
            again=options.fresh,
            say=partial(_say, messages),
        )
        if found[name].note:
            _say(messages, found[name].note, style="yellow")
    return found


@dataclass(frozen=True)
class _Desk:
    """Where one submission after the other is graded: all that is the same for each.

    `sources` are by the name of the assignment's data set.
    """

    options: Options
    sources: Mapping[str, Source]
    room: Workroom
    device: str
    secret: bytes
    messages: Console
    queue: Queue
    unwritten: list[Report] = field(default_factory=list)

    def report(self, item: Submission, assignment: Assignment) -> Report:
        """The report on one submission, shown and kept: an earlier run's where that stands.

        Of a work in steps, each step has its own; one that stands is not asked for again.
        """
        source = self.sources[assignment.dataset]
        address = filing.address(item, assignment, self.options, device=self.device, source=source)
        kept = filing.kept(item, address, self.options, secret=self.secret)
        if kept:
            if not self.options.quiet:
                text = f"unchanged since {kept.started}: kept (use --fresh to grade again)"
                _say(self.messages, f"{item.shown}: {text}")
            for _ in range(stepwise.number([item])):
                self.queue.end(graded=False)
            _show(kept, self.options, reports.place(kept, self.options.output))
            return kept
        if item.steps:
            return self._finished(stepwise.grade(item, assignment, self.report), address)
        with TrainingProgress(
            item.shown, console=self.messages, quiet=self.options.quiet, queue=self.queue
        ) as progress:
            progress.get_ready()
            self.room.begin()  # it gets ready while the pipeline is loaded here
            from grader import pipeline

            room = self.room
            workshop = pipeline.Workshop(
                self.options,
                room.held(source),
                room.sandbox,
                room.crew,
                self.secret,
                room.seen,
            )
            self.queue.begin()
            report = pipeline.grade(item, assignment, workshop, progress)
        self.queue.end(graded=True)
        return self._finished(report, address)

    def refuse(
        self, item: Submission, error: AssignmentError, assignment: Assignment | None
    ) -> Report:
        """The report on a submission whose assignment is broken, shown and kept."""
        from grader import pipeline

        for _ in range(stepwise.number([item])):
            self.queue.end(graded=False)
        title, points = item.assignment, 0.0
        if assignment is not None:
            title, points = assignment.title, assignment.points
        report = pipeline.not_graded(
            item, error, self.options, self.room.sandbox.isolation, title=title, points=points
        )
        return self._finished(report, seal.nowhere())

    def _finished(self, report: Report, address: str) -> Report:
        report = filing.finished(report, address, self.options, secret=self.secret)
        file = None
        try:
            file = self._keep(report)
        except GraderError as error:
            # A full disk takes neither this result nor the next ones from the screen.
            _say(self.messages, f"The grader cannot keep this report: {error}", style="red")
            self.unwritten.append(report)
        _show(report, self.options, file)
        return report

    def _keep(self, report: Report) -> Path:
        file = reports.write(report, self.options.output, secret=self.secret)
        if file.name == reports.UNFINISHED and not self.options.quiet:
            text = (
                f"{notices.name(report)}: the earlier report on this file says more and stays; "
                f"this one is {file}"
            )
            _say(self.messages, text)
        return file


def speak_any_encoding() -> None:
    """A scorecard on a terminal or in a log that knows no ✓ shows its code instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def results() -> Console:
    """Standard output, where a narrow terminal breaks lines but loses no column."""
    console = Console()
    console.width = max(console.width, terminal.NARROWEST)
    return console


def _show(report: Report, options: Options, file: Path | None) -> None:
    """The short scorecard, which fits on the last screen, under the details where they are wanted.

    `file` holds the report; None where it could not be written.
    """
    if options.as_json or options.quiet:
        return
    if options.details:
        results().print(terminal.details(report))
    Console().print(card.draw(report, file))


def _conclude(graded: list[Report], options: Options) -> None:
    if options.as_json:
        text = ",\n".join(json_text.of_report(report) for report in graded)
        if len(graded) != 1:
            text = f"[{text}]"
        sys.stdout.write(f"{text}\n")
    elif len(graded) > 1 or options.quiet:
        results().print(terminal.summary(graded))


def steps(known: Mapping[str, Assignment]) -> dict[str, tuple[Step, ...]]:
    """The steps of the assignments that have some, by the name of the assignment."""
    return {name: one.steps for name, one in known.items() if one.steps}


def trainings(known: Mapping[str, Assignment]) -> dict[str, str]:
    """The files that the assignments say train, by the name of the assignment."""
    return {name: one.training for name, one in known.items() if one.training}
