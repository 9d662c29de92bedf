"""Begin a new assignment: a folder that `grade` takes at once, made from one that works.

In: a name, the assignment to begin with, and a data set. Out: `assignments/NAME/` with its rules,
and a brief, a starter and an example that are written from them.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from grader.assignment import FILE, Assignment, did_you_mean, load
from grader.checks import own
from grader.command.authoring.writing import Writer
from grader.command.project import Project, brought
from grader.printable import printable, printable_path
from grader.render.called import called
from grader.storage.atomic import write_whole
from grader.submission.submission import UsageError
from grader.training.datasets import DATASETS

NAME = re.compile("[a-z][a-z0-9_]{0,39}")


def begin(name: str, model: str, project: Project, dataset: str | None = None) -> Path:
    """The folder of the new assignment, beside the user's own, else in the current folder.

    It is what the assignment `model` is, under its own name, on the images of `dataset` where one
    is given; README, starter and example are written from that. Raises UsageError and GraderError.
    """
    if not NAME.fullmatch(name):
        plain = re.sub("[^a-z0-9_]+", "_", name.lower()).strip("_")[:40]
        hint = f" Write {plain}, say." if NAME.fullmatch(plain) else ""
        raise UsageError(
            f"{printable(name, 100)!r} cannot be the name of an assignment: it begins with a small "
            f"letter; small letters, digits and _ follow, at most 40 in all.{hint}"
        )
    if dataset is not None and dataset not in DATASETS:
        raise UsageError(
            f"There is no data set {printable(dataset, 100)!r}; known: {', '.join(DATASETS)}."
            f"{did_you_mean(dataset, DATASETS)}"
        )
    source = _source(model, project)
    if load(source).steps:
        raise UsageError(
            f"{model} is an assignment in steps, whose brief cannot be written from its rules. "
            f"Begin with mnist_8k, or copy the folder {printable_path(source)} by hand."
        )
    home = Path.cwd() if project.brought else project.root
    folder = home / "assignments" / name
    if folder.exists():
        raise UsageError(f"{printable_path(folder)} is there already: choose another name.")
    rules = rewritten(load(source), (source / FILE).read_text(encoding="utf-8"), name, dataset)
    in_clone = (home / "noxfile.py").exists()
    if not in_clone:  # a clone's commands are nox's
        rules = re.sub(r"nox -s (\w+) -- ", r"grader \1 ", rules)
    try:
        _fill(folder, rules, source, in_clone=in_clone, same_images=dataset is None)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _fill(folder: Path, rules: str, source: Path, *, in_clone: bool, same_images: bool) -> None:
    """The files of the new folder. Raises GraderError."""
    write_whole(folder / FILE, rules)
    if (source / own.HOME).is_dir():
        shutil.copytree(
            source / own.HOME, folder / own.HOME, ignore=shutil.ignore_patterns("__pycache__")
        )
    writer = Writer(load(folder), in_clone=in_clone)
    write_whole(folder / "README.md", writer.brief())
    write_whole(folder / "starter.py", writer.starter())
    submissions = folder / "submissions"
    submissions.mkdir()
    example = source / "submissions" / "example.py"
    if same_images and example.exists():
        shutil.copyfile(example, submissions / "example.py")
    elif text := writer.example():
        write_whole(submissions / "example.py", text)


def rewritten(asked: Assignment, text: str, name: str, dataset: str | None) -> str:
    """The rules `asked`, whose file is `text`, under another name and on other images.

    Comments stay. What the other images make impossible is changed with them.
    """
    title = name.replace("_", " ").capitalize()
    text = re.sub(rf"\b{asked.name}\b", name, text)
    text = _set(text, "title", f'"{title}"')
    if dataset is None or dataset == asked.dataset:
        return text
    images = DATASETS[dataset]
    text = _set(text, "dataset", f'"{dataset}"')
    text = _set(text, "input_shape", str(list(images.input_shape)))
    text = _set(text, "classes", str(images.classes))
    before = DATASETS[asked.dataset].title
    measure = f"# {before}'s: measure what the example gets on {images.title}, and set it"
    text = _set(text, "accuracy", f"{asked.limits.accuracy}", note=measure)
    text = _set(
        text, "receptive_field", str(min(asked.limits.receptive_field, *images.input_shape[1:]))
    )
    steps = asked.recipe.epochs * -(-images.train_images // asked.recipe.batch_size)
    if steps > asked.limits.steps:
        text = _set(text, "steps", f"{steps:_}")
    # Without settings, Normalize is by the data set's own mean and deviation.
    normalize = r'(name = "Normalize"[^\n]*\n)settings = [^\n]*\n?'
    return re.sub(normalize, r"\1", text)


def _set(text: str, key: str, value: str, *, note: str = "") -> str:
    """The first line `key = ...` with another value; its comment stays unless `note` is new."""
    pattern = rf"(?m)^({key} = )(?:\[[^\]\n]*\]|\"[^\"\n]*\"|[^#\n]*?)( *#.*)?$"
    found = re.search(pattern, text)
    if found is None:
        return text
    comment = f" {note}" if note else found[2] or ""
    return f"{text[: found.start()]}{found[1]}{value}{comment}{text[found.end() :]}"


def next_steps(folder: Path) -> str:
    """What to do with it, for people."""
    shown = printable_path(Path("assignments") / folder.name)
    asked = load(folder)
    has_example = (folder / "submissions" / "example.py").exists()
    example = "an example is there" if has_example else "no example fits the limits: write one"
    return (
        f"{shown} is made, on {DATASETS[asked.dataset].title}.\n"
        f"  {shown}/{FILE}  the rules: edit them here\n"
        f"  {shown}/README.md        the brief, written from them\n"
        f"  {shown}/starter.py       what students begin with\n"
        f"  {shown}/submissions/     what they hand in; {example}\n"
        f"Try it:               {called('grade', '--assignment', folder.name, '--static')}\n"
        f"After every change:   {called('check-assignment', folder.name)}"
    )


def _source(model: str, project: Project) -> Path:
    """The folder of the assignment to begin with: the user's own, else one that is brought."""
    known: dict[str, Path] = {}
    for root in (brought(), project.root):
        for file in sorted((root / "assignments").glob(f"*/{FILE}")):
            known[file.parent.name] = file.parent
    if model not in known:
        raise UsageError(
            f"There is no assignment {printable(model, 100)!r} to begin with; known: "
            f"{', '.join(known)}.{did_you_mean(model, known)}"
        )
    return known[model]
