"""torch's spectral normalisation changes its buffers in every forward pass.

✗ submission: line 20: body.0.parametrizations.weight.0 (SpectralNorm) uses aten.div.out, which the grader does not know. All that trains a network here is on a list. Use nn.BatchNorm2d or weight_norm: this writes into a tensor of its own in every forward pass.
"""

import torch.nn as nn
from torch.nn.utils.parametrizations import spectral_norm


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            spectral_norm(nn.Conv2d(1, 8, 5, padding=2)), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.05),
            nn.Conv2d(16, 10, 5, padding=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.body(x)
