"""albumentations: what equals torchvision's operations is read as these, the rest is named."""

import random

import numpy as np
import pytest
import torch
from torchvision import transforms
from torchvision.transforms import v2

from grader.capture.rehearsal import augmentations, comparing, twins
from grader.capture.rehearsal.absorbed import Absorbed
from grader.errors import SubmissionError

A = twins.module("albumentations")
cv2 = Absorbed("cv2")
LAST = [A.Normalize((0.13,), (0.31,)), A.ToTensorV2()]


def words(*operations):
    return augmentations.in_words(twins.steps(A.Compose([*operations])))


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        (LAST, "ToTensor(), Normalize(mean=(0.13,), std=(0.31,))"),
        ([A.Normalize(0.5, 0.5), A.ToTensorV2()], "ToTensor(), Normalize(mean=(0.5,), std=(0.5,))"),
        # (x - 0.5 * 1) / (0.5 * 1) of x from 0 to 255, where torchvision has x / 255
        (
            [A.Normalize([0.5], [0.5], max_pixel_value=1.0)],
            f"ToTensor(), Normalize(mean=({0.5 / 255},), std=({0.5 / 255},))",
        ),
        ([A.HorizontalFlip(), A.ToTensorV2()], "RandomHorizontalFlip(p=0.5), PILToTensor()"),
        (
            [A.VerticalFlip(p=0.2), *LAST],
            "RandomVerticalFlip(p=0.2), ToTensor(), Normalize(mean=(0.13,), std=(0.31,))",
        ),
        (
            [A.PadIfNeeded(33, 32, border_mode=cv2.BORDER_CONSTANT, value=0)],
            "Pad(padding=[2, 2, 2, 3], fill=0, padding_mode=constant)",
        ),
        (
            [A.PadIfNeeded(min_height=32, min_width=28, border_mode=4)],
            "Pad(padding=[0, 2, 0, 2], fill=0, padding_mode=reflect)",
        ),
        ([A.PadIfNeeded(28, 28), A.RandomCrop(28, 28)], "none: images stay as they are"),
        ([A.CenterCrop(height=24, width=24)], "CenterCrop(size=(24, 24))"),
    ],
)
def test_what_equals_torchvision_in_all_versions_is_read_as_that(operations, expected):
    assert words(*operations) == expected


def test_holes_of_one_size_are_random_erasing():
    hole = A.CoarseDropout(
        num_holes_range=(1, 1), hole_height_range=(8, 8), hole_width_range=(4, 4), fill=51, p=0.3
    )
    _, erasing, _ = twins.steps(A.Compose([hole, *LAST]))
    assert (erasing.p, erasing.value) == (0.3, 0.2)  # 51 / 255
    seen = set()
    for _ in range(3_000):
        image = transforms.RandomErasing(1.0, erasing.scale, erasing.ratio, 1)(
            torch.zeros(1, 28, 28)
        )
        rows, columns = image[0].sum(1).nonzero().flatten(), image[0].sum(0).nonzero().flatten()
        assert (len(rows), len(columns)) == (8, 4)
        seen |= {("row", int(rows[0])), ("column", int(columns[0]))}
    assert len(seen) == 21 + 25  # each place from 0 to 28 - 8 and to 28 - 4, the last as well


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (A.Rotate(limit=7), "Rotate equals no .* mirrored .* RandomRotation"),
        (A.ShiftScaleRotate(0.1, 0.1, 10), "ShiftScaleRotate .* RandomAffine"),
        (A.Affine(rotate=5), "Affine .* RandomAffine"),
        (A.RandomCrop(24, 24), "RandomCrop .* last row"),
        (A.PadIfNeeded(32, 32), "without border_mode"),
        (A.PadIfNeeded(32, 32, border_mode=0, value=33), "another colour"),
        (A.CoarseDropout(max_holes=1, max_height=8, max_width=8), "max_height is ignored"),
        (A.CoarseDropout(), "num_holes_range is not one number twice"),
        (A.GaussNoise(), "the grader has no noise"),
        (A.GaussianBlur(), "GaussianBlur"),
        (A.RandomBrightnessContrast(p=0.2), "ColorJitter"),
        (A.Normalize(), "three channels"),
        (A.Normalize(0.1, 0.3, normalization="image"), "not the standard one"),
        (A.Normalize(0.1, 0.3, p=0.5), "not done to all images"),
        (A.CenterCrop(25, 25), "not the middle"),
        (A.HorizontalFlip(0.5), "setting without a name"),
        (A.OneOf([A.HorizontalFlip()]), "RandomChoice"),
        (A.ElasticTransform(), "no operation like it"),
    ],
)
def test_what_equals_nothing_is_named_with_what_to_write(operation, said):
    with pytest.raises(SubmissionError, match=said) as caught:
        augmentations.refuse_foreign(A.Compose([operation, *LAST]))
    assert caught.value.line
    image = A.Compose([operation, *LAST])(image=np.zeros((28, 28), np.uint8))["image"]
    assert image.shape == (1, 28, 28)  # a rehearsal goes on


