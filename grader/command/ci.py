"""Grade in any CI: what a pull request brings, or what is named; and say it where people look.

In: what the user asked for, and the commits of a pull request if it is one. Out: scorecards in the
log, remarks beside the lines, a summary, files for an artifact; an exit code. Nothing of a pull
request is checked out: its files are data.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grader
from grader.assignment import load_each
from grader.command import head_start, session
from grader.errors import GraderError
from grader.options import Options
from grader.render import formats, notices, source, summary, words
from grader.render.annotations import Annotation, command, of_reports, plain, shown
from grader.render.markdown import code, prose
from grader.report import Report
from grader.sandbox import temporary
from grader.storage import reports as stored
from grader.storage.atomic import write_whole
from grader.submission import laid_out, pull_request
from grader.submission.pull_request import Brought, Remark
from grader.submission.repository import Repository
from grader.submission.submission import UsageError
from grader.submission.walk import Walk

MOST_SUMMARY = 1_000_000
"""Bytes: GitHub takes 1 MiB for a step's summary."""
MOST_COMMENT = 60_000
"""Bytes: GitHub takes 65,536 characters for a comment."""

MOST_SAID = 100
"""Works and remarks in the log; all of them are in the summary's file of JSON."""

FILES = {"html": "index.html", "junit": "junit.xml", "gitlab": "gitlab.json"}
"""The formats that are written beside the reports, and their files."""
SUMMARY, COMMENT, RUN = "summary.md", "comment.md", "run.json"

NOTHING = (
    "This pull request changes nothing in assignments/NAME/submissions/: nothing is graded. To "
    "hand in, add your notebook or script there, commit it and push."
)


@dataclass
class _Run:
    """What there is to say of one run."""

    options: Options
    brought: Brought | None = None
    remarks: list[Remark] = field(default_factory=list)
    graded: list[Report] = field(default_factory=list)
    home: Path = Path()
    code: int = 0


def grade(
    options: Options, *, changed_from: str | None = None, head: str = "HEAD", publish: bool = True
) -> int:
    """Grade what a pull request changes, or what the options name. Raises as `session.grade_in`.

    With `publish`, for a CI system: see the head of this file. 1 also where the pull request has to
    change before it may pass.
    """
    with contextlib.ExitStack() as stack:
        run = _Run(options, home=options.home or options.root)
        try:
            if changed_from is not None:
                run.home = stack.enter_context(temporary.folder())
                _bring(run, changed_from, head)
            if changed_from is None or run.options.paths:
                stack.enter_context(source.beneath(run.home))
                with _hushed(publish), head_start.workroom(run.options) as room:
                    run.code = session.grade_in(room, run.options, run.graded)
        except (UsageError, GraderError) as error:
            run.code = 2 if isinstance(error, UsageError) else 3
            run.remarks.append(Remark("error", "Could not grade", str(error)))
            if publish:
                _publish(run)
            raise
        if any(remark.level == "error" for remark in run.remarks):
            run.code = max(run.code, 1)
        if publish:
            _publish(run)
    return run.code


def _bring(run: _Run, base: str, head: str) -> None:
    """Lay out what the pull request brings, and say what is to be said. Raises UsageError."""
    options = run.options
    repository = Repository(options.root)
    known, broken = load_each(options.root)
    brought = pull_request.read(repository, sorted([*known, *broken]), base, head)
    run.brought, run.remarks = brought, brought.remarks
    run.remarks += _of_rules(repository, brought, base)
    run.remarks += laid_out.lay_out(brought.works, repository, run.home, options.root)
    names = sorted({work.assignment for work in brought.works})
    folders = [run.home / repository.prefix / "assignments" / name for name in names]
    found = Walk(run.home / repository.prefix, run.home, options.training)
    for folder in folders:
        found.visit(folder)
    for one in found.left_out:
        run.remarks.append(Remark("warning", "Left out", one.reason, one.display))
    if brought.works and not found.found:
        text = "There is no Python file and no notebook to grade in what it brings."
        run.remarks.append(Remark("error", "Nothing to grade", text))
    paths = tuple(folder for folder in folders if found.found)
    run.options = replace(options, paths=paths, home=run.home)
    _say(run)


def _of_rules(repository: Repository, brought: Brought, base: str) -> Iterator[Remark]:
    """Whose grader and rules these are, where they are not the base's."""
    here = repository.commit("HEAD")
    if here not in (brought.base, brought.common):
        yield Remark(
            "warning",
            "Not the rules of the base branch",
            f"The assignments and the grader are those of the commit that is checked out, "
            f"{here[:10]}, and not of {base} ({brought.base[:10]}). For a grade, check that out: "
            "`git checkout --detach`, and name the pull request's commit with --from-commit.",
        )


def _say(run: _Run) -> None:
    """What was found, before anything is graded."""
    brought = run.brought
    assert brought is not None
    session.say(f"From {brought.common[:10]} to {brought.head[:10]}: {_works(brought)}", style="")
    for work in brought.works[:MOST_SAID]:
        session.say(f"  {pull_request.shown(work.path)}: {work.what}", style="")
    for remark in run.remarks[:MOST_SAID]:
        style = {"error": "red", "warning": "yellow"}.get(remark.level, "dim")
        session.say(plain(_annotation(remark)), style=style)
    if not brought.works and not brought.refused:
        session.say(NOTHING, style="")


def _works(brought: Brought) -> str:
    return f"{words.several(len(brought.works), 'work')} to grade"


