"""A bracket is never closed.

✗ submission: line 12: The file is not valid Python: '(' was never closed. Run `python syntax_error.py` to see the place, and fix it first.
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 5

    def forward(self, x):
        return self.conv(x).mean((2, 3))
