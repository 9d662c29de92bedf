"""Weights are clamped under no_grad() in forward(): they learn all the same.

✓ parameter_limit: 898 parameters
✓ gap_or_fc: GAP → FC
✗ receptive_field: 7 × 7 pixels
    7 pixels; 28 are needed to see the whole digit. Another 3×3 convolution after a pooling adds the most; the layer table shows how the receptive field grows
    → line 27: The last feature map, before the head, is made here.
"""

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 8, 5, padding=2)
        self.bn = nn.BatchNorm2d(8)
        self.d = nn.Dropout(0.05)
        self.c4 = nn.Conv2d(8, 8, 3)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = self.bn(self.c(x)).relu()
        with torch.no_grad():
            self.c4.weight.clamp_(-0.05, 0.05)
        return self.fc(self.d(self.c4(x)).relu().mean((2, 3)))
