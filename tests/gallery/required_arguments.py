"""The class needs arguments, and nothing in the file says which.

✗ submission: line 9: Net needs the argument width to be built. The grader builds your network by calling Net(): give every argument a default, or add a function build_model() that returns the network.
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3)
        self.fc = nn.Linear(width, 10)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))
