from fractions import Fraction

import pytest

from grader.analysis.receptive_field.windows import (
    Reads,
    adaptive,
    border,
    convolution,
    flipped,
    piece,
    resized,
    rolled,
    running,
    same_padding,
    transposed,
)


def positions(reads: Reads) -> list[list[int]]:
    """What each output position reads, padding left out."""
    return [sorted({int(place) for place in row if place < reads.size}) for row in reads.index]


def rule(reads: Reads) -> tuple[Fraction, Fraction, Fraction]:
    return reads.low, reads.high, reads.ratio


def test_a_convolution_reads_its_kernel():
    assert positions(convolution(4, 2, kernel=3)) == [[0, 1, 2], [1, 2, 3]]


def test_padding_is_not_read():
    assert positions(convolution(3, 3, kernel=3, padding=1)) == [[0, 1], [0, 1, 2], [1, 2]]


def test_dilation_leaves_holes():
    assert positions(convolution(5, 1, kernel=3, dilation=2)) == [[0, 2, 4]]


def test_the_rule_of_a_convolution_is_stride_times_position_less_padding():
    # Kernel 5, dilation 2 reaches 8 further than its first tap, which is 3 before the position.
    assert rule(convolution(28, 12, kernel=5, stride=2, padding=3, dilation=2)) == (-3, 5, 2)


def test_a_window_that_sticks_out_with_ceil_mode_reads_what_is_there():
    assert positions(convolution(5, 3, kernel=2, stride=2)) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(
    ("kernel", "dilation", "before"), [(3, 1, 1), (4, 1, 1), (5, 2, 4), (2, 3, 1)]
)
def test_same_padding_puts_the_smaller_half_first(kernel, dilation, before):
    assert same_padding(kernel=kernel, dilation=dilation) == before


def test_a_transposed_convolution_reads_the_inputs_that_scatter_to_it():
    # Input i goes to 2i, 2i + 1, 2i + 2.
    assert positions(transposed(2, 5, kernel=3, stride=2)) == [[0], [0], [0, 1], [1], [1]]


def test_the_rule_of_a_transposed_convolution_covers_every_phase():
    # Even outputs o read o/2 - 1 and o/2, odd ones o/2 - 1/2.
    assert rule(transposed(10, 21, kernel=3, stride=2)) == (-1, 0, Fraction(1, 2))


def test_adaptive_bins_overlap_where_they_must():
    assert positions(adaptive(5, 3)) == [[0, 1], [1, 2, 3], [3, 4]]


def test_reflection_reads_the_mirrored_positions_without_the_edge():
    assert positions(border(4, 2, 1, "reflect")) == [[2], [1], [0], [1], [2], [3], [2]]


def test_replication_reads_the_edge_again():
    assert positions(border(3, 2, 1, "replicate")) == [[0], [0], [0], [1], [2], [2]]


def test_circular_padding_reads_the_other_end():
    assert positions(border(3, 1, 1, "circular")) == [[2], [0], [1], [2], [0]]


def test_negative_padding_crops():
    assert positions(border(5, -1, -2)) == [[1], [2]]


def test_a_slice_with_a_step_has_a_larger_jump():
    assert positions(piece(7, 1, 3, 2)) == [[1], [4]]
    assert rule(piece(7, 1, 3, 2)) == (1, 1, 3)


def test_flipping_runs_backwards():
    assert positions(flipped(3)) == [[2], [1], [0]]
    assert rule(flipped(3)) == (2, 2, -1)


def test_rolling_moves_round():
    assert positions(rolled(4, 1)) == [[3], [0], [1], [2]]
    assert rule(rolled(4, 1)) == (-1, -1, 1)


def test_a_running_sum_reads_all_before():
    assert positions(running(3)) == [[0], [0, 1], [0, 1, 2]]


def test_nearest_doubling_reads_each_position_twice():
    assert positions(resized(3, 6, taps=1)) == [[0], [0], [1], [1], [2], [2]]
    assert rule(resized(3, 6, taps=1)) == (Fraction(-1, 2), 0, Fraction(1, 2))


def test_bilinear_doubling_reads_two_neighbours():
    # Output 1 lies at 0.25, output 2 at 0.75, output 3 at 1.25.
    assert positions(resized(3, 6, taps=2)) == [[0, 1], [0, 1], [0, 1], [1, 2], [1, 2], [2]]


def test_one_window_over_everything_takes_all():
    assert convolution(7, 1, kernel=7).takes_all
    assert not convolution(7, 1, kernel=7, dilation=1, stride=2, padding=1).takes_all
    assert not convolution(1, 1, kernel=1).takes_all
