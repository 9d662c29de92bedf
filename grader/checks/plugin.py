"""The pytest plugin that runs the checks on one submission and writes down how each came out.

In: what is `Known` (by the analyses and the training). Out: one `CheckResult` a check. A failed
assert is "failed", a broken fixture is "broken": the student loses no points for our mistakes.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from grader.analysis.summary import Analysis
from grader.analysis.untrained.behaviour import Behaviour
from grader.assignment import Assignment, Check
from grader.checks import own
from grader.errors import GraderError, SubmissionError
from grader.judging.qualities import inference
from grader.judging.qualities.qualities import Qualities
from grader.judging.starting import Training
from grader.options import STATIC, Options
from grader.report import CheckResult, Hint, Inference, Verdict
from grader.submission.write_up import NOTHING, WriteUp

CHECKS = "grader.checks"
"""By its name as a package: pytest takes no path with a bracket in it."""


class TooCloseToCallError(Exception):
    """Raised by a check whose answer chance could decide."""


class CouldNotTellError(Exception):
    """Raised by a check that could not find out."""


@dataclass(slots=True)
class Line:
    """What a check puts on the scorecard besides its verdict. Checks get and call it as `show`."""

    measured: str = ""
    asked: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    hints: tuple[Hint, ...] = ()

    def __call__(
        self, *, measured: str, asked: str, hints: Iterable[Hint] = (), **numbers: Any
    ) -> None:
        """Show what was measured, what is asked, and (unless the check passes) what to do.

        `numbers` say the same for a spreadsheet: value, relation ("<="), limit and unit.
        """
        self.measured, self.asked, self.hints = measured, asked, tuple(hints)
        self.numbers = numbers


@dataclass(frozen=True)
class Known:
    """What the checks may ask for. `training` starts when one first asks for it."""

    assignment: Assignment
    options: Options
    analysis: Analysis
    behaviour: Behaviour | None
    training: Training[Any]
    write_up: WriteUp = NOTHING
    inference: Inference | None = None


@dataclass
class Checker:
    """The plugin object: fixtures for the checks, and their outcomes."""

    known: Known
    on_result: Callable[[CheckResult], None] = lambda result: None
    results: dict[str, CheckResult] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    unrun: dict[str, str] = field(default_factory=dict)
    """Why a check cannot run."""

    may_train: bool = False

    @pytest.fixture
    def show(self, request: pytest.FixtureRequest) -> Line:
        """Put the measured value and the limit on the scorecard."""
        return self.lines.setdefault(_name(request.node), Line())

    @pytest.fixture
    def limits(self) -> Any:
        """The assignment's limits."""
        return self.known.assignment.limits

    @pytest.fixture
    def parameters(self) -> Any:
        """How many numbers the network learns: `grader.analysis.parameters`."""
        return self.known.analysis.parameters

    @pytest.fixture
    def structure(self) -> Any:
        """BatchNorm, Dropout and head, as executed: `grader.analysis.structure`."""
        return self.known.analysis.structure

    @pytest.fixture
    def receptive_field(self) -> Any:
        """The receptive field of the last feature map: `grader.analysis.receptive_field`."""
        return self.known.analysis.receptive_field

    @pytest.fixture
    def behaviour(self) -> Any:
        """What the untrained network does: `grader.analysis.untrained.behaviour`."""
        return self.known.behaviour

    @pytest.fixture
    def recipe(self) -> Any:
        """The student's training recipe: `grader.program.Recipe`."""
        return self.known.analysis.program.recipe

    @pytest.fixture
    def write_up(self) -> Any:
        """What the work states: target, result, analysis: `grader.submission.write_up`."""
        return self.known.write_up

    @pytest.fixture
    def training(self) -> Any:
        """The training runs; starts them on first use."""
        self._ask_whether_to_train()
        return self.known.training.trial()

    @pytest.fixture
    def accuracy(self) -> Any:
        """The judged accuracy by the assignment's protocol; trains on first use."""
        self._ask_whether_to_train()
        return self.known.training.trial().accuracy

    @pytest.fixture
    def qualities(self) -> Any:
        """What the trained network is like beyond its accuracy; trains on first use."""
        self._ask_whether_to_train()
        lines = {row.module: row.line for row in self.known.analysis.layers}
        return Qualities(self.known.training.trial(), self.known.assignment.limits, lines)

    @pytest.fixture
    def inference(self) -> Any:
        """How fast the network is: `grader.judging.qualities.inference`."""
        return inference.fast(self.known.inference, self.known.assignment.limits)

    @pytest.fixture
    def skip(self) -> Callable[[str], None]:
        """Skip the check, with the reason."""
        return lambda reason: pytest.skip(reason)

    @pytest.fixture
    def could_not_tell(self) -> Callable[[str], None]:
        """Answer "unknown", with the reason."""

        def answer(reason: str) -> None:
            raise CouldNotTellError(reason)

        return answer

    @pytest.fixture
    def too_close_to_call(self) -> Callable[[str], None]:
        """Answer "borderline", with the reason."""

        def answer(reason: str) -> None:
            raise TooCloseToCallError(reason)

        return answer

    def _ask_whether_to_train(self) -> None:
        """Skip the check where training must not run.

        Once it has run, a check that fails because of it changes nothing.
        """
        if self.may_train:
            return
        if self.known.options.static:
            pytest.skip(STATIC)
        required = [item for item in self.results.values() if item.required]
        failed = [item for item in required if item.verdict is Verdict.FAILED]
        if failed and not self.known.options.train_anyway:
            pytest.skip(
                f"not trained, because a required check failed: {failed[0].title} "
                "(--train-anyway trains it)"
            )
        self.may_train = True

    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """Keep the checks that the assignment names, its own among them, in its order."""
        wanted = list(self.known.assignment.checks)
        for file, text in self.known.assignment.own_checks.files.items():
            items += self._own(session, file, text)
        items[:] = sorted(
            (item for item in items if _name(item) in wanted),
            key=lambda item: wanted.index(_name(item)),
        )

    def _own(self, session: pytest.Session, file: Path, text: str) -> Iterable[pytest.Item]:
        """The checks in a file of the assignment's: its code, run here as the grader's own is.

        From the text that the assignment was read with: the file may have changed since.
        """
        module = ModuleType(f"own_checks_{file.stem}")
        module.__file__ = str(file)
        sys.modules[module.__name__] = module  # a dataclass looks for its module there
        try:
            exec(compile(text, str(file), "exec"), module.__dict__)  # noqa: S102 - an instructor's
        except Exception as error:
            why = f"{file.name} cannot be imported: {type(error).__name__}: {error}"
            for check in self.known.assignment.own_checks.checks:
                if check.file == file:
                    self.unrun[check.name] = why
            return []
        found = pytest.Module.from_parent(session, path=file, nodeid=f"own/{file.name}")
        found.obj = module
        return list(session.genitems(found))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, None, None]:
        """Write down how a check came out."""
        yield
        name = _name(item)
        if call.when == "teardown" or (call.when == "setup" and call.excinfo is None):
            return
        check = self.known.assignment.checks[name]
        line = self.lines.get(name, Line())
        said = getattr(item, "obj", None).__doc__ or name
        title = said.strip().splitlines()[0]
        result = _result(name, title, check, line, call)
        if result.verdict is Verdict.BORDERLINE and self.known.assignment.borderline_earns_points:
            result = result.model_copy(update={"points": result.max_points})
        self.results[name] = result
        self.on_result(result)