@contextlib.contextmanager
def _hushed(publish: bool) -> Iterator[None]:
    """What is printed until the `with` ends gives GitHub's runner no orders.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions: commands are
    off until a word that nobody can guess is printed.
    """
    if not (publish and _on_github()):
        yield
        return
    word = secrets.token_hex(16)
    print(f"::stop-commands::{word}", flush=True)  # noqa: T201 - to the runner
    try:
        yield
    finally:
        sys.stderr.flush()
        print(f"\n::{word}::", flush=True)  # noqa: T201 - to the runner


def _on_github() -> bool:
    """Whether a runner of GitHub's (or Forgejo's, which says so too) reads what is printed."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _publish(run: _Run) -> None:
    """Print the remarks, append to the summary, write the files. Raises GraderError."""
    output = run.options.output
    said = list(map(_annotation, run.remarks))
    every = [*said, *of_reports(run.graded)]
    write = command if _on_github() else plain
    for annotation in shown(every):
        print(write(annotation))  # noqa: T201 - to the CI system
    sys.stdout.flush()
    intro = list(_introduction(run))
    whole = summary.render(intro, said, run.graded, MOST_SUMMARY)
    write_whole(output / SUMMARY, whole)
    write_whole(output / COMMENT, summary.render(intro, said, run.graded, MOST_COMMENT))
    for form, file in FILES.items():
        (output / file).unlink(missing_ok=True)  # that of an earlier run
        if run.graded:
            write_whole(output / file, formats.render(run.graded, form))
    write_whole(output / RUN, json.dumps(_record(run), indent=2) + "\n")
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        _append(Path(page), intro, said, run.graded)


def _append(
    page: Path, intro: Sequence[str], said: Sequence[Annotation], graded: Sequence[Report]
) -> None:
    try:
        with page.open("a", encoding="utf-8") as stream:
            room = MOST_SUMMARY - stream.tell()  # others may have written there
            stream.write(summary.render(intro, said, graded, room))
    except OSError as error:
        session.say(f"The summary cannot be written: {error.strerror or error}", style="yellow")


def _annotation(remark: Remark) -> Annotation:
    return Annotation(remark.level, remark.path, None, remark.title, remark.text)


VERDICTS = {0: "✓ passed", 1: "✗ not passed", 2: "could not grade", 3: "could not grade"}
CHANGE = "✗ something has to change"
"""Where what was graded has passed, and something else stands in the way."""


def _introduction(run: _Run) -> Iterator[str]:
    """Verdict, commits, how student code was locked in. Markdown."""
    if run.brought is None:
        yield f"# {_verdict(run)}"
    elif not run.brought.works and not run.code:
        yield f"# Nothing to grade\n\n{prose(NOTHING)}"
    else:
        yield f"# {_verdict(run)}"
    facts = list(_facts(run))
    if facts:
        yield "<br>".join(facts)


def _verdict(run: _Run) -> str:
    count = words.several(len(run.graded), "submission") if run.graded else "nothing was graded"
    if run.code == 1 and run.graded and all(map(_is_good, run.graded)):
        return f"{CHANGE}: {count}"
    return f"{VERDICTS.get(run.code, 'interrupted')}: {count}"


def _is_good(report: Report) -> bool:
    return session.EXIT[report.verdict] == 0


def _facts(run: _Run) -> Iterator[str]:
    brought = run.brought
    if brought is not None:
        for work in brought.works[: summary.MOST_REMARKS]:
            yield f"{code(pull_request.shown(work.path))}: {prose(work.what)}"
        yield (
            f"From {code(brought.common[:10])} to {code(brought.head[:10])}; grader, assignments "
            f"and checks of {code(brought.base[:10])}."
        )
        yield (
            f"Read at {prose(_now())}; the last commit says {prose(brought.committed)}, by the "
            "clock of whoever made it."
        )
    levels = sorted({report.environment.isolation for report in run.graded})
    if levels:
        asked = run.options.require_isolation
        required = f", at least {asked} was required" if asked else ""
        yield f"Student code ran locked in at level {prose(', '.join(levels))}{required}."
    if not run.options.static:
        yield from map(prose, _limits(run))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _limits(run: _Run) -> Iterator[str]:
    """How long the training of a submission may take: by its assignment, and here."""
    known, _ = load_each(run.options.root)
    for name in sorted({report.assignment for report in run.graded} & known.keys()):
        from grader.judging.runner import PATIENCE  # it loads torch, as the training did

        seeds = run.options.seeds or known[name].most_seeds
        minutes = PATIENCE * known[name].limits.seconds / 60
        here = f", {run.options.minutes:,} minutes in all here" if run.options.minutes else ""
        yield (
            f"Time limit of {name}: {words.several(seeds, 'training run')}, each stopped after "
            f"{minutes:,.0f} minutes of training{here}."
        )


def _record(run: _Run) -> Mapping[str, Any]:
    """The run as JSON: see docs/json.md."""
    brought = run.brought
    commits = {}
    if brought is not None:
        names = ("base", "head", "common", "committed")
        commits = {name: getattr(brought, name) for name in names}
    return {
        "grader": grader.__version__,
        "exit_code": run.code,
        "at": _now(),
        **commits,
        "works": [
            {"path": pull_request.shown(work.path), "assignment": work.assignment, "is": work.what}
            for work in (brought.works if brought else ())
        ],
        "remarks": [
            {
                "level": remark.level,
                "path": pull_request.shown(remark.path) if remark.path else "",
                "title": remark.title,
                "text": remark.text,
            }
            for remark in run.remarks
        ],
        "reports": [
            {
                "name": notices.name(report),
                "assignment": report.assignment,
                "path": report.path,
                "verdict": report.verdict,
                "points": report.points,
                "max_points": report.max_points,
                "isolation": report.environment.isolation,
                "report": str(stored.place(report, Path()).as_posix()),
            }
            for report in run.graded
        ],
    }
