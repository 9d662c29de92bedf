"""How alike two source texts are, whatever their names, comments and layout.

In: Python source. Out: a set of hashes that stand for its passages; a share of passages in common.

Names become "name", numbers and strings keep their values, comments and layout are left out; of
each window of hashed passages the smallest is kept ("winnowing", Schleimer, Wilkerson and Aiken,
2003). Whatever two texts share over `GUARANTEED` tokens in a row is found.
"""

from __future__ import annotations

import hashlib
import io
import keyword
import tokenize
from collections.abc import Iterator
from itertools import chain

PASSAGE = 12
"""Tokens of a passage: shorter coincidences are how everybody writes PyTorch."""
WINDOW = 8
"""Passages of which one is kept."""
GUARANTEED = PASSAGE + WINDOW - 1

_LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}

Passages = frozenset[int]


def passages(*sources: str) -> Passages:
    """The hashes that stand for texts that follow each other; none below `PASSAGE` tokens."""
    words = list(chain.from_iterable(map(_words, sources)))
    hashed = [
        _hash(" ".join(words[first : first + PASSAGE])) for first in range(len(words) - PASSAGE + 1)
    ]
    if len(hashed) <= WINDOW:
        return frozenset(hashed)
    windows = range(len(hashed) - WINDOW + 1)
    return frozenset(min(hashed[first : first + WINDOW]) for first in windows)


def in_common(one: Passages, other: Passages) -> float:
    """The share (0 to 1) of the smaller text's passages that the other one has too."""
    smaller = min(len(one), len(other))
    return len(one & other) / smaller if smaller else 0.0


def _words(source: str) -> Iterator[str]:
    """The tokens that make the program, each name as "name" but for what follows a dot.

    `nn.Conv2d` and `self.net` tell works apart where only own names were changed; what a text
    calls its variables does not. A text that is not Python ends where it stops to be.
    """
    after_dot = False
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type in _LAYOUT:
                continue
            if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
                yield token.string if after_dot and token.string[:1].isupper() else "name"
            elif token.type == tokenize.STRING and token.string.lstrip("rbuRBU").startswith(
                ('"""', "'''")
            ):
                continue  # a docstring, or a comment written as one
            else:
                yield token.string
            after_dot = token.string == "."
    except (tokenize.TokenError, SyntaxError):
        return


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
