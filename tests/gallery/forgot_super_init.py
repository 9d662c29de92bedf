"""super().__init__() is missing: nn.Module cannot hold layers without it.

✗ submission: line 11: nn.Module cannot hold layers before it is set up: begin __init__ with super().__init__().
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        self.conv = nn.Conv2d(1, 10, 5)

    def forward(self, x):
        return self.conv(x).mean((2, 3))
