"""Run a network once, on two images, and say what keeps it from scoring them. In the child."""

from __future__ import annotations

import inspect

import torch
from torch import Tensor, nn

from grader.capture import explain
from grader.errors import SubmissionError


def check_run(model: nn.Module, example: Tensor, *, classes: int, filename: str) -> None:
    """Run the network on two images. Raises SubmissionError unless it gives (2, classes) scores."""
    _refuse_other_arguments(model, filename)
    state = torch.get_rng_state()
    try:
        with torch.no_grad():
            output = model.eval()(example.clone())
    except Exception as error:
        raise explain.explained(error, filename) from error
    finally:
        torch.set_rng_state(state)
    line = _forward_line(model, filename)
    if output is None:
        raise SubmissionError(
            "forward() returns nothing. End it with a return of the scores, such as return x.",
            line=line,
        )
    if not isinstance(output, Tensor):
        raise SubmissionError(
            f"forward() returns a {type(output).__name__}, not one tensor. Return the scores of "
            "the classes alone.",
            line=line,
        )
    if tuple(output.shape) != (len(example), classes):
        raise SubmissionError(_wrong_shape(tuple(output.shape), len(example), classes), line=line)
    if not output.is_floating_point():
        raise SubmissionError(
            f"forward() returns {output.dtype} numbers, not scores. Return logits or "
            "log-probabilities, not a class.",
            line=line,
        )


def _refuse_other_arguments(model: nn.Module, filename: str) -> None:
    """Refuse a forward() that cannot be called with the images alone."""
    line = _forward_line(model, filename)
    try:
        inspect.signature(model.forward).bind(None)
    except TypeError as error:
        if line is not None:
            raise SubmissionError(
                f"forward() cannot be called with the images alone: {error}. Define it as def "
                "forward(self, x), with a default for whatever else it takes.",
                line=line,
            ) from error


def _wrong_shape(shape: tuple[int, ...], images: int, classes: int) -> str:
    text = (
        f"forward() returns a tensor of shape {shape} for {images} images, where "
        f"{(images, classes)} is needed"
    )
    if len(shape) == 2 and shape[0] == images:
        return (
            f"{text}: {shape[1]} scores for {classes} classes. Give the last layer {classes} "
            "outputs."
        )
    if len(shape) == 2 and shape[1] == classes:
        return (
            f"{text}: view(-1, {classes}) has turned image positions into images. Pool the map to "
            "1×1 first, and flatten with x.flatten(1)."
        )
    if len(shape) > 2:
        return f"{text}. Pool over the image and flatten with x.flatten(1) before you return."
    if shape == (images,):
        return (
            f"{text}: one number per image. Return the scores of all classes, without argmax() or "
            "max()."
        )
    return f"{text}: one row per image, one score per class."


def _forward_line(model: nn.Module, filename: str) -> int | None:
    """Where the student's file defines forward(); None where the network has torch's own."""
    code = getattr(type(model).forward, "__code__", None)
    return code.co_firstlineno if code and code.co_filename == filename else None
