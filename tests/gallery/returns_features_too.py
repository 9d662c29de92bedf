"""forward() returns the features beside the scores.

✗ submission: line 15: forward() returns a tuple, not one tensor. Return the scores of the classes alone.
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 5)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        features = self.conv(x).mean((2, 3))
        return self.fc(features), features
