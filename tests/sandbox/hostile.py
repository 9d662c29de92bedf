"""Submissions that misbehave while their network is built, for the tests of every level."""

from __future__ import annotations

import textwrap

NETWORK = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
{body}
        self.conv = nn.Conv2d(1, 4, 3)
        self.head = nn.Linear(4, 10)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))
"""


def network(body: str = "") -> str:
    """A small honest network whose constructor also runs `body`."""
    return NETWORK.format(body=textwrap.indent(textwrap.dedent(body).strip(), " " * 8))


def request(source: str, **changes: object) -> dict[str, object]:
    """What grader.intake asks a child for."""
    return {
        "source": source,
        "filename": "net.py",
        "input_shape": [1, 28, 28],
        "classes": 10,
        "seeds": [0],
        "train_images": 1000,
        "most_steps": 1000,
        "default_recipe": {
            "epochs": 1,
            "batch_size": 100,
            "optimizer": {"name": "SGD", "settings": {"lr": 0.05}},
            "scheduler": None,
            "train_transform": [],
            "criterion": "auto",
        },
    } | changes
