"""What capture/transforms.py reads from torchvision objects of both versions."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import transforms as v1
from torchvision.transforms import v2

from grader.capture.transforms import describe
from grader.errors import SubmissionError
from grader.program.recipe import Augmentation
from grader.training.augment import build

BOTH = pytest.mark.parametrize("version", [v1, v2], ids=["v1", "v2"])


def settings(transform):
    (only,) = describe(transform)
    return only.settings


def test_a_compose_becomes_its_operations_in_order():
    described = describe(
        v1.Compose([v1.RandomRotation(7), v1.ToTensor(), v1.Normalize((0.1307,), (0.3081,))])
    )
    assert [item.name for item in described] == ["RandomRotation", "ToTensor", "Normalize"]


@BOTH
def test_rotation_reads_the_same_in_both_versions(version):
    assert settings(version.RandomRotation((-7.0, 7.0), fill=(1,))) == {
        "degrees": [-7.0, 7.0],
        "interpolation": "nearest",
        "expand": False,
        "center": None,
        "fill": 1,
    }


@BOTH
def test_affine_reads_the_same_in_both_versions(version):
    affine = version.RandomAffine(
        10, translate=(0.1, 0.2), scale=(0.9, 1.1), shear=5, fill=3, center=(1, 2)
    )
    assert settings(affine) == {
        "degrees": [-10.0, 10.0],
        "translate": [0.1, 0.2],
        "scale": [0.9, 1.1],
        "shear": [-5.0, 5.0],
        "interpolation": "nearest",
        "fill": 3,
        "center": [1, 2],
    }


@BOTH
@pytest.mark.parametrize("interpolation", [v1.InterpolationMode.BILINEAR, 2])
def test_an_enum_and_pillows_number_become_the_filters_name(version, interpolation):
    assert settings(version.RandomPerspective(0.2, 0.3, interpolation=interpolation)) == {
        "distortion_scale": 0.2,
        "p": 0.3,
        "interpolation": "bilinear",
        "fill": 0,
    }


def test_version_2_names_its_filter_itself():
    assert settings(v2.RandomRotation(3, interpolation="bilinear"))["interpolation"] == "bilinear"


@BOTH
@pytest.mark.parametrize(
    ("padding", "sides"),
    [(4, [4, 4, 4, 4]), ((1, 2), [1, 2, 1, 2]), ((1, 2, 3, 4), [1, 2, 3, 4]), (None, None)],
)
def test_random_crop_gives_padding_as_left_top_right_bottom(version, padding, sides):
    assert settings(version.RandomCrop(28, padding=padding)) == {
        "size": [28, 28],
        "padding": sides,
        "pad_if_needed": False,
        "fill": 0,
        "padding_mode": "constant",
    }


@BOTH
@pytest.mark.parametrize(
    ("padding", "sides"), [(2, [2, 2, 2, 2]), ((3,), [3, 3, 3, 3]), ([1, 2, 3, 4], [1, 2, 3, 4])]
)
def test_pad_gives_padding_as_left_top_right_bottom(version, padding, sides):
    assert settings(version.Pad(padding))["padding"] == sides


@BOTH
@pytest.mark.parametrize(("size", "read"), [(28, [28]), ((28, 30), [28, 30])])
def test_resize_with_one_number_keeps_one_number(version, size, read):
    assert settings(version.Resize(size))["size"] == read


@BOTH
@pytest.mark.parametrize(("value", "read"), [(0, 0), ("random", "random"), ((0.5,), 0.5)])
def test_erasing_reads_the_same_in_both_versions(version, value, read):
    assert settings(version.RandomErasing(0.25, value=value)) == {
        "p": 0.25,
        "scale": [0.02, 0.33],
        "ratio": [0.3, 3.3],
        "value": read,
    }


@BOTH
def test_jitter_that_does_nothing_is_read_as_none(version):
    assert settings(version.ColorJitter(brightness=0.2)) == {
        "brightness": [0.8, 1.2],
        "contrast": None,
        "saturation": None,
        "hue": None,
    }


@BOTH
@pytest.mark.parametrize("mean", [(0.5,), [0.5], torch.tensor([0.5]), np.array([0.5])])
def test_normalize_reads_tensors_and_arrays(version, mean):
    assert settings(version.Normalize(mean, (0.25,))) == {"mean": [0.5], "std": [0.25]}


def test_conversions_of_version_2():
    steps = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    assert describe(steps) == (
        Augmentation(name="ToImage"),
        Augmentation(name="ToDtype", settings={"dtype": "float32", "scale": True}),
    )


@BOTH
def test_convert_image_dtype_scales(version):
    assert settings(version.ConvertImageDtype(torch.float32)) == {"dtype": "float32", "scale": True}


@BOTH
def test_random_apply_holds_its_operations(version):
    (described,) = describe(
        version.RandomApply([version.CenterCrop(22), version.RandomRotation(3)], p=0.1)
    )
    assert described.settings == {"p": 0.1}
    assert [item.name for item in described.inner] == ["CenterCrop", "RandomRotation"]


def test_random_apply_reads_a_module_list():
    (described,) = describe(v1.RandomApply(nn.ModuleList([v1.CenterCrop(22)]), p=0.1))
    assert described.inner == (Augmentation(name="CenterCrop", settings={"size": [22, 22]}),)


@BOTH
def test_random_choice_without_weights_has_equal_ones(version):
    (described,) = describe(version.RandomChoice([version.CenterCrop(28), version.Resize(28)]))
    assert described.settings["p"][0] == described.settings["p"][1] > 0


@BOTH
def test_random_choice_keeps_a_nested_compose_together(version):
    nested = version.Compose([version.CenterCrop(22), version.Resize(28)])
    (described,) = describe(version.RandomChoice([nested, version.CenterCrop(28)], p=[0.25, 0.75]))
    assert described.settings == {"p": [0.25, 0.75]}
    assert [item.name for item in described.inner] == ["Compose", "CenterCrop"]
    assert [item.name for item in described.inner[0].inner] == ["CenterCrop", "Resize"]


@BOTH
def test_random_order_has_no_settings(version):
    (described,) = describe(version.RandomOrder([version.RandomHorizontalFlip(0.3)]))
    assert described == Augmentation(
        name="RandomOrder", inner=(Augmentation(name="RandomHorizontalFlip", settings={"p": 0.3}),)
    )


def test_nested_composes_sequentials_and_lists_are_flattened():
    nested = v1.Compose(
        [nn.Sequential(v1.CenterCrop(22), v1.Resize(28)), v1.Compose([[v1.ToTensor()]])]
    )
    assert [item.name for item in describe(nested)] == ["CenterCrop", "Resize", "ToTensor"]


def test_a_single_operation_needs_no_compose():
    assert describe(v1.ToTensor()) == (Augmentation(name="ToTensor"),)


def test_no_transform_is_no_augmentation():
    assert describe(None) == ()


class Custom(v1.RandomRotation):
    """A student's own subclass."""


