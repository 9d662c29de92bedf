"""Step 1. Copy this file to submissions/<your_name>/step_1.py, later to step_2.py and step_3.py.

Target: 96 %
Result:
Analysis:

Fill in the three lines: what the step is to reach, what it did reach, and why. Then grade the
folder:

    nox -s grade -- assignments/mnist_progressive/submissions/<your_name> --static
    nox -s grade -- assignments/mnist_progressive/submissions/<your_name>

README.md beside this file says what each step may and must have.
"""

import torch
from torch import nn
from torchvision import transforms


class Net(nn.Module):
    """Images (N, 1, 28, 28) in, ten scores (N, 10) out: logits, or the result of log_softmax."""

    def __init__(self):
        super().__init__()
        # Create your layers here, for example:
        # self.conv1 = nn.Conv2d(1, 8, kernel_size=3, padding=1)

    def forward(self, images):
        # Apply them here, for example:
        # x = self.conv1(images)
        raise NotImplementedError(
            "The network is not written yet: create its layers in __init__, apply them in "
            "forward() and return ten scores for each image. README.md, in the assignment's "
            "folder, says what it may and must have"
        )


EPOCHS = 15  # at most 15
BATCH_SIZE = 128

train_transform = transforms.Compose(
    [
        transforms.RandomRotation(7),
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    ]
)


def configure_optimizers(model, steps_per_epoch, epochs):
    """An optimizer, (optimizer, scheduler), or a dictionary that also says when it steps."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.05, epochs=epochs, steps_per_epoch=steps_per_epoch, pct_start=0.2
    )
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
