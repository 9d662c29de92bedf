"""forward() looks at the values of the images to decide what to do.

✗ submission: line 16: The forward pass decides by the values of a tensor (an `if`, `while`, `.item()` or int() on it). The grader needs one network that is the same for every image: use torch.where, or decide by shapes.
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 5)

    def forward(self, x):
        x = self.conv(x)
        if x.mean() > 0:
            x = -x
        return x.mean((2, 3))
