"""The published models as data, and the images that each is trained on.

Their files are ours, so they are captured without the sandbox: in one process for all of them,
which needs nothing that a lock could refuse. `python -m bench.references ORDER` is that process.
"""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader import assignment
from grader.assignment import Assignment
from grader.capture.__main__ import work
from grader.errors import GraderError
from grader.intake import intake
from grader.judging import metric
from grader.judging.judge import Judge
from grader.judging.metric import Metric
from grader.program.program import Captured
from grader.sandbox import ending
from grader.sandbox.level import Isolation
from grader.training import data
from grader.training.data import Data
from grader.training.datasets import DATASETS

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "reference"
NAMES = tuple(
    f"{file.parent.name}/{file.stem}" for file in sorted(FOLDER.glob("mnist_*/*.py"), reverse=True)
)
"""All published models, each as "assignment/file"."""
SUB_8K = "mnist_8k/sub_8k"


@dataclass(frozen=True, slots=True)
class Reference:
    """A published model, captured for so many images."""

    name: str
    captured: Captured
    assignment: Assignment

    @property
    def file(self) -> Path:
        """What its author wrote."""
        return FOLDER / f"{self.name}.py"

    def metric(self, images: Data) -> Metric:
        """What it trains on and looks at, of `images`: a rule that follows a metric takes some."""
        judge = Judge(images.test_labels, classes=self.assignment.classes)
        recipe = self.captured.program.recipe
        return metric.choose(recipe, self.assignment, images.training, judge)


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Those that are named, whole or by their file; all, if none. Raises GraderError."""
    unknown = [name for name in names if not any(name in _calls(known) for known in NAMES)]
    if unknown:
        raise GraderError(f"There is no reference {unknown[0]!r}; known: {', '.join(NAMES)}.")
    wanted = set(names)
    return tuple(known for known in NAMES if not wanted or wanted & set(_calls(known)))


def _calls(name: str) -> tuple[str, ...]:
    return name, name.split("/")[0], name.split("/")[1]


def capture(names: Sequence[str], train_images: int, seeds: int = 1) -> dict[str, Reference]:
    """The references of these names, captured for an epoch of so many images, in a process."""
    known = assignment.load_all(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        order, answer = Path(folder, "order"), Path(folder, "answer")
        order.write_bytes(pickle.dumps((tuple(names), train_images, seeds, answer)))
        command = [sys.executable, "-W", "ignore", "-m", "bench.references", str(order)]
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command, cwd=ROOT, check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise GraderError(f"The references could not be captured: {done.stderr[-2000:]}")
        found: dict[str, Captured] = pickle.loads(answer.read_bytes())  # noqa: S301 - our own
    return {
        name: Reference(name, captured, known[name.split("/")[0]])
        for name, captured in found.items()
    }


class _Here:
    """A Sandbox for files of our own: no sandbox at all."""

    isolation = Isolation()

    def run(
        self,
        request: Mapping[str, Any],
        limits: ending.Limits | None = None,
        *,
        prepare: Sequence[str] = (),
        kind: str = "capture",
        blobs: Sequence[bytes] = (),
    ) -> tuple[bytes, ...]:
        """The parts of the answer, of this very process."""
        header, *parts = work(kind, request, blobs)
        if b'"captured": true' not in header:
            raise GraderError(f"A reference cannot be captured: {header.decode()}")
        return tuple(parts)


def _serve(order: Path) -> None:
    names, train_images, seeds, answer = pickle.loads(order.read_bytes())  # noqa: S301 - our own
    known = assignment.load_all(ROOT)
    found = {}
    for name in names:
        source = FOLDER.joinpath(f"{name}.py").read_bytes()
        found[name] = intake.capture(
            source,
            f"{name.split('/')[1]}.py",
            known[name.split("/")[0]],
            train_images=train_images,
            seeds=range(seeds),
            sandbox=_Here(),
        )
    answer.write_bytes(pickle.dumps(found))


def images(folder: Path | None, train_images: int | None, test_images: int | None) -> Data:
    """The first images of MNIST in `folder`; of the practice digits without one.

    None: all of them. Nothing is downloaded. Raises GraderError where they are not there.
    """
    if folder is None:
        whole = data.resolve(DATASETS[data.PRACTICE]).read()
    elif any((folder / place / _FIRST).is_file() for place in ("MNIST/raw", "raw", "")):
        whole = data.resolve(DATASETS["mnist"], folder, choice="mnist", fetch=False).read()
    else:
        raise GraderError(
            f"MNIST is not in {folder}: name the folder that holds MNIST/raw and its four files "
            "with --data. Nothing is downloaded here."
        )
    training = dataclasses.replace(
        whole.training,
        train_images=whole.training.train_images[:train_images],
        train_labels=whole.training.train_labels[:train_images],
        test_images=whole.training.test_images[:test_images],
    )
    return Data(training, whole.test_labels[:test_images])


_FIRST = DATASETS["mnist"].files[0].name

if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
