"""One run of the command line: find the submissions, grade each, show and keep the results.

In: what the user asked for. Out: an exit code. Progress goes to standard error, results to standard output.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from grader import assignment as assignments
from grader import grades, key, submission
from grader.errors import GraderError, SubmissionError
from grader.render import terminal
from grader.render.escape import printable
from grader.render.progress import TrainingProgress
from grader.report import Report
from grader.sandbox import isolation
from grader.whole import write_whole

if TYPE_CHECKING:
    from grader.assignment import Assignment
    from grader.pipeline import Options
    from grader.sandbox.isolation import Sandbox
    from grader.sandbox.zygote import Zygote
    from grader.submission import Submission
    from grader.training.data import Source

Work = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The arguments of `grade`, parsed."""

    paths: tuple[Path, ...]
    assignment: str | None
    dataset: Literal["auto", "mnist", "practice"]
    data: Path | None
    device: str
    static: bool
    epochs: int | None
    seeds: int | None
    train_anyway: bool
    fresh: bool
    require_isolation: int | None
    output: Path
    as_json: bool
    quiet: bool
    root: Path


def grade(wanted: Wanted) -> int:
    """Grade every submission that was asked for. Raises UsageError and GraderError."""
    _speak_any_encoding()
    known = assignments.load_all(wanted.root)
    found = submission.discover(wanted.paths, known, root=wanted.root, assignment=wanted.assignment)
    begun = _begin()
    from grader import outcome, pipeline
    from grader.training import data, device

    place = device.choose(wanted.device)
    grades.check_writable(wanted.output)
    messages = Console(stderr=True)
    images = data.resolve(wanted.dataset, wanted.data, say=partial(_say, messages))
    if images.note:
        _say(messages, images.note, style="yellow")
    options = pipeline.Options(
        device=wanted.device,
        static=wanted.static,
        epochs=wanted.epochs,
        seeds=wanted.seeds,
        train_anyway=wanted.train_anyway,
        require_isolation=wanted.require_isolation,
    )
    reports = []
    with isolation.choose(wanted.require_isolation, begun=begun) as sandbox:
        desk = _Desk(wanted, images, options, place.type, key.secret(), messages, sandbox)
        for item in found:
            report = desk.report(item, known[item.assignment])
            reports.append(report)
            if report.interrupted:
                _say(messages, f"Interrupted. The reports so far are in {wanted.output}.", style="")
                return 130
    _conclude(reports, wanted)
    return 3 if desk.unwritten else outcome.exit_code(reports, known)


def _say(messages: Console, text: str, *, style: str = "dim") -> None:
    """A message for people, word for word: a path may hold what rich would read as markup."""
    messages.print(text, style=style, markup=False, emoji=False, highlight=False, soft_wrap=True)


def _begin() -> Zygote | None:
    """Let the sandbox get ready while torch is loaded here, which takes seconds.

    Torch would load a part of itself, `_dynamo`, only for the first tensor that has a shape and no data.
    """
    begun = isolation.begin()
    import torch._dynamo  # noqa: F401

    return begun


@dataclass(frozen=True)
class _Desk:
    """Where one submission after the other is graded: all that is the same for each."""

    wanted: Wanted
    images: Source
    options: Options
    device: str
    secret: bytes
    messages: Console
    sandbox: Sandbox
    unwritten: list[Report] = field(default_factory=list)

    def report(self, item: Submission, assignment: Assignment) -> Report:
        """The report on one submission, shown and kept: an earlier run's where that still stands."""
        choices = {**asdict(self.options), "device": self.device, "images": [self.images.name, self.images.practice]}
        address = key.address(item, assignment, choices)
        kept = None if self.wanted.fresh or item.problem else self._kept(item, address)
        if kept:
            _show(kept, self.wanted)
            return kept
        from grader import pipeline  # it loads torch: not before `_begin`

        with TrainingProgress(item.name, console=self.messages, quiet=self.wanted.quiet) as progress:
            report = pipeline.grade(item, assignment, self.images, self.options, progress, self.sandbox)
        report = key.sealed(report, address, self.secret)
        try:
            self._keep(report)
        except GraderError as error:  # a full disk takes neither this result nor the next ones from the screen
            _say(self.messages, f"The grader cannot keep this report: {error}", style="red")
            self.unwritten.append(report)
        _show(report, self.wanted)
        return report

    def _keep(self, report: Report) -> None:
        file = grades.write(report, self.wanted.output, secret=self.secret)
        if file.name == grades.UNFINISHED and not self.wanted.quiet:
            text = f"{report.submission}: the earlier report on this file says more and stays; this one is {file}"
            _say(self.messages, text)

    def _kept(self, item: Submission, address: str) -> Report | None:
        kept = grades.kept(item.name, item.assignment, self.wanted.output, address=address, secret=self.secret)
        if kept is None:
            return None
        if not self.wanted.quiet:
            _say(self.messages, f"{item.name}: unchanged since {kept.started}: kept (use --fresh to grade again)")
        return kept.model_copy(update={"path": item.display})  # the same file may have moved


def _speak_any_encoding() -> None:
    """A scorecard on a terminal or in a log that knows no ✓ shows its code instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _results() -> Console:
    """Standard output, where a narrow terminal breaks lines but loses no column."""
    console = Console()
    console.width = max(console.width, terminal.NARROWEST)
    return console


def _show(report: Report, wanted: Wanted) -> None:
    if not (wanted.as_json or wanted.quiet):
        _results().print(terminal.scorecard(report))


def _conclude(reports: list[Report], wanted: Wanted) -> None:
    if wanted.as_json:
        texts = [report.model_dump_json(indent=2) for report in reports]
        sys.stdout.write(texts[0] if len(texts) == 1 else "[" + ",\n".join(texts) + "]")
        sys.stdout.write("\n")
    elif len(reports) > 1 or wanted.quiet:
        _results().print(terminal.summary(reports))


def analyse(path: Path, *, assignment: str | None, output: Path | None, root: Path) -> int:
    """Write the JSON analysis of one submission; 1 when it cannot be captured. Raises UsageError and GraderError."""
    known = assignments.load_all(root)
    found = submission.discover([path], known, root=root, assignment=assignment)
    if len(found) != 1:
        raise submission.UsageError(f"{path} holds {len(found)} submissions; analyse takes one file.")
    begun = _begin()
    from grader import pipeline

    try:
        with isolation.choose(begun=begun) as sandbox:
            analysis = pipeline.analyse(found[0], known[found[0].assignment], sandbox)
    except SubmissionError as error:
        where = f"{found[0].display}:{error.line}: " if error.line else f"{found[0].display}: "
        Console(stderr=True).print(printable(where + error.message, 4000), markup=False, highlight=False)
        return 1
    text = json.dumps(analysis, indent=2) + "\n"
    if output:
        write_whole(output, text)
    else:
        sys.stdout.write(text)
    return 0
