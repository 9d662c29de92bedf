"""A residual branch is switched off at random in training: stochastic depth by hand.

Python decides once, when the network is recorded, so the branch would be in it for good or never. Dropout can be told
to drop a whole branch of an image; an `if` cannot.

✓ parameter_limit: 5,762 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 40 × 40 pixels
✗ same_network: another one
    forward() depends on the mode: training runs max_pool2d where evaluation runs conv2d (conv)
    → line 33: Only Dropout and BatchNorm may depend on self.training; do everything else in both modes.
"""

import random

import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 5, padding=2)
        self.norm = nn.BatchNorm2d(8)
        self.conv = nn.Conv2d(8, 8, 5, padding=2)
        self.drop = nn.Dropout(0.05)
        self.last = nn.Conv2d(8, 10, 7, padding=3)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 2)
        if not self.training or random.random() < 0.001:
            x = x + F.relu(self.conv(x))
        x = self.drop(F.max_pool2d(x, 2))
        return self.last(x).mean((2, 3))
