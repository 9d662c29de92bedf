"""Learn what a training depends on from few images, before the whole of it is rehearsed.

In: an `Asker`, and the source. Out: rehearsals on fewer images, and what results decide. Whether
and when results end a training does not depend on how many images it has, and a rehearsal costs as
many steps as it shows. A training that follows a metric need then be rehearsed once as a whole: on
the images that are left to it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from grader.errors import SubmissionError
from grader.intake import drawn, probing
from grader.intake.asking import Asker
from grader.program.rehearsed import Training

SHARE = 10
"""Of all images, one in so many is enough."""
MOST_EPOCHS_ON_FEW_TESTS = 100
"""Up to there, each epoch of a training that improves has other results on few test images, too."""


@dataclass(frozen=True, slots=True)
class Known:
    """What results decide of a training of so many `epochs`; `images` as in its recipe."""

    depends: probing.Depends
    follows_metric: bool
    epochs: int | None
    images: int | None


def look(asker: Asker, source: str) -> Known | None:
    """What is known of a training before it is rehearsed as a whole; None where nothing is."""
    if not (probing.follows_results(source) or "Plateau" in source):
        return None
    try:
        found = on_fewer_images(asker, None)
        if found is None:
            return None
        asks, shown = found
        if asks.coarse("improving").guesses:
            return None
        if drawn.is_possible(source) and drawn.remark(asks.coarse, shown):
            return None
        depends = probing.Depends()
        if probing.is_needed(source):
            depends = probing.probe(asks, source, shown)
    except SubmissionError:
        return None  # it is said when the whole is rehearsed
    if depends.obstacles or shown.recipe is None:
        return None
    recipe = shown.recipe.model_copy(update=depends.changes)
    return Known(depends, recipe.follows_metric, shown.epochs, recipe.images)


def on_fewer_images(
    asker: Asker, training: Training | None
) -> tuple[probing.Asks, Training] | None:
    """Ask on fewer images, where the training is then the same but for its steps; else None.

    `training` is the one on all images, if that is known. A file that splits its images by fixed
    numbers fails on fewer.
    """
    images = asker.train_images // SHARE
    for tests in (asker.dataset.test_images // SHARE, asker.dataset.test_images):
        ask = functools.partial(asker, images=images, tests=tests)
        try:
            rehearsal = ask("improving")
        except SubmissionError:
            continue
        shown = rehearsal.counting
        if shown is None or shown.recipe is None or rehearsal.out_of_time:
            return None
        if training is not None and shown.epochs != training.epochs:
            return None
        if shown.recipe.steps_per_epoch < 2:  # one that ends after a single step counts as none
            return None
        if (shown.epochs or 0) > MOST_EPOCHS_ON_FEW_TESTS and tests < asker.dataset.test_images:
            continue
        on_tests = functools.partial(asker, images=images)
        return probing.Asks(ask, on_tests, asker), shown
    return None
