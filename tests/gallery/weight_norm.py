"""torch's weight normalisation: weights are computed in every forward pass from two others.

✗ submission: line 20: The forward pass uses aten._weight_norm.default, which the grader does not know. Every operator that trains a network here is on a list; write this step with ordinary layers and tensor functions.
"""

import torch.nn as nn
from torch.nn.utils.parametrizations import weight_norm


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            weight_norm(nn.Conv2d(1, 8, 5, padding=2)), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.05),
            nn.Conv2d(16, 10, 5, padding=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.body(x)
