"""Which command was meant: a word that is not one is answered with the one to type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer.core

from grader.render.called import called

FILES = (".py", ".ipynb", ".zip")


class Commands(typer.core.TyperGroup):
    """The grader's commands. `grader model.py` is answered with `grader grade model.py`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first word names. Raises typer's usage error."""
        word = args[0]
        is_file = word.lower().endswith(FILES) or Path(word).exists()
        if is_file and self.get_command(ctx, word) is None:
            ctx.fail(f"{word!r} is not a command. To grade it: {called('grade', word)}")
        return super().resolve_command(ctx, args)
