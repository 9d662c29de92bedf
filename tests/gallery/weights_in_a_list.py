"""Layers in a plain Python list: PyTorch does not find them, so no optimizer trains them.

They run, they count, and they stay as they were drawn.

✗ parameter_limit: 10,026 parameters
    9,840 weights are hidden from PyTorch, so training does not change them
    → line 26: 9,840 numbers are in tensors that PyTorch does not know of, first read here. They count, but no optimizer finds them: keep layers in nn.ModuleList, weights in nn.Parameter or nn.ParameterList, not in a Python list.
✓ gap_or_fc: GAP → FC
✓ receptive_field: 32 × 32 pixels
⚑ 186 of the 10,026 parameters are trainable
"""

import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(8)
        self.convs = [nn.Conv2d(1, 8, 5, padding=2), nn.Conv2d(8, 16, 5, padding=2), nn.Conv2d(16, 16, 5, padding=2)]
        self.drop = nn.Dropout(0.05)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.convs[0](x))), 2)
        x = F.max_pool2d(F.relu(self.convs[1](x)), 2)
        x = self.drop(F.relu(self.convs[2](x)))
        return self.fc(x.mean((2, 3)))
