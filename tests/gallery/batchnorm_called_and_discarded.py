"""BatchNorm is called like a setting: its result is thrown away.

✓ parameter_limit: 7,450 parameters
✗ batch_norm: 0 layers
    no BatchNorm layer has an effect on the output
    → line 19: norm1 (BatchNorm2d) has no effect: forward() calls it in line 26 and throws the result away.
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
        self.drop = nn.Dropout(0.1)
        self.conv3 = nn.Conv2d(16, 10, 5, padding=2)

    def forward(self, x):
        x = self.conv1(x)
        self.norm1(x)
        x = F.max_pool2d(F.relu(x), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.conv3(self.drop(x)).mean((2, 3))
