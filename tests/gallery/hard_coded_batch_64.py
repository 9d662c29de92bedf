"""view(64, -1): the student's own batches have 64 images, the grader's have not.

✗ submission: line 17: A view or reshape does not fit: shape '[64, 576]' is invalid for input of size 1152. Where its first number stands for the images, write x.size(0), or use x.flatten(1): the grader runs any number of images, here two.
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 5, stride=2)
        self.fc = nn.Linear(4 * 12 * 12, 10)

    def forward(self, x):
        x = self.conv(x)
        x = x.view(64, 4 * 12 * 12)
        return self.fc(x)
