"""super().__init__() is missing: nn.Module cannot hold layers without it.

✗ submission: line 11: AttributeError: cannot assign module before Module.__init__() call
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        self.conv = nn.Conv2d(1, 10, 5)

    def forward(self, x):
        return self.conv(x).mean((2, 3))