@pytest.mark.parametrize(
    ("transform", "shown"),
    [
        (v1.Lambda(lambda x: x), "Lambda"),
        (v2.Lambda(lambda x: x), "Lambda"),
        (lambda x: x, "<lambda>"),
        (Custom(7), "Custom"),
        (v1.AutoAugment(), "AutoAugment"),
        (v2.RandAugment(), "RandAugment"),
        (nn.Identity(), "Identity"),
        (v2.Identity(), "Identity"),
        (nn.Linear(1, 1), "Linear"),
        (v1.RandomApply([v1.ElasticTransform()]), "ElasticTransform"),
    ],
)
def test_what_is_no_data_is_refused_by_name_with_the_list_of_what_is(transform, shown):
    with pytest.raises(SubmissionError) as refused:
        describe(v1.Compose([v1.ToTensor(), transform]))
    assert f"uses {shown}, which" in refused.value.message
    assert "as data" in refused.value.message
    assert "RandomRotation" in refused.value.message


def test_more_than_fifty_operations_are_refused():
    with pytest.raises(SubmissionError, match="51 operations"):
        describe([v1.RandomHorizontalFlip()] * 51)


def test_a_compose_that_contains_itself_is_refused():
    endless = v1.Compose([])
    endless.transforms.append(endless)
    with pytest.raises(SubmissionError, match="nests"):
        describe(endless)


def test_an_object_without_its_attributes_is_refused():
    rotation = v1.RandomRotation(7)
    del rotation.degrees
    with pytest.raises(SubmissionError, match="RandomRotation without degrees"):
        describe(rotation)


def test_a_setting_that_is_no_json_is_refused():
    with pytest.raises(SubmissionError, match="dict"):
        describe(v2.Pad(2, fill={"others": 1}))


def everything(version):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # version 2 deprecates ToTensor, and still students use it
        to_tensor = version.ToTensor()
    return version.Compose(
        [
            version.Pad(2),
            version.CenterCrop(30),
            version.RandomApply([version.CenterCrop(22)], p=0.1),
            version.Resize((28, 28)),
            version.RandomChoice(
                [version.RandomRotation(7), version.RandomAffine(5, (0.1, 0.1), (0.9, 1.1), 3)]
            ),
            version.RandomOrder(
                [version.RandomPerspective(0.2), version.ColorJitter(0.1, 0.1, 0.1, 0.1)]
            ),
            version.RandomCrop(28, padding=2),
            version.RandomResizedCrop(28, (0.8, 1.0)),
            version.RandomHorizontalFlip(),
            version.RandomVerticalFlip(),
            version.GaussianBlur(3),
            version.RandomInvert(),
            version.RandomAutocontrast(),
            version.RandomAdjustSharpness(2),
            version.Grayscale(),
            to_tensor,
            version.Normalize((0.1307,), (0.3081,)),
            version.RandomErasing(),
        ]
    )


@BOTH
def test_what_capture_reads_survives_json_and_trains(version):
    described = describe(everything(version))
    assert len(described) == 18
    again = tuple(Augmentation.model_validate_json(item.model_dump_json()) for item in described)
    assert build(again).output_shape == (1, 28, 28)


def test_both_versions_read_alike():
    first, second = describe(everything(v1)), describe(everything(v2))
    choice = [item.name for item in first].index(
        "RandomChoice"
    )  # version 2 has normalised its weights
    assert first[:choice] + first[choice + 1 :] == second[:choice] + second[choice + 1 :]
    assert first[choice].inner == second[choice].inner
