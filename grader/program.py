"""A submission as data: what capture hands over, and all that the rest of the grader sees of it.

In: JSON and safetensors bytes that an untrusted child wrote. Out: a frozen, validated `Program`.
Pure data: no torch here, and no student code. A forged Program is only a different submission.

Graph values are written in JSON as they are (numbers, strings, lists), but for two marked kinds:
`{"node": "conv2d"}` is the result of an earlier node, `{"dtype": "float32"}` a torch dtype.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from grader import ops
from grader.errors import SubmissionError, in_words
from grader.training.choices import OPTIMIZERS

BATCH = "N"
"""The number of images, in a `Shape`."""

MOST_NODES = 20_000
MOST_WEIGHTS = 5_000
MOST_STEPS = 1_000_000


class Data(BaseModel):
    """Frozen; unknown keys, NaN and infinities are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _printable(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.\-]{1,200}", text):
        raise ValueError(f"{text[:50]!r} is not a plain name of letters, digits, '_', '.' and '-'")
    return text


def _dimension(value: int | str) -> int | str:
    if isinstance(value, int) and 0 <= value < 2**31:
        return value
    if isinstance(value, str) and re.fullmatch(r"([1-9][0-9]{0,6}\*)?N", value):
        return value
    raise ValueError(
        f"{value!r} is not a dimension: a size, 'N' (the number of images), or a multiple such as "
        "'4*N'"
    )


def _optimizer(name: str) -> str:
    if name not in OPTIMIZERS:
        known = ", ".join(OPTIMIZERS)
        raise ValueError(f"{name[:50]!r} is not an optimizer that the grader has ({known})")
    return name


Name = Annotated[str, AfterValidator(_printable)]
Dimension = Annotated[int | str, AfterValidator(_dimension)]
Shape = tuple[Dimension, ...]
DType = Literal["float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"]


class Ref(Data):
    """The result of an earlier node."""

    node: Name


class DTypeArgument(Data):
    """A torch dtype used as an argument, such as that of `x.to(torch.float32)`."""

    dtype: DType


Item = (
    bool
    | Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
    | float
    | Ref
    | DTypeArgument
    | Annotated[str, Field(max_length=200)]
    | None
)
Argument = Item | tuple[Item, ...]


class Node(Data):
    """One operator of the graph.

    `op` is "input", "weight" (its one argument is the weight's name) or an exact operator of
    `grader.ops`, such as "aten.conv2d.default". `shape` and `dtype` describe its one output tensor,
    and are None where it returns a number or several tensors (which "operator.getitem" nodes then
    take apart). `module` is the path of the innermost nn.Module that ran it ("layers.0.conv"; "" is
    the model itself), `module_type` that module's class, `line` the line of the student's file,
    `gradient` False inside `torch.no_grad()`.
    """

    name: Name
    op: Name
    arguments: tuple[Argument, ...] = ()
    keywords: dict[Name, Argument] = {}
    shape: Shape | None = None
    dtype: DType | None = None
    module: str = Field(default="", max_length=200)
    module_type: str = Field(default="", max_length=200)
    line: int | None = Field(default=None, ge=1)
    gradient: bool = True

    def references(self) -> Iterator[str]:
        """Names of the nodes that this one reads, in argument order, repeats included."""
        for value in (*self.arguments, *self.keywords.values()):
            yield from _references(value)


def _references(value: Argument) -> Iterator[str]:
    if isinstance(value, Ref):
        yield value.node
    elif isinstance(value, tuple):
        for item in value:
            yield from _references(item)


class Graph(Data):
    """Operators in execution order. `output` names the node whose tensor the model returns."""

    nodes: tuple[Node, ...] = Field(max_length=MOST_NODES)
    output: Name

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        seen: set[str] = set()
        for node in self.nodes:
            if node.name in seen:
                raise ValueError(f"two nodes are named {node.name}")
            for name in node.references():
                if name not in seen:
                    raise ValueError(f"{node.name} reads {name}, which does not come before it")
            seen.add(node.name)
        if self.output not in seen:
            raise ValueError(f"the output {self.output} is not a node")
        if sum(node.op == "input" for node in self.nodes) != 1:
            raise ValueError("a graph has exactly one input")
        return self

    def __getitem__(self, name: str) -> Node:
        return self.by_name[name]

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """Every node by its name."""
        return {node.name: node for node in self.nodes}

    @property
    def input(self) -> Node:
        """The node that stands for the images."""
        return next(node for node in self.nodes if node.op == "input")


class Weight(Data):
    """A tensor that the model brings along: shape and owner here, values in `Program.values`.

    `kind`: "parameter" and "buffer" are registered with an nn.Module; "constant" is any other
    tensor that the forward pass reads (from a plain list, a global, or `torch.tensor(...)` written
    in forward). `storage` is the name of the first weight that lives in the same memory (its own
    name where it is not shared). `trainable`: requires_grad.
    """

    name: Name
    kind: Literal["parameter", "buffer", "constant"]
    shape: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...]
    dtype: DType
    trainable: bool
    storage: Name

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


class Module(Data):
    """An nn.Module that the model declares, whether or not it runs.

    `settings` holds what the students' JSON shows of it: p, num_features, in_features,
    out_features, output_size. `line` is where the student's file creates it.
    """

    path: str = Field(max_length=200)
    type: str = Field(max_length=200)
    settings: dict[Name, int | float | bool | str | tuple[int | None, ...] | None] = {}
    line: int | None = None


