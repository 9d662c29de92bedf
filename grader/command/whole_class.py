"""One command for a class: everybody's work graded side by side, a gradebook, a page, a summary.

In: a folder or archive of hand-ins, the class's list. Out: reports, `class.json`, the page, the
gradebook; an exit code. No torch here: the assistants grade. What is finished is on the disk at
once, so that a command that was interrupted goes on where it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from grader.assignment import Assignment, load_each
from grader.classroom import late, roster
from grader.classroom.roster import Roster
from grader.command import class_files, filing, handed_out, session
from grader.command.assistants import Assistants, News, Task
from grader.command.class_files import Graded
from grader.command.order import Order
from grader.command.project import refuse_hidden
from grader.errors import GraderError
from grader.options import Options
from grader.render import class_summary
from grader.render.called import called
from grader.render.class_progress import ClassProgress
from grader.render.plain import Plain
from grader.report import Report
from grader.sandbox import temporary
from grader.sandbox.level import Isolation
from grader.storage import places, reports, seal
from grader.submission import find
from grader.submission.submission import LeftOut, Submission, UsageError
from grader.training import present
from grader.training.data import Source

MEMORY_STATIC, MEMORY_TRAINING = 3 * 2**29, 3 * 2**30
"""Bytes that an assistant may take with all its children, by default."""


@dataclass(frozen=True, slots=True)
class ClassOptions:
    """What `class` knows besides the options of `grade`.

    `students` is the class's list; `jobs` how many are graded at once, None: as many as there are
    cores; `due` the end of the deadline.
    """

    students: Path | None = None
    jobs: int | None = None
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Class:
    """What is graded: the submissions of one assignment, and what they are graded with."""

    items: Sequence[Submission]
    left_out: Sequence[LeftOut]
    assignment: Assignment
    source: Source
    device: str
    secret: bytes


def grade(options: Options, asked: ClassOptions) -> int:
    """Grade the class of `options.paths`: 0 when that is done, whatever came of each work.

    3 where the grader itself broke on a work, or could not keep a report. Raises UsageError and
    GraderError.
    """
    session.speak_any_encoding()
    began, started = time.monotonic(), datetime.now(UTC)
    students = roster.read(asked.students) if asked.students else None
    found = _prepared(options)
    jobs = asked.jobs or _at_once(options)
    outcome = _graded(found, options, jobs)
    graded = Graded(
        assignment=found.assignment,
        reports=outcome.reports,
        works=outcome.works,
        kept=outcome.kept,
        late=late.of(found.items, asked.due, options.paths),
        left_out=found.left_out,
        started=started.isoformat(timespec="seconds"),
        seconds=time.monotonic() - began,
        side_by_side=jobs,
        isolation=outcome.isolation,
        quick_look=options.quick_look,
    )
    record = class_files.write(graded, students, options.output, secret=found.secret)
    console = Console()
    console.print(Plain(class_summary.draw(record, _following(record.files, options, students))))
    broke = any(one.verdict == "broken" for one in outcome.reports)
    return 3 if broke or outcome.unwritten else 0


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _at_once(options: Options) -> int:
    """As many as there are cores, and no more than fit into the machine's memory."""
    each = MEMORY_STATIC if options.static else MEMORY_TRAINING
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # another system: who knows
        return _cores()
    return max(1, min(_cores(), memory // each))


def _prepared(options: Options) -> _Class:
    """Find the works, and what they are graded with. Raises UsageError and GraderError."""
    known, broken = load_each(options.root)
    every = sorted([*known, *broken])
    refuse_hidden(options.assignment, every, options.root)
    looked = find.look(
        options.paths,
        every,
        root=options.root,
        home=options.home,
        assignment=options.assignment,
        training=options.training,
        trainings=session.trainings(known),
        steps=session.steps(known),
    )
    names = sorted({item.assignment for item in looked.submissions})
    if len(names) > 1:
        raise UsageError(
            f"A class is one assignment's, and this is work for {', '.join(names)}. Name the "
            f"folder of one, or say which with --assignment {names[0]}."
        )
    session.refuse_all_broken(names, broken)
    assignment = known[names[0]]
    session.refuse_all_broken(names, session.tried_out([assignment], options.root, apart=True))
    reports.check_writable(options.output)
    messages = Console(stderr=True)
    session.say_left_out(messages, looked.left_out)
    source = session.images([assignment], options, messages)[assignment.dataset]
    secret = seal.secret()
    home = options.home or options.root
    items = places.own_of_all(looked.submissions, options.output, root=home, secret=secret)
    return _Class(items, looked.left_out, assignment, source, _device(options), secret)


def _device(options: Options) -> str:
    """The kind of device that trains, "none" for static checks. Raises GraderError."""
    if options.static:
        return "none"
    known = present.kind_without_torch(options.device)
    if known is not None:
        return known
    from grader.training import device

    return device.choose(options.device).type


@dataclass(slots=True)
class _Outcome:
    """What came of each work, in the order of the works."""

    reports: list[Report]
    works: class_files.Works
    kept: frozenset[str]
    isolation: str
    unwritten: int


def _graded(found: _Class, options: Options, jobs: int) -> _Outcome:
    """Grade what has no report that still stands."""
    tasks, kept = _split(found, options)
    given = handed_out.look(found.assignment, options)
    tasks += [Task(item) for item in given.unknown]
    reports_by_name = {report.submission: class_files.slim(report) for report in kept}
    works = class_files.Works(found.items, given)
    for report in kept:
        works.add(report)
    unwritten, isolation = 0, ""
    jobs = max(1, min(jobs, len(tasks)))
    with temporary.folder() as folder:
        order = Order(
            options=options,
            assignment=found.assignment,
            source=found.source,
            device=found.device,
            side_by_side=jobs,
            ticket=folder / "turn",
            secret=found.secret,
        )
        threads = max(1, _cores() // jobs)
        with (
            Assistants(order, threads=threads) as assistants,
            ClassProgress(len(found.items), quiet=options.quiet) as progress,
        ):
            progress.kept(len(kept))
            for news in assistants.grade(tasks):
                if news is None:
                    progress.draw()
                    continue
                done = _heard(news, found, options, progress)
                unwritten += bool(news.unwritten)
                if done is not None and news.task.address:
                    works.add(done)
                    reports_by_name[done.submission] = class_files.slim(done)
                elif done is not None and not news.lost:
                    given.add(news.task.item, done)
            isolation = " ".join(filter(None, assistants.isolation))
    ordered = [reports_by_name[item.name] for item in found.items]
    names = frozenset(report.submission for report in kept)
    return _Outcome(ordered, works, names, isolation, unwritten)


def _split(found: _Class, options: Options) -> tuple[list[Task], list[Report]]:
    """What is to be graded, and the reports of what is not: those of earlier runs stand."""
    tasks, kept = [], []
    for item in found.items:
        address = filing.address(
            item,
            found.assignment.of_step(item.step),
            options,
            device=found.device,
            source=found.source,
        )
        report = filing.kept(item, address, options, secret=found.secret)
        if report is None:
            tasks.append(Task(item, address))
        else:
            kept.append(report)
    return tasks, kept


def _heard(news: News, found: _Class, options: Options, progress: ClassProgress) -> Report | None:
    """Show what is new; the report of a work that is done."""
    item, report = news.task.item, news.report
    if news.lost:
        report = _lost(item, news.lost, found, options)
        if news.task.address:
            news = replace(news, unwritten=filing.written(report, options, secret=found.secret))
    if report is None:
        progress.running(item.name, item.shown, news.stage, news.left)
    elif news.task.address:
        progress.done(item.name, report)
    else:
        progress.gone(item.name)
    if news.unwritten:
        session.say(f"The grader cannot keep this report: {news.unwritten}", style="red")
    return report


def _lost(item: Submission, why: str, found: _Class, options: Options) -> Report:
    from grader import pipeline

    return pipeline.not_graded(
        item,
        GraderError(f"{why} The others were graded; grade this one again by itself."),
        options,
        Isolation(),
        title=found.assignment.title,
        points=found.assignment.points,
    )


def _following(files: dict[str, str], options: Options, students: Roster | None) -> str:
    """The next command."""
    if options.quick_look:
        return "the same without --static or --epochs, for points that are a grade"
    if students is None:
        return "the same with --roster students.csv, for a gradebook that names everybody"
    return f"{called('report', 'NAME')}, for one of them; or look at {files['page']}"
