"""Noise is added to the features, in evaluation too.

✓ parameter_limit: 7,450 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
✗ independent_samples: differs each time
    the same images get other scores when they are asked again
    → Something random or changing runs in eval mode, such as F.dropout without training=.
    → line 28: randn_like draws other numbers in every call, in evaluation too.
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
        x = x + 0.1 * torch.randn_like(x)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.conv3(self.drop(x)).mean((2, 3))
