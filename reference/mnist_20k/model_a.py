"""Model A: five 3x3 convolutions without padding, 26,202 trainable parameters. Too many, and kept so on purpose.

Written in Keras by its author; where Keras and PyTorch differ, the comments say what was done about it.
"""

import math

import torch
from torch import nn
from torchvision import transforms

EPOCHS = 20
BATCH_SIZE = 128
train_transform = transforms.Compose([transforms.ToTensor()])  # pixels from 0 to 1, neither normalised nor augmented
criterion = nn.CrossEntropyLoss()


def configure_optimizers(model, steps_per_epoch, epochs):
    """Adam, and half the learning rate whenever the loss has not improved for two epochs."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)  # 1e-7 is Keras's default
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        factor=0.5,
        patience=1,  # Keras's patience of 2 acts at the second bad epoch; PyTorch's acts after it
        threshold=1e-4,
        threshold_mode="abs",  # Keras compares differences, PyTorch ratios unless told
        min_lr=1e-5,
    )
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": scheduler, "interval": "epoch", "monitor": "val_loss"},
    }


def block(channels_in, channels_out, dropout=0.0):
    """Convolution, ReLU, batch norm (after the ReLU, as the author has it), and dropout where asked for."""
    layers = [
        nn.Conv2d(channels_in, channels_out, 3),
        nn.ReLU(),
        nn.BatchNorm2d(channels_out, momentum=0.01, eps=1e-3),  # Keras's 0.99 counts from the other end
    ]
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


def he_normal(module):
    """Keras's he_normal: a normal distribution cut off at two standard deviations; biases start at zero."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        fan_in = module.weight[0].numel()
        deviation = math.sqrt(2 / fan_in) / 0.8796  # the cut takes away some of the spread
        nn.init.trunc_normal_(module.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
        nn.init.zeros_(module.bias)


class ModelA(nn.Module):
    """Channels x rows x columns, then the receptive field in pixels."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            block(1, 16, dropout=0.05),  # 16 x 26 x 26, 3
            block(16, 16),  # 16 x 24 x 24, 5
            nn.MaxPool2d(2),  # 16 x 12 x 12, 6
            block(16, 32, dropout=0.1),  # 32 x 10 x 10, 10
            block(32, 32),  # 32 x 8 x 8, 14
            nn.MaxPool2d(2),  # 32 x 4 x 4, 16
            block(32, 32, dropout=0.1),  # 32 x 2 x 2, 24
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(32, 10)
        self.apply(he_normal)

    def forward(self, images):
        """Logits (N, 10) of images (N, 1, 28, 28)."""
        return self.classifier(self.pool(self.features(images)).flatten(1))
