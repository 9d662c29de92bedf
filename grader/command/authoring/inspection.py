"""Everything that can be wrong with the folder of an assignment, without running a student's file.

In: the folder. Out: `Finding`s: in `assignment.toml`, in the checks of its own, in the brief, the
starter and the examples, and in what is missing. `trying` runs the starter and the examples.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from grader.assignment import FILE, Assignment, did_you_mean, parsed
from grader.checks import own, pages
from grader.command.authoring import briefing, python_file, rules, toml_lines
from grader.command.authoring.briefing import Disagreement
from grader.command.authoring.findings import Finding
from grader.errors import AssignmentError
from grader.render.called import called

NOTHING_GRADED = "Nothing is graded by this assignment until its file is right."
ONE_OF_TWO = "A student reads the one and is graded by the other."
EXPECTED = ("README.md", "starter.py", "submissions", "checks", FILE)


def inspect(folder: Path) -> tuple[Assignment | None, list[Finding]]:
    """The assignment, where its file can be read, and what is wrong with the folder."""
    own_checks = own.read(folder)
    asked, found = _rules(folder, own_checks)
    found += _own(own_checks, asked)
    found += _missing(folder)
    if asked is not None:
        found += _brief(folder / "README.md", asked)
        found += _python(folder / "starter.py", asked, starter=not asked.steps)
        for example in sorted((folder / "submissions").glob("example*.py")):
            found += _python(example, asked, starter=False)
    return asked, found


def _rules(folder: Path, own_checks: own.OwnChecks) -> tuple[Assignment | None, list[Finding]]:
    """The assignment, and all that is wrong with its file."""
    file = folder / FILE
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        anew = called("new-assignment", "NAME")
        do = f"Make the folder anew with {anew}, or copy the file from another."
        return None, [Finding(file, None, "", f"it cannot be read: {error}", NOTHING_GRADED, do)]
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        stops = re.search(r"at line (\d+)", str(error))
        do = "Correct the line; https://toml.io shows how TOML is written."
        number = int(stops[1]) if stops else None
        return None, [Finding(file, number, "", f"not valid TOML: {error}", NOTHING_GRADED, do)]
    known = toml_lines.lines(text)
    asked = parsed(table, own_checks)
    if isinstance(asked, list):
        return None, [_refused(file, place, said, known) for place, said in asked]
    found = []
    if asked.name != folder.name:
        found.append(
            Finding(
                file,
                toml_lines.line_of(("name",), known),
                "name",
                f'name = "{asked.name}", and the folder is {folder.name}',
                "A file is graded by the assignment whose folder it is in.",
                "Rename the one or the other: they must be equal.",
            )
        )
    for name in [step.name for step in asked.steps] or [""]:
        for one in rules.contradictions(asked.of_step(name)):
            line = toml_lines.line_of(tuple(one.key.split(".")), known)
            said = f"{name}: {one.found}" if name else one.found
            found.append(Finding(file, line, one.key, said, one.why, one.do, one.advice))
    return asked, [*found, *_recipe(file, asked, known)]


def _refused(
    file: Path, place: toml_lines.Path, said: str, known: dict[toml_lines.Path, int]
) -> Finding:
    """One of `assignment.parsed`'s mistakes, in parts."""
    key = place or toml_lines.named_in(said, known)
    line = toml_lines.line_of(key, known)
    found, _, do = said.partition("; ")
    if not do:
        found, _, do = said.partition(": write ")
        do = f"write {do}" if do else _instead(said)
    do = do[:1].upper() + do[1:]
    return Finding(file, line, ".".join(map(str, key)), found.rstrip("."), NOTHING_GRADED, do)


def _instead(said: str) -> str:
    if "is missing" in said:
        return "Write it."
    if re.search(r"more than|fewer than|\bhas\b", said):  # two keys that do not go together
        return "Change the one or the other."
    return "Correct it."


def _recipe(file: Path, asked: Assignment, known: dict[toml_lines.Path, int]) -> Iterator[Finding]:
    """What torch and torchvision say of the default recipe."""
    from grader.judging import default_recipe  # it may load torch

    try:
        default_recipe.try_recipe(asked, folder=file.parent)
    except AssignmentError as error:
        said = str(error).partition(f"{FILE}: ")[2] or str(error)
        key = toml_lines.named_in(said, known)
        yield Finding(
            file,
            toml_lines.line_of(key, known),
            ".".join(map(str, key)),
            said.rstrip("."),
            "A file that says nothing about training is trained with this recipe: none could be.",
            "Correct the setting; docs.pytorch.org describes the class.",
        )


