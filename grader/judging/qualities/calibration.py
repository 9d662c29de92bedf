"""How honest the confidence of a network is. In: confidences, and whether each answer is right.

A worked example: four answers of confidence 0.95, three of them right, and two of confidence 0.55,
one right. The bins are off by 0.20 and 0.05; weighed by their images, (4 * 0.20 + 2 * 0.05) / 6 =
0.15 is the expected calibration error. Source: C. Guo et al., On Calibration of Modern Neural
Networks, ICML 2017.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from grader import report

BINS = 15
"""As in the source: equally wide, from 0 to 1."""

SUMS_TO_ONE = 1e-3
"""How far from 1 the sum of probabilities may be by rounding."""


def measure(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> report.Calibration:
    """The calibration of these answers (N,), N at least 1; confidences are 0 to 1.

    Where a confidence c is exactly right, its answer is a coin that is right with probability c. A
    bin of n such coins is off by a number of the variance sum c (1 - c) / n^2, in the mean by
    sqrt(2 / pi) of its deviation, though nothing is wrong with it.
    """
    images = len(confidence)
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    off = np.bincount(bins, weights=confidence - right, minlength=BINS)
    variance = np.bincount(bins, weights=confidence * (1 - confidence), minlength=BINS)
    mistaken = confidence[~right]
    return report.Calibration(
        error=float(np.abs(off).sum() / images),
        chance=float(math.sqrt(2 / math.pi) * np.sqrt(variance).sum() / images),
        deviation=float(math.sqrt(variance.sum()) / images),
        confidence=float(confidence.mean()),
        right=float(right.mean()),
        wrong=len(mistaken),
        wrong_confidence=float(mistaken.mean()) if len(mistaken) else None,
    )


def confidences(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share that the network gives to its answer, for logits or log-probabilities (N, classes).

    Scores that are probabilities already are taken as they are: all of them between 0 and 1, with a
    sum of 1 for every image. An image with a score that is no number counts as a certain answer.
    """
    proper = np.isfinite(scores.max(axis=1))  # a logarithm of 0 is the only infinity with a share
    confidence = np.ones(len(scores))
    known = scores[proper]
    if len(known) and known.min() >= 0 and np.all(abs(known.sum(axis=1) - 1) < SUMS_TO_ONE):
        confidence[proper] = known.max(axis=1)
    else:
        highest = known.max(axis=1, keepdims=True)
        confidence[proper] = 1 / np.exp(known - highest).sum(axis=1)
    return np.minimum(confidence, 1.0)
