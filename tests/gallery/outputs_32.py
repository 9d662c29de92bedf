"""The last layer has as many outputs as channels came to hand: 32 instead of 10.

With labels from 0 to 9 it even trains; the 22 other scores are only never right.

✗ submission: line 19: forward() returns a tensor of shape (2, 32) for 2 images, where (2, 10) is needed: 32 scores for 10 classes. Give the last layer 10 outputs.
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 32, 5, padding=2), nn.Dropout(0.05), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.body(x)
