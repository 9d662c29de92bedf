"""A scorecard where only ASCII can be printed. In: any renderable. Out: the same, in ASCII."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment

STAND_INS = str.maketrans(
    {
        **dict(zip("▁▂▃▄▅▆▇█░", "__..oo##:", strict=True)),
        **dict(zip("✓✗≈▸▲⚑→←", "vx~>^!><", strict=True)),
        **dict(zip("│├└─┄┃┏┓┗┛━", "|++--|++++=", strict=True)),
        **dict(zip("·×±–—…", "|x~--.", strict=True)),
    }
)
"""One character for one: the layout was made for their number."""


class Plain:
    """Shows `renderable` as it is where the output can encode it, else with `STAND_INS`."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Translate after the layout is done."""
        for segment in console.render(self._renderable, options):
            keep = segment.control or not options.ascii_only
            yield segment if keep else Segment(_ascii(segment.text), segment.style)


def _ascii(text: str) -> str:
    """With an escape for what has no stand-in: a letter of a name is not to be lost."""
    return text.translate(STAND_INS).encode("ascii", "backslashreplace").decode()
