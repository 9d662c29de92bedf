"""Step 3 of 3, final: two poolings, a little dropout, augmentation, a one-cycle schedule; 6,188 parameters.

Target: consistently at least 99.4 % in the last epochs.
Result: 99.54 % in the best epoch and above 99.4 % in epochs 11 to 15, 6,188 parameters.
Analysis: Two poolings widen the receptive field to 24 pixels; a rate that ends near zero calms the last epochs.
"""

import torch
from torch import nn
from torchvision import transforms

EPOCHS = 15
BATCH_SIZE = 128

train_transform = transforms.Compose(
    [
        transforms.RandomRotation(5),
        transforms.RandomAffine(degrees=0, translate=(0.05, 0.05), scale=(0.98, 1.02)),
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    ]
)

criterion = nn.CrossEntropyLoss()


def configure_optimizers(model, steps_per_epoch, epochs):
    """Adam under a one-cycle schedule, stepped after every batch."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=5e-5)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=0.003,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        pct_start=0.2,
        div_factor=25,
        final_div_factor=1000,
    )
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def block(channels_in, channels_out):
    """3x3 convolution without bias that keeps the size, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


class Final(nn.Module):
    """Channels x rows x columns, then the receptive field in pixels."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            block(1, 8),  # 8 x 28 x 28, 3
            block(8, 10),  # 10 x 28 x 28, 5
            nn.MaxPool2d(2),  # 10 x 14 x 14, 6
            nn.Dropout(0.008),
            block(10, 12),  # 12 x 14 x 14, 10
            block(12, 16),  # 16 x 14 x 14, 14
            nn.MaxPool2d(2),  # 16 x 7 x 7, 16
            nn.Dropout(0.008),
            block(16, 16),  # 16 x 7 x 7, 24
        )
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.008)
        self.classifier = nn.Linear(16, 10, bias=False)

    def forward(self, images):
        """Logits (N, 10) of images (N, 1, 28, 28)."""
        features = self.gap(self.features(images)).flatten(1)
        return self.classifier(self.dropout(features))