def _name(item: pytest.Item) -> str:
    return item.name.removeprefix("test_")


def _result(
    name: str, title: str, check: Check, line: Line, call: pytest.CallInfo[None]
) -> CheckResult:
    verdict, detail = _outcome(call)
    points, max_points = 0.0, check.points
    if verdict is Verdict.PASSED:
        points = check.points
    elif verdict is Verdict.BROKEN:
        max_points = 0.0
    hints = () if verdict in (Verdict.PASSED, Verdict.BROKEN) else line.hints
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, SubmissionError) and error.line:
        hints = (*hints, Hint(text="This is where it happened.", line=error.line))
    return CheckResult(
        name=name,
        title=title,
        verdict=verdict,
        required=check.required,
        points=points,
        max_points=max_points,
        measured=line.measured,
        asked=line.asked,
        **line.numbers,
        detail=detail,
        hints=hints,
    )


def _outcome(call: pytest.CallInfo[None]) -> tuple[Verdict, str]:
    if call.excinfo is None:
        return Verdict.PASSED, ""
    error = call.excinfo.value
    text = str(error)
    if isinstance(error, pytest.skip.Exception):
        return Verdict.SKIPPED, text
    if isinstance(error, TooCloseToCallError):
        return Verdict.BORDERLINE, text
    if isinstance(error, CouldNotTellError):
        return Verdict.UNKNOWN, text
    if isinstance(error, SubmissionError) or (
        isinstance(error, AssertionError) and call.when == "call"
    ):
        return Verdict.FAILED, text
    if isinstance(error, pytest.FixtureLookupError) and error.argname:
        return Verdict.BROKEN, own.unknown_fixture(error.argname)
    return Verdict.BROKEN, f"{type(error).__name__}: {text}"


