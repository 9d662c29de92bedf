"""Two blocks of two convolutions, then a small fully connected head: 19,578 trainable parameters."""

import torch
from torch import nn
from torchvision import transforms

EPOCHS = 19
BATCH_SIZE = 128

train_transform = transforms.Compose(
    [
        transforms.RandomRotation(7),
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    ]
)

criterion = nn.CrossEntropyLoss(label_smoothing=0.1)


def configure_optimizers(model, steps_per_epoch, epochs):
    """AdamW, with a tenth of the learning rate after every seventh epoch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)


def convolution(channels_in, channels_out, kernel):
    """Convolution that keeps the size, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


class DualBlock(nn.Module):
    """Channels x rows x columns, then the receptive field in pixels."""

    def __init__(self):
        super().__init__()
        self.block1 = nn.Sequential(
            convolution(1, 16, kernel=5),  # 16 x 28 x 28, 5
            convolution(16, 16, kernel=3),  # 16 x 28 x 28, 7
            nn.MaxPool2d(2),  # 16 x 14 x 14, 8
        )
        self.block2 = nn.Sequential(
            convolution(16, 32, kernel=3),  # 32 x 14 x 14, 12
            convolution(32, 32, kernel=3),  # 32 x 14 x 14, 16
            nn.MaxPool2d(2),  # 32 x 7 x 7, 18
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(32, 64),
            nn.ReLU(),
            nn.Dropout(0.25),
            nn.Linear(64, 10),
        )

    def forward(self, images):
        """Logits (N, 10) of images (N, 1, 28, 28)."""
        features = self.pool(self.block2(self.block1(images)))
        return self.classifier(features.flatten(1))
