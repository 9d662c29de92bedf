"""A small network of our own, captured once so that every later capture finds torch awake.

It uses what most submissions use; being ours, it may run in the zygote itself.
"""

from __future__ import annotations

from grader.program.request import Request

SOURCE = """
import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.1),
        )
        self.conv = nn.Conv2d(8, 8, 3, groups=8)
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        x = self.features(x)
        x = x + F.relu(F.pad(self.conv(x), (1, 1, 1, 1)))
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return F.log_softmax(self.head(x), dim=1)
"""

REQUEST = Request(
    source=SOURCE,
    filename="warm.py",
    input_shape=(1, 28, 28),
    classes=10,
    seeds=(0, 1),
    train_images=1000,
    most_steps=1000,
    default_recipe={
        "epochs": 1,
        "batch_size": 100,
        "optimizer": {"name": "SGD", "settings": {"lr": 0.05, "momentum": 0.9}},
        "scheduler": {"name": "OneCycleLR", "settings": {"max_lr": 0.05}, "interval": "step"},
        "train_transform": [{"name": "RandomRotation", "settings": {"degrees": 7}}],
        "criterion": "auto",
    },
)
"""As `grader.intake` asks."""
