"""What cases about rehearsals are made of, and what is expected of them.

Trainings that also do something else, as scripts, notebooks, folders and archives.
All hold an honest network, which is graded whatever comes of its training: with its own recipe, or
with the assignment's and a reason.
"""

from __future__ import annotations

import io
import json
import textwrap
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tests.hostile.case import Expected, net

TRAINING = """
from torchvision import datasets, transforms
from torch.utils.data import DataLoader
{before}
images_of = datasets.MNIST("data", train=True, download=True, transform=transforms.ToTensor())
loader = DataLoader(images_of, batch_size=128, shuffle=True)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
right = 0
for epoch in range({epochs}):
    model.train()
    for images, labels in loader:
        optimizer.zero_grad()
        scores = model(images)
        loss = F.cross_entropy(scores, labels)
        loss.backward()
        optimizer.step()
{step}
{epoch}
{after}
"""
EPOCHS = 3
CLAIMED = "rehearsed, but (what it|the result)"
"""How a forged answer or trace is refused."""
OUT_OF_TIME = "did not come to its end within"
BUDGET = 1.0
"""Seconds of processor time for the rehearsals of what never ends."""
WAITS = 8.0
"""Seconds until a rehearsal that only waits is ended."""


def trains(
    before: str = "", *, step: str = "", epoch: str = "", after: str = "", epochs: object = EPOCHS
) -> str:
    """An honest network and its training, which also runs what it is given: before, in each step,
    in each epoch, and after.
    """
    return net(bottom=training(before, step=step, epoch=epoch, after=after, epochs=epochs))


def training(
    before: str = "", *, step: str = "", epoch: str = "", after: str = "", epochs: object = EPOCHS
) -> str:
    """The training alone: the network is defined elsewhere."""
    return TRAINING.format(
        before=_indented(before, 0),
        step=_indented(step, 8),
        epoch=_indented(epoch, 4),
        after=_indented(after, 0),
        epochs=epochs,
    )


def _indented(text: str, by: int) -> str:
    return textwrap.indent(textwrap.dedent(text).strip("\n"), " " * by)


def own(words: str = f"{EPOCHS} epochs|{EPOCHS} of") -> Expected:
    """It is graded with the recipe that the rehearsal saw."""
    return Expected(recipe="rehearsed", words=words)


def refused(words: str) -> Expected:
    """It is graded with the assignment's recipe, and the report says why."""
    return Expected(recipe="assignment", words=words)


def tried(attempt: str, *errors: str) -> str:
    """Statements that make the training fail where `attempt` works."""
    caught = ", ".join(errors or ("OSError", "RuntimeError"))
    return (
        f"try:\n    {attempt}\nexcept ({caught}):\n    pass\n"
        "else:\n    raise SystemError('it worked')\n"
    )


FOUND = """
import gc
from grader.capture.rehearsal import trace as traces
trace = next(item for item in gc.get_objects() if type(item) is traces.Trace)
record = trace.trainings[-1]
"""
"""The trace of the rehearsal that is running, in the hands of the student's code."""


def forged(statements: str) -> str:
    """A training that edits, at its end, the trace that the rehearsal has of it."""
    return trains(after=f"{FOUND}{textwrap.dedent(statements).strip()}")


ANSWER = """
import json, sys
from grader.program.rehearsed import Rehearsal
def model_dump_json(self, **options):
    d = json.loads(real(self))
    t = d["trainings"][-1] if d["trainings"] else {{}}
    r = t.get("recipe")
{statements}
    return d if isinstance(d, str) else json.dumps(d)
real = Rehearsal.model_dump_json
Rehearsal.model_dump_json = model_dump_json
"""


def answers(statements: str) -> str:
    """A training whose answer, as JSON values, is changed before it is handed over: `d` is all of
    it, `t` its training, `r` that one's recipe.
    """
    body = _indented(statements, 4)
    return trains(after=ANSWER.format(statements=body))


def patched(path: str, value: str) -> str:
    """A training that begins with `path = value`."""
    module = path.partition(".")[0]
    return trains(f"import {module}\n{path} = {value}")


def notebook(*cells: str) -> str:
    """A notebook of these code cells."""
    found = [
        {"cell_type": "code", "metadata": {}, "source": cell, "outputs": [], "execution_count": 1}
        for cell in cells
    ]
    return json.dumps({"cells": found, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def folder(files: Mapping[str, str]) -> str:
    """The files of a folder as the source of a Case that `in_folder` places."""
    return json.dumps(dict(files))


def in_folder(where: Path, content: bytes) -> Path:
    """One person's folder with these files."""
    top = where / "Jo_123_assignsubmission_file"
    for name, text in json.loads(content).items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


def packed(*extra: tuple[str, bytes], main: str = "", mode: int = 0) -> bytes:
    """A zip archive of a training and of `extra` members, which have this file mode."""
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of a member that is there twice
        archive.writestr("train.py", main or trains())
        for name, content in extra:
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = mode << 16
            archive.writestr(member, content)
    return stream.getvalue()


def beside(name: str, text: str) -> str:
    """A folder whose training has a file of that name beside it."""
    return folder({"train.py": trains(f"import {Path(name).stem}"), name: text})
