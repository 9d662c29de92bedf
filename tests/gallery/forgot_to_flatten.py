"""The network returns a map of 1×1 instead of a row of scores.

✗ submission: line 15: forward() returns a tensor of shape (2, 10, 1, 1) for 2 images, where (2, 10) is needed. Pool over the image and flatten with x.flatten(1) before you return.
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 5)
        self.gap = nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        return self.gap(self.conv(x))
