"""The constructor sets a seed of its own, so every training starts from the same weights.

✓ parameter_limit: 7,450 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
✗ untrained: 12% correct, 11,361 bytes of fixed numbers
    the network brings along more numbers that no seed changes than fixed filters need: it may have been trained
    → Numbers that no seed drew: body.8.weight, body.4.weight, body.0.weight, body.4.bias (11,361 bytes; up to 1,400 may be brought along, as formulas and a few filters are). Let PyTorch draw the initial weights: set no seed in __init__, copy no learned numbers in, and make every layer inside the class.
"""

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(42)
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.05),
            nn.Conv2d(16, 10, 5, padding=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.body(x)
