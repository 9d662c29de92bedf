"""All that needs the network to run before it is trained, done in a locked child.

In: a Program, its weights and some labelled images, as bytes: see `watched.py`. Out: an `Answer`,
as bytes. Trusted code; but a network may take hours or all memory, so that it has limits in both,
and what it raises is the submission's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import safetensors.torch
import torch

from grader import network
from grader.analysis import cost, effect, shapes, summary, work
from grader.analysis.receptive_field import proof
from grader.analysis.untrained import observation, pace
from grader.analysis.untrained.watched import Answer, Watched
from grader.errors import SubmissionError
from grader.program import program
from grader.program.program import Captured, Program
from grader.report import Inference, Problem


def answer(request: Mapping[str, Any], told: bytes, pictures: bytes, *values: bytes) -> bytes:
    """An Answer as JSON: the network was proven, watched and analysed.

    Analysed only to see that it can be: whoever asks can then do so without limits. Where the
    `request` says how many "multiply_adds" one image may take, a network that costs more, or does
    not run as it says, is refused before anything runs. Where it says "timed", the network is.
    """
    try:
        known = program.read(told)
        if "multiply_adds" in request:
            shapes.check(known)
            work.check(known, request["multiply_adds"])
        found = _found(known, told, pictures, values)
        if request.get("timed"):
            found = dataclasses.replace(found, inference=_timed(known, values[0]))
        return Answer(watched=found).model_dump_json().encode()
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


def _timed(known: Program, values: bytes) -> Inference:
    costs = cost.measure_cost(known.eval)
    weights = network.place(known, network.read_values(known, values))
    return Inference(multiply_adds=costs.total, pace=pace.measure(known, weights, costs))


def _found(known: Program, told: bytes, pictures: bytes, values: Sequence[bytes]) -> Watched:
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
            seen = observation.observe(known, captured.values, images, tensors["labels"], draw=draw)
    return Watched(measured, idle, seen)
