"""Two networks in one file, both fit, and nothing says which one to grade.

✗ submission: line 9: The file holds 2 networks that fit: First, Second. Say which one to grade with a line such as MODEL = Second.
"""

import torch.nn as nn


class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        return self.fc(x.flatten(1))


class Second(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 28)

    def forward(self, x):
        return self.conv(x).flatten(1)
