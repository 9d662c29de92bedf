"""BatchNorm times zero, dropout minus itself, a wide window times zero: none moves a score.

✓ parameter_limit: 618 parameters
✗ batch_norm: 0 layers
    no BatchNorm layer has an effect on the output
    → line 25: bn (BatchNorm2d) has no effect: forward() calls it in line 30, but whatever it hands on, no score changes.
✗ dropout: 0 layers
    no Dropout layer with p > 0 has an effect on the output
    → line 24: d (Dropout) has no effect: forward() calls it in line 31, but whatever it hands on, no score changes.
✓ gap_or_fc: GAP → FC
✗ receptive_field: 5 × 5 pixels
    5 pixels; 28 are needed to see the whole digit. Another 3×3 convolution after a pooling adds the most; the layer table shows how the receptive field grows
    → line 33: The last feature map, before the head, is made here.
"""

import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 16, 5, padding=2)
        self.d = nn.Dropout(0.05)
        self.bn = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.c(x)
        x = x + 0.0 * self.bn(x)
        y = self.d(x)
        x = x + (y - y) + 0.0 * F.avg_pool2d(x, 27, 1, 13)
        return self.fc(x.relu().mean((2, 3)))
