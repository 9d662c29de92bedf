"""A submission as data: what capture hands over, and all that the rest of the grader sees of it.

In: JSON and safetensors bytes that an untrusted child wrote. Out: a frozen, validated `Program`.
Pure data: no torch here, and no student code. A forged Program is only a different submission.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from grader.errors import SubmissionError, in_words
from grader.program import ops
from grader.program.graph import MOST_WEIGHTS, Graph, Module, Weight
from grader.program.recipe import Recipe, check_curves
from grader.program.rehearsed import Rehearsed
from grader.program.values import BATCH, Data


class LeftOut(Data):
    """A top-level statement of the student's file that was not executed, and why."""

    line: int
    text: str
    reason: str


class Program(Data):
    """All that crosses from a submission into the grader.

    `seeds` are the grader's: there is one set of initial weights for each.
    """

    schema_version: Literal[1] = 1
    model: str = Field(max_length=200)
    line: int | None = None
    seeds: tuple[int, ...] = Field(min_length=1, max_length=100)
    input_shape: tuple[int, ...]
    classes: int
    train: Graph
    eval: Graph
    weights: tuple[Weight, ...] = Field(max_length=MOST_WEIGHTS)
    modules: tuple[Module, ...]
    recipe: Recipe
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[Annotated[str, Field(max_length=2_000)], ...] = Field(default=(), max_length=20)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        weights = {weight.name: weight for weight in self.weights}
        if len(weights) != len(self.weights):
            raise ValueError("two weights have the same name")
        for weight in self.weights:
            _check_weight(weight, weights)
        for graph in (self.train, self.eval):
            _check_graph(graph, weights, self.input_shape, self.classes)
        _check_recipe(self.recipe, weights)
        return self

    def to_json(self) -> str:
        """The JSON that `read` reads back."""
        return self.model_dump_json()


@dataclass(frozen=True, slots=True)
class Captured:
    """A Program, its initial weights for each seed (safetensors), and what was rehearsed."""

    program: Program
    values: dict[int, bytes]
    rehearsed: Rehearsed | None = None


def _check_weight(weight: Weight, weights: dict[str, Weight]) -> None:
    owner = weights.get(weight.storage)
    if owner is None:
        raise ValueError(
            f"{weight.name} shares the memory of {weight.storage}, which is not a weight"
        )
    if owner.storage != owner.name:
        raise ValueError(f"{weight.name} shares the memory of {owner.name}, which shares another's")
    if (weight.shape, weight.dtype) != (owner.shape, owner.dtype):
        raise ValueError(
            f"{weight.name} shares the memory of {owner.name} under another shape or type"
        )
    if weight.trainable and "float" not in weight.dtype:
        raise ValueError(f"{weight.name} is trainable but holds {weight.dtype} numbers")


def _check_graph(
    graph: Graph, weights: dict[str, Weight], input_shape: tuple[int, ...], classes: int
) -> None:
    for node in graph.nodes:
        if node.op == "input":
            if node.shape != (BATCH, *input_shape):
                raise ValueError(f"the input has shape {node.shape}, not {(BATCH, *input_shape)}")
        elif node.op == "weight":
            if len(node.arguments) != 1 or node.arguments[0] not in weights:
                raise ValueError(f"{node.name} reads the unknown weight {node.arguments}")
            if node.shape != weights[str(node.arguments[0])].shape:
                raise ValueError(
                    f"{node.name} has another shape than the weight {node.arguments[0]}"
                )
        else:
            ops.find(node.op).bind(node.arguments, node.keywords)
    output = graph[graph.output].shape
    if output != (BATCH, classes):
        raise ValueError(f"the output has shape {output}, not {(BATCH, classes)}")


def _named_by(recipe: Recipe) -> Iterator[tuple[str, tuple[str, ...]]]:
    for group in recipe.optimizer.groups:
        yield "the optimizer", group.parameters
    for penalty in recipe.penalties:
        yield "a penalty", penalty.parameters


def _check_recipe(recipe: Recipe, weights: dict[str, Weight]) -> None:
    for what, names in _named_by(recipe):
        for name in names:
            if name not in weights or weights[name].kind != "parameter":
                raise ValueError(f"{what} names {name}, which is not a parameter of the model")
    if recipe.plateau and len(recipe.plateau.min_lr) != len(recipe.optimizer.groups):
        raise ValueError("min_lr has another number of parameter groups than the optimizer")
    check_curves(recipe)


def read(text: str | bytes) -> Program:
    """A Program from the JSON of an untrusted child.

    Raises SubmissionError naming the first thing that is wrong.
    """
    try:
        return Program.model_validate_json(text)
    except ValidationError as error:
        raise refusal(error) from error


def refusal(error: ValidationError) -> SubmissionError:
    """What to tell a student whose Program is not valid: the first thing wrong, and where."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or error.title.lower()
    return SubmissionError(
        "The network was captured, but the result is not one that the grader accepts: "
        f"{where}: {in_words(first)}."
    )
