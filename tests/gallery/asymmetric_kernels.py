"""A 5×5 convolution taken apart into 5×1 and 1×5; rows and columns are counted apart.

✓ parameter_limit: 4,450 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, (5, 1), padding=(2, 0)), nn.Conv2d(8, 8, (1, 5), padding=(0, 2)),
            nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, (5, 1), padding="same"), nn.Conv2d(16, 16, (1, 5), padding="same"),
            nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.05),
            nn.Conv2d(16, 16, (5, 1), padding="same"), nn.Conv2d(16, 10, (1, 5), padding="same"),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.body(x)
