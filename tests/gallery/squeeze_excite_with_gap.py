"""Squeeze-and-excitation inside, global average pooling at the end: the head is the last one.

A gate lets every position know of the whole image, but not see it: the window is that of the convolutions, and the
report says that there is a gate.

✓ parameter_limit: 7,598 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
· receptive field: a gate (such as squeeze-and-excitation) adds a view of the whole image; not counted
"""

import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, padding=2)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 5, padding=2)
        self.squeeze = nn.Conv2d(16, 4, 1)
        self.excite = nn.Conv2d(4, 16, 1)
        self.drop = nn.Dropout(0.1)
        self.conv3 = nn.Conv2d(16, 10, 5, padding=2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.relu(self.conv2(x))
        gate = self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True))))
        x = F.max_pool2d(x * gate.sigmoid(), 2)
        return self.conv3(self.drop(x)).mean((2, 3))
