"""From LLVM IR to machine code that runs here, or for another processor.

In: functions written in `ir`. Out: `Code`, whose functions are called by their addresses. LLVM
comes with llvmlite; where that is absent, or the system refuses memory for machine code,
CannotTrainError says so, and PyTorch trains.

Compiled code is kept in a folder of the grader's own, under a hash of all that decides what it is:
the IR, the processor with its features, LLVM's version. What lies there is executed, so the folder
must be the user's alone; submissions run where it cannot be reached (see `grader.sandbox`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

from grader.errors import GraderError
from grader.storage.atomic import write_whole
from grader.training.engine.engine import CannotTrainError

MOST_TEXT = 6_000_000
"""Characters of IR that are compiled, in some 20 s on a slow machine; more goes to PyTorch."""


@dataclass(frozen=True, slots=True)
class Target:
    """A processor to write code for: its vectors hold `lanes` floats, and it has `registers`."""

    triple: str
    processor: str
    features: str
    lanes: int
    registers: int

    @property
    def words(self) -> str:
        """What a report calls it."""
        return {16: "AVX-512", 8: "AVX2", 4: "128-bit vectors"}[self.lanes]


AVX512 = Target("x86_64-unknown-linux-gnu", "skylake-avx512", "", 16, 32)
AVX2 = Target("x86_64-unknown-linux-gnu", "haswell", "", 8, 16)
SSE2 = Target("x86_64-unknown-linux-gnu", "x86-64", "", 4, 16)
NEON = Target("aarch64-unknown-linux-gnu", "cortex-a76", "", 4, 32)
"""Processors that code is compiled for in tests, whatever runs them."""


def here() -> Target:
    """This machine's processor.

    Raises CannotTrainError without llvmlite, or where LLVM does not know it.
    """
    llvm = _llvm()
    triple, processor = llvm.get_default_triple(), llvm.get_host_cpu_name()
    try:
        features = llvm.get_host_cpu_features()
    except RuntimeError as error:  # LLVM cannot ask every processor
        raise CannotTrainError(f"this processor is not known: {error}") from error
    lanes, registers = 4, 32 if triple.startswith(("aarch64", "arm64")) else 16
    if features.get("avx512f") and features.get("avx512vl"):
        lanes, registers = 16, 32
    elif features.get("avx2") and features.get("fma"):
        lanes = 8
    return Target(triple, processor, features.flatten(), lanes, registers)


@dataclass(frozen=True, slots=True)
class Code:
    """Machine code that can be called, for as long as this lives."""

    size: int
    _engine: Any = field(repr=False)
    _kept: tuple[Any, ...] = field(repr=False)

    def address(self, name: str) -> int:
        """Where the function of that name begins."""
        return int(self._engine.get_function_address(name))


def compiled(texts: Iterable[str], target: Target, folder: Path | None = None) -> Code:
    """The functions as machine code of this machine, from `folder` where it was compiled before.

    Raises CannotTrainError.
    """
    source = module(texts, target)
    if len(source) > MOST_TEXT:
        raise CannotTrainError(
            f"the network would take {len(source) / 1e6:.0f} MB of intermediate code"
        )
    folder = folder or platformdirs.user_cache_path("grader", appauthor=False) / "code"
    known = (source, target.processor, target.features, str(_llvm().llvm_version_info))
    file = folder / f"{hashlib.sha256('|'.join(known).encode()).hexdigest()}.o"
    code = _kept(file)
    if code is None:
        code = machine_code(source, target)
        with contextlib.suppress(GraderError, OSError):  # then it is compiled again next time
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if _alone(folder):
                write_whole(file, hashlib.sha256(code).digest() + code, mode=0o600)
    return _loaded(code, target)


def module(texts: Iterable[str], target: Target) -> str:
    """The text of a whole module."""
    vector = f"<{target.lanes} x float>"
    n = target.lanes
    name = f"v{n}f32"
    return "\n".join(
        [
            f'target triple = "{target.triple}"',
            f"declare {vector} @llvm.fma.{name}({vector}, {vector}, {vector})",
            f"declare {vector} @llvm.sqrt.{name}({vector})",
            f"declare {vector} @llvm.floor.{name}({vector})",
            f"declare {vector} @llvm.fabs.{name}({vector})",
            f"declare <{n} x double> @llvm.floor.v{n}f64(<{n} x double>)",
            *(_gather(n, *kind) for kind in (("float", "f32"), ("i32", "i32"))),
            f"declare float @llvm.vector.reduce.fadd.{name}(float, {vector})",
            "declare double @llvm.sqrt.f64(double)",
            *texts,
            'attributes #0 = { nounwind noinline "prefer-vector-width"="512" }',
        ]
    )


def _gather(lanes: int, scalar: str, short: str) -> str:
    vector = f"<{lanes} x {scalar}>"
    given = f"<{lanes} x ptr>, i32, <{lanes} x i1>, {vector}"
    return f"declare {vector} @llvm.masked.gather.v{lanes}{short}.v{lanes}p0({given})"


def machine_code(source: str, target: Target, *, assembly: bool = False) -> bytes:
    """An object file of the module (its assembly as text, if asked). Raises CannotTrainError."""
    llvm = _llvm()
    machine = _target_machine(target)
    try:
        parsed = llvm.parse_assembly(f'target datalayout = "{machine.target_data}"\n{source}')
        parsed.verify()
    except RuntimeError as error:
        raise CannotTrainError(f"LLVM refuses the network's code: {error}") from error
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    # Loops are unrolled in Python, where it is known which registers there are.
    tuning.loop_vectorization = tuning.slp_vectorization = tuning.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(parsed, builder)
    code = machine.emit_assembly(parsed).encode() if assembly else machine.emit_object(parsed)
    return bytes(code)


@cache
def _llvm() -> Any:
    try:
        from llvmlite import binding
    except (ImportError, OSError) as error:
        raise CannotTrainError("llvmlite is not installed") from error
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    return binding


def _target_machine(target: Target) -> Any:
    llvm = _llvm()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.processor, features=target.features, opt=2, reloc="pic", codemodel="jitdefault"
    )


def _loaded(code: bytes, target: Target) -> Code:
    llvm = _llvm()
    machine = _target_machine(target)
    empty = llvm.parse_assembly(f'target triple = "{target.triple}"')
    try:
        engine = llvm.create_mcjit_compiler(empty, machine)
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
    except (RuntimeError, OSError, MemoryError) as error:
        raise CannotTrainError(f"machine code cannot be loaded: {error}") from error
    return Code(len(code), engine, (machine, empty))


def _kept(file: Path) -> bytes | None:
    """The code in that file, if it is whole: LLVM would crash on half of it."""
    try:
        content = file.read_bytes() if _alone(file.parent) and _alone(file) else b""
    except OSError:
        return None
    size = hashlib.sha256().digest_size
    whole = content and hashlib.sha256(content[size:]).digest() == content[:size]
    return content[size:] if whole else None


def _alone(path: Path) -> bool:
    """Whether only this user can have written there."""
    if not hasattr(os, "getuid"):  # Windows: a user's folders are his own
        return True
    facts = path.stat()
    return facts.st_uid == os.getuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
