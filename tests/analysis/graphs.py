"""What the tests analyse: torch modules, really captured and really measured."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable

import torch
from torch import nn

from grader.analysis import effect, summary
from grader.analysis.receptive_field import proof
from grader.analysis.summary import Analysis
from grader.capture import modules
from grader.capture.graph import Constants, declared_weights, export
from grader.program.graph import Graph
from grader.program.program import Program
from grader.program.recipe import Loss, Optimizer, OptimizerGroup, Recipe, Run, Schedule

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
    return _captured(build, shape, Constants())[0]


def _captured(
    build: Callable[[], nn.Module], shape: tuple[int, ...], constants: Constants
) -> tuple[Program, nn.Module]:
    filename = inspect.getsourcefile(build) or ""
    with modules.recorded(filename) as lines:
        model = build()
    train = _export(model, shape, training=True, constants=constants, filename=filename)
    evaluation = _export(model, shape, training=False, constants=constants, filename=filename)
    weights, _ = declared_weights(model, constants)
    program = Program(
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
    return program, model


def analysed(build: Callable[[], nn.Module], shape: tuple[int, ...] = MNIST) -> Analysis:
    """All analyses of the model that `build` makes under two seeds, measured as in the product."""
    torch.manual_seed(0)
    constants = Constants()
    program, first = _captured(build, shape, constants)
    torch.manual_seed(1)
    seeds = []
    for model in (first, build()):
        rows, values = declared_weights(model, constants)
        seeds.append({row.name: values[row.storage] for row in rows})
    learned = tuple(weight.name for weight in program.weights if weight.kind == "parameter")
    group = OptimizerGroup(parameters=learned, settings={})
    recipe = RECIPE.model_copy(update={"optimizer": Optimizer(name="SGD", groups=(group,))})
    program = program.model_copy(update={"recipe": recipe})
    idle = effect.measure(program, seeds)
    measured = proof.measure(program.eval, seeds[0], idle=idle.evaluation)
    return summary.analyse(program, measured, idle)


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
