"""An operator that the grader does not know: it is named, with its line.

✗ submission: line 16: The forward pass uses aten.fft_rfft2.default, which the grader does not know. All that trains a network here is on a list. Write this step with ordinary layers and tensor functions.
"""

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(28 * 15, 10)

    def forward(self, x):
        x = torch.fft.rfft2(x).abs()
        return self.fc(x.flatten(1))
