"""F.batch_norm over images that lie side by side as channels: instance normalisation.

✓ parameter_limit: 586 parameters
✗ batch_norm: 0 layers
    no BatchNorm layer has an effect on the output
    → line 28: This batch_norm has no effect: the images lie in dimension 1, where it expects the channels, so it normalises each image by itself and shares nothing between images (instance normalisation).
✓ gap_or_fc: GAP → FC
✗ receptive_field: 5 × 5 pixels
    5 pixels; 28 are needed to see the whole digit. Another 3×3 convolution after a pooling adds the most; the layer table shows how the receptive field grows
    → line 22: The last feature map, before the head, is made here.
· receptive field: a normalisation over positions adds a view of the whole image; not counted
"""

import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 16, 5, padding=2)
        self.d = nn.Dropout(0.05)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.c(x)
        n = x.size(0)
        x = F.batch_norm(x.reshape(1, n * 16, 28, 28), None, None, training=True).view(
            n, 16, 28, 28
        )
        return self.fc(self.d(x.relu()).mean((2, 3)))