class OptimizerGroup(Data):
    """One parameter group: the weights' names, and every setting that the schedule leaves alone."""

    parameters: tuple[Name, ...]
    settings: dict[Name, bool | int | float | tuple[float, float] | None]


class Optimizer(Data):
    """A torch.optim class by name, and its parameter groups."""

    name: Annotated[str, AfterValidator(_optimizer)]
    groups: tuple[OptimizerGroup, ...] = Field(min_length=1, max_length=100)


class Run(Data):
    """`value`, for `steps` steps in a row."""

    value: float
    steps: int = Field(ge=1, le=MOST_STEPS)


class Schedule(Data):
    """What the student's own scheduler really set: a list of runs for each parameter group.

    `learning_rate[g]` and `momentum[g]` (SGD's momentum or Adam's beta1; empty where the optimizer
    has neither) are run-length coded and add up to epochs x steps per epoch. `scheduler` is the
    class name, for people.
    """

    scheduler: str | None = Field(default=None, max_length=200)
    learning_rate: tuple[tuple[Run, ...], ...]
    momentum: tuple[tuple[Run, ...], ...] = ()


class Plateau(Data):
    """torch.optim.lr_scheduler.ReduceLROnPlateau: the one scheduler that asks how training goes."""

    monitor: Literal["loss", "accuracy", "train_loss"]
    mode: Literal["min", "max"]
    factor: float = Field(gt=0, lt=1)
    patience: int = Field(ge=0, le=10_000)
    threshold: float
    threshold_mode: Literal["rel", "abs"]
    cooldown: int = Field(ge=0, le=10_000)
    min_lr: tuple[float, ...]
    eps: float = Field(ge=0)


class Loss(Data):
    """`nll` expects log-probabilities, `cross_entropy` logits. `weight` has one entry per class."""

    name: Literal["cross_entropy", "nll"]
    label_smoothing: float = Field(default=0.0, ge=0, le=1)
    reduction: Literal["mean", "sum"] = "mean"
    weight: tuple[float, ...] | None = None


class Augmentation(Data):
    """One named torchvision operation with its settings, in torchvision's own words.

    `inner` are the operations of a container (RandomApply, RandomChoice, RandomOrder), applied in
    order.
    """

    name: Name
    settings: dict[Name, Any] = {}
    inner: tuple[Augmentation, ...] = ()


class Recipe(Data):
    """How the student wants the network trained.

    `defaults` names what came from the assignment because the file does not say; `lines` has the
    line of each setting that the file says. `stop_at_accuracy` is 0 to 1.
    """

    epochs: int = Field(ge=1, le=100_000)
    batch_size: int = Field(ge=1, le=1_000_000)
    steps_per_epoch: int = Field(ge=1, le=MOST_STEPS)
    optimizer: Optimizer
    schedule: Schedule
    plateau: Plateau | None = None
    loss: Loss
    augmentations: tuple[Augmentation, ...] = ()
    clip_norm: float | None = Field(default=None, gt=0)
    clip_value: float | None = Field(default=None, gt=0)
    stop_at_accuracy: float | None = Field(default=None, gt=0, le=1)
    defaults: tuple[str, ...] = ()
    lines: dict[Name, int] = {}

    @property
    def steps(self) -> int:
        """Optimizer steps in the whole training."""
        return self.epochs * self.steps_per_epoch

    @property
    def follows_metric(self) -> bool:
        """Whether it asks how the network does on images that it does not train on.

        That is a plateau rule, unless it watches the training loss, or a stop at an accuracy.
        """
        asks = self.plateau is not None and self.plateau.monitor != "train_loss"
        return asks or self.stop_at_accuracy is not None


class Request(Data):
    """What the child is asked: one student's file, and how its network will be trained and used.

    All that crosses the other way. `default_recipe` is the `[recipe]` table of the assignment;
    `validation_images` of the `train_images` are held back from a recipe that follows a metric.
    `most_epochs` is the assignment's limit, for messages: a check judges it.
    """

    source: str
    filename: str
    input_shape: tuple[int, ...]
    classes: int
    seeds: tuple[int, ...] = Field(min_length=1, max_length=100)
    train_images: int
    validation_images: int = 0
    most_steps: int
    most_epochs: int | None = None
    default_recipe: dict[str, Any]


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
    """A Program, and the initial weights for each of its seeds (safetensors)."""

    program: Program
    values: dict[int, bytes]


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


def _check_recipe(recipe: Recipe, weights: dict[str, Weight]) -> None:
    for group in recipe.optimizer.groups:
        for name in group.parameters:
            if name not in weights or weights[name].kind != "parameter":
                raise ValueError(
                    f"the optimizer names {name}, which is not a parameter of the model"
                )
    if recipe.plateau and len(recipe.plateau.min_lr) != len(recipe.optimizer.groups):
        raise ValueError("min_lr has another number of parameter groups than the optimizer")
    for curves in (recipe.schedule.learning_rate, recipe.schedule.momentum):
        if curves and len(curves) != len(recipe.optimizer.groups):
            raise ValueError(
                "the schedule has another number of parameter groups than the optimizer"
            )
        for curve in curves:
            if sum(run.steps for run in curve) != recipe.steps:
                raise ValueError("the schedule does not cover epochs x steps_per_epoch steps")


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
