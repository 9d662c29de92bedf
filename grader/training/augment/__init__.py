"""Augment a batch on its device, as torchvision augments one image: same meaning, own draws.

In: augmentations as data, and uint8 images. Out: float32 images. Runs trusted code on a student's
settings.
"""

from grader.training.augment.transform import Pipeline, build, evaluation

__all__ = ["Pipeline", "build", "evaluation"]
