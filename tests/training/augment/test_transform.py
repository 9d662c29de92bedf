"""Building a pipeline from data: order, containers, test images, and all that is refused."""

import math

import pytest
import torch
from torchvision import transforms as v1

from grader.capture.transforms import describe
from grader.errors import GraderError, SubmissionError
from grader.program.recipe import Augmentation
from grader.training.augment import build, evaluation

images = torch.randint(
    0, 256, (64, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(5)
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pipeline(*steps):
    return build(describe(list(steps)))


def named(name, *inner, **settings):
    return Augmentation(name=name, settings=settings, inner=inner)


# What comes out


def test_no_augmentation_gives_floats_from_0_to_1():
    assert torch.equal(build(())(images), images / 255)


def test_to_tensor_and_normalize():
    white = torch.full((1, 1, 28, 28), 255, dtype=torch.uint8)
    result = pipeline(v1.ToTensor(), v1.Normalize((0.1307,), (0.3081,)))(white)
    assert result.dtype == torch.float32
    assert result[0, 0, 0, 0].item() == pytest.approx((1 - 0.1307) / 0.3081)


def test_to_dtype_without_scale_keeps_the_numbers():
    steps = (named("ToImage"), named("ToDtype", dtype="float32", scale=False))
    assert torch.equal(build(steps)(images), images.float())


def test_without_to_tensor_at_the_end_images_become_floats_all_the_same():
    result = pipeline(v1.RandomHorizontalFlip(1.0))(images, seeded())
    assert torch.equal(result, images.flip(-1) / 255)


def test_the_order_of_the_student_is_kept():
    """PIL rounds to bytes before ToTensor: 0.3 * 5 is 1.5, which a PIL image holds as 1."""
    five = torch.full((1, 1, 28, 28), 5, dtype=torch.uint8)
    dim = v1.ColorJitter(brightness=(0.3, 0.3))
    assert pipeline(dim, v1.ToTensor())(five, seeded())[0, 0, 0, 0].item() == pytest.approx(1 / 255)
    assert pipeline(v1.ToTensor(), dim)(five, seeded())[0, 0, 0, 0].item() == pytest.approx(
        1.5 / 255
    )


def test_each_image_has_draws_of_its_own():
    same = images[:1].expand(32, -1, -1, -1)
    result = pipeline(v1.RandomRotation(30), v1.ToTensor())(same, seeded())
    assert len({tuple(image.flatten().tolist()) for image in result}) > 28


def test_the_same_generator_state_gives_the_same_images():
    augment = pipeline(
        v1.RandomAffine(10, (0.1, 0.1), (0.9, 1.1), 5), v1.RandomPerspective(), v1.ToTensor()
    )
    assert torch.equal(augment(images, seeded(3)), augment(images, seeded(3)))
    assert not torch.equal(augment(images, seeded(3)), augment(images, seeded(4)))


def test_the_images_handed_in_stay_as_they_are():
    before = images.clone()
    pipeline(
        v1.RandomRotation(20, interpolation=v1.InterpolationMode.BILINEAR),
        v1.RandomAutocontrast(),
        v1.RandomAdjustSharpness(2),
        v1.ToTensor(),
        v1.Normalize((0.5,), (0.5,)),
    )(images, seeded())
    assert torch.equal(images, before)


def test_three_grey_channels_are_normalised_one_by_one():
    augment = pipeline(
        v1.Grayscale(3), v1.ToTensor(), v1.Normalize((0.0, 0.5, 1.0), (1.0, 1.0, 1.0))
    )
    assert augment.output_shape == (3, 28, 28)
    white = torch.full((1, 1, 28, 28), 255, dtype=torch.uint8)
    assert augment(white)[0, :, 0, 0].tolist() == [1.0, 0.5, 0.0]


def test_three_channels_go_through_every_kind_of_operation_alike():
    augment = pipeline(
        v1.Grayscale(3),
        v1.RandomRotation(20),
        v1.RandomPerspective(p=1),
        v1.RandomResizedCrop(28),
        v1.GaussianBlur(3),
        v1.ToTensor(),
        v1.RandomRotation(20, fill=1),
        v1.RandomErasing(1.0),
    )
    red, green, blue = augment(images, seeded()).unbind(1)
    assert torch.equal(red, green)
    assert torch.equal(red, blue)


def test_the_output_shape_follows_the_sizes():
    assert pipeline(v1.Pad(2), v1.RandomCrop((30, 24)), v1.ToTensor()).output_shape == (1, 30, 24)


# "meta" tensors have no values: whoever reads one on the host, or mixes in a constant from the CPU,
# fails


def test_nothing_is_read_back_from_the_device_and_no_constant_is_sent_to_it():
    augment = pipeline(
        v1.Pad(2, padding_mode="reflect"),
        v1.RandomCrop(28),
        v1.RandomApply([v1.CenterCrop(22)], p=0.1),
        v1.Resize((28, 28)),
        v1.RandomChoice([v1.RandomRotation(7), v1.RandomAffine(5, (0.1, 0.1), (0.9, 1.1), 3)]),
        v1.RandomOrder([v1.RandomPerspective(), v1.ColorJitter(0.1, 0.1)]),
        v1.RandomResizedCrop(28),
        v1.GaussianBlur(3),
        v1.RandomAutocontrast(),
        v1.RandomAdjustSharpness(2),
        v1.ToTensor(),
        v1.Normalize((0.1307,), (0.3081,)),
        v1.RandomRotation(7, fill=1),
        v1.RandomPerspective(fill=2),
        v1.RandomResizedCrop(28),
        v1.RandomErasing(value="random"),
    )
    assert augment(images.to("meta"), seeded()).shape == (64, 1, 28, 28)


# Containers


def test_random_apply_changes_its_share_of_images():
    many = torch.zeros(10_000, 1, 28, 28, dtype=torch.uint8)
    invert = v1.RandomApply([v1.RandomInvert(p=1.0)], p=0.3)
    changed = pipeline(invert, v1.ToTensor())(many, seeded()).mean().item()
    assert changed == pytest.approx(0.3, abs=0.025)  # 5 standard errors


def test_a_crop_of_some_images_is_resized_with_the_others():
    """The popular RandomApply([CenterCrop(22)]) before Resize(28): each image is one of the two."""
    augment = pipeline(
        v1.RandomApply([v1.CenterCrop(22)], p=0.5), v1.Resize((28, 28)), v1.ToTensor()
    )
    cropped = pipeline(v1.CenterCrop(22), v1.Resize((28, 28)), v1.ToTensor())(images)
    result = augment(images, seeded())
    is_crop = [torch.equal(mine, other) for mine, other in zip(result, cropped, strict=True)]
    is_whole = [torch.equal(mine, other) for mine, other in zip(result, images / 255, strict=True)]
    assert all(crop != whole for crop, whole in zip(is_crop, is_whole, strict=True))
    assert 16 < sum(is_crop) < 48  # 64 fair coins


def test_operations_between_the_crop_and_the_resize_are_kept():
    augment = pipeline(
        v1.RandomApply([v1.CenterCrop(22)], p=0.5),
        v1.RandomHorizontalFlip(1.0),
        v1.RandomApply([v1.CenterCrop(24)], p=0.5),
        v1.Resize((28, 28)),
        v1.ToTensor(),
    )
    whole = (images.flip(-1) / 255)[:, :, 0, 0]
    share = (augment(images, seeded())[:, :, 0, 0] == whole).float().mean().item()
    assert 0.1 < share < 0.5  # a quarter is neither cropped to 22 nor to 24


def test_random_choice_gives_each_branch_its_weight():
    grey = torch.full((10_000, 1, 28, 28), 100, dtype=torch.uint8)
    to = [v1.ColorJitter(brightness=(factor, factor)) for factor in (0.1, 0.2, 0.3)]
    result = pipeline(v1.RandomChoice(to, p=[1, 2, 5]), v1.ToTensor())(grey, seeded())[:, 0, 0, 0]
    shares = [(result == value / 255).float().mean().item() for value in (10, 20, 30)]
    assert shares == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.025)


def test_random_order_applies_all_in_each_order():
    """100 inverted is 155, halved 77; 100 halved is 50, inverted 205."""
    grey = torch.full((2_000, 1, 28, 28), 100, dtype=torch.uint8)
    order = v1.RandomOrder([v1.RandomInvert(p=1.0), v1.ColorJitter(brightness=(0.5, 0.5))])
    result = (pipeline(order, v1.ToTensor())(grey, seeded())[:, 0, 0, 0] * 255).round()
    assert sorted(result.unique().tolist()) == [77, 205]
    assert (result == 77).float().mean().item() == pytest.approx(0.5, abs=0.06)


def test_nested_containers():
    inner = v1.RandomChoice([v1.Compose([v1.CenterCrop(20), v1.Pad(4)]), v1.RandomRotation(5)])
    assert pipeline(v1.RandomApply([inner], p=0.5), v1.ToTensor()).output_shape == (1, 28, 28)


# Test images


def test_evaluation_keeps_conversion_normalisation_and_size():
    train = describe(
        [
            v1.RandomRotation(7),
            v1.Resize((32, 32)),
            v1.RandomApply([v1.CenterCrop(30), v1.Resize((32, 32))]),
            v1.ColorJitter(0.1),
            v1.ToTensor(),
            v1.Normalize((0.1307,), (0.3081,)),
            v1.RandomErasing(),
        ]
    )
    kept = describe([v1.Resize((32, 32)), v1.ToTensor(), v1.Normalize((0.1307,), (0.3081,))])
    assert torch.equal(evaluation(train)(images), build(kept)(images))


def test_evaluation_takes_the_middle_of_a_random_crop():
    train = describe([v1.RandomCrop(24), v1.ToTensor()])
    assert torch.equal(evaluation(train)(images), images[:, :, 2:26, 2:26] / 255)


def test_evaluation_of_a_padded_random_crop_is_the_whole_image():
    train = describe([v1.RandomCrop(28, padding=4), v1.ToTensor()])
    assert torch.equal(evaluation(train)(images), images / 255)


def test_evaluation_resizes_where_training_crops_and_resizes():
    train = describe([v1.RandomResizedCrop(32), v1.ToTensor()])
    resized = describe([v1.Resize((32, 32)), v1.ToTensor()])
    assert torch.equal(evaluation(train)(images), build(resized)(images))


def test_evaluation_refuses_test_images_of_another_size():
    train = describe([v1.RandomChoice([v1.Resize((32, 32)), v1.Pad(2)]), v1.ToTensor()])
    with pytest.raises(SubmissionError, match=r"1 x 32 x 32.*1 x 28 x 28"):
        evaluation(train)


# Refusals

ROTATION = {
    "degrees": [-7, 7],
    "interpolation": "nearest",
    "expand": False,
    "center": None,
    "fill": 0,
}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("degrees", [math.nan, 7]),
        ("degrees", [0, math.inf]),
        ("degrees", [7, -7]),
        ("degrees", [-1e9, 7]),
        ("degrees", "seven"),
        ("interpolation", "bicubic"),
        ("interpolation", 3),
        ("expand", True),
        ("center", [1]),
        ("fill", [0, 0, 0]),
        ("fill", math.nan),
        ("fill", {"others": 1}),
        ("speed", 1),
    ],
)
def test_a_forged_setting_is_refused_by_name(setting, value):
    with pytest.raises(SubmissionError, match=rf"RandomRotation\.{setting}"):
        build((named("RandomRotation", **{**ROTATION, setting: value}),))


