"""Images that machine code gathers and augments are the Pipeline's, bit for bit."""

from __future__ import annotations

import ctypes
import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision import transforms as v1
from torchvision.transforms import v2

from grader.capture.transforms import describe
from grader.training.augment import Pipeline, build
from grader.training.engine.lanes import gathering, lanes, machine
from grader.training.engine.lanes.gathering import Way
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Border, Map
from grader.training.engine.learner import Lesson
from tests.training.engine.lanes.test_lanes import trained
from tests.training.engine.test_loop import images, program

HERE = machine.here()
NORMALIZE = [v1.ToTensor(), v1.Normalize((0.1307,), (0.3081,))]
NARROWER = [
    dataclasses.replace(HERE, lanes=lanes) for lanes in (8, 4) if lanes < HERE.lanes
]  # this processor, as if its vectors were shorter


def seeded(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pipeline(*steps: Any, shape: tuple[int, int, int] = (1, 28, 28)) -> Pipeline:
    return build(describe(list(steps)), image_shape=shape)


def data_set(pixels: tuple[int, int], count: int = 50) -> Tensor:
    return torch.randint(0, 256, (count, 1, *pixels), dtype=torch.uint8, generator=seeded(1))


def gather(way: Way, lesson: Lesson, target: Target, border: Border, folder: Path) -> list[Tensor]:
    """The lesson's batches by the kernel, on two threads' shares of the groups."""
    channels, height, width = lesson.augment.output_shape
    to = Map(channels, height, width, border=border)
    kernel = gathering.write(way, to, target)
    code = machine.compiled([kernel.text()], target, folder)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5, *[ctypes.c_int64] * 3)
    function = call(code.address(kernel.name))
    found = gathering.gathered(way, lesson, target.lanes)
    first, batches = 0, []
    for batch in lesson.batches:
        groups = -(-len(batch) // target.lanes)
        room = torch.full((groups * to.values.group * target.lanes + 16,), math.nan)
        begin = (-room.data_ptr() % 64) // 4
        for mine in ((0, groups // 2), (groups // 2, groups)):
            function(
                found.images.data_ptr(),
                found.table.data_ptr(),
                found.whole.data_ptr() + 4 * first,
                found.real.data_ptr() + 8 * first,
                room.data_ptr() + 4 * begin,
                found.stride,
                *mine,
            )
        first += len(batch)
        batches.append(_images(room[begin:], to, groups, target.lanes, len(batch)))
    return batches


def _images(room: Tensor, of: Map, groups: int, lanes: int, count: int) -> Tensor:
    """What lies in lanes as images again; nothing was written to the border."""
    rows = of.height + of.border.top + of.border.bottom
    columns = of.width + of.border.left + of.border.right
    whole = room[: groups * of.values.group * lanes]
    whole = whole.view(groups, of.channels, rows, columns, lanes)
    top, left = of.border.top, of.border.left
    inner = whole[:, :, top : top + of.height, left : left + of.width]
    assert int(whole.isnan().sum()) == whole.numel() - inner.numel()
    return inner.permute(0, 4, 1, 2, 3).reshape(-1, of.channels, of.height, of.width)[:count]


def assert_gathered(
    steps: list[Any],
    folder: Path,
    *,
    pixels: tuple[int, int] = (28, 28),
    sizes: tuple[int, ...] = (20, 16, 3),
    target: Target = HERE,
    border: tuple[int, int, int, int] = (1, 1, 1, 1),
) -> None:
    wanted = pipeline(*steps, shape=(1, *pixels))
    way = gathering.way(wanted, 50)
    assert way is not None
    all_of_them = data_set(pixels)
    chosen = [torch.randint(0, 50, (size,), generator=seeded(2)) for size in sizes]
    labels = torch.zeros(50, dtype=torch.long)
    mine, theirs = (Lesson(all_of_them, labels, chosen, wanted, seeded()) for _ in range(2))
    found = gather(way, mine, target, Border(*border), folder)
    for number, batch in enumerate(found):
        expected, _ = theirs.batch(number)
        assert torch.equal(batch, expected)


MOVES: dict[str, list[Any]] = {
    "none": [],
    "cut": [v1.CenterCrop((21, 30))],
    "padded and cut anywhere": [v1.RandomCrop(28, padding=3, fill=9)],
    "padded if needed": [v1.RandomCrop((33, 20), pad_if_needed=True)],
    "mirrored": [v1.RandomHorizontalFlip(), v1.RandomVerticalFlip(0.3)],
    "turned": [v1.RandomRotation(30, fill=77)],
    "turned around a corner": [v1.RandomRotation((80, 100), center=(0, 5))],
    "all of an affine": [v1.RandomAffine(20, (0.2, 0.1), (0.7, 1.5), (-9, 9, -5, 5), fill=3)],
    "moved and scaled": [v1.RandomAffine(0, (0.2, 0.2), (0.7, 1.5), fill=200)],
    "one after the other": [
        v1.Pad(2, fill=5),
        v1.RandomCrop(28),
        v1.RandomAffine(7, (0.1, 0.1), fill=30),
        v1.RandomAffine(0, (0.1, 0.1), (0.9, 1.1), fill=60),
        v1.RandomHorizontalFlip(),
    ],
    "a size that it has": [v1.Resize((28, 28)), v1.RandomRotation(5)],
    "sometimes": [v1.RandomApply([v1.RandomRotation(40), v1.RandomCrop(28, padding=4)], p=0.5)],
    "one of two": [v1.RandomChoice([v1.RandomRotation(40), v1.RandomHorizontalFlip(1.0)])],
    "one within another": [
        v1.RandomApply([v1.RandomApply([v1.RandomAffine(0, (0.3, 0.3), (0.5, 2.0))]), v1.Pad(0)])
    ],
}


@pytest.mark.parametrize("name", MOVES)
def test_moved_pixels_are_those_of_the_pipeline(name, tmp_path):
    assert_gathered([*MOVES[name], *NORMALIZE], tmp_path)


AFTER: dict[str, list[Any]] = {
    "nothing": [],
    "no scale": [v2.ToImage(), v2.ToDtype(torch.float32, scale=False)],
    "bytes that stay bytes": [v1.PILToTensor(), v1.RandomHorizontalFlip()],
    "version 2": [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5], [2])],
    "erased": [*NORMALIZE, v1.RandomErasing(0.7, value=4)],
    "erased, then normalized": [v1.ToTensor(), v1.RandomErasing(0.7), *NORMALIZE[1:]],
    "moved as a tensor": [*NORMALIZE, v1.RandomCrop(28, padding=2, fill=0.5), v1.Pad(1)],
    "three channels": [
        v1.Grayscale(3),
        v1.RandomRotation(9),
        v1.ToTensor(),
        v1.Normalize((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)),
        v1.RandomErasing(1.0, value=2),
    ],
}


@pytest.mark.parametrize("name", AFTER)
def test_conversions_are_those_of_the_pipeline(name, tmp_path):
    assert_gathered([v1.RandomRotation(9, fill=40), *AFTER[name]], tmp_path)


@pytest.mark.parametrize("target", NARROWER, ids=lambda target: f"{target.lanes} lanes")
@pytest.mark.parametrize("name", ["one after the other", "moved and scaled"])
def test_shorter_vectors_give_the_same(name, target, tmp_path):
    assert_gathered([*MOVES[name], *NORMALIZE], tmp_path, target=target)


angle = st.floats(0, 180)
share = st.floats(0, 0.5)
scale = st.tuples(st.floats(0.3, 1), st.floats(1, 3))
grey = st.integers(0, 255)
MOVE = st.one_of(
    st.builds(lambda m, f: v1.Pad(m, fill=f), st.integers(0, 5), grey),
    st.builds(lambda h, w: v1.CenterCrop((h, w)), st.integers(1, 30), st.integers(1, 30)),
    st.builds(
        lambda h, w, m, f: v1.RandomCrop((h, w), padding=m, pad_if_needed=True, fill=f),
        *(st.integers(1, 30), st.integers(1, 30), st.integers(0, 3), grey),
    ),
    st.builds(v1.RandomHorizontalFlip, st.floats(0, 1)),
    st.builds(v1.RandomVerticalFlip, st.floats(0, 1)),
    st.builds(lambda a, f: v1.RandomRotation(a, fill=f), angle, grey),
    st.builds(
        lambda a, x, y, s, f: v1.RandomAffine(a, (x, y), s, fill=f),
        *(st.just(0) | angle, share, share, scale, grey),
    ),
    st.builds(lambda a, h, f: v1.RandomAffine(a, shear=h, fill=f), angle, st.floats(0, 60), grey),
)


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(MOVE, max_size=4),
    pixels=st.tuples(st.integers(1, 31), st.integers(1, 31)),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=3).map(tuple),
    border=st.tuples(*[st.integers(0, 2)] * 4),
    target=st.sampled_from([HERE, *NARROWER]),
)
def test_drawn_transforms_of_images_of_any_size(
    tmp_path_factory, steps, pixels, sizes, border, target
):
    assert_gathered(
        [*steps, *NORMALIZE],
        tmp_path_factory.getbasetemp(),
        pixels=pixels,
        sizes=sizes,
        border=border,
        target=target,
    )


