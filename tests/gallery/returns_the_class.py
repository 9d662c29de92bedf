"""forward() returns the class instead of its scores: nothing could be trained.

✗ submission: line 14: forward() returns a tensor of shape (2,) for 2 images, where (2, 10) is needed: one number per image. Return the scores of all classes, without argmax() or max().
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 5)

    def forward(self, x):
        return self.conv(x).mean((2, 3)).argmax(dim=1)