def run_checks(
    known: Known, on_result: Callable[[CheckResult], None] = lambda result: None
) -> tuple[CheckResult, ...]:
    """Run the assignment's checks, without files of the submission and plugins of the user.

    Raises KeyboardInterrupt when the user interrupts it; `on_result` has then had the checks that
    were done.
    """
    checker = Checker(known, on_result)
    arguments = ["--pyargs", CHECKS, "-c", os.devnull, "--noconftest"]
    arguments += [f"--rootdir={Path(__file__).parent}"]
    for plugin in ("cacheprovider", "terminal", "logging", "faulthandler", "warnings"):
        arguments += ["-p", f"no:{plugin}"]
    # These collect garbage five times over at the end, which takes longer than the checks.
    arguments += ["-p", "no:unraisableexception", "-p", "no:threadexception"]
    arguments += ["--assert=plain", "--capture=no", "--import-mode=importlib"]
    with _environment(), contextlib.redirect_stdout(io.StringIO()):
        status = pytest.main(arguments, plugins=[checker])
    if status == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if status in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR):
        raise GraderError(
            f"pytest could not run the checks (exit status {status}); its message is above."
        )
    return without_bought_points(checker.results.values()) + tuple(_never_ran(checker))


BOUGHT = ("untrained", "independent_samples", "steady")
"""Checks that fail where an accuracy was brought along instead of learned."""


LEARNED = (
    "accuracy",
    "robust_noise",
    "robust_shift",
    "per_class",
    "calibrated",
    "stable",
    "no_overfit",
)
"""Checks that earn nothing then."""


def without_bought_points(results: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    """The results, where nothing `LEARNED` earns points if a check says that it was not.

    Which happens with --train-anyway, and where the second look at the test images fails.
    """
    found = tuple(results)
    failed = [one for one in found if one.name in BOUGHT and one.verdict is Verdict.FAILED]
    return tuple(_as_learned(one, failed) for one in found)


def _as_learned(result: CheckResult, failed: list[CheckResult]) -> CheckResult:
    if result.name in LEARNED and result.points and failed:
        reason = f"It earns no points, because another check failed: {failed[0].title}"
        return result.model_copy(update={"points": 0.0, "detail": reason})
    return result


def _never_ran(checker: Checker) -> Iterable[CheckResult]:
    """A check that pytest did not run is the grader's fault, and must not vanish."""
    for name, check in checker.known.assignment.checks.items():
        if name not in checker.results:
            yield CheckResult(
                name=name,
                title=name.replace("_", " "),
                verdict=Verdict.BROKEN,
                required=check.required,
                points=0.0,
                max_points=0.0,
                detail=checker.unrun.get(name, "this check did not run"),
            )


@contextlib.contextmanager
def _environment() -> Generator[None, None, None]:
    """Run without what PYTEST_ variables would add, and put them back."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PYTEST_")}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        os.environ.update(kept)


def overall(results: Iterable[CheckResult], *, interrupted: bool = False) -> Verdict:
    """The verdict of a submission: the worst of its required checks.

    One that could not tell counts. With one that was not asked (no training, practice images), or
    with a training that was `interrupted`, a submission has passed only so far.
    """
    verdicts = {item.verdict for item in results if item.required}
    worst = (Verdict.BROKEN, Verdict.FAILED, Verdict.UNKNOWN, Verdict.BORDERLINE)
    to_come = interrupted or Verdict.SKIPPED in verdicts
    best = Verdict.PASSED_SO_FAR if to_come else Verdict.PASSED
    return next((verdict for verdict in worst if verdict in verdicts), best)
