"""The checks that an assignment brings along: `checks/test_*.py` in its folder, and their pages.

In: the folder of an assignment, which its instructor wrote. Out: `OwnChecks`: the text of each
file, read once, and every mistake in it that can be seen without running it. Whoever writes an
assignment is trusted as the grader is: `plugin.py` runs this code in the grader's own process,
where no sandbox is. A student's file never gets here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from grader.checks.names import check_names, fixture_names

HOME = "checks"
"""The folder in the folder of an assignment."""

OF_PYTEST = (
    "capfd",
    "capsys",
    "monkeypatch",
    "pytestconfig",
    "record_property",
    "recwarn",
    "request",
    "tmp_path",
    "tmp_path_factory",
)
"""Fixtures that pytest has itself, of the plugins that run the checks."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong at a line of one of the files, in a sentence that says what to do.

    `fatal`: with it nothing can be graded; else it only leaves something unsaid.
    """

    file: Path
    line: int
    text: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class OwnCheck:
    """One function `test_<name>`; `title` and `meaning` are its docstring."""

    name: str
    file: Path
    line: int
    title: str = ""
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class OwnChecks:
    """All of an assignment's own checks. `files` and `pages` hold the text of each by its path."""

    files: dict[Path, str] = field(default_factory=dict)
    pages: dict[Path, str] = field(default_factory=dict)
    checks: tuple[OwnCheck, ...] = ()
    mistakes: tuple[Mistake, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of the files."""
        return tuple(check.name for check in self.checks)

    @property
    def content(self) -> dict[str, str]:
        """Everything that decides what the checks say, by the names of the files."""
        return {path.name: text for path, text in {**self.files, **self.pages}.items()}


NONE = OwnChecks()


def read(assignment: Path) -> OwnChecks:
    """Those of the assignment in that folder. Raises nothing: what is wrong is in `mistakes`."""
    folder = assignment / HOME
    if not folder.is_dir():
        return NONE
    found: list[OwnCheck] = []
    mistakes: list[Mistake] = []
    files, pages = {}, {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".py", ".md") or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            mistakes.append(Mistake(path, 1, f"this file cannot be read: {error}."))
            continue
        if path.suffix == ".md":
            pages[path] = text
        elif path.name.startswith("test_"):
            files[path] = text
            checks, wrong = _in_file(path, text)
            found += checks
            mistakes += wrong
        else:
            mistakes.append(Mistake(path, 1, NOT_TAKEN.format(name=path.name), fatal=False))
    mistakes += _among_each_other(found)
    return OwnChecks(files, pages, tuple(found), tuple(mistakes))


NOT_TAKEN = (
    "this file is not taken: a file of checks is called test_<something>.py, and cannot import one "
    "beside it. Rename it to test_{name}, or write what it holds where it is used."
)


def _in_file(path: Path, text: str) -> tuple[list[OwnCheck], list[Mistake]]:
    try:
        tree = ast.parse(text, str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        said = getattr(error, "msg", str(error))
        return [], [Mistake(path, line, f"this is not valid Python ({said}): fix it first.")]
    functions = [
        node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    tests = [node for node in functions if node.name.startswith("test_")]
    mistakes = []
    if not tests:
        text = (
            "no check is in this file: write one as a function, def test_<name>(...), on its own."
        )
        mistakes.append(Mistake(path, 1, text, fatal=False))
    known = _Known(tree)
    for test in tests:
        mistakes += [Mistake(path, line, said) for line, said in _wrong_with(test, known)]
    return [_check(path, test) for test in tests], mistakes


def _check(path: Path, test: ast.FunctionDef | ast.AsyncFunctionDef) -> OwnCheck:
    title, _, meaning = (ast.get_docstring(test) or "").partition("\n")
    return OwnCheck(test.name.removeprefix("test_"), path, test.lineno, title, meaning.strip())


class _Known:
    """Which arguments a check in this file may have: known fixtures, and all that it may define."""

    def __init__(self, tree: ast.Module) -> None:
        self.names = {*fixture_names(), *OF_PYTEST}
        self.anything = False
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.decorator_list:
                self.names.add(node.name)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.names.add(node.value)  # @pytest.fixture(name="...")
            elif isinstance(node, ast.alias):
                self.names.add(node.asname or node.name)
                self.anything |= node.name == "*"


def _wrong_with(
    test: ast.FunctionDef | ast.AsyncFunctionDef, known: _Known
) -> Iterator[tuple[int, str]]:
    if isinstance(test, ast.AsyncFunctionDef):
        yield test.lineno, f"{test.name} is async, so pytest does not run it: leave out async."
    if not test.name.removeprefix("test_").isascii() or test.name == "test_":
        yield test.lineno, f"{test.name}: write the name of a check in letters, digits and _."
    for decorator in test.decorator_list:
        if "parametrize" in ast.unparse(decorator):
            yield (
                decorator.lineno,
                f"{test.name} is parametrized, but a check is one line of the scorecard: write a "
                "loop in it, or one function for each line.",
            )
    arguments = [*test.args.posonlyargs, *test.args.args]
    arguments = arguments[: len(arguments) - len(test.args.defaults)]  # those are no fixtures
    for argument in arguments:
        if argument.arg not in known.names and not known.anything:
            yield argument.lineno, unknown_fixture(argument.arg)


def unknown_fixture(name: str) -> str:
    """What to say of an argument that nobody provides."""
    fixtures = fixture_names()
    close = get_close_matches(name.lower(), fixtures, n=1)
    meant = f' Did you mean "{close[0]}"?' if close else ""
    return f"{name!r} is not a fixture; a check may ask for {', '.join(fixtures)}.{meant}"


def _among_each_other(found: Iterable[OwnCheck]) -> Iterator[Mistake]:
    """No two checks have one name."""
    seen: dict[str, OwnCheck] = {}
    for check in found:
        if check.name in check_names():
            text = f"test_{check.name} is a check that comes with the grader: choose another name."
            yield Mistake(check.file, check.line, text)
        elif check.name in seen:
            other = seen[check.name]
            text = (
                f"test_{check.name} is also in {other.file.name}, line {other.line}: a check needs "
                "a name of its own."
            )
            yield Mistake(check.file, check.line, text)
        seen.setdefault(check.name, check)


def find(root: Path) -> Iterator[tuple[str, OwnChecks]]:
    """The assignments of the project folder that have checks of their own, with these."""
    for folder in sorted((root / "assignments").glob(f"*/{HOME}")):
        found = read(folder.parent)
        if found.checks:
            yield folder.parent.name, found
