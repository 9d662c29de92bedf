"""Take one training step, so that nothing is refused only when training starts.

In: a Program and its weights, as the grader will get them. Out: nothing, or a SubmissionError with
the student's line. Runs in the child: what is trusted code here works on numbers of a student's, so
that it is as well off in a locked process with limits.

It is the network of `grader.network` and the transform, loss and optimizer of `grader.training`, on
a batch of two images (of one, where the recipe's batches have one).
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

from grader import network
from grader.capture.explain import first_line
from grader.errors import SubmissionError
from grader.network import Network
from grader.program import ops
from grader.program.graph import Node
from grader.program.program import Program
from grader.program.values import concrete
from grader.training import augment
from grader.training.augment import Pipeline
from grader.training.engine import in_place, learner, one_image, penalties
from grader.training.engine.optimizer import Driver

IN_PLACE = "modified by an inplace operation"


def take(program: Program, values: bytes) -> None:
    """One step of training and one look at test images. Raises SubmissionError."""
    torch.set_num_threads(1)  # the file may have asked for more, and a locked child gets none
    transform, tests = _transforms(program)
    weight = program.recipe.loss.weight
    if weight is not None and len(weight) != program.classes:
        classes = "1 class" if len(weight) == 1 else f"{len(weight)} classes"
        raise SubmissionError(
            f"criterion has weights for {classes}; there are {program.classes}.",
            line=program.recipe.lines.get("criterion"),
        )
    count = min(2, program.recipe.batch_size)
    if count == 1:
        one_image.refuse(program, program.recipe.steps_per_epoch)
    generator = torch.Generator().manual_seed(0)
    shape = (count, *program.input_shape)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    state = torch.get_rng_state()
    try:
        model = in_place.apply(network.build(program, values))
        _step(program, model, transform(images, generator))
        with torch.no_grad():
            model.eval()(tests(images))
    finally:
        torch.set_rng_state(state)


def _transforms(program: Program) -> tuple[Pipeline, Pipeline]:
    line = program.recipe.lines.get("train_transform")
    operations = program.recipe.augmentations
    try:
        found = augment.build(operations, image_shape=program.input_shape)  # type: ignore[arg-type]
        tests = augment.evaluation(
            operations,
            image_shape=program.input_shape,  # type: ignore[arg-type] # three, as was checked
        )
    except SubmissionError as error:
        raise SubmissionError(error.message, line=line) from error
    if found.output_shape != program.input_shape:
        given, taken = _sides(found.output_shape), _sides(program.input_shape)
        raise SubmissionError(
            f"train_transform gives images of {given}, but the network takes {taken}. "
            f"{_back(found.output_shape, program.input_shape)}",
            line=line,
        )
    return found, tests


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape)


def _back(given: tuple[int, ...], taken: tuple[int, ...]) -> str:
    if given[0] != taken[0]:
        return (
            f"The assignment's images have {taken[0]} channel: leave out Grayscale"
            f"({given[0]}), and let the first convolution take {taken[0]} channel."
        )
    return "End the transform with a Resize or CenterCrop to the assignment's size."


def _step(program: Program, model: Network, images: Tensor) -> None:
    lines, recipe = program.recipe.lines, program.recipe
    labels = torch.arange(len(images)) % program.classes
    try:
        driver = Driver(recipe, model.weights)
    except SubmissionError as error:
        raise SubmissionError(error.message, line=lines.get("optimizer")) from error
    driver.begin_step()
    try:
        loss = learner.loss_function(recipe.loss, torch.device("cpu"))(model(images), labels)
        learner.must_learn(loss)
        loss = penalties.add(loss, recipe.penalties, model.weights)
        loss.backward()  # type: ignore[no-untyped-call] # torch does not annotate it
    except SubmissionError as error:
        raise SubmissionError(error.message, line=program.line) from error
    except Exception as error:  # torch can refuse whatever is captured
        raise _explained(program, error) from error
    driver.step()


def _explained(program: Program, error: Exception) -> SubmissionError:
    text = first_line(error)
    if IN_PLACE not in text:
        return SubmissionError(f"The network cannot be trained: {text}.", line=program.line)
    if weight := _changed_too_late(program, text):
        return SubmissionError(
            "forward() changes a weight in place after a layer has used it, so PyTorch cannot "
            "compute the gradient of that layer. Change it before, at the beginning of forward().",
            line=weight.line,
        )
    writers = [node for node in program.train.nodes if _writes(node)]
    node = next((node for node in writers if _is_blamed(program, node, text)), None)
    found = node or (writers[0] if writers else None)
    who = "An operation that works in place"
    if found is not None:
        who = f"{found.module_type or 'An operation'} ({found.op.split('.')[1]}), in place,"
    return SubmissionError(
        f"{who} overwrites numbers that the layer before it needs for its gradient, so PyTorch "
        "refuses to train the network. Leave out inplace=True, or write y = f(x) where the file "
        "changes x itself.",
        line=found.line if found is not None else program.line,
    )


def _changed_too_late(program: Program, text: str) -> Node | None:
    """The last write into a tensor of that shape, where no operator has made what is blamed."""
    shape = _blamed_shape(text)
    if "output " in text or shape is None:
        return None
    nodes = [node for node in program.train.nodes if node.op not in ("input", "weight")]
    late = [node for node in nodes if ops.find(node.op).writes and _sizes(node) == shape]
    return late[-1] if late else None


def _sizes(node: Node) -> list[int]:
    return list(concrete(node.shape, 2)) if node.shape is not None else []


def _blamed_shape(text: str) -> list[int] | None:
    shape = re.search(r"Tensor \[([\d, ]*)\]", text)
    return [int(size) for size in shape[1].split(",") if size.strip()] if shape else None


def _writes(node: Node) -> bool:
    """Whether it overwrites images, or what became of them."""
    if node.op in ("input", "weight") or not node.shape or not ops.find(node.op).writes:
        return False
    return isinstance(node.shape[0], str)


def _is_blamed(program: Program, node: Node, text: str) -> bool:
    """Whether the node overwrites the result that the text names: "output 0 of ReluBackward0"."""
    sizes = _blamed_shape(text)
    kind = re.search(r"output \d+ of ([A-Za-z]+?)(?:Backward\d*)?,", text)
    read = next(node.references(), None)
    if sizes is None or kind is None or read is None or node.shape is None:
        return False
    same = _sizes(node) == sizes
    # Writers in a row hand on the same memory.
    source = program.train[read]
    while _writes(source) and (before := next(source.references(), None)):
        source = program.train[before]
    own = _letters(node.op)
    blamed = _letters(kind[1])
    return same and (blamed in own or own in blamed or blamed in _letters(source.op))


def _letters(name: str) -> str:
    return re.sub("[^a-z]", "", name.split(".")[1 if "." in name else 0].lower())
