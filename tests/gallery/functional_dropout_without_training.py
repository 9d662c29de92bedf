"""F.dropout without training=: its default is True, so it drops in evaluation too.

Every prediction then depends on chance, and the measured accuracy is too low.

✓ parameter_limit: 7,450 parameters
✗ dropout: 1 layer
    dropout is still active in evaluation, so predictions are random
    → line 32: This dropout still acts in evaluation, so predictions are random: write F.dropout(x, p, training=self.training), or use nn.Dropout.
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
✗ independent_samples: differs each time
    the same images get other scores when they are asked again
    → Something random or changing runs in eval mode, such as F.dropout without training=.
    → line 32: This dropout still acts in evaluation.
"""

import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, padding=2)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 5, padding=2)
        self.conv3 = nn.Conv2d(16, 10, 5, padding=2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.dropout(x, 0.1)
        return self.conv3(x).mean((2, 3))
