"""The number of images in a batch is written into forward().

It works in the student's own loop, where every batch has two images, and nowhere else.

✗ submission: line 19: The network works for one batch size only: a number of images is written into it, or the number of images is divided. Use x.size(0), x.flatten(1) or view(x.size(0), -1) instead of a fixed number, and leave the images apart (a ghost batch norm does not).
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 5, stride=2)
        self.fc = nn.Linear(4 * 12 * 12, 10)

    def forward(self, x):
        x = self.conv(x)
        x = x.view(2, 4 * 12 * 12)
        return self.fc(x)
