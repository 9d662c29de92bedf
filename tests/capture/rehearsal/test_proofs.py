"""Own functions of images: what equals a known operation is accepted, everything else is not."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
import torch
from torchvision import transforms
from torchvision.transforms import functional

from grader.capture.rehearsal import augmentations, comparing
from grader.errors import SubmissionError

TENSORS = [transforms.ToTensor()(image) for image in comparing.samples()]


def words(operations):
    return augmentations.in_words(operations)


def after_to_tensor(function):
    """What is understood of a Lambda after ToTensor, without ToTensor itself."""
    chain = transforms.Compose([transforms.ToTensor(), transforms.Lambda(function)])
    return words(augmentations.understood(chain)[1:])


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x, "none: images stay as they are"),
        (lambda x: (x - 0.1307) / 0.3081, "Normalize(mean=[0.1307], std=[0.3081])"),
        (lambda x: x * 2 - 1, "Normalize(mean=[0.5], std=[0.5])"),
        (lambda x: x - 0.5, "Normalize(mean=[0.5], std=[1.0])"),
        (lambda x: x.repeat(3, 1, 1), "Grayscale(num_output_channels=3)"),
        (lambda x: x.flip(-1), "RandomHorizontalFlip(p=1.0)"),
        (lambda x: 1 - x, "RandomInvert(p=1.0)"),
        (lambda x: x.view(-1), "none: images stay as they are"),
        (lambda x: x.float(), "none: images stay as they are"),
        (
            lambda x: torch.nn.functional.pad(x, (2, 2, 2, 2)),
            "Pad(padding=(2, 2), fill=0, padding_mode=constant)",
        ),
        (lambda x: x[:, 4:24, 4:24], "CenterCrop(size=(20, 20))"),
        (
            lambda x: torch.rot90(x, 2, (1, 2)),
            "RandomRotation(degrees=[180.0, 180.0], interpolation=nearest, expand=False, fill=0)",
        ),
    ],
)
def test_what_draws_nothing_is_proven_by_all_pixels(function, expected):
    assert after_to_tensor(function) == expected


def test_to_tensor_by_hand():
    def to_tensor(image):
        return torch.from_numpy(np.array(image, dtype=np.float32) / 255).unsqueeze(0)

    assert words(augmentations.understood([to_tensor])) == "ToTensor()"


def test_to_tensor_and_normalize_by_hand_in_one_class():
    class Prepare:
        def __call__(self, image):
            pixels = np.asarray(image).astype("float32") / 255.0
            return torch.tensor((pixels - 0.5) / 0.5)[None]

    assert words(augmentations.understood(Prepare())) == (
        "ToTensor(), Normalize(mean=[0.5], std=[0.5])"
    )


@pytest.mark.parametrize("chance", [0.5, 0.3])
@pytest.mark.parametrize("draw", [lambda: torch.rand(1).item(), random.random, np.random.rand])
def test_a_flip_by_chance_is_recognised_with_its_chance(draw, chance):
    def flip(image):
        return functional.hflip(image) if draw() < chance else image

    (found,) = augmentations.understood([flip])
    assert (type(found).__name__, found.p) == ("RandomHorizontalFlip", chance)


def test_a_chance_counted_from_above():
    (found,) = augmentations.understood(
        [lambda image: functional.vflip(image) if random.random() > 0.75 else image]
    )
    assert (type(found).__name__, found.p) == ("RandomVerticalFlip", 0.25)


def test_torchvision_inside_of_an_own_class_is_believed_after_a_comparison():
    class Augment:
        def __init__(self):
            self.inner = transforms.Compose(
                [transforms.RandomRotation(10), transforms.RandomCrop(28, padding=2)]
            )

        def __call__(self, image):
            return self.inner(image)

    found = augmentations.understood([Augment(), transforms.ToTensor()])
    assert [type(item).__name__ for item in found] == ["RandomRotation", "RandomCrop", "ToTensor"]


def test_an_own_class_that_does_more_than_what_it_holds_is_refused():
    class Augment:
        def __init__(self):
            self.inner = transforms.RandomRotation(10)

        def __call__(self, image):
            return self.inner(image) if random.random() < 0.5 else image

    with pytest.raises(SubmissionError, match=r"^Augment of the transform draws at random"):
        augmentations.understood([Augment(), transforms.ToTensor()])


@pytest.mark.parametrize(
    ("function", "how"),
    [
        (lambda x: x + 0.1 * torch.randn_like(x), "draws at random"),
        (lambda x: (x > 0.5).float(), "changes each image"),
        (lambda x: x.sqrt(), "changes each image"),
        (lambda x: x / x.max(), "changes each image"),
        (lambda x: (x - x.mean()) / x.std(), "changes each image"),
        (lambda x: x.transpose(1, 2), "changes each image"),
        (lambda x: x.roll(1, 2), "changes each image"),
        (lambda x: x * random.uniform(0.8, 1.2), "draws at random"),
        (lambda x: x.flip(-1) if x.mean() > 0.5 else x, "changes each image"),
    ],
)
def test_what_equals_nothing_is_named(function, how):
    with pytest.raises(
        SubmissionError, match=f"^A lambda of the transform {how} in a way"
    ) as error:
        after_to_tensor(function)
    assert error.value.line == function.__code__.co_firstlineno


def test_an_own_function_that_fails_says_so():
    def broken(image):
        raise RuntimeError("no such file")

    with pytest.raises(SubmissionError, match=r"^broken of the transform fails .* no such file"):
        augmentations.understood([broken])


def test_a_rare_random_change_is_not_taken_for_none():
    def rarely(image):
        return image + 1 if random.random() < 0.2 else image

    with pytest.raises(SubmissionError):
        after_to_tensor(rarely)


def test_a_class_without_parentheses():
    with pytest.raises(SubmissionError, match=r"write ToTensor\(\), with parentheses"):
        augmentations.understood(transforms.Compose([transforms.ToTensor]))


def test_draws_are_fixed_for_all_three_generators():
    comparing.seed(3)
    first = (torch.rand(1).item(), random.random(), np.random.rand())
    comparing.seed(3)
    assert (torch.rand(1).item(), random.random(), np.random.rand()) == first


def test_the_proof_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after_to_tensor(lambda x: x * 0.5)


def test_containers_within_containers_are_flat():
    inner = transforms.Compose([transforms.ToTensor(), lambda x: x - 0.5])
    found = augmentations.understood(transforms.Compose([inner, lambda x: x * 2]))
    assert words(found) == (
        "ToTensor(), Normalize(mean=[0.5], std=[1.0]), Normalize(mean=[0.0], std=[0.5])"
    )
