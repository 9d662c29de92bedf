"""Your submission. Copy this file to submissions/<your_name>.py, edit the copy, and grade it:

    nox -s grade -- assignments/mnist_20k/submissions/<your_name>.py --static
    nox -s grade -- assignments/mnist_20k/submissions/<your_name>.py

The first takes seconds and looks at the network alone, the second also trains it: minutes.
README.md beside this file says what the network may and must have.
"""

import torch
from torch import nn
from torchvision import transforms

# ------------------------------------------------------------------------------------------
# 1. The network. This is the part that you must write.
# ------------------------------------------------------------------------------------------


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


# ------------------------------------------------------------------------------------------
# 2. The recipe: how it is trained. All of it is optional. What you delete comes from the
#    assignment's default recipe, which is what stands here. If you have a training loop of your
#    own, delete all of this and hand in the loop instead: a script, a notebook or a folder. With
#    configure_optimizers() below, a loop in this file is not read.
# ------------------------------------------------------------------------------------------

EPOCHS = 20  # at most 20
BATCH_SIZE = 128

train_transform = transforms.Compose(
    [
        transforms.RandomRotation(7),
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    ]
)

# criterion = nn.NLLLoss()  # without it: NLLLoss after log_softmax, CrossEntropyLoss for logits


def configure_optimizers(model, steps_per_epoch, epochs):
    """An optimizer, (optimizer, scheduler), or a dictionary that also says when it steps."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.05, epochs=epochs, steps_per_epoch=steps_per_epoch, pct_start=0.2
    )
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


# GRADIENT_CLIP_NORM = 1.0  # scale gradients down to this norm
# STOP_AT_ACCURACY = 0.995  # end at the first epoch that reaches it on 5,000 held-back images
