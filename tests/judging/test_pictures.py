"""The surest mistakes, with what was thought, as small pictures."""

import numpy as np
import pytest

from grader.judging import pictures
from grader.judging.judge import Judge

LABELS = [0, 1, 2, 2]
LOGITS = [
    [5.0, 0.0, 0.0],  # right
    [2.0, 1.0, 0.0],  # a 1, read as 0
    [9.0, 0.0, 1.0],  # a 2, read as 0 for sure
    [0.0, float("nan"), 0.0],  # nothing can be said
]


def test_the_surest_come_first_with_their_shares():
    """Of 9, 0, 1: e^9 / (e^9 + 1 + e) and e / (e^9 + 1 + e)."""
    found = Judge(LABELS, classes=3).surest_mistakes(LOGITS, 10)
    assert [(one.position, one.label, one.taken) for one in found] == [(2, 2, 0), (1, 1, 0)]
    whole = np.exp(9) + 1 + np.e
    assert found[0].sure == pytest.approx(np.exp(9) / whole)
    assert found[0].of_label == pytest.approx(np.e / whole)


def test_at_most_so_many_and_none_where_all_are_right():
    assert len(Judge(LABELS, classes=3).surest_mistakes(LOGITS, 1)) == 1
    assert Judge([0], classes=3).surest_mistakes(LOGITS[:1], 5) == []


def test_log_probabilities_and_large_logits_are_shares_too():
    found = Judge([1], classes=2).surest_mistakes([[1e4, 1e4 - 1]], 5)
    assert found[0].sure == pytest.approx(1 / (1 + np.exp(-1)))
    found = Judge([1], classes=2).surest_mistakes(np.log([[0.75, 0.25]]), 5)
    assert (found[0].sure, found[0].of_label) == (pytest.approx(0.75), pytest.approx(0.25))


def test_a_pixel_is_one_digit_row_by_row():
    image = np.array([[[0, 255], [128, 17]]], dtype=np.uint8)
    assert pictures.picture(image).model_dump() == {"columns": 2, "pixels": "0f81"}


def test_colours_are_averaged_and_a_large_image_has_none():
    image = np.zeros((3, 2, 2), dtype=np.uint8)
    image[0] = 255
    assert pictures.picture(image).pixels == "5555"
    assert pictures.picture(np.zeros((1, 100, 100), dtype=np.uint8)) is None


def test_a_record_has_its_image():
    images = np.arange(4 * 4, dtype=np.uint8).reshape(4, 1, 2, 2) * 16
    found = Judge(LABELS, classes=3).surest_mistakes(LOGITS, pictures.MOST_MISTAKES)
    records = pictures.mistakes(found, images)
    assert [(one.position, one.picture.pixels) for one in records] == [(2, "889a"), (1, "4567")]
