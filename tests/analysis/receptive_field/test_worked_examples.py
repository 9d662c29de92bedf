"""The worked examples that head sight, merge, reshape and moving give the numbers they show."""

from fractions import Fraction

import numpy as np

from grader.analysis.receptive_field import windows
from grader.analysis.receptive_field.merge import concatenate, meet
from grader.analysis.receptive_field.reshape import follow
from grader.analysis.receptive_field.rules.moving import _apart
from grader.analysis.receptive_field.sight import Part, image, mix, permute, read, remove

SHAPE = ("N", 1, 6, 1)


def row():
    """One column of 6 pixels: a row of the examples is its `rows` axis, dimension 2."""
    return image((1, 1, 6, 1))


def convolved(sight, **settings):
    return read(sight, 2, windows.convolution(6, 6, kernel=3, **settings))


def rows(bits):
    """For each position, the pixels that it sees."""
    return [[pixel for pixel in range(6) if int(word) >> pixel & 1] for word in bits.ravel()]


def window(sight):
    return int(sight.rows.low), int(sight.rows.high)


def test_a_convolution_and_a_pooling_layer():
    made = convolved(row(), padding=1)
    assert window(made) == (-1, 1)
    assert rows(made.rows.seen)[2] == [1, 2, 3]
    pooled = read(made, 2, windows.convolution(6, 3, kernel=2, stride=2))
    assert window(pooled) == (-1, 2)
    assert pooled.dims[2] == (Part(3, "rows", Fraction(2)),)
    assert pooled.rows.pixels == 4
    assert [int(word) for word in pooled.rows.seen.ravel()] == [0b000111, 0b011110, 0b111000]


def test_two_branches_meet_in_their_hull():
    a, b = convolved(row(), padding=1), convolved(row(), padding=2, dilation=2)
    met = meet([a, b], SHAPE)
    assert window(met) == (-2, 2)
    assert rows(met.rows.seen)[2] == [0, 1, 2, 3, 4]
    assert met.rows.flags == set()


def test_a_gate_is_shared_and_does_not_widen_the_window():
    a = convolved(row(), padding=1)
    gated = meet([a, mix(a, [2, 3])], SHAPE, gate="gate")
    assert window(gated) == (-1, 1)
    assert rows(gated.rows.seen) == rows(a.rows.seen)
    assert rows(gated.rows.shared) == [[0, 1, 2, 3, 4, 5]]
    assert gated.rows.flags == {"gate"}


def test_a_tensor_that_moves_faster_ends_later():
    long = image((1, 1, 12, 1))
    slow, fast = (read(long, 2, windows.piece(12, 0, step, 6)) for step in (1, 2))
    assert window(meet([slow, fast], SHAPE)) == (0, 5)


def test_concatenated_along_rows_the_second_starts_where_the_first_ends():
    a, b = convolved(row(), padding=1), convolved(row(), padding=2, dilation=2)
    joined = concatenate([a, b], 2, [SHAPE, SHAPE])
    assert window(joined) == (-8, 1)
    assert joined.rows.flags == {"misaligned"}


def test_a_view_splits_a_part_and_forgets_nothing():
    plain = remove(row(), [1, 3])
    split = follow(plain, ("N", 2, 3))
    outer, inner = Part(2, "rows", Fraction(3)), Part(3, "rows", Fraction(1))
    assert split.dims[1:] == ((outer,), (inner,))
    assert follow(split, ("N", 6)).dims[1:] == ((outer, inner),)


def test_the_first_dimension_takes_channels_and_the_outer_half_of_the_row():
    channels = remove(image((1, 2, 6, 1)), [3])
    cut = follow(channels, ("N", 4, 3))
    assert [[part.size for part in dim] for dim in cut.dims[1:]] == [[2, 2], [3]]


def test_moves_keep_a_window_of_one_pixel():
    reads = (windows.piece(6, 1, 2, 3), windows.flipped(6), windows.rolled(6, 1))
    moved = [read(row(), 2, one) for one in reads]
    assert [window(one) for one in moved] == [(1, 1), (5, 5), (-1, -1)]
    assert [int(one.dims[2][0].jump) for one in moved] == [2, -1, 1]
    assert rows(moved[2].rows.seen) == [[5], [0], [1], [2], [3], [4]]


def test_the_taps_of_a_window_become_a_dimension():
    rule = windows.convolution(6, 3, kernel=2, stride=2)
    apart = _apart(row(), 2, rule, 1)
    taps, positions = apart.dims[2][0], apart.dims[3][0]
    assert (taps, positions) == (Part(2, "rows", Fraction(1)), Part(3, "rows", Fraction(2)))
    assert rows(apart.rows.seen) == [[0], [2], [4], [1], [3], [5]]
    by_window = permute(apart, [0, 1, 3, 2, 4])
    assert rows(np.ascontiguousarray(by_window.rows.seen)) == [[0], [1], [2], [3], [4], [5]]
