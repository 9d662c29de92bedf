"""Small CNNs for the tests: a hypothesis strategy that draws them, and the Program of any module.

A drawn network is a list of layers, each written the way students write them: modules, functional
calls, residual additions, concatenations, squeeze-and-excitation gates, frozen parts, shared
weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import safetensors.torch
import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn

from grader.capture import graph, modules
from grader.program.program import Program
from grader.program.recipe import Loss, Optimizer, OptimizerGroup, Recipe, Run, Schedule

SHAPE = (1, 12, 12)
CLASSES = 10


class Convolution(nn.Module):
    """Convolution, then perhaps BatchNorm, an activation and dropout."""

    def __init__(
        self,
        channels: int,
        options: dict[str, Any],
        norm: bool,
        activation: nn.Module,
        dropout: float,
    ):
        super().__init__()
        self.conv = nn.Conv2d(channels, **options)
        self.norm = nn.BatchNorm2d(options["out_channels"]) if norm else nn.Identity()
        self.activation = activation
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.dropout(self.activation(self.norm(self.conv(x))))


class Functional(nn.Module):
    """The same with bare parameters and torch.nn.functional."""

    def __init__(self, channels: int, p: float):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(channels, channels, 3, 3) * 0.2)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.p = p

    def forward(self, x):
        x = F.conv2d(F.relu(x), self.kernel, padding="same")
        x = F.batch_norm(x, self.mean, self.variance, training=self.training)
        return F.dropout(x, self.p, training=self.training)


class Residual(nn.Module):
    """What goes in is added to what comes out, in a new tensor or in place."""

    def __init__(self, inner: nn.Module, in_place: bool):
        super().__init__()
        self.inner = inner
        self.in_place = in_place

    def forward(self, x):
        y = self.inner(x)
        if not self.in_place:
            return F.gelu(x + y)
        y += x
        return F.relu(y, inplace=True)


class Beside(nn.Module):
    """Input and result side by side."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return torch.cat([x, self.inner(x)], 1)


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels: int):
        super().__init__()
        self.squeeze = nn.Linear(channels, 2)
        self.excite = nn.Linear(2, channels)

    def forward(self, x):
        gate = self.excite(F.relu(self.squeeze(x.mean((2, 3))))).sigmoid()
        return x * gate.view(x.size(0), -1, 1, 1)


class Frozen(nn.Module):
    """A convolution that no gradient passes, beside one that it does."""

    def __init__(self, channels: int):
        super().__init__()
        self.fixed = nn.Conv2d(channels, channels, 3, padding=1)
        self.free = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        with torch.no_grad():
            fixed = self.fixed(x).tanh()
        return fixed + self.free(x)


class Tied(nn.Module):
    """Two convolutions with one weight, and one of them called twice."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(F.leaky_relu(self.first(x), 0.1)))


class Whole(nn.Module):
    """Layers, then a head to `CLASSES` scores."""

    def __init__(self, layers: list[nn.Module], head: nn.Module, log_softmax: bool):
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.head = head
        self.log_softmax = log_softmax

    def forward(self, x):
        x = self.head(self.layers(x))
        return F.log_softmax(x, dim=-1) if self.log_softmax else x


ACTIVATIONS: list[Callable[[], nn.Module]] = [
    nn.ReLU,
    lambda: nn.ReLU(inplace=True),
    nn.GELU,
    nn.SiLU,
    lambda: nn.LeakyReLU(0.2, inplace=True),
    nn.Identity,
]


@st.composite
def networks(draw: st.DrawFn) -> nn.Module:
    """A CNN for images of `SHAPE`, its weights drawn under seed 0."""
    torch.manual_seed(0)
    channels, size = SHAPE[0], SHAPE[1]
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 4))):
        layer = draw(_layer(channels, size))
        channels, size = layer(torch.zeros(2, channels, size, size)).shape[1:3]
        layers.append(layer)
    torch.manual_seed(0)
    model = Whole(layers, draw(_head(channels, size)), draw(st.booleans()))
    return _fresh(model)


def _fresh(model: nn.Module) -> nn.Module:
    """Forget what BatchNorm saw while the sizes were found out."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    for name, buffer in model.named_buffers():
        if name.endswith((".mean", ".variance")):
            buffer.fill_(float(name.endswith("variance")))
    return model


@st.composite
def _layer(draw: st.DrawFn, channels: int, size: int) -> nn.Module:
    same = [
        _convolution(channels, size, keep=True),
        *map(st.just, _keeping(channels, draw(st.floats(0, 0.6)))),
    ]
    kind = draw(st.sampled_from(["convolution", "pool", "residual", "beside", "same"]))
    if kind == "pool" and size >= 4:
        return draw(_pool())
    if kind == "residual":
        return Residual(draw(st.one_of(same)), draw(st.booleans()))
    if kind == "beside" and channels <= 8:
        return Beside(draw(st.one_of(same)))
    return (
        draw(st.one_of(same)) if kind == "same" else draw(_convolution(channels, size, keep=False))
    )


