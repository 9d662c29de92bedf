"""A network that is watched takes no more time and memory than it may, wherever it is watched."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grader.analysis.untrained import watched, watching
from grader.assignment import load
from grader.errors import GraderError, SubmissionError
from grader.intake import intake
from grader.program.program import Captured
from grader.program.recipe import Loss
from grader.sandbox.isolation import Fresh
from tests.networks import habits, images, program_of


def captured(change=None) -> Captured:
    """A network under two seeds, its evaluation graph changed."""
    torch.manual_seed(0)
    program, values = program_of(habits())
    document = json.loads(program.to_json())
    document["seeds"] = [0, 1]
    if change:
        change(document["eval"])
    found = type(program).model_validate_json(json.dumps(document))
    return Captured(found, {0: values, 1: values})


def look_up(graph) -> None:
    """A table of ten entries, asked for the one hundredth."""
    last = graph["output"]
    index = {"node": "made"}
    node = {"module": "", "dtype": "int64", "shape": [1], "line": 7}
    made = {**node, "name": "made", "op": "aten.full.default", "arguments": [[1], 100]}
    made["keywords"] = {"dtype": {"dtype": "int64"}}
    taken = {"name": "taken", "op": "aten.index_select.default", "line": 7, "dtype": "float32"}
    graph["nodes"] += [made, {**taken, "arguments": [{"node": last}, 1, index], "shape": ["N", 1]}]
    wide = {"name": "wide", "op": "aten.expand.default", "dtype": "float32", "shape": ["N", 10]}
    graph["nodes"].append({**wide, "arguments": [{"node": "taken"}, [-1, 10]]})
    graph["output"] = "wide"


PICTURES = (images(12) * 255).byte().numpy()
LABELS = (torch.arange(12) % 10).numpy()


LIMITS = load(Path(intake.__file__).parents[2] / "assignments" / "mnist_20k").limits


class Here(Fresh):
    """A sandbox without a process."""

    def run(self, request, limits=None, *, kind="capture", blobs=(), **_):
        assert kind == "watch"
        return (watching.answer(request, *blobs),)


def test_it_answers_with_a_proof_and_a_behaviour():
    seen = intake.watch(captured(), Here(), PICTURES, LABELS, limits=None)
    assert seen.proof.nodes
    assert seen.behaviour.finite
    assert intake.watch(captured(), Here(), *watched.NOTHING, limits=None).behaviour is None


@pytest.mark.usefixtures("linux")
def test_every_sandbox_sees_the_same(zygote):
    one = intake.watch(captured(), zygote, PICTURES, LABELS, limits=None)
    assert one == intake.watch(captured(), Here(), PICTURES, LABELS, limits=None)


def other_shape(graph) -> None:
    """A first layer that claims another number of channels than it gives."""
    node = next(node for node in graph["nodes"] if "conv" in node["op"])
    node["shape"] = [node["shape"][0], 77, *node["shape"][2:]]


@pytest.mark.parametrize(
    ("change", "most", "message"),
    [
        (other_shape, {}, r"returns a tensor of shape .*, where the captured network claims"),
        (None, {"multiply_adds": 1}, r"takes [\d,]+ multiply-adds for one image"),
    ],
)
def test_nothing_runs_that_is_not_what_it_says_or_costs_too_much(
    change, most, message, monkeypatch
):
    ran = []
    monkeypatch.setattr(watching.effect, "measure", lambda *_: ran.append(True))
    limits = LIMITS.model_copy(update=most)
    with pytest.raises(SubmissionError, match=message):
        intake.watch(captured(change), Here(), PICTURES, LABELS, limits=limits)
    assert not ran


def test_what_costs_no_more_is_watched_as_without_limits():
    seen = intake.watch(captured(), Here(), PICTURES, LABELS, limits=LIMITS)
    assert seen == intake.watch(captured(), Here(), PICTURES, LABELS, limits=None)


class Counting(Here):
    """Counts its questions."""

    def __init__(self) -> None:
        self.asked = 0

    def run(self, *arguments, **more):
        self.asked += 1
        return super().run(*arguments, **more)


def retrained(one: Captured, **changes) -> Captured:
    """The same network, trained otherwise."""
    recipe = one.program.recipe.model_copy(update=changes)
    return replace(one, program=one.program.model_copy(update={"recipe": recipe, "notes": ("!",)}))


def test_a_network_that_is_only_trained_otherwise_is_not_watched_again():
    sandbox, known, one = Counting(), {}, captured()
    seen = intake.watch(one, sandbox, PICTURES, LABELS, limits=LIMITS, known=known)
    other = retrained(one, batch_size=7, loss=Loss(name="cross_entropy"), lines={"epochs": 3})
    assert intake.watch(other, sandbox, PICTURES, LABELS, limits=LIMITS, known=known) is seen
    assert sandbox.asked == 1


def fewer_trained(one: Captured) -> Captured:
    optimizer = one.program.recipe.optimizer
    (group,) = optimizer.groups
    group = group.model_copy(update={"parameters": group.parameters[:-1]})
    return retrained(one, optimizer=optimizer.model_copy(update={"groups": (group,)}))


def on_another_line(graph) -> None:
    graph["nodes"][-1]["line"] = 99


@pytest.mark.parametrize(
    ("change", "more"),
    [
        (fewer_trained, {}),
        (lambda _: captured(on_another_line), {}),
        (lambda one: replace(one, values={0: one.values[0], 1: drawn()}), {}),
        (
            lambda one: one,
            {"limits": LIMITS.model_copy(update={"multiply_adds": LIMITS.multiply_adds - 1})},
        ),
        (lambda one: one, {"images": PICTURES // 2}),
    ],
)
def test_whatever_else_differs_is_watched_again(change, more):
    sandbox, known, one = Counting(), {}, captured()
    intake.watch(one, sandbox, PICTURES, LABELS, limits=LIMITS, known=known)
    pictures, limits = more.get("images", PICTURES), more.get("limits", LIMITS)
    intake.watch(change(one), sandbox, pictures, LABELS, limits=limits, known=known)
    assert sandbox.asked == 2


def drawn() -> bytes:
    """Other weights."""
    torch.manual_seed(1)
    return program_of(habits())[1]


def test_what_went_wrong_is_tried_again_and_only_the_last_networks_are_known(monkeypatch):
    sandbox, known = Counting(), {}
    for _ in range(2):
        with pytest.raises(SubmissionError):
            intake.watch(captured(look_up), sandbox, PICTURES, LABELS, limits=None, known=known)
    assert (sandbox.asked, known) == (2, {})
    monkeypatch.setattr(intake, "MOST_KNOWN", 1)
    for one in (captured(), captured(on_another_line), captured()):
        intake.watch(one, sandbox, PICTURES, LABELS, limits=None, known=known)
    assert (sandbox.asked, len(known)) == (5, 1)


def test_what_an_operator_raises_is_the_submissions_with_its_line():
    with pytest.raises(SubmissionError, match=r"does not run by itself: index: .*out of") as caught:
        intake.watch(captured(look_up), Here(), PICTURES, LABELS, limits=None)
    assert caught.value.line == 7


def test_a_mistake_of_ours_is_ours(monkeypatch):
    monkeypatch.setattr(watching.summary, "analyse", lambda *_: {}["ours"])
    with pytest.raises(GraderError, match=r"KeyError .* mistake in the grader"):
        intake.watch(captured(), Here(), PICTURES, LABELS, limits=None)


@pytest.mark.usefixtures("linux")
def test_a_network_that_takes_too_long_is_stopped(monkeypatch, zygote):
    def endless(graph) -> None:
        large = {"dtype": "float32", "shape": [2**25]}
        made = {"name": "v0", "op": "aten.zeros.default", "arguments": [[2**25]]}
        graph["nodes"].append({**made, **large})
        for at in range(200):
            more = {"name": f"v{at + 1}", "op": "aten.sin.default"}
            graph["nodes"].append({**more, "arguments": [{"node": f"v{at}"}], **large})

    monkeypatch.setattr(intake, "WATCHING", replace(intake.WATCHING, seconds=3))
    with pytest.raises(SubmissionError, match=r"The network was still busy .* use fewer layers"):
        intake.watch(captured(endless), zygote, PICTURES, LABELS, limits=None)


@pytest.mark.usefixtures("linux")
def test_a_network_that_takes_all_memory_is_refused(monkeypatch, zygote):
    def large(graph) -> None:
        last = graph["output"]
        sizes = [2**26, 10]
        made = {"name": "made", "op": "aten.zeros.default", "line": 9, "dtype": "float32"}
        graph["nodes"].append({**made, "arguments": [sizes], "shape": sizes})
        used = {"name": "used", "op": "aten.select.int", "dtype": "float32", "shape": [10]}
        graph["nodes"].append({**used, "arguments": [{"node": "made"}, 0, 0]})
        added = {"name": "added", "op": "aten.add.Tensor", "dtype": "float32", "shape": ["N", 10]}
        graph["nodes"].append({**added, "arguments": [{"node": last}, {"node": "used"}]})
        graph["output"] = "added"

    limits = replace(intake.WATCHING, memory_bytes=6 * 2**30)
    monkeypatch.setattr(intake, "WATCHING", limits)
    with pytest.raises(SubmissionError, match="memory") as caught:
        intake.watch(captured(large), zygote, PICTURES, LABELS, limits=None)
    assert caught.value.line in (9, None)


@pytest.mark.parametrize(
    "forged",
    [
        b"{}",
        b'{"watched": null, "problem": null}',
        b'{"watched": {"proof": {"nodes": "many"}, "behaviour": null}, "problem": null}',
        b'{"watched": {"proof": {"nodes": 1, "stranger": 2}, "behaviour": null}}',
        b'{"problem": {"fault": "nobody", "message": "", "line": null}}',
        b"no JSON",
    ],
)
def test_an_answer_that_is_none_is_refused(forged):
    class Forged(Fresh):
        def run(self, *_, **__):
            return (forged,)

    with pytest.raises(SubmissionError, match="was watched, but"):
        intake.watch(captured(), Forged(), PICTURES, LABELS, limits=None)
