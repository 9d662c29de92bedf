"""What changed from one work to the next, in words: "+ BatchNorm after each convolution".

In: two reports. Out: `Changes`: sentences on the network and on the recipe. Arithmetic and words
only: no torch, and nothing is captured again.
"""

from __future__ import annotations

from dataclasses import dataclass

from grader.analysis.changes import network, recipe
from grader.report import Report

NOT_IN_THE_TABLE = "a difference that the layer table does not show"


@dataclass(frozen=True, slots=True)
class Changes:
    """What was added, taken away and altered, each in a few words; empty where nothing was.

    None where one of the two has no network or no recipe that could be read.
    """

    network: tuple[str, ...] | None
    recipe: tuple[str, ...] | None


def between(before: Report, after: Report) -> Changes:
    """What the later of two reports has otherwise."""
    if before.analysis is None or after.analysis is None:
        return Changes(None, None)
    words = network.changed(network.read(before), network.read(after))
    hashes = {report.analysis.get("fingerprint") for report in (before, after) if report.analysis}
    if not words and len(hashes) > 1:
        words = (NOT_IN_THE_TABLE,)
    earlier, later = before.analysis.get("recipe"), after.analysis.get("recipe")
    if not isinstance(earlier, dict) or not isinstance(later, dict):
        return Changes(words, None)
    return Changes(words, recipe.changed(earlier, later))
