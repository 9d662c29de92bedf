"""Divide a work for an assignment in steps: which files, or which class, are whose step.

In: what a folder or an archive holds, or the bytes of one file; the steps that are asked for. Out:
for each step the work that it is, by itself, or why there is none. Nothing is executed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from grader.assignment import Step
from grader.errors import SubmissionError
from grader.printable import printable
from grader.program.listing import Listing, Part
from grader.submission import assembly, notebook, write_up
from grader.submission.claims import Text
from grader.submission.contents import Contents, is_readme
from grader.submission.source import python_text
from grader.submission.submission import Work


def step_of(name: str, steps: Iterable[Step]) -> str:
    """The step that a file or folder of that name is for; "" for what is nobody's.

    `Step_1_Foundation.ipynb`, `step-1.py` and `step1/` are for step_1; `step_10.py` is not.
    """
    first = PurePosixPath(name).parts[0] if name.strip("/") else ""
    stem = re.sub(r"\.(py|ipynb)$", "", first.casefold())
    words = re.sub(r"[^a-z0-9]+", "_", stem).strip("_")
    for step in steps:
        joined = step.name.replace("_", "")
        if f"{words}_".startswith(f"{step.name}_") or re.match(rf"{joined}(?!\d)", words):
            return step.name
    return ""


def files_of(names: Iterable[str], steps: Sequence[Step]) -> dict[str, list[str]]:
    """The names that are each step's, for those steps that have any."""
    found: dict[str, list[str]] = {}
    for name in names:
        if step := step_of(name, steps):
            found.setdefault(step, []).append(name)
    return found


def of_contents(name: str, contents: Contents, steps: Sequence[Step]) -> list[Work]:
    """Each step's work out of several files: its own, and those that are no step's."""
    contents = contents.without_outer_folder()
    code = files_of(contents.code, steps)
    if not code and len(contents.code) == 1:
        return of_file(contents.code[0], contents.files[contents.code[0]], steps)
    return [_of_files(name, contents, step, steps, code) for step in steps]


def _of_files(
    name: str, contents: Contents, step: Step, steps: Sequence[Step], code: dict[str, list[str]]
) -> Work:
    if step.name not in code:
        there = ", ".join(contents.code[:8]) or "no Python file and no notebook"
        problem = SubmissionError(
            f"{name} holds nothing for {step.title}: its file is {step.name}.py or "
            f"{step.name}.ipynb, or begins with {step.name}_. There is {printable(there, 300)}."
        )
        return Work(assembly.blank(step.name), problem=problem)
    files = {}
    for file, content in contents.files.items():
        if is_readme(file) and "/" not in file:
            section = _section(content.decode("utf-8", "replace"), step, steps)
            if section:
                files[file] = section.encode()
        elif step_of(file, steps) in ("", step.name):
            files[file] = content
    own = code[step.name]
    named = [file for file in own if _stem(file) == step.name]
    training = named[0] if len(named) == 1 else (own[0] if len(own) == 1 else None)
    return assembly.of_contents(name, Contents(files), training=training)


