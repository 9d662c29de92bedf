"""view(-1, 10) on a map that is not 1×1 yet: positions become images.

Nine positions per image give nine rows per image. The shapes fit, the labels do not.

✗ submission: line 18: forward() returns a tensor of shape (18, 10) for 2 images, where (2, 10) is needed: view(-1, 10) has turned image positions into images. Pool the map to 1×1 first, and flatten with x.flatten(1).
"""

import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, stride=2)
        self.conv2 = nn.Conv2d(8, 10, 5, stride=3)

    def forward(self, x):
        x = self.conv2(F.relu(self.conv1(x)))
        x = x.view(-1, 10)
        return F.log_softmax(x, dim=1)
