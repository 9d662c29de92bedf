"""What the tests analyse: torch modules, really captured and really measured."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable

import torch
from torch import nn

from grader.capture import modules
from grader.capture.graph import Constants, declared_weights, export
from grader.program import Graph, Loss, Optimizer, OptimizerGroup, Program, Recipe, Run, Schedule

MNIST = (1, 28, 28)


def graph_of(model: nn.Module, shape: tuple[int, ...] = MNIST, *, training: bool = False) -> Graph:
    """The graph of `model` for images of `shape` (channels, rows, columns)."""
    return _export(model, shape, training=training, constants=Constants())


def measurable(
    model: nn.Module, shape: tuple[int, ...] = MNIST
) -> tuple[Graph, dict[str, torch.Tensor]]:
    """The eval graph of `model`, and its weights by name."""
    constants = Constants()
    graph = _export(model, shape, training=False, constants=constants)
    rows, values = declared_weights(model, constants)
    return graph, {row.name: values[row.storage] for row in rows}


def program_of(build: Callable[[], nn.Module], shape: tuple[int, ...] = MNIST) -> Program:
    """The Program of the model that `build` makes; lines are of the file that defines `build`."""
    filename = inspect.getsourcefile(build) or ""
    constants = Constants()
    with modules.recorded(filename) as lines:
        model = build()
    train = _export(model, shape, training=True, constants=constants, filename=filename)
    evaluation = _export(model, shape, training=False, constants=constants, filename=filename)
    weights, _ = declared_weights(model, constants)
    return Program(
        model=type(model).__name__,
        seeds=(0,),
        input_shape=shape,
        classes=10,
        train=train,
        eval=evaluation,
        weights=weights,
        modules=modules.declared(model, lines),
        recipe=RECIPE,
    )


RECIPE = Recipe(
    epochs=1,
    batch_size=64,
    steps_per_epoch=1,
    optimizer=Optimizer(name="SGD", groups=(OptimizerGroup(parameters=(), settings={}),)),
    schedule=Schedule(learning_rate=((Run(value=0.1, steps=1),),)),
    loss=Loss(name="cross_entropy"),
)


def _export(
    model: nn.Module,
    shape: tuple[int, ...],
    *,
    training: bool,
    constants: Constants,
    filename: str = "",
) -> Graph:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export's own
        return export(
            model, torch.rand(3, *shape), training=training, constants=constants, filename=filename
        )
