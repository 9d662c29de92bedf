"""Makes real .ipynb files of sources in percent format, as several editors store them.

# %%                      a code cell, numbered on from the one before it
# %% [7]                  a code cell that was the seventh to be run
# %% [ ]                  a code cell that was not run
# %% [markdown]           text, each line after a "#"
#> Test accuracy: 99.41   what the cell printed, stored with it
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

MARK = re.compile(r"^# %%(?: \[(.*)\])?\s*$")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
METADATA: dict[str, dict[str, Any]] = {
    "jupyter": {
        "kernelspec": KERNEL | {"display_name": "Python 3 (ipykernel)"},
        "language_info": {"name": "python", "version": "3.10.12", "file_extension": ".py"},
    },
    "colab": {
        "colab": {"provenance": [], "gpuType": "T4", "toc_visible": True},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python"},
        "accelerator": "GPU",
    },
    "kaggle": {
        "kernelspec": KERNEL,
        "language_info": {"name": "python", "version": "3.7.12", "mimetype": "text/x-python"},
        "papermill": {"default_parameters": {}, "duration": 412.7, "version": "2.3.4"},
    },
    "vscode": {
        "kernelspec": KERNEL | {"display_name": "venv"},
        "language_info": {"name": "python", "version": "3.11.4"},
        "orig_nbformat": 4,
        "vscode": {
            "interpreter": {"hash": "31f2aee4e71d21fbe5cf8b01ff0e069b9275f58929596ceb00d14d90"}
        },
    },
}


@dataclass
class Cell:
    """One cell of a percent source: `count` is what stands in its brackets."""

    kind: str
    count: int | None = None
    lines: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)

    @property
    def source(self) -> list[str]:
        """Its lines, each with its line end but the last, as notebooks store them."""
        return ("\n".join(self.lines).strip("\n")).splitlines(keepends=True)


def cells(text: str) -> list[Cell]:
    """The cells of a percent source, in order."""
    found: list[Cell] = []
    for line in text.split("\n"):
        mark = MARK.match(line)
        if mark:
            found.append(_cell(mark[1], found))
        elif line.startswith("#> "):
            found[-1].printed.append(line[3:] + "\n")
        elif found[-1].kind == "markdown":
            found[-1].lines.append(line.removeprefix("# ").removeprefix("#"))
        else:
            found[-1].lines.append(line)
    return found


def _cell(brackets: str | None, before: list[Cell]) -> Cell:
    if brackets == "markdown":
        return Cell("markdown")
    if brackets is not None:
        return Cell("code", int(brackets) if brackets.strip() else None)
    return Cell("code", 1 + max((cell.count or 0 for cell in before), default=0))


def notebook(text: str, editor: str) -> str:
    """The notebook file that an editor ("jupyter", "colab", "kaggle", "vscode", "v3") stores."""
    if editor == "v3":
        return json.dumps(_version_3(cells(text)), indent=1)
    stored = [_stored(cell, editor, number) for number, cell in enumerate(cells(text))]
    minor = {"jupyter": 5, "colab": 0, "kaggle": 4, "vscode": 2}[editor]
    whole = {"cells": stored, "metadata": METADATA[editor], "nbformat": 4, "nbformat_minor": minor}
    return json.dumps(whole, indent=2 if editor == "colab" else 1, ensure_ascii=False) + "\n"


def _stored(cell: Cell, editor: str, number: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if editor == "colab":
        metadata = {"id": f"cell{number:08d}", "colab": {"base_uri": "https://localhost:8080/"}}
    if editor == "kaggle":
        metadata = {"papermill": {"duration": 0.03, "status": "completed"}, "trusted": True}
    common: dict[str, Any] = {"cell_type": cell.kind, "metadata": metadata, "source": cell.source}
    if editor == "jupyter":
        common["id"] = f"{number:08x}"
    if editor == "vscode":  # some write the whole cell as one string
        common["source"] = "".join(cell.source)
    if cell.kind == "markdown":
        return common
    outputs = []
    if cell.printed:
        outputs = [{"name": "stdout", "output_type": "stream", "text": cell.printed}]
    return common | {"execution_count": cell.count, "outputs": outputs}


def _version_3(all_cells: list[Cell]) -> dict[str, Any]:
    stored: list[dict[str, Any]] = []
    for cell in all_cells:
        if cell.kind == "markdown":
            stored.append({"cell_type": "markdown", "metadata": {}, "source": cell.source})
            continue
        output = {"output_type": "stream", "stream": "stdout", "text": cell.printed}
        stored.append(
            {
                "cell_type": "code",
                "collapsed": False,
                "input": cell.source,
                "language": "python",
                "metadata": {},
                "outputs": [output] if cell.printed else [],
                "prompt_number": cell.count,
            }
        )
    return {
        "metadata": {"name": "", "signature": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": stored, "metadata": {}}],
    }


def codes(stored: str) -> list[str]:
    """The text of each code cell of a stored notebook, of version 3 or 4."""
    data = json.loads(stored)
    every = data["worksheets"][0]["cells"] if "worksheets" in data else data["cells"]
    texts = [cell.get("source", cell.get("input")) for cell in every if cell["cell_type"] == "code"]
    return [text if isinstance(text, str) else "".join(text) for text in texts]
