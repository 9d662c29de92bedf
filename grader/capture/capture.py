"""From a student's source text to a Program and its initial weights.

In: a Request. Out: bytes. Runs in the child.
"""

from __future__ import annotations

import safetensors.torch
import torch
from torch import nn

from grader.analysis.output import output_kind
from grader.capture import (
    evaluation,
    explain,
    find,
    first_step,
    gradients,
    graph,
    habits,
    load,
    modules,
    one_run,
    placement,
    recipe,
    steady,
    unread,
)
from grader.errors import SubmissionError
from grader.program.graph import Graph, Weight
from grader.program.program import Program
from grader.program.recipe import Recipe
from grader.program.request import Request


def answer(request: Request) -> list[bytes]:
    """The Program as JSON, then for each seed the initial weights as safetensors.

    Raises SubmissionError.
    """
    torch.set_num_threads(1)
    notes: list[str] = []
    # What torch.compile makes faster is the same network without it; compiling starts programs,
    # which nobody may here.
    with (
        torch.compiler.set_stance("force_eager"),
        gradients.own_ones_refused(request.filename),
        placement.left_to_the_grader(request.filename, notes),
    ):
        return _capture(request, notes)


def _capture(request: Request, notes: list[str]) -> list[bytes]:
    filename, seeds, classes = request.filename, request.seeds, request.classes
    example = torch.rand((2, *request.input_shape), generator=torch.Generator().manual_seed(0))
    definitions = load.read_definitions(
        request.source, filename, cells=request.cells, files=request.siblings
    )
    builder = _builder(request, definitions, example)
    steady.check(builder.build(seeds[0]), example, definitions.names, filename)
    with modules.recorded(filename) as lines:
        model, twin = _built(builder, seeds[0], example, classes, filename)
    constants = graph.Constants(hidden=modules.hidden(model))
    train, evaluated = _graphs(model, twin, example, constants, filename)
    weights, values = graph.declared_weights(model, constants)
    is_log = output_kind(evaluated) == "log_probabilities"
    natural_loss = "nll" if is_log else "cross_entropy"
    found = request.recipe or recipe.read(
        definitions,
        model,
        default=request.default_recipe,
        train_images=request.train_images,
        validation_images=request.validation_images,
        most_steps=request.most_steps,
        most_epochs=request.most_epochs,
        natural_loss=natural_loss,
        default_only=request.default_only,
    )
    _check_names(found, weights)
    remarks = [*notes, *definitions.notes, *habits.notes(definitions.nodes)]
    remarks += unread.other_arguments(definitions, builder.name)
    program = Program(
        model=builder.name,
        line=builder.line,
        seeds=seeds,
        input_shape=request.input_shape,
        classes=classes,
        train=train,
        eval=evaluated,
        weights=weights,
        modules=modules.declared(model, lines),
        recipe=found,
        left_out=definitions.left_out,
        notes=tuple(remark[:2000] for remark in remarks[:20]),
    )
    blobs = [_blob(values)]
    first_step.take(program, blobs[0])
    for seed in seeds[1:]:
        other, twin = _built(builder, seed, example, classes, filename)
        redrawn = _redrawn(constants, other, twin, example, filename)
        blobs.append(_blob(_values_like(program, other, redrawn)))
    return [program.to_json().encode(), *blobs]


def _builder(
    request: Request, definitions: load.Definitions, example: torch.Tensor
) -> find.Builder:
    """The network that is graded: what `MODEL` names, else what was trained, else what fits."""
    if request.trained is not None and "MODEL" not in definitions.names:
        found = find.trained_builder(definitions, request.trained, request.filename)
        if found is not None:
            return found
    return find.find_builder(
        definitions, example=example, classes=request.classes, filename=request.filename
    )


def _check_names(recipe: Recipe, weights: tuple[Weight, ...]) -> None:
    """Raises SubmissionError unless the network has every weight that a rehearsed recipe trains."""
    known = {weight.name for weight in weights}
    for group in recipe.optimizer.groups:
        for name in group.parameters:
            if name not in known:
                raise SubmissionError(
                    f"The training that was rehearsed trains the weight {name}, which the network "
                    "does not have when it is built by itself. Build all layers in __init__.",
                    line=recipe.lines.get("optimizer"),
                )


def _built(
    builder: find.Builder, seed: int, example: torch.Tensor, classes: int, filename: str
) -> tuple[nn.Module, nn.Module]:
    """A network under `seed` that is as good as new, its lazy layers sized, and a twin that ran."""
    twin = builder.build(seed)
    one_run.check_run(twin, example, classes=classes, filename=filename)
    model = builder.build(seed)
    if any(isinstance(module, nn.modules.lazy.LazyModuleMixin) for module in model.modules()):
        model.eval()(example.clone())
    return model, twin


def _graphs(
    model: nn.Module,
    twin: nn.Module,
    example: torch.Tensor,
    constants: graph.Constants,
    filename: str,
) -> tuple[Graph, Graph]:
    """The graphs of both modes; `twin` is worn out."""

    def named(network: nn.Module) -> dict[str, torch.Tensor]:
        weights, values = graph.declared_weights(network, constants)
        return {weight.name: values[weight.storage] for weight in weights}

    try:
        train = graph.export(model, example, training=True, constants=constants, filename=filename)
        return train, evaluation.derived(twin, example, train, named) or graph.export(
            model, example, training=False, constants=constants, filename=filename
        )
    except Exception as error:
        raise explain.explained(error, filename) from error


def _redrawn(
    constants: graph.Constants,
    model: nn.Module,
    twin: nn.Module,
    example: torch.Tensor,
    filename: str,
) -> graph.Constants:
    """The loose tensors of a network that was built again.

    They too may have been drawn under its seed.
    """
    if all(tensor.numel() == 1 for tensor in constants.tensors.values()):
        return constants
    own = graph.Constants(hidden=modules.hidden(model))
    _graphs(model, twin, example, own, filename)
    return own


def _values_like(
    program: Program, model: nn.Module, constants: graph.Constants
) -> dict[str, torch.Tensor]:
    weights, values = graph.declared_weights(model, constants)
    if weights != program.weights:
        raise SubmissionError(
            f"{program.model} builds another network when it is built again (its tensors have "
            "other names or shapes). Draw only the weights at random, not the architecture.",
            line=program.line,
        )
    return values


def _blob(values: dict[str, torch.Tensor]) -> bytes:
    return safetensors.torch.save(
        {name: tensor.detach().clone().contiguous() for name, tensor in values.items()}
    )
