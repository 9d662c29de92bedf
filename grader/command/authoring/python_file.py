"""Whether a starter or an example says what the rules say. In: Python text and an Assignment.

Out: each constant that disagrees, with its line. Nothing runs here: the text is read as a tree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from itertools import pairwise

from grader.assignment import Assignment
from grader.command.authoring import briefing
from grader.command.authoring.briefing import Disagreement
from grader.training.choices import OPTIMIZERS, SCHEDULERS


def disagreements(text: str, asked: Assignment, *, starter: bool) -> Iterator[Disagreement]:
    """What the file says otherwise. Raises SyntaxError.

    A starter shows the assignment's own recipe; an example may have another one, within the limits.
    """
    tree = ast.parse(text)
    for name, value, line in _constants(tree):
        yield from _constant(name, value, line, asked, starter=starter)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node, asked, starter=starter)
    for number, line_text in enumerate(text.splitlines(), 1):
        if line_text.startswith("EPOCHS"):
            yield from _comment(number, line_text, asked.limits.epochs)
    for one in briefing.disagreements(text, asked):
        if one.key in ("input_shape", "classes", "name") and one.line is not None:
            yield one


def _constant(
    name: str, value: object, line: int, asked: Assignment, *, starter: bool
) -> Iterator[Disagreement]:
    limit = asked.limits.epochs
    if name == "EPOCHS" and isinstance(value, int) and value > limit:
        yield Disagreement(line, "limits.epochs", f"EPOCHS = {value}", str(limit))
    elif starter and name in ("EPOCHS", "BATCH_SIZE"):
        has = getattr(asked.recipe, name.lower())
        if value != has:
            yield Disagreement(line, f"recipe.{name.lower()}", f"{name} = {value}", str(has))


def _constants(tree: ast.Module) -> Iterator[tuple[str, object, int]]:
    """Name, value and line of each constant at the top level."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value.value, node.lineno


def _of_call(node: ast.Call, asked: Assignment, *, starter: bool) -> Iterator[Disagreement]:
    name = ast.unparse(node.func).rpartition(".")[2]
    if name == "Normalize":
        yield from _normalize(node, asked)
    elif starter and name in OPTIMIZERS:
        has = asked.recipe.optimizer.name
        if name != has:
            yield Disagreement(node.lineno, "recipe.optimizer.name", name, f'"{has}"')
        else:
            yield from _settings(node, "recipe.optimizer", asked.recipe.optimizer.settings)
    elif starter and name in SCHEDULERS:
        chosen = asked.recipe.scheduler
        if chosen is None or name != chosen.name:
            has = f'"{chosen.name}"' if chosen else "no scheduler"
            yield Disagreement(node.lineno, "recipe.scheduler.name", name, has)
        else:
            yield from _settings(node, "recipe.scheduler", chosen.settings)


def _normalize(node: ast.Call, asked: Assignment) -> Iterator[Disagreement]:
    """Against the numbers of the assignment's own Normalize, or of its data set."""
    wanted = next(
        (one.settings for one in asked.recipe.train_transform if one.name == "Normalize"), None
    )
    try:
        said = [ast.literal_eval(argument) for argument in node.args]
        said += [ast.literal_eval(keyword.value) for keyword in node.keywords]
    except ValueError:
        return  # computed: what it comes to is not known here
    if wanted is None or len(said) < 2:
        return
    mean, deviation = (wanted[name] for name in ("mean", "std"))
    for given, has, word in ((said[0], mean, "mean"), (said[1], deviation, "standard deviation")):
        numbers = tuple(given) if isinstance(given, list | tuple) else (given,)
        if numbers != (has if isinstance(has, tuple) else (has,)):
            shown = f"Normalize with the {word} {_listed(numbers)}"
            yield Disagreement(node.lineno, "dataset", shown, _listed(has))


def _listed(numbers: object) -> str:
    return ", ".join(map(str, numbers)) if isinstance(numbers, tuple) else str(numbers)


def _settings(node: ast.Call, key: str, wanted: Mapping[str, object]) -> Iterator[Disagreement]:
    """Each number that is given by name, and that the assignment has otherwise."""
    for keyword in node.keywords:
        if keyword.arg and keyword.arg in wanted and isinstance(keyword.value, ast.Constant):
            has = wanted[keyword.arg]
            if keyword.value.value != has:
                said = f"{keyword.arg} = {keyword.value.value!r}"
                line = keyword.value.lineno
                yield Disagreement(line, f"{key}.settings.{keyword.arg}", said, str(has))


def _comment(line: int, text: str, limit: int) -> Iterator[Disagreement]:
    """EPOCHS = 15  # at most 15."""
    words = text.partition("#")[2].split()
    for before, number in pairwise(words):
        if before == "most" and number.isdigit() and int(number) != limit:
            yield Disagreement(line, "limits.epochs", f"at most {number}", str(limit))
