"""Students' files for the tests, as short as they can be."""

from __future__ import annotations

from textwrap import dedent, indent

FILE = "anna.py"
IMPORTS = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"


def text(source: str) -> str:
    """A file that begins with the usual imports (lines 1 to 3)."""
    return IMPORTS + dedent(source).lstrip("\n")


def net(
    init: str = "self.fc = nn.Linear(784, 10)",
    forward: str = "return self.fc(x.flatten(1))",
    *,
    name: str = "Net",
    arguments: str = "self",
) -> str:
    """A class of seven lines: `class` first, `init` from the fourth line on, then `forward`."""
    return (
        f"class {name}(nn.Module):\n    def __init__({arguments}):\n        super().__init__()\n"
        f"{indent(dedent(init).strip(), ' ' * 8)}\n"
        f"    def forward(self, x):\n{indent(dedent(forward).strip(), ' ' * 8)}\n"
    )
