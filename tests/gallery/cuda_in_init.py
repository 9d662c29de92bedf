"""The constructor moves the network to the GPU, whether there is one or not.

✗ submission: line 12: The network asks for a GPU, but the grader reads it where there is none. Leave out .cuda() and .to('cuda'), or write x.device: the grader moves the network to its device.
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 5).cuda()

    def forward(self, x):
        return self.conv(x).mean((2, 3))
