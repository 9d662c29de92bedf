"""Dropout is made in __init__ and never called in forward().

isinstance() finds it, and so do most summaries. A layer counts when the output depends on it.

✓ parameter_limit: 7,450 parameters
✗ dropout: 0 layers
    no Dropout layer with p > 0 has an effect on the output
    → line 23: drop (Dropout) has no effect: forward() never calls it.
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
"""

import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, padding=2)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 5, padding=2)
        self.drop = nn.Dropout(0.25)
        self.conv3 = nn.Conv2d(16, 10, 5, padding=2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.conv3(x).mean((2, 3))