def _keeping(channels: int, p: float) -> list[nn.Module]:
    """Layers that change neither the channels nor the size."""
    return [
        Functional(channels, p),
        Gate(channels),
        Frozen(channels),
        Tied(channels),
        nn.Dropout2d(p),
        nn.GroupNorm(1, channels),
        nn.BatchNorm2d(channels, momentum=0.3),
    ]


@st.composite
def _convolution(draw: st.DrawFn, channels: int, size: int, *, keep: bool) -> Convolution:
    kernel = draw(st.sampled_from([1, 3]))
    dilation = draw(st.integers(1, 2)) if size >= 5 else 1
    groups = draw(st.sampled_from([1, channels]))
    options = {
        "out_channels": channels if keep else groups * draw(st.integers(1, max(1, 8 // groups))),
        "kernel_size": kernel,
        "dilation": dilation,
        "groups": groups,
        "bias": draw(st.booleans()),
        "stride": 1 if keep else draw(st.integers(1, 2)),
        "padding": dilation * (kernel // 2) if keep or size < 6 else draw(st.integers(0, 2)),
    }
    activation = draw(st.sampled_from(ACTIVATIONS))()
    return Convolution(
        channels, options, draw(st.booleans()), activation, draw(st.sampled_from([0.0, 0.1, 0.5]))
    )


def _pool() -> st.SearchStrategy[nn.Module]:
    return st.one_of(
        st.builds(nn.MaxPool2d, st.integers(2, 3), st.integers(1, 2), ceil_mode=st.booleans()),
        st.builds(
            nn.AvgPool2d, st.integers(2, 3), st.integers(1, 2), count_include_pad=st.booleans()
        ),
        st.builds(nn.AdaptiveAvgPool2d, st.integers(2, 4)),
    )


def _head(channels: int, size: int) -> st.SearchStrategy[nn.Module]:
    return st.sampled_from(
        [
            nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)),
            nn.Sequential(nn.Conv2d(channels, CLASSES, 1), nn.AvgPool2d(size), nn.Flatten()),
            nn.Sequential(
                nn.Flatten(), nn.Dropout(0.2), nn.Linear(channels * size * size, CLASSES)
            ),
        ]
    )


def habits() -> nn.Module:
    """A network with every habit in it, under the seed of the moment."""
    layers = [
        nn.Conv2d(1, 4, 3, stride=2, padding=1),
        Functional(4, 0.1),
        Gate(4),
        Frozen(4),
        Tied(4),
    ]
    layers += [
        Residual(nn.BatchNorm2d(4), in_place=True),
        Beside(nn.MaxPool2d(3, 1, 1)),
        nn.Dropout(0.1),
    ]
    return Whole(
        layers, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES)), True
    )


def images(count: int = 4, seed: int = 1) -> Tensor:
    """Noise, (count, *SHAPE)."""
    return torch.rand((count, *SHAPE), generator=torch.Generator().manual_seed(seed))


def program_of(
    model: nn.Module, shape: tuple[int, ...] = SHAPE, classes: int = CLASSES, filename: str = ""
) -> tuple[Program, bytes]:
    """The Program and weights of `model`, as capture makes them; its recipe is one step of SGD."""
    constants = graph.Constants()
    example = torch.rand((2, *shape), generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export's own
        train, evaluation = (
            graph.export(model, example, training=mode, constants=constants, filename=filename)
            for mode in (True, False)
        )
    weights, values = graph.declared_weights(model, constants)
    program = Program(
        model=type(model).__name__,
        seeds=(0,),
        input_shape=shape,
        classes=classes,
        train=train,
        eval=evaluation,
        weights=weights,
        modules=modules.declared(model, {}),
        recipe=plain_recipe(tuple(weight.name for weight in weights if weight.kind == "parameter")),
    )
    return program, safetensors.torch.save(
        {name: tensor.clone().contiguous() for name, tensor in values.items()}
    )


def plain_recipe(parameters: tuple[str, ...]) -> Recipe:
    """One step of SGD with learning rate 0.1."""
    return Recipe(
        epochs=1,
        batch_size=4,
        steps_per_epoch=1,
        optimizer=Optimizer(
            name="SGD", groups=(OptimizerGroup(parameters=parameters, settings={}),)
        ),
        schedule=Schedule(learning_rate=((Run(value=0.1, steps=1),),)),
        loss=Loss(name="cross_entropy"),
    )
