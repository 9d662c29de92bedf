"""A schedule of one's own is planned for every batch and stepped once an epoch: the learning rate hardly moves.

What a LambdaLR is planned for cannot be read from it, so the grader steps it as the file says, and remarks on it.

✓ parameter_limit: 7,450 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
· LambdaLR hardly moves the learning rate: if it is planned for steps, "interval": "step" takes one after every batch
"""

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.05),
            nn.Conv2d(16, 10, 5, padding=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.body(x)


def configure_optimizers(model, steps_per_epoch, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    steps = steps_per_epoch * epochs
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    return optimizer, scheduler
