"""Grade a case as the product does, in a real sandbox, and say whether the answer was the right
one.

In: a Case and a sandbox. Out: an `Answer`, with the complaints about it; none when all is well.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import time
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from rich.console import Console, Group

from grader import pipeline
from grader.errors import GraderError
from grader.intake import asking
from grader.options import Options
from grader.render import card, formats, terminal
from grader.render.markdown import ZERO_WIDTH_SPACE
from grader.render.progress import TrainingProgress
from grader.report import Report, Verdict
from grader.sandbox import folders
from grader.sandbox.ending import Limits
from grader.sandbox.level import Isolation
from grader.submission import find
from grader.training.worker.crew import Crew
from tests.hostile.case import CANARY, Case
from tests.hostile.cases import files, forged_output, forged_rehearsals, process
from tests.render.test_classroom50 import RUNNER
from tests.static_grading import Images, every_check, plain

os.environ.update(RUNNER)  # whose results Classroom 50 gets

GRACE_SECONDS = 30.0
"""What a case may take beyond its limit, until it is ended and cleaned up, on a busy machine."""
GRACE_OF_PROCESSOR = 12.0
"""Seconds of processor time beyond all limits: what a file takes that does not listen."""
MARK = "hostile-mark"
"""What submissions try to write into files that are not theirs."""
ACCEPTED = (Verdict.PASSED, Verdict.PASSED_SO_FAR)
LABELS = "labels: 7 2 1 0 4 1 4 9"
IMAGES = Images(train_images=1_000)


@dataclass
class Timed:
    """A sandbox under the limit of one case, which remembers how long the child took."""

    sandbox: Any
    limits: Limits
    seconds: float = 0.0
    isolation: Isolation = field(default_factory=Isolation)

    def run(
        self, request: Mapping[str, Any], limits: Limits | None = None, **options: Any
    ) -> tuple[bytes, ...]:
        if options.get("kind", "capture") != "capture":  # to rehearse, which has limits of its own
            return self.sandbox.run(request, limits, **options)  # or to watch: its code has ended
        began = time.monotonic()
        try:
            return self.sandbox.run(request, self.limits, **options)
        finally:
            self.seconds = time.monotonic() - began


@dataclass(frozen=True)
class Answer:
    """How one case went at one level. `complaints` name what was not as promised."""

    case: Case
    report: Report
    seconds: float
    complaints: tuple[str, ...]
    kinds: frozenset[str] = field(default=frozenset())


def graded(case: Case, sandbox: Any, folder: Path) -> Answer:
    """Grade `case` from an empty folder."""
    canary = planted(folder)
    file = placed(case, folder / "submissions", canary)
    timed = Timed(sandbox, Limits(seconds=case.seconds))
    before, used = traces(sandbox), spent(sandbox)
    with (
        mock.patch.dict(
            os.environ,
            {name: value.replace(CANARY, str(canary)) for name, value in case.environment.items()},
        ),
        mock.patch.object(asking, "CPU_SECONDS", case.budget),
        mock.patch.object(asking, "WALL_SECONDS", case.waits),
    ):
        assignment = every_check()
        found = find.discover(
            [file], {assignment.name: assignment}, root=folder, assignment=assignment.name
        )
        if case.swapped:
            file.write_text(case.swapped)
        options = Options(static=True, seeds=case.seeds)
        workshop = pipeline.Workshop(options, IMAGES, timed, Crew())
        report = pipeline.grade(found[0], assignment, workshop, TrainingProgress(quiet=True))
    report = report.model_copy(update={"checks": plain(report.checks)})
    complaints = {
        "crash": crashed(report),
        "hang": late(timed, case) + busy(spent(sandbox) - used, case),
        "answer": list(wrong(case, report)),
        "leftover": left(sandbox, before) + changed(canary),
        "output": list(raw(report, everywhere=case.answers in SHOWN_EVERYWHERE)),
    }
    if report.verdict in (*ACCEPTED, Verdict.BORDERLINE) and (
        case.expected.error or case.expected.failed
    ):
        complaints["false pass"] = ["it passed"]
    return Answer(
        case,
        report,
        timed.seconds,
        tuple(f"{kind}: {text}" for kind, texts in complaints.items() for text in texts),
        frozenset(kind for kind, texts in complaints.items() if texts),
    )


def planted(folder: Path) -> Path:
    """Files that no submission may read or change: labels, a key, other work, cached data."""
    canary = folder / "canary"
    canary.mkdir()
    for name in ("labels", "id_rsa", "other.py", "train-images-idx3-ubyte"):
        (canary / name).write_text(LABELS)
    return canary


def placed(case: Case, folder: Path, canary: Path) -> Path:
    """The submission's path, after it and what lies beside it have been put there."""
    folder.mkdir()
    for name, text in case.beside.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace(CANARY, str(canary)))
    content = case.content.replace(CANARY.encode(), str(canary).encode())
    if case.place:
        return case.place(folder, content)
    file = folder / case.filename
    file.write_bytes(content)
    return file


def crashed(report: Report) -> list[str]:
    """The grader's own mistakes."""
    found = [report.problem.message] if report.problem and report.problem.fault == "grader" else []
    return found + [
        f"{check.name}: {check.detail}"
        for check in report.checks
        if check.verdict is Verdict.BROKEN
    ]


def late(timed: Timed, case: Case) -> list[str]:
    """Whether it took longer than its limit and the grace."""
    return [f"{timed.seconds:.1f} s"] if timed.seconds > case.seconds + GRACE_SECONDS else []


def busy(seconds: float, case: Case) -> list[str]:
    """Whether its children took more processor time than all of them together may."""
    most = case.budget + case.seconds + GRACE_OF_PROCESSOR
    return [f"{seconds:.1f} s of processor time"] if seconds > most else []


