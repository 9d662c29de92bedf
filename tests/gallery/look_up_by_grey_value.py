"""A table of numbers that is looked up by grey value, before the first convolution.

✓ parameter_limit: 324 parameters
✓ gap_or_fc: GAP → FC
✗ receptive_field: 5 × 5 pixels
    5 pixels; 28 are needed to see the whole digit. Another 3×3 convolution after a pooling adds the most; the layer table shows how the receptive field grows
    → line 20: The last feature map, before the head, is made here.
"""

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(10))
        self.c = nn.Conv2d(1, 8, 5, padding=2)
        self.bn = nn.BatchNorm2d(8)
        self.d = nn.Dropout(0.05)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = self.table[(x * 9).long()]
        return self.fc(self.d(self.bn(self.c(x)).relu()).mean((2, 3)))


from torchvision import transforms

train_transform = transforms.ToTensor()