@pytest.mark.parametrize("missing", sorted(ROTATION))
def test_a_missing_setting_is_refused_by_name(missing):
    rest = {name: value for name, value in ROTATION.items() if name != missing}
    with pytest.raises(SubmissionError, match=rf"RandomRotation\.{missing}.*it is missing"):
        build((named("RandomRotation", **rest),))


@pytest.mark.parametrize(
    ("augmentation", "field"),
    [
        (named("CenterCrop", size=[513, 28]), "CenterCrop.size"),
        (named("CenterCrop", size=[0, 28]), "CenterCrop.size"),
        (named("Pad", padding=[-1, 0, 0, 0], fill=0, padding_mode="constant"), "Pad.padding"),
        (named("Pad", padding=[1, 1, 1, 1], fill=0, padding_mode="wrap"), "Pad.padding_mode"),
        (named("RandomHorizontalFlip", p=1.5), "RandomHorizontalFlip.p"),
        (named("RandomApply", p=math.nan), "RandomApply.p"),
        (named("RandomChoice", p=[1.0]), "RandomChoice.p"),
        (named("RandomChoice", named("ToTensor"), p=[0.0]), "RandomChoice.p"),
        (
            named("RandomChoice", named("ToTensor"), named("ToTensor"), p=[2.0, -1.0]),
            "RandomChoice.p",
        ),
        (named("GaussianBlur", kernel_size=[4, 3], sigma=[0.1, 2]), "GaussianBlur.kernel_size"),
        (named("GaussianBlur", kernel_size=[57, 3], sigma=[0.1, 2]), "GaussianBlur.kernel_size"),
        (named("GaussianBlur", kernel_size=[3, 3], sigma=[0, 2]), "GaussianBlur.sigma"),
        (
            named("ColorJitter", brightness=[-1, 1], contrast=None, saturation=None, hue=None),
            "ColorJitter.brightness",
        ),
        (named("ToTensor", named("ToTensor")), "ToTensor.inner"),
        (named("Compose", speed=1), "Compose.speed"),
        (named("ToDtype", dtype="float64", scale=True), "ToDtype.dtype"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_forged_operation_is_refused_by_setting(augmentation, field):
    with pytest.raises(SubmissionError) as refused:
        build((augmentation,))
    assert field in refused.value.message


def test_an_unknown_operation_is_refused_with_those_that_are_known():
    with pytest.raises(SubmissionError, match=r"uses Lambda.*RandomRotation"):
        build((named("Lambda"),))


def test_padding_beyond_512_pixels_is_refused():
    step = named("Pad", padding=[200, 200, 200, 200], fill=0, padding_mode="constant")
    with pytest.raises(SubmissionError, match="828 x 828"):
        build((step, step))


def test_more_than_fifty_operations_are_refused():
    flips = tuple(named("RandomHorizontalFlip", p=0.5) for _ in range(26))
    with pytest.raises(SubmissionError, match="more than 50"):
        build((named("Compose", *flips), named("Compose", *flips)))


def test_deep_nesting_is_refused():
    nested = named("ToTensor")
    for _ in range(20):
        nested = named("Compose", nested)
    with pytest.raises(SubmissionError, match="more than 8 inside each other"):
        build((nested,))


def test_a_long_random_order_is_refused():
    flips = tuple(named("RandomHorizontalFlip", p=0.5) for _ in range(7))
    with pytest.raises(SubmissionError, match="RandomOrder"):
        build((named("RandomOrder", *flips),))


def test_sizes_that_differ_within_a_batch_are_refused():
    with pytest.raises(SubmissionError, match=r"22 x 22 and 28 x 28.*Resize"):
        pipeline(v1.RandomApply([v1.CenterCrop(22)]), v1.ToTensor())


def test_many_sizes_without_a_resize_between_them_are_refused():
    crops = [v1.RandomApply([v1.CenterCrop(size)]) for size in (27, 26, 25, 24)]
    with pytest.raises(SubmissionError, match="more than 3 times"):
        pipeline(*crops, v1.Resize((28, 28)))


def test_an_order_that_decides_the_size_is_refused():
    with pytest.raises(SubmissionError, match="RandomOrder"):
        pipeline(v1.RandomOrder([v1.CenterCrop(22), v1.RandomInvert()]))


@pytest.mark.parametrize(
    ("steps", "advice"),
    [
        ([v1.Normalize((0.5,), (0.5,)), v1.ToTensor()], "put ToTensor"),
        ([v1.RandomErasing(), v1.ToTensor()], "put ToTensor"),
        ([v1.ToTensor(), v1.ToTensor()], "convert once"),
        ([v1.ToTensor(), v1.PILToTensor()], "convert once"),
        ([v1.ConvertImageDtype(torch.float32)], "PILToTensor"),
        ([v1.ToTensor(), v1.ConvertImageDtype(torch.uint8)], "float32"),
        ([v1.ToTensor(), v1.Normalize((0.5,) * 3, (0.5,) * 3)], "has 3 values"),
        ([v1.Grayscale(3), v1.Grayscale(1)], "leave both out"),
        ([v1.RandomCrop(32)], "pad"),
        ([v1.Pad(28, padding_mode="reflect")], "pad by less"),
        ([v1.ToTensor(), v1.RandomResizedCrop(28, antialias=False)], "antialias=True"),
        ([v1.Resize(28, max_size=28)], "max_size"),
    ],
)
def test_what_torchvision_would_refuse_is_refused_with_advice(steps, advice):
    with pytest.raises(SubmissionError, match=advice):
        pipeline(*steps)


def test_images_of_another_shape_are_our_mistake():
    with pytest.raises(GraderError, match="28 x 28"):
        build(())(torch.zeros(2, 1, 32, 32, dtype=torch.uint8))
    with pytest.raises(GraderError, match="float32"):
        build(())(torch.zeros(2, 1, 28, 28))


def test_a_random_pipeline_without_a_generator_is_our_mistake():
    with pytest.raises(GraderError, match="generator"):
        pipeline(v1.RandomRotation(7))(images)


def test_colour_images_are_our_mistake():
    with pytest.raises(GraderError, match="3 channels"):
        build((), image_shape=(3, 32, 32))
