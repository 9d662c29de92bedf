"""Code for every kind of processor is compiled here, whatever runs it, and keeps to registers."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from grader.training.engine.lanes import compiled, convolution, machine, weight_gradient, winograd
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.stages import Convolution
from grader.training.engine.lanes.tiles import TILE
from tests.networks import program_of

TARGETS = {
    "avx512": machine.AVX512,
    "avx2": machine.AVX2,
    "sse2": machine.SSE2,
    "neon": machine.NEON,
}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 10, 3, padding=1),
        nn.GELU(),
        nn.Dropout(0.1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(10, 10),
    )


@pytest.mark.parametrize("name", TARGETS)
def test_a_network_is_compiled_for(name):
    target = TARGETS[name]
    program, _ = program_of(network(), (1, 28, 28))
    written = compiled.write(program, 128, 2, target)
    code = machine.machine_code(machine.module(written.texts, target), target)
    assert code.startswith(b"\x7fELF")
    assert len(code) < 500_000


@pytest.mark.parametrize(
    ("triple", "magic"),
    [
        ("x86_64-pc-windows-msvc", b"\x64\x86"),
        ("x86_64-apple-macosx", b"\xcf\xfa\xed\xfe"),
        ("arm64-apple-macosx", b"\xcf\xfa\xed\xfe"),
    ],
)
def test_an_object_file_of_other_systems_is_made(triple, magic):
    base = machine.NEON if triple.startswith("arm64") else machine.AVX2
    processor = "apple-m1" if triple.startswith("arm64") else base.processor
    target = machine.Target(triple, processor, "", base.lanes, base.registers)
    program, _ = program_of(network(), (1, 28, 28))
    written = compiled.write(program, 32, 1, target)
    assert machine.machine_code(machine.module(written.texts, target), target).startswith(magic)


def spilled(assembly: str) -> int:
    """Vectors that the innermost loops keep on the stack."""
    stack = re.compile(r"\(%rsp|\[sp")
    vector = re.compile(r"(zmm|ymm|xmm|\bq\d+)")
    inner = innermost(assembly)
    return sum(1 for line in inner if stack.search(line) and vector.search(line))


def innermost(assembly: str) -> list[str]:
    """Lines between a label and the jump back to it, with no other label between."""
    lines, found, begin = assembly.splitlines(), [], {}
    for number, line in enumerate(lines):
        label = re.match(r"(\.?L\w+):", line)
        if label:
            begin = {label.group(1): number}
        jump = re.search(r"\s(?:j\w+|b\.\w+|b|cbnz|cbz|tbnz)\s.*?(\.?L\w+)\s*$", line)
        if jump and jump.group(1) in begin:
            found += lines[begin[jump.group(1)] : number]
    return found


@pytest.mark.parametrize("name", ["avx512", "avx2", "neon"])
@pytest.mark.parametrize("window", [1, 3])
def test_sums_stay_in_registers(name, window):
    target = TARGETS[name]
    source, to = Map(10, 28, 28), Map(12, 28, 28)
    pad = window // 2
    source.border.widen(pad, pad, pad, pad)
    to.gradient_border.widen(pad, pad, pad, pad)
    stage = Convolution(source, to, "w", None, (window, window), padding=(pad, pad))
    kernels = [
        convolution.write(convolution.forward(stage), target),
        convolution.write(convolution.backward(stage, accumulates=True), target),
        weight_gradient.write(
            weight_gradient.shape_of(stage, of_weight=True, of_bias=False), target
        ),
    ]
    if window == 3:
        kernels += winograd.write(convolution.forward(stage), TILE, target).callees[:1]
    for kernel in kernels:
        text = machine.module([kernel.text()], target)
        assembly = machine.machine_code(text, target, assembly=True).decode()
        assert "fma" in assembly or "fmla" in assembly
        assert spilled(assembly) == 0, kernel.name
