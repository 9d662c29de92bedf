"""A number of epochs that would never end: a slip, or a joke.

✗ submission: line 8: EPOCHS is 1000000000; it must be a whole number from 1 to 20.
"""

import torch.nn as nn

EPOCHS = 10**9


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 5)

    def forward(self, x):
        return self.conv(x).mean((2, 3))