def spent(sandbox: Any) -> float:
    """Seconds of processor time of all children that a sandbox has had so far."""
    process = getattr(sandbox, "_process", None)
    if process is None:
        times = os.times()
        return times.children_user + times.children_system
    ticks = 0
    for pid in {process.pid} | descendants(process.pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[13]) + int(fields[14])  # of children that have ended
    return ticks / os.sysconf("SC_CLK_TCK")


def wrong(case: Case, report: Report) -> Iterator[str]:
    """Every difference between the report and what is expected."""
    expected = case.expected
    failed = {
        check.name for check in report.checks if check.required and check.verdict is Verdict.FAILED
    }
    if (report.problem is not None) != expected.error:
        yield f"problem: {report.problem}"
    if failed != expected.failed:
        yield f"failed: {sorted(failed)}: {reasons(report)}"
    if bool(report.flags) != expected.flagged:
        yield f"flags: {report.flags}"
    if not re.search(expected.words, reasons(report)):
        yield f"{expected.words!r} is not in {reasons(report)!r}"
    whose = report.recipe.origin if report.recipe else "nobody"
    if expected.recipe and whose != expected.recipe:
        yield f"the recipe is that of {whose}, not {expected.recipe}"
    if expected.line and (report.problem is None or report.problem.line != expected.line):
        yield f"line {report.problem.line if report.problem else None}, not {expected.line}"
    if (report.verdict in ACCEPTED) == bool(expected.error or expected.failed):
        yield f"verdict: {report.verdict}"


def reasons(report: Report) -> str:
    """Everything that a student or an instructor is told."""
    told = [report.problem.message] if report.problem else []
    for check in report.checks:
        if check.verdict is Verdict.FAILED:
            told += [f"{check.measured}: {check.detail}", *(hint.text for hint in check.hints)]
    if recipe := report.recipe:
        told += [f"{fact.name}: {fact.text}" for fact in recipe.facts]
        told += [hint.text for hint in (*recipe.obstacles, *recipe.differences)]
    return "\n".join([*told, *report.flags, *report.notes])


def traces(sandbox: Any) -> tuple[frozenset[int], frozenset[str]]:
    """The processes below a zygote, and the files in its temporary folder, as far as they can be
    seen from here.
    """
    process = getattr(sandbox, "_process", None)
    family = descendants(process.pid) if process else descendants(os.getpid())
    folders = [sandbox.folder / "zygote"] if getattr(sandbox, "folder", None) else []
    if getattr(sandbox, "boxed", False):
        folders = [Path(f"/proc/{pid}/root/tmp") for pid in family]
    files: set[str] = set()
    for folder in folders:
        with contextlib.suppress(
            OSError
        ):  # another user's process: the box dies with its zygote in any case
            files |= {
                str(path) for path in folder.iterdir() if not path.name.startswith("torchinductor_")
            }
    return frozenset(family), frozenset(files)


def left(sandbox: Any, before: tuple[frozenset[int], frozenset[str]]) -> list[str]:
    """The processes and files that were not there before."""
    if getattr(sandbox, "boxed", None) is not None and getattr(sandbox, "_process", None) is None:
        return ["the zygote is gone"]
    for _ in range(200):  # a process that has just been ended may still be reaped
        processes, files = (
            after - earlier for after, earlier in zip(traces(sandbox), before, strict=True)
        )
        if not processes and not files:
            return []
        time.sleep(0.05)
    return [f"processes {sorted(processes)}, files {sorted(files)}"]


def descendants(pid: int) -> set[int]:
    """The processes below `pid`."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                found |= {child} | descendants(child)
    return found


def changed(canary: Path) -> list[str]:
    """What was written where nothing may be written."""
    files = {path.name: path.read_text() for path in canary.iterdir()}
    found = (
        [] if set(files.values()) == {LABELS} and len(files) == 4 else [f"the canary is {files}"]
    )
    if MARK in (folders.PACKAGE / "__init__.py").read_text():
        found.append("the grader was edited")
    return found


def raw(report: Report, *, everywhere: bool) -> Iterator[str]:
    """What a terminal, a browser or a CI runner would obey in what is shown and kept; `everywhere`:
    in all formats.
    """
    screen = io.StringIO()
    Console(file=screen, width=100, force_terminal=False, color_system=None).print(
        Group(terminal.details(report), card.draw(report))
    )
    outputs = {"terminal": screen.getvalue(), "JSON": report.model_dump_json(indent=2)}
    if everywhere:
        for name in formats.FORMATS:
            with contextlib.suppress(GraderError):  # no grade is written where the grader broke
                outputs[name] = formats.render([report], name)
    for name, text in outputs.items():
        if odd := {
            ascii(one)
            for one in set(text) - ALLOWED.get(name, {"\n"})
            if unicodedata.category(one) in FORBIDDEN
        }:
            yield f"{name}: {sorted(odd)}"
        if name != "annotations" and re.search(r"^\s*(::|##\[)", text, re.MULTILINE):
            yield f"{name}: a command to a CI runner"
    tags = "".join(outputs.get(name, "") for name in ("html", "junit"))
    if re.search("<script>alert|<img src=x", tags):
        yield "a tag of the submission's own"


FORBIDDEN = {"Cc", "Cf", "Cs"}
ALLOWED = {"csv": {"\n", "\r"}, "markdown": {"\n", ZERO_WIDTH_SPACE}}
SHOWN_EVERYWHERE = {
    *(forged_output.ESCAPES, forged_output.COMMANDS, forged_output.MARKUP),
    *(files.NAMES, process.STRANGE_ERROR, forged_rehearsals.TEXTS),
}
"""Entries whose cases are about what is shown; the other formats take a second each."""
