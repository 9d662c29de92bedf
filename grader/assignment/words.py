"""Words for a mistake that somebody made in a name. In: texts. Out: texts."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """` Did you mean "best"?` where one of the choices is much like the word, else nothing."""
    folded = {choice.lower(): choice for choice in choices}
    close = get_close_matches(word.lower(), folded, n=1)
    return f' Did you mean "{folded[close[0]]}"?' if close else ""


def sentence(text: str) -> str:
    """With a full stop at its end, but for a question."""
    return text if text.endswith("?") else f"{text.rstrip('.')}."
