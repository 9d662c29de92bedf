"""The global pooling of a squeeze-and-excitation block is a gate inside the network, not its head.

✓ parameter_limit: 12,508 parameters
✓ gap_or_fc: FC
✓ receptive_field: 32 × 32 pixels
✗ gap: FC
    the network ends in fully connected (full-kernel Conv2d): the last map is not averaged as a whole
    → line 23: This global pooling feeds a gate inside the network (squeeze-and-excitation), not the scores.
· receptive field: a gate (such as squeeze-and-excitation) adds a view of the whole image; not counted
"""

import torch.nn as nn
import torch.nn.functional as F


class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.down = nn.Linear(channels, 4)
        self.up = nn.Linear(4, channels)

    def forward(self, x):
        gate = F.adaptive_avg_pool2d(x, 1).flatten(1)
        gate = self.up(F.relu(self.down(gate))).sigmoid()
        return x * gate[:, :, None, None]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, padding=2)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 5, padding=2)
        self.gate = SqueezeExcite(16)
        self.drop = nn.Dropout(0.1)
        self.conv3 = nn.Conv2d(16, 10, 5, padding=2)
        self.conv4 = nn.Conv2d(10, 10, 7)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = self.gate(F.relu(self.conv2(x)))
        x = F.relu(self.conv3(self.drop(F.max_pool2d(x, 2))))
        return self.conv4(x).flatten(1)
