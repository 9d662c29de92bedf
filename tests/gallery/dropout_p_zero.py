"""Dropout that drops nothing: p = 0 satisfies a checklist and changes no number.

✓ parameter_limit: 7,450 parameters
✗ dropout: 0 layers
    no Dropout layer with p > 0 has an effect on the output
    → line 20: body.7 (Dropout) has no effect: its p is 0.
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Dropout(p=0),
            nn.Conv2d(16, 10, 5, padding=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.body(x)
