"""Say why a file has no network. In: its definitions. Out: a SubmissionError. In the child."""

from __future__ import annotations

import ast
import importlib.util
from typing import NoReturn

from grader.capture.load import INSTANCES, Definitions
from grader.capture.missing import Missing
from grader.errors import SubmissionError


def refuse(definitions: Definitions) -> NoReturn:
    """Raise SubmissionError with the likeliest reason: a name, or an import that is not here."""
    for value in definitions.names.values():
        if isinstance(value, Missing):
            raise SubmissionError(value.why, line=value.line)
    text = (
        "The file defines no nn.Module that can be built without arguments. The grader builds "
        "your network by calling it: write a class that inherits from nn.Module, or add a "
        "function build_model() that returns the network."
    )
    if (found := _under_another_name(definitions)) is not None:
        name, line = found
        raise SubmissionError(
            f"{name} is a network, but nothing says that it is what you hand in: it is not trained "
            f"here, and the grader looks for one that is called {', '.join(INSTANCES[:-1])} or "
            f"{INSTANCES[-1]}. Call it model, or add a last line: model = {name}",
            line=line,
        )
    for node in definitions.nodes:
        if isinstance(node, ast.Import) and (modules := _modules_not_here(definitions, node)):
            files = ", ".join(f"{module}.py" for module in modules)
            raise SubmissionError(
                f"{text} It imports {files}, which is not here: copy what you use into the "
                "submission, which is one file.",
                line=node.lineno,
            )
        if isinstance(node, ast.ImportFrom) and (names := _not_here(definitions, node)):
            file = "/".join((node.module or "").split(".")) + ".py"
            raise SubmissionError(
                f"{text} It imports {', '.join(names)} from {file}, which is not here: copy what "
                "you use into the submission, which is one file.",
                line=node.lineno,
            )
    raise SubmissionError(text)


def _under_another_name(definitions: Definitions) -> tuple[str, int] | None:
    """The last `my_model = nn.Sequential(...)` at the top level: its name and its line."""
    for node in reversed(list(definitions.nodes)):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        # What nobody needs has not been run: there is only the text to go by.
        made = ast.unparse(node.value.func).rpartition(".")[2]
        if made == "Sequential" and isinstance(node.targets[0], ast.Name):
            return node.targets[0].id, node.lineno
    return None


def _modules_not_here(definitions: Definitions, node: ast.Import) -> list[str]:
    names = [alias.name.partition(".")[0] for alias in node.names]
    if definitions.siblings is not None:
        names = [name for name in names if definitions.siblings.files.find(name) is None]
    return [name for name in names if importlib.util.find_spec(name) is None]


def _not_here(definitions: Definitions, node: ast.ImportFrom) -> list[str]:
    """What is imported from a module that cannot be found."""
    if definitions.siblings is not None and definitions.siblings.file(node) is not None:
        return []
    try:
        found = not node.level and importlib.util.find_spec((node.module or "").partition(".")[0])
    except (ImportError, ValueError):
        found = False
    return [] if found else [alias.name for alias in node.names]
