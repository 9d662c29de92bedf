"""1×1 convolutions with a stride look at every second pixel only: a part of the image is never seen.

✓ parameter_limit: 2,650 parameters
✓ gap_or_fc: GAP
✗ receptive_field: 9 × 9 pixels
    9 pixels; 28 are needed to see the whole digit. Another 3×3 convolution after a pooling adds the most; the layer table shows how the receptive field grows
    → line 19: The last feature map, before the head, is made here; together its units see 25% of the image.
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 1, stride=2), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Dropout(0.05),
            nn.Conv2d(16, 10, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.body(x)