class Wrapped:
    """As students wrap a transform of albumentations for torchvision's data sets."""

    def __init__(self, *operations):
        self.inner = A.Compose([*operations])

    def __call__(self, image):
        return self.inner(image=np.array(image))["image"]


def test_a_class_around_it_is_read_through():
    with twins.refused():
        found = augmentations.understood(Wrapped(A.HorizontalFlip(p=0.3), *LAST))
        assert augmentations.in_words(found).startswith("RandomHorizontalFlip(p=0.3), ToTensor()")
        with pytest.raises(SubmissionError, match="Rotate equals no"):
            augmentations.understood(Wrapped(A.Rotate(), *LAST))
        flip = A.Compose([A.HorizontalFlip(p=0.3)])
        held = transforms.Compose(
            [lambda image: flip(image=np.array(image))["image"], transforms.ToTensor()]
        )
        assert augmentations.in_words(augmentations.understood(held)).startswith("RandomHorizont")


class AddNoise:
    def __call__(self, x):
        return x + 0.1 * torch.randn(x.size())


class Rotating:
    def __init__(self):
        self.rotate = transforms.RandomRotation(10)

    def __call__(self, image):
        return self.rotate(image)


TENSOR = transforms.ToTensor()


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([TENSOR, transforms.Lambda(lambda x: (x - 0.1307) / 0.3081)], "ToTensor Normalize"),
        ([TENSOR, transforms.Lambda(lambda x: x / 255)], "ToTensor Normalize"),
        ([TENSOR, transforms.Lambda(lambda x: x.view(1, 28, 28))], "ToTensor"),
        ([TENSOR, transforms.Lambda(lambda x: 1 - x)], "ToTensor RandomInvert"),
        ([TENSOR, transforms.Lambda(lambda x: x.repeat(1, 1, 1))], "ToTensor"),
        (
            [transforms.PILToTensor(), transforms.Lambda(lambda x: x / 255)],
            "PILToTensor ConvertImageDtype",
        ),
        ([v2.ToImage(), v2.Lambda(lambda x: x.float() / 255)], "ToImage ConvertImageDtype"),
        (
            [transforms.RandomApply([Rotating()], p=0.3), TENSOR],
            "RandomApply[RandomRotation] ToTensor",
        ),
        (
            [TENSOR, transforms.RandomApply([transforms.Lambda(lambda x: 1 - x)], p=0.3)],
            "ToTensor RandomApply[RandomInvert]",
        ),
        (
            [transforms.RandomChoice([Rotating(), transforms.Lambda(lambda image: image)]), TENSOR],
            "RandomChoice[RandomRotation Compose] ToTensor",
        ),
        (
            [
                transforms.RandomOrder([Rotating(), transforms.Compose([Rotating(), Rotating()])]),
                TENSOR,
            ],
            "RandomOrder[RandomRotation Compose[RandomRotation RandomRotation]] ToTensor",
        ),
    ],
)
def test_own_functions_are_proven_equal_also_within_containers(operations, expected):
    found = augmentations.described(augmentations.understood(transforms.Compose(operations)))
    assert " ".join(map(named, found)) == expected


def named(item):
    inner = " ".join(map(named, item.inner))
    return f"{item.name}[{inner}]" if inner else item.name


@pytest.mark.parametrize(
    "operation",
    [AddNoise(), transforms.RandomApply([AddNoise()], p=0.1), lambda x: x + random.random()],
)
def test_noise_is_named_also_within_containers(operation):
    with pytest.raises(SubmissionError, match="draws at random in a way that equals no operation"):
        augmentations.understood([TENSOR, operation], comparing.samples())
