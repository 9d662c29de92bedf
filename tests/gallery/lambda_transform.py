"""A lambda in the training transform: code, where the grader needs data.

✗ submission: line 10: train_transform uses Lambda, which the grader cannot train with. Augmentations run as data inside the grader, not as your code, so only torchvision's own transforms of this list can be used: CenterCrop, ColorJitter, Compose, ConvertImageDtype, GaussianBlur, Grayscale, Normalize, PILToTensor, Pad, RandomAdjustSharpness, RandomAffine, RandomApply, RandomAutocontrast, RandomChoice, RandomCrop, RandomErasing, RandomHorizontalFlip, RandomInvert, RandomOrder, RandomPerspective, RandomResizedCrop, RandomRotation, RandomVerticalFlip, Resize, Sequential, ToDtype, ToImage, ToTensor.
"""

import torch
import torch.nn as nn
from torchvision import transforms

train_transform = transforms.Compose(
    [transforms.ToTensor(), transforms.Lambda(lambda image: image + 0.1 * torch.randn_like(image))]
)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 5)

    def forward(self, x):
        return self.conv(x).mean((2, 3))
