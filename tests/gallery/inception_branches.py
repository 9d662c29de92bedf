"""Branches with kernels of 1, 3 and 5 pixels, set side by side: the widest window counts.

✓ parameter_limit: 4,366 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 5, padding=2)
        self.norm = nn.BatchNorm2d(8)
        self.branch1 = nn.Conv2d(8, 4, 1)
        self.branch3 = nn.Conv2d(8, 4, 3, padding=1)
        self.branch5 = nn.Conv2d(8, 4, 5, padding=2)
        self.drop = nn.Dropout(0.05)
        self.last = nn.Conv2d(12, 10, 5, padding=2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 2)
        x = torch.cat([self.branch1(x), self.branch3(x), self.branch5(x)], dim=1)
        x = self.drop(F.max_pool2d(F.relu(x), 2))
        return self.last(x).mean((2, 3))
