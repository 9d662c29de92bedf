"""An optimizer that the grader does not train with.

✗ submission: line 19: configure_optimizers uses the optimizer LBFGS. The grader trains with torch.optim's SGD, Adam, AdamW, RMSprop, NAdam, RAdam, Adagrad, Adadelta: use one of these.
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
    return torch.optim.LBFGS(model.parameters(), lr=0.1)
