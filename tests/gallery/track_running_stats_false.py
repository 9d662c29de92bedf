"""BatchNorm with track_running_stats=False uses the test batch's own statistics.

An image's scores then depend on the other images that happen to be in its batch.

✓ parameter_limit: 7,450 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
✗ independent_samples: by its batch
    an image's scores change with the other images of its batch
    → Each image must be scored by itself. BatchNorm with track_running_stats=False, or in train mode inside forward(), uses the statistics of the test batch; so does a mean over dimension 0.
    → line 23: body.1 divides by the statistics of the batch in evaluation too: leave track_running_stats as it is, and its mode to model.eval().
· receptive field: a normalisation over positions adds a view of the whole image; not counted
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2),
            nn.BatchNorm2d(8, track_running_stats=False),
            nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.05),
            nn.Conv2d(16, 10, 5, padding=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.body(x)
