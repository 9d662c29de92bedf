"""Noise is added in training only: a regulariser of the student's own.

The rule is that both modes run the same network but for Dropout and BatchNorm; noise belongs into train_transform.

✓ parameter_limit: 7,450 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
✗ same_network: another one
    forward() depends on the mode: training runs randn_like where evaluation runs conv2d (conv2)
    → line 30: Only Dropout and BatchNorm may depend on self.training; do everything else in both modes.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, padding=2)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 5, padding=2)
        self.drop = nn.Dropout(0.1)
        self.conv3 = nn.Conv2d(16, 10, 5, padding=2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        if self.training:
            x = x + 0.1 * torch.randn_like(x)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.conv3(self.drop(x)).mean((2, 3))
