"""Guards are worth what happens without them: each is taken away once, and the attack that it stops
gets through.

A guard is an `if` of the grader's source. The module is loaded again with that condition made
False; the attack must then be accepted, which the module as it is refuses. The guards of the lock
are taken away in tests/sandbox.
"""

from __future__ import annotations

import importlib.util
import io
import json
import struct
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import pytest
import torch

from grader import assignment
from grader.analysis.untrained import batch_place, watched
from grader.errors import SubmissionError
from grader.program import ops
from grader.program.program import Captured
from grader.program.recipe import Recipe
from grader.program.rehearsed import Fact, Rehearsal, Rehearsed
from grader.report import CheckResult, Verdict
from grader.sandbox import lock, reply
from grader.submission.entries import FOLDER, LINK, Entry
from tests.networks import habits, program_of

ROOT = Path(ops.__file__).parents[2]
NONCE = bytes(range(16))
REFUSALS = (SubmissionError, ValueError, TypeError)
ASSIGNMENT = assignment.load(ROOT / "assignments" / "mnist_8k")
LIMITS = ASSIGNMENT.limits


@dataclass(frozen=True)
class Guard:
    """`condition` as it stands after an `if` in `file`, and an attack that it stops."""

    file: str
    condition: str
    attack: Callable[[ModuleType], Any]


def loaded(file: str, without: str = "") -> ModuleType:
    """The module of that file, with one condition made False."""
    path = ROOT / "grader" / file
    source = path.read_text(encoding="utf-8")
    if without:
        assert source.count(f"if {without}:") == 1, f"{file} has no single `if {without}:`"
        source = source.replace(f"if {without}:", "if False:")
    name = f"guarded_{path.stem}"
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, path))
    sys.modules[name] = module  # pydantic and dataclasses look their module up
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    finally:
        del sys.modules[name]
    return module


def framed(change: Callable[[bytes], bytes]) -> Callable[[ModuleType], Any]:
    frame = reply.pack([b"a", b"bc"], NONCE)
    return lambda module: module.unpack(change(frame), NONCE)


def said(text: bytes) -> Callable[[ModuleType], Any]:
    return lambda module: module.read(text)


def stored(header: Any, data: bytes = bytes(4)) -> Callable[[ModuleType], Any]:
    text = json.dumps(header).encode()
    return lambda module: module.check(struct.pack("<Q", len(text)) + text + data)


