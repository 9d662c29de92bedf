"""Depthwise-separable convolutions with a squeeze-and-excitation gate: 17,682 trainable parameters.

A depthwise-separable convolution (Howard et al., 2017, arXiv:1704.04861) looks at each channel by itself with a 3x3
window and then mixes the channels with a 1x1 window: about an eighth of an ordinary 3x3 convolution's parameters.
The gate (Hu et al., 2018, arXiv:1709.01507) lets the whole image decide how loud each channel is.
"""

import torch
from torch import nn
from torchvision import transforms

EPOCHS = 20
BATCH_SIZE = 64
GRADIENT_CLIP_NORM = 1.0
STOP_AT_ACCURACY = 0.994

train_transform = transforms.Compose(
    [
        transforms.RandomRotation(7),
        transforms.RandomAffine(degrees=0, translate=(0.1, 0.1), scale=(0.95, 1.05)),
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    ]
)

criterion = nn.CrossEntropyLoss()


def configure_optimizers(model, steps_per_epoch, epochs):
    """SGD with Nesterov momentum under a one-cycle schedule, stepped after every batch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=0.1,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        pct_start=0.15,
        div_factor=10,
        final_div_factor=100,
    )
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


class SeparableConvolution(nn.Module):
    """A 3x3 window on each channel, a 1x1 window across them, one batch norm, ReLU."""

    def __init__(self, channels_in, channels_out, dilation=1):
        super().__init__()
        self.depthwise = nn.Conv2d(
            channels_in, channels_in, 3, padding=dilation, dilation=dilation, groups=channels_in, bias=False
        )
        self.pointwise = nn.Conv2d(channels_in, channels_out, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)
        self.relu = nn.ReLU()

    def forward(self, x):
        """Features (N, channels_out, rows, columns)."""
        return self.relu(self.norm(self.pointwise(self.depthwise(x))))


class SqueezeExcitation(nn.Module):
    """Scales each channel by a number between 0 and 1 that the mean of every channel decides."""

    def __init__(self, channels, ratio):
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, channels // ratio),
            nn.ReLU(),
            nn.Linear(channels // ratio, channels),
            nn.Sigmoid(),
        )

    def forward(self, x):
        """The same features, each channel scaled."""
        return x * self.gate(x)[:, :, None, None]


class DSConvSE(nn.Module):
    """Channels x rows x columns, then the receptive field in pixels."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False),  # 16 x 28 x 28, 3
            nn.BatchNorm2d(16),
            nn.ReLU(),
            SeparableConvolution(16, 32),  # 32 x 28 x 28, 5
            nn.MaxPool2d(2),  # 32 x 14 x 14, 6
            SeparableConvolution(32, 64),  # 64 x 14 x 14, 10
            SeparableConvolution(64, 64, dilation=2),  # 64 x 14 x 14, 18
            nn.MaxPool2d(2),  # 64 x 7 x 7, 20
            SeparableConvolution(64, 96, dilation=2),  # 96 x 7 x 7, 36
            SqueezeExcitation(96, ratio=12),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.03)
        self.classifier = nn.Linear(96, 10)

    def forward(self, images):
        """Logits (N, 10) of images (N, 1, 28, 28)."""
        features = self.pool(self.features(images)).flatten(1)
        return self.classifier(self.dropout(features))