@pytest.mark.parametrize(
    "step",
    [
        v1.RandomRotation(9, interpolation=v1.InterpolationMode.BILINEAR),
        v1.RandomPerspective(),
        v1.ColorJitter(0.1),
        v1.Pad(2, padding_mode="reflect"),
        v1.RandomApply([v1.CenterCrop(22), v1.Pad(3)]),
        v1.RandomOrder([v1.RandomRotation(9), v1.RandomHorizontalFlip()]),
        v1.Compose([v1.ToTensor(), v1.RandomErasing(value="random")]),
        v1.Compose([v1.ToTensor(), v1.RandomRotation(9)]),
        v1.RandomAffine(9, scale=(0.01, 1)),
    ],
    ids=lambda step: type(step).__name__,
)
def test_what_has_no_code_is_left_to_the_pipeline(step):
    assert gathering.way(pipeline(step), 50) is None


def test_so_are_more_images_than_32_bits_can_count():
    most = 2**31 // (28 * 28)
    assert gathering.way(pipeline(), most) is not None
    assert gathering.way(pipeline(), most + 1) is None


@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_is_the_same_as_on_images_that_the_pipeline_prepares(
    monkeypatch, tmp_path, threads
):
    monkeypatch.setattr(machine.platformdirs, "user_cache_path", lambda *_, **__: tmp_path)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    steps = [v1.RandomCrop(28, padding=2), v1.RandomRotation(9), v1.ToTensor()]
    wanted = program(dropout=0.2, augmentations=[a.model_dump() for a in describe(steps)])
    seen = []
    batch = Lesson.batch
    monkeypatch.setattr(Lesson, "batch", lambda *a: seen.append(a) or batch(*a))
    found = trained("lanes", wanted)
    by_code = len(seen)
    monkeypatch.setattr(lanes.gathering, "way", lambda *_: None)
    prepared = trained("lanes", wanted)
    # The check at the start asks for three of them.
    assert (by_code, len(seen) - by_code) == (3, 9)
    for mine, other in zip(found.epochs, prepared.epochs, strict=True):
        assert mine.train_loss == other.train_loss
        assert torch.equal(mine.logits, other.logits)


def test_code_that_augments_otherwise_does_not_train(monkeypatch, tmp_path):
    monkeypatch.setattr(machine.platformdirs, "user_cache_path", lambda *_, **__: tmp_path)
    right = gathering.gathered

    def wrong(*given: Any) -> Any:
        found = right(*given)
        found.table[0, 3] += 1e-6
        return found

    monkeypatch.setattr(gathering, "gathered", wrong)
    assert "augments images otherwise" in trained("auto").engine
    assert images().train_images.max() > 3