def _own(own_checks: own.OwnChecks, asked: Assignment | None) -> Iterator[Finding]:
    """The checks that the assignment brings along."""
    for mistake in own_checks.mistakes:
        found, _, do = mistake.text.partition(": ")
        if mistake.fatal:
            why = "Nothing is graded by this assignment until its checks are right."
        else:
            why = "It does nothing."
        do = do or "Correct it."
        do = do[:1].upper() + do[1:]
        yield Finding(mistake.file, mistake.line, "", found, why, do, not mistake.fatal)
    for check in own_checks.checks:
        yield from _one_own(check, own_checks, asked)
    names = {f"{name}.md" for name in own_checks.names}
    for page in own_checks.pages:
        if page.name not in names:
            yield Finding(
                page,
                1,
                "",
                f"a page, and there is no check test_{page.stem}",
                "Nobody is shown it.",
                f"Name it as its check.{did_you_mean(page.stem, own_checks.names)}",
                advice=True,
            )


def _one_own(
    check: own.OwnCheck, own_checks: own.OwnChecks, asked: Assignment | None
) -> Iterator[Finding]:
    if asked is not None and check.name not in asked.checks:
        yield Finding(
            check.file,
            check.line,
            f"checks.{check.name}",
            f"test_{check.name} is not in [checks] of {FILE}",
            "It never runs.",
            f"Add {check.name} = {{ required = true, points = 0 }} to [checks].",
        )
    if not check.title:
        yield Finding(
            check.file,
            check.line,
            f"checks.{check.name}",
            f"test_{check.name} has no docstring",
            "Its first line is what the scorecard says about the check.",
            'Write it: """The batches are small."""',
        )
    page = check.file.with_name(f"{check.name}.md")
    if page not in own_checks.pages:
        yield Finding(
            check.file,
            check.line,
            f"checks.{check.name}",
            f"there is no page {page.name}",
            f"{called('explain', check.name)} has only its docstring to show.",
            f"Write {page.name} beside it: a title, what it means, and why it matters.",
            advice=True,
        )
        return
    title = pages.of_own(check, own_checks).title
    if check.title and title != check.title:
        yield Finding(
            page,
            1,
            f"checks.{check.name}",
            f'the title "{title}", where the docstring says "{check.title}"',
            "One check has two names.",
            "Write the same in both.",
        )


def _missing(folder: Path) -> Iterator[Finding]:
    """Files and folders that students need."""
    for name, why, do in (
        ("README.md", "Students have nothing to read.", "Write the brief."),
        ("starter.py", "Students have nothing to begin with.", "Copy one from another assignment."),
        (
            "submissions",
            "Students have nowhere to put their work, and grade finds none.",
            "Make the folder.",
        ),
    ):
        if not (folder / name).exists():
            there = [path.name for path in folder.iterdir() if path.name not in EXPECTED]
            meant = did_you_mean(name, there)
            yield Finding(folder / name, None, "", "it is missing", why, f"{do}{meant}")


def _brief(file: Path, asked: Assignment) -> Iterator[Finding]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        yield Finding(
            file, None, "", f"it cannot be read: {error}", "Nobody can.", "Save it as UTF-8."
        )
        return
    if not text.strip():
        yield Finding(
            file, 1, "", "it is empty", "Students have nothing to read.", "Write the brief."
        )
    if asked.steps:
        return  # which of its numbers are about which step, nobody can tell
    for one in briefing.disagreements(text, asked):
        yield _disagreement(file, one)


def _disagreement(file: Path, one: Disagreement) -> Finding:
    said = one.said if one.line is None else f'"{one.said}"'
    return Finding(
        file,
        one.line,
        one.key,
        f"{said}, where {FILE} has {one.has}",
        ONE_OF_TWO,
        f"Change the text, or {one.key} in {FILE}.",
    )


def _python(file: Path, asked: Assignment, *, starter: bool) -> Iterator[Finding]:
    """What the text of a starter or an example says."""
    try:
        text = file.read_text(encoding="utf-8")
        for one in python_file.disagreements(text, asked, starter=starter):
            yield _disagreement(file, one)
    except (FileNotFoundError, SyntaxError):
        return  # missing is said elsewhere; what Python cannot read, the capture says with its line
    except (OSError, UnicodeDecodeError, ValueError) as error:
        yield Finding(
            file, None, "", f"it cannot be read: {error}", "Nobody can.", "Save it as UTF-8."
        )
