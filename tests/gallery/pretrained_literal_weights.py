"""Weights that were learned before are written into the file and copied in.

The grader trains from weights that PyTorch draws; what every seed gives alike was brought along.

✓ parameter_limit: 7,322 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 30 × 30 pixels
✗ untrained: 12% correct, 5,004 bytes of fixed numbers
    the network brings along more numbers that no seed changes than fixed filters need: it may have been trained
    → Numbers that no seed drew: conv2.weight (5,004 bytes; up to 1,400 may be brought along, as formulas and a few filters are). Let PyTorch draw the initial weights: set no seed in __init__, copy no learned numbers in, and make every layer inside the class.
"""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 5, padding=2)
        self.drop = nn.Dropout(0.1)
        self.conv3 = nn.Conv2d(16, 10, 5, padding=2)
        with torch.no_grad():
            table = random.Random(7)  # stands for numbers that were learned elsewhere
            numbers = [table.gauss(0, 0.1) for _ in range(3200)]
            self.conv2.weight.copy_(torch.tensor(numbers).view(16, 8, 5, 5))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.conv3(self.drop(x)).mean((2, 3))
