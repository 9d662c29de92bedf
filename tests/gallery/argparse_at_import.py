"""Arguments are parsed at the top level, and the network's width is one of them.

parse_args() would read the grader's own command line. Settings that the network needs belong into the file.

✓ parameter_limit: 170 parameters
✗ batch_norm: 0 layers
    no BatchNorm layer has an effect on the output
✗ dropout: 0 layers
    no Dropout layer with p > 0 has an effect on the output
✓ gap_or_fc: GAP → FC
✗ receptive_field: 3 × 3 pixels
    3 pixels; 28 are needed to see the whole digit. Another 3×3 convolution after a pooling adds the most; the layer table shows how the receptive field grows
    → line 32: The last feature map, before the head, is made here.
"""

import argparse

import torch.nn as nn

parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int, default=8)
args = parser.parse_args()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, args.width, 3)
        self.fc = nn.Linear(args.width, 10)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))
