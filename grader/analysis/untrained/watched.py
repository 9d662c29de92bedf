"""All that needs the network to run before it is trained, done in a locked child.

In: a Program, its weights and some labelled images, as bytes. Out: a `Watched`, as bytes. Trusted
code; but a network may take hours or all memory, so that it has limits in both, and what it raises
is the submission's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import safetensors.torch
import torch

from grader import network
from grader.analysis import effect, summary
from grader.analysis.idle import Idle
from grader.analysis.receptive_field import proof
from grader.analysis.receptive_field.proof import Proof
from grader.analysis.untrained import behaviour
from grader.analysis.untrained.behaviour import Behaviour
from grader.errors import SubmissionError
from grader.program import program
from grader.program.program import Captured
from grader.program.values import Data
from grader.report import Problem

NOTHING = (torch.empty(0, dtype=torch.uint8), torch.empty(0, dtype=torch.int64))
"""No images, and no labels: for what can be known without."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What was measured, and what was seen; None where no image was given.

    `proof` is of the receptive field; its masks are those of the final map alone. `idle` names the
    operators that move no score.
    """

    proof: Proof
    idle: Idle
    behaviour: Behaviour | None


class Answer(Data):
    """What was found, or why it was not."""

    watched: Watched | None = None
    problem: Problem | None = None


def question(captured: Captured, images: torch.Tensor, labels: torch.Tensor) -> list[bytes]:
    """What `answer` takes. `images` (N, *input_shape) are bytes, 0 to 255, and `labels` (N,)."""
    program_text = captured.program.to_json().encode()
    return [program_text, shown(images, labels), *captured.values.values()]


def shown(images: torch.Tensor, labels: torch.Tensor) -> bytes:
    """Images and labels as `answer` takes them."""
    return safetensors.torch.save({"images": images.contiguous(), "labels": labels.contiguous()})


def answer(told: bytes, pictures: bytes, *values: bytes) -> bytes:
    """An Answer as JSON: the network was proven, watched and analysed.

    Analysed only to see that it can be: whoever asks can then do so without limits.
    """
    try:
        return _found(told, pictures, values)
    except SubmissionError as error:
        problem = Problem(fault="submission", message=error.message, line=error.line)
    except Exception as error:
        problem = _explained(error)
    return Answer(problem=problem).model_dump_json().encode()


def _explained(error: Exception) -> Problem:
    """Memory and depth are used up by the network; anything else is a mistake of ours."""
    if network.is_out_of_memory(error) or isinstance(error, RecursionError):
        text = "The network takes more memory than the grader gives. Make its layers smaller."
        return Problem(fault="submission", message=text)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
    return Problem(fault="grader", message=f"{type(error).__name__} at {place}: {error!s:.1000}")


def _found(told: bytes, pictures: bytes, values: Sequence[bytes]) -> bytes:
    known = program.read(told)
    captured = Captured(known, dict(zip(known.seeds, values, strict=True)))
    weights = [network.place(known, network.read_values(known, blob)) for blob in values[:2]]
    idle = effect.measure(known, weights)
    measured = proof.measure(known.eval, weights[0], idle=idle.evaluation)
    final = summary.analyse(known, measured, idle).receptive_field.final
    masks = {name: mask for name, mask in measured.masks.items() if name == final}
    measured = dataclasses.replace(measured, masks=masks)
    tensors = safetensors.torch.load(pictures)
    seen = None
    if len(tensors["images"]):
        # Of what is handed in, so that nobody who writes numbers into a file knows them before.
        draw = int.from_bytes(hashlib.sha256(b"".join((told, *values))).digest()[:7])
        images = tensors["images"].float() / 255
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(draw)  # dropout, when it is watched in training
            seen = behaviour.observe(known, captured.values, images, tensors["labels"], draw=draw)
    return Answer(watched=Watched(measured, idle, seen)).model_dump_json().encode()
