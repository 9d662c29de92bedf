"""A complete submission, to read before you write your own.

The idea in three moves:

1. Shrink early. A 5x5 convolution and a pooling layer bring 28x28 pixels down to 14x14, where everything that
   follows costs a quarter.
2. Then look far. Four 3x3 convolutions and one more pooling layer let each output see 32x32 pixels, which is more
   than the whole image.
3. Decide without a big layer. Global average pooling turns ten 7x7 maps into ten scores, and costs no parameters.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision import transforms

EPOCHS = 15
BATCH_SIZE = 128

# A handwritten digit that is turned, moved or resized a little is still the same digit.
train_transform = transforms.Compose(
    [
        transforms.RandomAffine(degrees=8, translate=(0.08, 0.08), scale=(0.92, 1.08)),
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    ]
)

criterion = nn.NLLLoss()  # the network returns log-probabilities


def configure_optimizers(model, steps_per_epoch, epochs):
    """Warm up for a fifth of the training, then come down slowly: most of the last tenth of a percent is won there."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.1, epochs=epochs, steps_per_epoch=steps_per_epoch, pct_start=0.2
    )
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def block(channels_in, channels_out, kernel=3):
    """Convolution, batch norm, ReLU. The convolution needs no bias: batch norm adds one."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


class Net(nn.Module):
    """7,512 trainable parameters. The comments say: channels x rows x columns, receptive field."""

    def __init__(self):
        super().__init__()
        self.look_close = nn.Sequential(
            block(1, 8, kernel=5),  # 8 x 28 x 28, 5
            nn.MaxPool2d(2),  # 8 x 14 x 14, 6
        )
        self.find_strokes = nn.Sequential(
            block(8, 16),  # 16 x 14 x 14, 10
            block(16, 16),  # 16 x 14 x 14, 14
            nn.MaxPool2d(2),  # 16 x 7 x 7, 16
            nn.Dropout(0.02),  # a little: a network this small has nothing to spare
        )
        self.find_digits = nn.Sequential(
            block(16, 16),  # 16 x 7 x 7, 24
            nn.Conv2d(16, 10, 3, padding=1, bias=False),  # 10 x 7 x 7, 32: one map per digit
            nn.AdaptiveAvgPool2d(1),  # 10 x 1 x 1: all of it
        )

    def forward(self, images):
        """Log-probabilities (N, 10) of images (N, 1, 28, 28)."""
        scores = self.find_digits(self.find_strokes(self.look_close(images)))
        return F.log_softmax(scores.flatten(1), dim=1)
