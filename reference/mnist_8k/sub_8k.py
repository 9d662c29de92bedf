"""The sub-8K network as its code has it: 6,260 parameters, padding 1, biases on, no dropout.

Its receptive field, layer by layer: 3, 5, 6, 10, 12, 20, 28, 28. That covers the image exactly.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision import transforms

EPOCHS = 15
BATCH_SIZE = 128

train_transform = transforms.Compose(
    [
        transforms.Pad(2),
        transforms.RandomCrop(28),
        transforms.RandomAffine(7, translate=(0.1, 0.1)),
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    ]
)

criterion = nn.NLLLoss()


def configure_optimizers(model, steps_per_epoch, epochs):
    """SGD under a one-cycle schedule, stepped after every batch.

    The momentum of 0.98 never takes effect: OneCycleLR moves momentum too, here from 0.95 to 0.85 and back.
    """
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.98, weight_decay=5e-5)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=0.05,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        pct_start=0.05,
        div_factor=10,
        final_div_factor=100,
    )
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


class Net(nn.Module):
    """Channels x rows x columns, then the receptive field in pixels."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)  # 8 x 28 x 28, 3
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 10, 3, padding=1)  # 10 x 28 x 28, 5
        self.norm2 = nn.BatchNorm2d(10)
        self.pool1 = nn.MaxPool2d(2)  # 10 x 14 x 14, 6
        self.conv3 = nn.Conv2d(10, 12, 3, padding=1)  # 12 x 14 x 14, 10
        self.norm3 = nn.BatchNorm2d(12)
        self.pool2 = nn.MaxPool2d(2)  # 12 x 7 x 7, 12
        self.conv4 = nn.Conv2d(12, 16, 3, padding=1)  # 16 x 7 x 7, 20
        self.norm4 = nn.BatchNorm2d(16)
        self.conv5 = nn.Conv2d(16, 16, 3, padding=1)  # 16 x 7 x 7, 28
        self.norm5 = nn.BatchNorm2d(16)
        self.conv6 = nn.Conv2d(16, 10, 1)  # 10 x 7 x 7, 28
        self.gap = nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        """Log-probabilities (N, 10) of images (N, 1, 28, 28)."""
        x = F.relu(self.norm1(self.conv1(x)))
        x = self.pool1(F.relu(self.norm2(self.conv2(x))))
        x = self.pool2(F.relu(self.norm3(self.conv3(x))))
        x = F.relu(self.norm4(self.conv4(x)))
        x = F.relu(self.norm5(self.conv5(x)))
        x = self.gap(self.conv6(x))
        return F.log_softmax(x.view(-1, 10), dim=1)
