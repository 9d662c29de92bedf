"""The images' mean and standard deviation are buffers, and forward() normalises: two numbers more.

✓ parameter_limit: 7,452 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
⚑ 7,450 of the 7,452 parameters are trainable
"""

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor(0.1307))
        self.register_buffer("std", torch.tensor(0.3081))
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.05),
            nn.Conv2d(16, 10, 5, padding=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.body((x - self.mean) / self.std)