def tensor(**changes: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | changes


def _zip(entry: zipfile.ZipInfo, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _left_out(module: ModuleType, entry: zipfile.ZipInfo, content: bytes) -> None:
    """Refuse an archive of one file that is not read."""
    if not module.read("a.zip", _zip(entry, content)).files:
        raise ValueError("left out")


def _link_gathered(module: ModuleType) -> None:
    """Gather a link in a folder."""
    link = Entry(Path("a/b.py"), LINK, 0, lambda _: b"import torch")
    contents = module.gather(Entry(Path("a"), FOLDER, 0, link.read, lambda: [link]))
    _refused(contents.skipped)


def _spent(module: ModuleType) -> None:
    """Unpack from an archive of which enough was unpacked."""
    content = io.BytesIO(_zip(zipfile.ZipInfo("a.py"), b"1"))
    with zipfile.ZipFile(content) as archive:
        module._Tree(archive, left=0)._unpacked(archive.infolist()[0], 1)


def changed(change: Callable[[dict[str, Any]], None]) -> Callable[[ModuleType], Any]:
    """A Program whose JSON was changed."""
    document = json.loads(PROGRAM.to_json())
    change(document)
    return lambda module: module.read(json.dumps(document))


def changed_graph(change: Callable[[dict[str, Any]], None]) -> Callable[[ModuleType], Any]:
    """The graph of training out of a Program whose JSON was changed."""
    document = json.loads(PROGRAM.to_json())
    change(document)
    return lambda module: module.Graph.model_validate_json(json.dumps(document["train"]))


def _swap_nodes(document: dict[str, Any]) -> None:
    document["train"]["nodes"].reverse()


def _two_inputs(document: dict[str, Any]) -> None:
    nodes = document["train"]["nodes"]
    nodes.insert(
        1, {**nodes[0], "name": "other", "op": "input", "arguments": [], "shape": ["N", 1, 12, 12]}
    )
    nodes[0] = {**nodes[1], "name": nodes[0]["name"]}


def _another_input(document: dict[str, Any]) -> None:
    next(node for node in document["train"]["nodes"] if node["op"] == "input")["shape"] = [
        "N",
        3,
        12,
        12,
    ]


def _another_weight_shape(document: dict[str, Any]) -> None:
    next(node for node in document["train"]["nodes"] if node["op"] == "weight")["shape"] = [1]


def _stranger(document: dict[str, Any]) -> None:
    document["recipe"]["optimizer"]["groups"][0]["parameters"].append("stranger")


PROGRAM, VALUES = program_of(habits())


def _sized(module: ModuleType, **most: int) -> None:
    module.check_size(PROGRAM, LIMITS.model_copy(update=most))


def _fact(name: str, text: str) -> Fact:
    return Fact(name=name, text=text)


def _said_of(recipe: Recipe) -> tuple[Fact, ...]:
    """What a rehearsal says of a recipe without a scheduler."""
    rate = recipe.schedule.learning_rate[0][0].value
    loss = "cross entropy" if recipe.loss.name == "cross_entropy" else "negative log likelihood"
    return (
        _fact("epochs", "1 epoch of 1 step"),
        _fact("batches", f"{recipe.batch_size} images a batch"),
        _fact("images", "all"),
        _fact("optimizer", f"{recipe.optimizer.name}, lr {rate}"),
        _fact("schedule", f"none: the rate stays at {rate}"),
        _fact("loss", loss),
        _fact("transform", ", ".join(one.name for one in recipe.augmentations)),
    )


def _constant() -> Recipe:
    """The recipe of a network, at one rate throughout."""
    recipe = PROGRAM.recipe
    rate = recipe.schedule.learning_rate[0][0].model_copy(update={"steps": recipe.steps})
    changes = {"learning_rate": ((rate,),), "scheduler": None}
    schedule = recipe.schedule.model_copy(update=changes)
    return recipe.model_copy(update={"schedule": schedule})


FACTS = _said_of(_constant())


def _disagrees(module: ModuleType, facts: tuple[Fact, ...]) -> None:
    """Facts that are not those of the recipe."""
    assert module.agree(FACTS, _constant())
    if not module.agree(facts, _constant()):
        raise ValueError("not what it handed over")


def _rehearsed() -> Rehearsed:
    recipe = _constant().model_copy(update={"origin": "rehearsed"})
    return Rehearsed(Rehearsal(), recipe=recipe)


def _otherwise(origin: str) -> Recipe:
    """A recipe that says where it is from, and clips its gradients."""
    return _constant().model_copy(update={"origin": origin, "clip_norm": 0.1})


def _bought(module: ModuleType) -> None:
    """An accuracy that earns points though the network knew the images before."""
    lines = [
        CheckResult(
            name=name, title=name, verdict=verdict, required=True, points=points, max_points=40
        )
        for name, verdict, points in (
            ("untrained", Verdict.FAILED, 0),
            ("accuracy", Verdict.PASSED, 40),
        )
    ]
    if not sum(one.points for one in module.without_bought_points(lines)):
        raise ValueError("no points")


GUARDS = (
    Guard(
        "sandbox/reply.py",
        "len(whole) < _HEADER or not whole.startswith(MAGIC)",
        framed(lambda f: b"X" + f[1:]),
    ),
    Guard(
        "sandbox/reply.py",
        "not hmac.compare_digest(head[len(MAGIC) : len(MAGIC) + NONCE_BYTES], nonce)",
        framed(lambda _: reply.pack([b"a"], bytes(16))),
    ),
    Guard(
        "sandbox/reply.py",
        'int.from_bytes(head[-8:], "big") != len(payload)',
        framed(lambda f: f[:56] + bytes(8) + f[64:]),
    ),
    Guard(
        "sandbox/reply.py",
        "not hmac.compare_digest(head[-40:-8], hashlib.sha256(payload).digest())",
        framed(lambda f: f[:-1] + b"X"),
    ),
    Guard("sandbox/strict_json.py", "len(found) != len(pairs)", said(b'{"a": 1, "a": 2}')),
    Guard(
        "sandbox/strict_json.py",
        "not all(key.isascii() for key in found)",
        said('{"ä": 1}'.encode()),
    ),
    Guard(
        "sandbox/strict_json.py",
        "len(text) > 20 or not -(2**63) <= int(text) < 2**63",
        said(b"9223372036854775808"),
    ),
    Guard("sandbox/strict_json.py", "not math.isfinite(value)", said(b"1e999")),
    Guard(
        "sandbox/strict_json.py",
        "max(_depth(text), default=0) > DEEPEST",
        said(b"[" * 200 + b"]" * 200),
    ),
    Guard(
        "sandbox/strict_json.py",
        '"\\\\u" in text and any(map(_has_surrogate, _strings(value)))',
        said(b'"\\ud800"'),
    ),
    Guard(
        "sandbox/strict_json.py",
        "len(data) > most_bytes",
        lambda module: module.read(b"[1]", most_bytes=2),
    ),
    Guard(
        "sandbox/strict_json.py",
        'data.count(b"{") + data.count(b"[") > MOST_CONTAINERS or data.count(b",") > MOST_VALUES',
        said(b"[" + b"[]," * 1_000_001 + b"1]"),
    ),
    Guard(
        "sandbox/frames.py",
        "size > most_bytes",
        lambda module: module.read(io.BytesIO(bytes(7) + b"\x08" + bytes(8)), most_bytes=7),
    ),
    Guard(
        "sandbox/frames.py",
        "left < 0",
        lambda module: module.read(
            io.BytesIO(bytes(7) + b"\x09" + bytes(7) + b"\x05" + b"whole"), most_bytes=9
        ),
    ),
    Guard(
        "sandbox/weights_file.py",
        "size > MOST_HEADER_BYTES",
        lambda module: module.check(struct.pack("<Q", 5 * 2**20) + b"{}".ljust(5 * 2**20)),
    ),
    Guard(
        "sandbox/weights_file.py",
        "len(header) > MOST_TENSORS",
        stored({f"w{i}": tensor(shape=[0], data_offsets=[0, 0]) for i in range(5_001)}, b""),
    ),
    Guard(
        "sandbox/weights_file.py", 'entry["dtype"] not in TYPES', stored({"a": tensor(dtype="U32")})
    ),
    Guard(
        "sandbox/weights_file.py",
        "not 1 <= len(name) <= LONGEST_NAME or not name.isprintable()",
        stored({"a\x1b": tensor()}),
    ),
    Guard(
        "sandbox/weights_file.py",
        'not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}',
        stored({"a": tensor(code="x")}),
    ),
    Guard(
        "sandbox/weights_file.py",
        "len(shape) > MOST_DIMENSIONS or max(shape, default=0) > LARGEST_DIMENSION",
        stored({"a": tensor(shape=[1] * 99)}),
    ),
    Guard(
        "sandbox/ending.py",
        "problem",
        lambda module: module.parts(_failed(module), NONCE, module.Limits()),
    ),
    Guard(
        "sandbox/ending.py",
        "ending.stopped or ending.status is None",
        lambda module: module.parts(
            module.Ending(reply.pack([b'{"captured": true}'], NONCE), b"", 0, "time"),
            NONCE,
            module.Limits(),
        ),
    ),
    Guard(
        "intake/intake.py",
        "found.seeds != seeds",
        lambda module: module.checked((PROGRAM.to_json().encode(), VALUES), (7,)),
    ),
    Guard(
        "intake/intake.py",
        "len(parts) != 1 + len(seeds)",
        lambda module: module.checked((PROGRAM.to_json().encode(), VALUES, VALUES), (0,)),
    ),
    Guard(
        "intake/intake.py",
        "recipe.steps_per_epoch != steps or recipe.steps > assignment.limits.steps",
        lambda module: module._check_steps(PROGRAM.recipe, ASSIGNMENT, 10),
    ),
    Guard(
        "program/graph.py",
        "node.name in seen",
        changed_graph(lambda d: d["train"]["nodes"].append(d["train"]["nodes"][0])),
    ),
    Guard("program/graph.py", "name not in seen", changed_graph(_swap_nodes)),
    Guard("program/program.py", "node.shape != (BATCH, *input_shape)", changed(_another_input)),
    Guard(
        "program/program.py",
        "node.shape != weights[str(node.arguments[0])].shape",
        changed(_another_weight_shape),
    ),
    Guard(
        "program/program.py", "output != (BATCH, classes)", changed(lambda d: d.update(classes=9))
    ),
    Guard(
        "program/program.py",
        'name not in weights or weights[name].kind != "parameter"',
        changed(_stranger),
    ),
    Guard(
        "program/recipe.py",
        "sum(run.steps for run in curve) != recipe.steps",
        lambda module: module.check_curves(PROGRAM.recipe.model_copy(update={"epochs": 7})),
    ),
    Guard(
        "program/program.py",
        "len(weights) != len(self.weights)",
        changed(lambda d: d["weights"].append(d["weights"][0])),
    ),
    Guard("intake/intake.py", "found > most", lambda module: _sized(module, nodes=1)),
    Guard(
        "network.py",
        "pieces > MOST_PIECES",
        lambda module: module._check_pieces({"sections": 10**6}),
    ),
    Guard(
        "network.py",
        "not isinstance(a, int) or not isinstance(b, int)",
        lambda module: module._on_sizes(max)(1.5, 2),
    ),
    Guard("network.py", "abs(result) >= 2**63", lambda module: module._on_sizes(pow)(2, 64)),
    Guard(
        "analysis/shapes.py",
        "result.numel() > LARGEST_TENSOR",
        lambda module: module._compare(_Huge, torch.empty(1).expand(2**29), 2),
    ),
    Guard(
        "program/ops.py",
        "name not in names",
        lambda module: module.find("aten.relu.default").bind([1], {"out": 2}),
    ),
    Guard(
        "program/ops.py", "len(arguments) > len(self.parameters)", lambda module: _too_many(module)
    ),
    Guard(
        "program/ops.py",
        "bound[name] is not None",
        lambda module: module.find("aten.zeros.default").bind([[1]], {"device": "cuda"}),
    ),
    Guard(
        "analysis/work.py",
        "count > most",
        lambda module: module.check(PROGRAM, 1),
    ),
    Guard(
        "intake/intake.py",
        "answer.watched is None or (answer.watched.behaviour is None) != (len(images) == 0)",
        lambda module: module.watch(CAPTURED, _Silent(), *watched.NOTHING, limits=None),
    ),
    Guard(
        "analysis/untrained/batch_place.py",
        "isinstance(item, Ref) and item.node in self.known.count and name not in allowed",
        lambda module: _call(module, lambda net, x: x * x.size(0), "aten.mul").check_counts(),
    ),
    Guard(
        "analysis/untrained/batch_mixing.py",
        "place and place.dim in call.dims(name, len(call.shape(value)))",
        lambda module: module.along(
            _call(batch_place, lambda net, x: x.softmax(0), "aten.softmax")
        ),
    ),
    Guard(
        "analysis/untrained/state.py",
        "base(write.node) not in _SETTLED and not self._masks(write.node, values)",
        lambda module: _refused(
            module.kept(
                _evaluated(lambda net, x: x * net.count.add_(1)), [{"count": torch.ones(())}]
            )
        ),
    ),
    Guard(
        "intake/agreement.py",
        "recipe != rehearsed.recipe",
        lambda module: module.check_recipe(
            _otherwise("rehearsed"), _rehearsed(), ASSIGNMENT, _Silent()
        ),
    ),
    Guard(
        "judging/agreeing.py",
        "not needed <= counted.keys() <= _RULES.keys()",
        lambda module: _disagrees(module, FACTS[1:]),
    ),
    Guard(
        "judging/agreeing.py",
        "any(count > 1 and name not in _SEVERAL for name, count in counted.items())",
        lambda module: _disagrees(module, (*FACTS, FACTS[0])),
    ),
    Guard(
        "checks/plugin.py",
        "result.name in LEARNED and result.points and failed",
        lambda module: _bought(module),
    ),
    Guard(
        "submission/source.py",
        "len(source) > MOST_BYTES",
        lambda module: module.python_text("a.py", b"#" * 300_000),
    ),
    Guard(
        "submission/source.py",
        "not source.strip()",
        lambda module: module.python_text("a.py", b" "),
    ),
    Guard(
        "submission/source.py",
        'b"\\0" in source',
        lambda module: module.python_text("a.py", b"x\0"),
    ),
    Guard(
        "submission/source.py",
        "not stat.S_ISREG(status.st_mode)",
        lambda module: module.read_bytes(Path("/dev/null"), 1),
    ),
    Guard(
        "submission/archive.py",
        'path.is_absolute() or ".." in path.parts or ":" in path.parts[0]',
        lambda module: _left_out(module, zipfile.ZipInfo("/train.py"), b"import torch"),
    ),
    Guard(
        "submission/folder.py",
        "entry.kind != FILE",
        _link_gathered,
    ),
    Guard(
        "submission/archive.py",
        "wanted > MOST_DIRECTORY",
        lambda module: module._Bounded(bytes(2**25)).read(),
    ),
    Guard(
        "submission/archive.py",
        "len(path.parts) > MOST_DEPTH",
        lambda module: _refused(module._why_not(PurePosixPath("a/" * 20))),
    ),
    Guard(
        "submission/archive.py",
        "self.left <= 0",
        lambda module: _spent(module),
    ),
    Guard(
        "submission/archive.py",
        "member.file_size > max(_ALWAYS_FINE, MOST_RATIO * member.compress_size)",
        lambda module: _left_out(module, zipfile.ZipInfo("train.py"), b"#" * 200_000),
    ),
    Guard(
        "submission/archive.py",
        "len(members) > MOST_MEMBERS",
        lambda module: module._refuse_many("a.zip", [None] * 100_000),
    ),
    Guard(
        "submission/archive.py",
        "len(content) > MOST_ARCHIVE_BYTES",
        lambda module: module.read("a.zip", bytes(2**26) + _zip(zipfile.ZipInfo("a.py"), b"1")),
    ),
)
"""Every condition here refuses something; a new one belongs in this list."""


CAPTURED = Captured(PROGRAM, {0: VALUES})


class _Silent:
    """A sandbox that answers nothing."""

    def run(self, *_: Any, **__: Any) -> tuple[bytes, ...]:
        return (b"{}",)


def _evaluated(run: Callable[[Any, torch.Tensor], torch.Tensor]) -> Any:
    """The eval graph of a small network behind `run`."""

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(()))
            self.fc = torch.nn.Linear(144, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(run(self, x).flatten(1))

    return program_of(Net())[0].eval


def _call(module: ModuleType, run: Callable[[Any, torch.Tensor], torch.Tensor], op: str) -> Any:
    """The operator `op` of a small network, whose tensors all hold images in dimension 0."""
    graph = _evaluated(run)
    known = module.Known(graph)
    for node in graph.nodes:
        if node.op.startswith("aten.sym_size"):
            known.count[node.name] = 1
        elif node.op != "weight":
            known.place[node.name] = module.Place(0)
    return module.Call(next(node for node in graph.nodes if node.op.startswith(op)), known)


def _refused(found: Any) -> None:
    if list(found):
        raise ValueError(found)


class _Huge:
    shape, op, line = (2**29,), "aten.expand.default", None


def _failed(module: ModuleType) -> Any:
    header = b'{"captured": false, "message": "no network", "line": 1}'
    return module.Ending(reply.pack([header], NONCE), b"", 0)


def _too_many(module: ModuleType) -> None:
    module.find("aten.relu.default").bind([1, 2], {})


@pytest.mark.parametrize(
    "guard", GUARDS, ids=[f"{guard.file}: {guard.condition[:50]}" for guard in GUARDS]
)
def test_without_its_guard_an_attack_gets_through(guard):
    with pytest.raises(REFUSALS):
        guard.attack(loaded(guard.file))
    guard.attack(loaded(guard.file, without=guard.condition))


OF_THE_LOCK = {
    "session": "test_locks.py::test_it_leads_a_session_of_its_own",
    "descriptors": "test_locks.py::test_descriptors_beyond_those_that_are_kept_are_closed",
    "folder": "test_locks.py::test_it_works_in_its_own_folder",
    "memory first": "test_locks.py::test_the_process_is_the_first_to_die_when_memory_runs_out",
    "limits": "test_probes.py::test_without_a_guard_its_probes_are_open",
    "capabilities": "test_probes.py::test_root_can_take_back_only_what_it_has_not_given_up",
    "dumpable": "test_locks.py::test_no_core_is_dumped_and_nobody_looks_in",
    "privileges": "test_probes.py::test_a_child_that_cannot_be_locked_runs_nothing",
    "one thread": "test_locks.py::test_a_second_thread_is_found_before_anything_is_locked",
    "landlock": "test_probes.py::test_without_a_guard_its_probes_are_open",
    "seccomp": "test_probes.py::test_without_a_guard_its_probes_are_open",
}
"""The test that fails, or that shows what opens, when a guard of the lock is taken away."""


def test_every_guard_of_the_lock_has_its_test():
    assert OF_THE_LOCK.keys() == lock.GUARDS.keys()
    for place in OF_THE_LOCK.values():
        file, _, name = place.partition("::")
        assert f"def {name}(" in (ROOT / "tests" / "sandbox" / file).read_text(encoding="utf-8")
