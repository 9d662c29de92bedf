"""The brief, the starter and the example of an assignment, written from its rules.

In: an Assignment. Out: the texts of `README.md`, `starter.py` and `submissions/example.py`. No
number in them stands anywhere but in `assignment.toml` and in the table of data sets.
"""

from __future__ import annotations

import re
import textwrap
from importlib.resources import files

import jinja2

from grader.assignment import Assignment
from grader.command.authoring import code, example, facts
from grader.training.choices import OPTIMIZERS
from grader.training.datasets import DATASETS

WIDEST = 120


class Writer:
    """Writes for one assignment. `in_clone`: its commands are nox's, not the installed grader's."""

    def __init__(self, asked: Assignment, *, in_clone: bool) -> None:
        self.asked = asked
        self.in_clone = in_clone

    def brief(self) -> str:
        """`README.md`."""
        asked, images = self.asked, DATASETS[self.asked.dataset]
        names = [choice.name for choice in asked.recipe.train_transform]
        chosen = asked.recipe.scheduler
        optimizer = asked.recipe.optimizer.name + (f" with {chosen.name}" if chosen else "")
        text = self._filled(
            "brief.jinja",
            verdict_words=VERDICT_WORDS.get(asked.protocol, ""),
            counts_words=f"What counts is the accuracy {facts.protocol(asked.protocol)}.",
            has_example=example.size(asked) is not None,
            rows=facts.rows(asked),
            honest=facts.honest(asked),
            points=points,
            held_back=asked.validation_images(images.train_images),
            transform_names=facts.listed(names) if names else "none",
            optimizer_name=optimizer,
            optimizers=list(OPTIMIZERS),
        )
        return wrapped(text)

    def starter(self) -> str:
        """`starter.py`."""
        return self._filled(
            "starter.jinja",
            transforms=code.transforms(self.asked),
            version_2=code.needs_version_2(self.asked),
            optimizer=code.optimizer(self.asked),
            scheduler=code.scheduler(self.asked),
        )

    def example(self) -> str | None:
        """`submissions/example.py`; None where nothing fits the limit on parameters."""
        size = example.size(self.asked)
        return self._filled("example.jinja", size=size) if size else None

    def command(self, name: str) -> str:
        """What a student types for a command."""
        return f"nox -s {name} --" if self.in_clone else f"grader {name}"

    def _filled(self, template: str, **more: object) -> str:
        text = files("grader.command.authoring").joinpath(template).read_text(encoding="utf-8")
        environment = jinja2.Environment(  # noqa: S701 - Markdown and Python, an instructor's own
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        return environment.from_string(text).render(
            asked=self.asked,
            images=DATASETS[self.asked.dataset],
            folder=f"assignments/{self.asked.name}",
            command=self.command,
            bound=facts.bound,
            percent=facts.percent,
            listed=facts.listed,
            **more,
        )


VERDICT_WORDS = {
    "best": "The best epoch counts.",
    "last": "The last epoch counts: so the training has to end well.",
    "mean_last_3": (
        "And it must do so reliably: not its luckiest epoch counts, but the mean of the last three."
    ),
}


def wrapped(markdown: str) -> str:
    """The same Markdown, each paragraph and list item in lines of at most `WIDEST` columns."""
    parts: list[str] = []
    for place, section in enumerate(markdown.split("```")):
        if place % 2:
            parts.append(f"```{section}```")
        else:
            parts.append("\n\n".join(map(_block, re.split(r"\n\n+", section))))
    return "".join(parts)


def _block(block: str) -> str:
    if block.lstrip().startswith(("|", "#")):
        return block
    return "\n".join(map(_folded, re.split(r"\n(?=- )", block))).replace("\0", " ")


def _folded(item: str) -> str:
    """A paragraph or a list item; what is code stays on one line."""
    text = item.strip()
    start = item[: item.index(text)] if text else ""
    whole = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), " ".join(text.split()))
    lines = textwrap.wrap(
        whole,
        WIDEST,
        subsequent_indent="  " if text.startswith("- ") else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return start + "\n".join(lines) + item[len(start) + len(text) :]


def points(number: float) -> str:
    """As in the brief: "20", "2.5", "" for none."""
    return f"{number:g}" if number else ""
