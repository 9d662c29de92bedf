"""BatchNorm normalises a branch that is computed and then left out of the sum.

✓ parameter_limit: 7,610 parameters
✗ batch_norm: 0 layers
    no BatchNorm layer has an effect on the output
    → line 21: norm (BatchNorm2d) has no effect: forward() calls it in line 27, but what comes of the result never reaches the output.
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
"""

import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, padding=2)
        self.conv2 = nn.Conv2d(8, 16, 5, padding=2)
        self.shortcut = nn.Conv2d(8, 16, 1)
        self.norm = nn.BatchNorm2d(16)
        self.drop = nn.Dropout(0.1)
        self.conv3 = nn.Conv2d(16, 10, 5, padding=2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        shortcut = F.relu(self.norm(self.shortcut(x)))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        return self.conv3(self.drop(x)).mean((2, 3))
