"""What the page draws is where the numbers say."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.render.drawing import beside, curve, digits, frames, mistakes, overview, spending, strip
from grader.report import Excerpt, Hint, LayerRow, Picture
from tests import report_examples as examples
from tests.report_examples import drawn, report, run, training


def points(text):
    return [tuple(map(float, pair.split(","))) for pair in text.split()]


# Curves


def test_a_rung_of_the_error_is_as_high_as_every_other():
    """Correct of 1,000: half the mistakes each time, 50 %, 80, 90, 95, 98, 99."""
    found = curve.draw(training(run((500, 800, 900, 950, 980, 990), total=1000), interval=None))
    steps = [below.place - above.place for below, above in pairwise(found.ticks)]
    assert steps == pytest.approx([curve.HEIGHT / len(steps)] * len(steps), abs=0.2)
    dots = points(found.mean)
    assert [x for x, _ in dots] == pytest.approx(
        [100 * (e - 0.5) / 6 for e in range(1, 7)], abs=0.01
    )
    assert all(before[1] > after[1] for before, after in pairwise(dots))


def test_the_band_lies_between_the_worst_and_the_best_seed():
    low, high = (9900, 9930, 9940), (9910, 9950, 9944)
    found = curve.draw(training(run(low), run(high, seed=2)))
    band = points(found.band)
    assert len(band) == 6
    lines = [points(line) for line in found.runs]
    assert band[:3] == lines[1]
    assert band[3:] == lines[0][::-1]
    for (_, mean), one, other in zip(points(found.mean), *lines, strict=True):
        assert other[1] <= mean <= one[1]


def test_one_seed_has_no_band_and_practice_no_threshold():
    found = curve.draw(examples.practice().training)
    assert (found.band, found.runs, found.required) == ("", [], None)
    assert curve.draw(training().model_copy(update={"runs": ()})) is None


def test_what_counts_is_marked_and_the_threshold_is_a_rung():
    found = curve.draw(training(protocol="mean_last_3"))
    assert [dot.counts for dot in found.dots] == [False] * 12 + [True] * 3
    (required,) = [tick for tick in found.ticks if tick.required]
    assert (required.text, required.place) == ("99.40 %", found.required)
    assert "at best 99.44 % after epoch 15" in found.told


@given(st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=90), min_size=1, max_size=4))
def test_nothing_is_drawn_outside(runs):
    rows = [run(tuple(one), seed=seed, total=1000) for seed, one in enumerate(runs)]
    found = curve.draw(training(*rows, interval=None))
    for x, y in [*points(found.mean), *points(found.band)]:
        assert 0 <= x <= 100
        assert 0 <= y <= curve.HEIGHT


# Seeds


def test_a_seed_stands_where_its_score_is_between_the_ends():
    found = strip.draw(training(run((9900,)), run((9910,), seed=2), run((9950,), seed=3),
                                protocol="last", threshold=0.99, interval=None))  # fmt: skip
    assert [dot.x for dot in found.dots] == pytest.approx([6, 6 + 88 / 5, 94])
    assert found.required == 6
    assert found.dots[0].text == "seed 1: 99.00 %"
    assert strip.draw(training()) is None, "one seed is no strip"


def test_seeds_that_agree_do_not_divide_by_nothing():
    same = training(run((9940,)), run((9940,), seed=2), protocol="last", interval=None)
    found = strip.draw(same)
    assert {dot.x for dot in found.dots} == {50}


# Pictures


@given(st.integers(1, 20), st.text("0123456789abcdef", max_size=300))
def test_every_pixel_is_drawn_once_in_its_grey(columns, pixels):
    inked = {}
    for shape in digits.shapes(Picture(columns=columns, pixels=pixels)):
        for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", shape.path):
            for column in range(int(x), int(x) + int(length)):
                assert (column, int(y)) not in inked
                inked[column, int(y)] = shape.opacity
    for place, digit in enumerate(pixels):
        spot = place % columns, place // columns
        grey = int(digit, 16)
        assert (spot in inked) == (grey > 0)
        if grey:
            assert abs(inked[spot] - grey / 15) <= 0.2


def test_a_wrong_image_has_the_names_of_its_classes():
    wide = tuple(tuple(int(row == column) for column in range(10)) for row in range(10))
    seen = mistakes.seen(training(dataset="fashion_mnist", confusion=wide))
    assert (seen[0].label, seen[0].taken, seen[0].sure) == ("Coat", "Ankle boot", "97 %")
    assert mistakes.seen(training())[0].taken == "9"
    assert not mistakes.fits(training(dataset="fashion_mnist", confusion=wide))


def test_a_mistake_of_a_class_that_is_not_there_is_left_out():
    assert mistakes.seen(training(confusion=())) == []


# What one value sees


def test_the_frame_is_in_the_middle_and_never_larger_than_the_image():
    found = frames.draw(examples.passed())
    assert [(frame.x, frame.width, frame.field) for frame in found] == [
        (12, 3, "3 px"),
        (11, 5, "5 px"),
        (11, 6, "6 px"),
        (9, 10, "10 px"),
        (0, 28, "28 px"),
    ]
    wide = LayerRow(module="a", kind="b", output_shape=(1,), parameters=0, share=0,
                    receptive_field=(40, 20), jump=("1", "1"))  # fmt: skip
    (frame,) = frames.draw(report(layers=(wide,)))
    assert (frame.x, frame.y, frame.width, frame.height, frame.beyond) == (4, 0, 20, 28, True)


def test_many_steps_are_thinned_and_the_ends_stay():
    layers = tuple(
        LayerRow(module=f"conv{n}", kind="Conv2d", output_shape=(1,), parameters=0, share=0,
                 receptive_field=(n, n), jump=("1", "1"))
        for n in range(1, 60, 2)
    )  # fmt: skip
    found = frames.draw(report(layers=layers))
    assert len(found) <= frames.MOST
    assert found[0].field == "1 px"
    assert found[-1].field == "59 px"


# What is spent


def test_the_largest_part_fills_its_bar_and_parts_are_told_in_percent():
    rows = spending.rows(examples.passed())
    assert max(row.parameters_width for row in rows) == 100
    assert {row.name: row.parameters for row in rows}["conv5"] == "2,320 · 54.7 %"
    assert len(rows) == 5, "what spends nothing has no row"


def test_many_layers_are_summed():
    layers = tuple(
        LayerRow(module=f"conv{n}", kind="Conv2d", output_shape=(1,), parameters=n, share=0)
        for n in range(1, 41)
    )
    rows = spending.rows(report(layers=layers))
    assert len(rows) == spending.MOST
    assert rows[-1].name == "17 other layers"
    assert rows[-1].parameters.startswith("153 ·")


# Beside the lines


def test_a_remark_whose_line_is_not_there_is_not_lost_but_not_shown_here():
    found = examples.quoted().model_copy(update={"excerpts": ()})
    assert beside.blocks(found) == []
    assert beside.anchor(found, Hint(text="x", line=9)) == ""


def test_lines_of_another_file_of_the_folder_are_not_mixed_up():
    both = (
        Excerpt(first=8, lines=("a", "b", "c"), file="one.py"),
        Excerpt(first=8, lines=("d", "e", "f")),
    )
    found = examples.quoted().model_copy(update={"excerpts": both})
    (block,) = beside.blocks(found)
    assert [line.text for line in block.lines] == ["d", "e", "f"]


def test_the_tiles_are_what_is_known():
    tiles = overview.figures_of(examples.passed())
    assert [(tile.name, tile.value, tile.kind) for tile in tiles] == [
        ("accuracy", "99.42 %", "passed"),
        ("parameters", "6,260", "passed"),
        ("receptive field", "28 px", "passed"),
        ("multiply-adds", "963 k", ""),
    ]
    assert overview.figures_of(examples.uncaptured()) == []


def test_the_pictures_of_a_report_are_of_bounded_size():
    assert len(drawn().pixels) == 784
