"""BatchNorm and dropout in a branch whose gate is zero and has no gradient.

✓ parameter_limit: 315 parameters
✗ batch_norm: 0 layers
    no BatchNorm layer has an effect on the output
    → line 24: bn (BatchNorm2d) has no effect: forward() calls it in line 31, but whatever it hands on, no score changes.
✗ dropout: 0 layers
    no Dropout layer with p > 0 has an effect on the output
    → line 25: d (Dropout) has no effect: forward() calls it in line 31, but whatever it hands on, no score changes.
✓ gap_or_fc: GAP → FC
✗ receptive_field: 5 × 5 pixels
    5 pixels; 28 are needed to see the whole digit. Another 3×3 convolution after a pooling adds the most; the layer table shows how the receptive field grows
    → line 32: The last feature map, before the head, is made here.
"""

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 8, 5, padding=2)
        self.bn = nn.BatchNorm2d(8)
        self.d = nn.Dropout(0.05)
        self.gate = nn.Parameter(torch.zeros(1))
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = self.c(x)
        x = x + self.gate**2 * self.d(self.bn(x))
        return self.fc(x.relu().mean((2, 3)))
