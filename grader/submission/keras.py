"""Recognise work that is written with Keras or TensorFlow, which the grader does not run.

In: a listing and what the work claims. Out: what would be needed, and the counts that are stored.
"""

from __future__ import annotations

import re

from grader.errors import SubmissionError
from grader.program.listing import Listing
from grader.submission.claims import Claims

_KERAS = re.compile(r"(?m)^[ \t]*(?:import|from)\s+(?P<name>tensorflow|keras|tf_keras)\b")
_TORCH = re.compile(
    r"(?m)^[ \t]*(?:import|from)\s+(?:torch|lightning|pytorch_lightning)\b|\bnn\.Module\b"
)


def problem(listing: Listing, claims: Claims) -> SubmissionError | None:
    """What to say of a network of Keras; None where torch is used at all."""
    code = [part for part in listing.parts if part.cell or part.file.lower().endswith(".py")]
    if any(_TORCH.search(part.text) for part in code):
        return None
    for part in code:
        if found := _KERAS.search(part.text):
            line = part.first + part.text.count("\n", 0, found.start("name"))
            return SubmissionError(
                f"The network is written with {_NAMES[found['name']]}. The grader runs PyTorch and "
                "nothing else: to be graded, write the same layers as a torch.nn.Module, and its "
                f"training with torch.optim.{_said(claims)}",
                line=line,
            )
    return None


_NAMES = {"tensorflow": "TensorFlow", "keras": "Keras", "tf_keras": "Keras"}


def _said(claims: Claims) -> str:
    said = claims.all_parameters or claims.parameters
    known = [claim for claim in (said, claims.accuracy) if claim]
    quotes = " and ".join(f'"{claim.quote}" ({claim.place})' for claim in known)
    return f" What it says of itself: {quotes}; nothing of it was measured here." if quotes else ""
