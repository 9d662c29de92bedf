"""The constructor moves the network to the GPU, whether there is one or not.

✓ parameter_limit: 260 parameters
✗ batch_norm: 0 layers
    no BatchNorm layer has an effect on the output: put nn.BatchNorm2d(channels) between a convolution and its ReLU
✗ dropout: 0 layers
    no Dropout layer with p > 0 has an effect on the output: put a small one, such as nn.Dropout(0.05), between two layers
✓ gap_or_fc: GAP
✗ receptive_field: 5 × 5 pixels
    5 pixels; 28 are needed to see the whole digit. Another 3×3 convolution after a pooling adds the most; the layer table shows how the receptive field grows
    → line 21: The last feature map, before the head, is made here.
· .cuda() (line 21) is left out: the grader moves the network and the images to the device that it trains on
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 5).cuda()

    def forward(self, x):
        return self.conv(x).mean((2, 3))
