"""Dropout is called, and forward() goes on with the tensor from before.

`self.drop(x)` returns a new tensor: without `x =` in front nothing happens.

✓ parameter_limit: 7,450 parameters
✗ dropout: 0 layers
    no Dropout layer with p > 0 has an effect on the output
    → line 23: drop (Dropout) has no effect: forward() calls it in line 29 and throws the result away.
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
        self.drop(x)
        return self.conv3(x).mean((2, 3))
