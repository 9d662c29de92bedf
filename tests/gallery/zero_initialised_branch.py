"""A residual branch whose last BatchNorm starts at zero, with a gate: honest.

✓ parameter_limit: 1,483 parameters
✓ gap_or_fc: GAP → FC
✗ receptive_field: 9 × 9 pixels
    9 pixels; 28 are needed to see the whole digit. Another 3×3 convolution after a pooling adds the most; the layer table shows how the receptive field grows
    → line 31: The last feature map, before the head, is made here.
"""

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 8, 5, padding=2)
        self.a = nn.Conv2d(8, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        nn.init.zeros_(self.bn.weight)
        self.gate = nn.Parameter(torch.zeros(1))
        self.b = nn.Conv2d(8, 8, 3, padding=1)
        self.d = nn.Dropout(0.05)
        self.fc = nn.Linear(8, 10)
        nn.init.zeros_(self.fc.weight)

    def forward(self, x):
        x = self.c(x)
        x = x + self.bn(self.a(x))
        x = x + self.gate * self.d(self.b(x))
        return self.fc(x.relu().mean((2, 3)))