def _stem(file: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", PurePosixPath(file).stem.casefold()).strip("_")


def _section(text: str, step: Step, steps: Sequence[Step]) -> str:
    """What stands in a Markdown text under the heading of a step; "" where there is none."""
    lines, level = [], 0
    for line in text.split("\n"):
        heading = re.match(r"[ \t]*(#+)[ \t]*(.*)", line)
        whose = _named_in(heading[2], steps) if heading else ""
        if heading and whose == step.name:
            level = len(heading[1])
        elif heading and level and (whose or len(heading[1]) <= level):
            level = 0
        if level:
            lines.append(line)
    return "\n".join(lines)


def _named_in(heading: str, steps: Sequence[Step]) -> str:
    """The step that a heading is about: "2. Enhanced" and "Step 2, with batch norm" name step 2."""
    words = re.sub(r"[^a-z0-9]+", "_", heading.casefold()).strip("_")
    for step in steps:
        title = re.sub(r"[^a-z0-9]+", "_", step.title.casefold()).strip("_")
        joined = f"_{words}_"
        if f"_{step.name}_" in joined or f"_{title}_" in joined:
            return step.name
    return ""


def of_file(name: str, content: bytes, steps: Sequence[Step]) -> list[Work]:
    """Each step's work out of one file: the whole of it, with a last line that names its class."""
    return [_of_class(name, content, step, steps) for step in steps]


def _of_class(name: str, content: bytes, step: Step, steps: Sequence[Step]) -> Work:
    shown = printable(name, 200)
    try:
        if step.network is None:
            raise SubmissionError(
                f"{shown} is one file, and this assignment has {len(steps)} steps: hand in a "
                f"folder with a file for each, {', '.join(f'{one.name}.py' for one in steps)}."
            )
        is_notebook = name.lower().endswith(".ipynb") or notebook.is_renamed(content)
        source, prose = _texts(shown, content, is_notebook=is_notebook)
        if not re.search(rf"^[ \t]*class {step.network}\b", source, re.MULTILINE):
            raise SubmissionError(
                f"{shown} defines no class {step.network}, which is the network of {step.title}. "
                f"Write class {step.network}(nn.Module), or hand in a folder with {step.name}.py."
            )
    except SubmissionError as problem:
        return Work(assembly.blank(name), problem=problem)
    work = assembly.of_file(name, content)
    listing, digest = naming(work.listing, work.sha256, step.network)
    work = replace(work, listing=listing, sha256=digest)
    section = _section(prose, step, steps)
    said = write_up.read(Text(line, "the text of the notebook") for line in section.split("\n"))
    if said == write_up.NOTHING and not is_notebook:
        said = write_up.of_class(source, step.network, shown)
    elif said == write_up.NOTHING:
        said = _of_cells(work.listing, step.network)
    return replace(work, write_up=said)


def _texts(name: str, content: bytes, *, is_notebook: bool) -> tuple[str, str]:
    """The code of a file, and the prose between the cells of a notebook."""
    if not is_notebook:
        return python_text(name, content), ""
    found = notebook.read(name, content)
    return "\n".join(cell.text for cell in found.cells), found.prose


def naming(listing: Listing, sha256: str, model: str) -> tuple[Listing, str]:
    """The same work with a last line that says which class is its network, and the hash of that."""
    last = listing.parts[-1]
    line = Part(file=listing.main, first=last.last + 1, text=f"MODEL = {model}")
    parts = (*listing.parts, line)
    if len(listing.parts) == 1:  # one script stays one part
        parts = (last.model_copy(update={"text": f"{last.text}\n{line.text}"}),)
    digest = hashlib.sha256(f"{sha256} {model}".encode()).hexdigest()
    return Listing(main=listing.main, parts=parts), digest


def _of_cells(listing: Listing, network: str) -> write_up.WriteUp:
    """What the class of that name states, in the cell that defines it."""
    for part in listing.parts:
        said = write_up.of_class(part.text, network, f"cell {part.cell}")
        if said != write_up.NOTHING:
            return _moved(said, part)
    return write_up.NOTHING


def _moved(said: write_up.WriteUp, part: Part) -> write_up.WriteUp:
    """The statements with their lines in the listing."""
    moved = {}
    for name in write_up.PARTS:
        statement: write_up.Statement | None = getattr(said, name)
        if statement is not None and statement.line is not None:
            statement = replace(statement, line=statement.line + part.first - 1)
        moved[name] = statement
    return write_up.WriteUp(**moved)


def together(name: str, works: Sequence[Work]) -> Work:
    """The work that the steps make up: their texts one after the other, each file once."""
    parts: list[Part] = []
    seen: set[tuple[str, int | None, str]] = set()
    for work in works:
        for part in work.listing.parts:
            key = (part.file, part.cell, part.text)
            if key not in seen and (work.problem is None or part.text):
                seen.add(key)
                first = parts[-1].last + 1 if parts else 1
                parts.append(part.model_copy(update={"first": first}))
    read = [work for work in works if work.sha256]
    if not read:
        return Work(assembly.blank(name), problem=works[0].problem)
    listing = Listing(main=parts[0].file, parts=tuple(parts)) if parts else assembly.blank(name)
    digest = assembly.digest_of(work.sha256 for work in works)
    return Work(listing, digest)
