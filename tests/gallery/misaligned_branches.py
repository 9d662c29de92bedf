"""Unpadded and padded branches are cut to fit: they do not see the same centre.

The window covers both; the report says that the branches are shifted against each other.

✓ parameter_limit: 3,842 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
· receptive field: branches meet that do not see the same centre; the window covers both
"""

import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 5, padding=2)
        self.norm = nn.BatchNorm2d(8)
        self.conv = nn.Conv2d(8, 8, 5)
        self.drop = nn.Dropout(0.05)
        self.last = nn.Conv2d(8, 10, 5, padding=2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 2)
        x = F.relu(self.conv(x)) + x[:, :, :10, :10]
        x = self.drop(F.max_pool2d(x, 2))
        return self.last(x).mean((2, 3))
