"""OneCycleLR is told the number of epochs and stepped after every batch: it ends in the first epoch.

✗ submission: line 19: The scheduler fails after step 21: Tried to step 21 times. The specified number of total steps is 20. If it is too short, make it as long as the training: steps_per_epoch * epochs steps, or set its interval.
"""

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 5)

    def forward(self, x):
        return self.conv(x).mean((2, 3))


def configure_optimizers(model, steps_per_epoch, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=epochs)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
