"""Each augmentation against torchvision's own function, image by image, for the same draw; then the
draws.
"""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms import functional as v1_functional
from torchvision.transforms.v2 import functional as v2_functional

from grader.training.augment.operation import Drawn, Frame, whole
from grader.training.augment.transform import find

IMAGES = 64
CORNERS = [[0, 0], [27, 0], [27, 27], [0, 27]]

noise = torch.randint(
    0, 256, (IMAGES, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(5)
)

BOTH = pytest.mark.parametrize("functional", [v1_functional, v2_functional], ids=["v1", "v2"])
KINDS = pytest.mark.parametrize("kind", ["pil", "bytes", "float"])
FILTERS = pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def operation(name, **settings):
    return find(name)(**settings)


def rotation(degrees=(-7.0, 7.0), **settings):
    defaults = {"interpolation": "nearest", "expand": False, "center": None, "fill": 0}
    return operation("RandomRotation", degrees=degrees, **{**defaults, **settings})


def affine(**settings):
    defaults = {
        "degrees": (0, 0),
        "translate": None,
        "scale": None,
        "shear": None,
        "interpolation": "nearest",
    }
    return operation("RandomAffine", **{**defaults, "fill": 0, "center": None, **settings})


def agreement(step, reference, kind="pil", images=noise):
    """(share of equal values, largest difference) between `step.apply` and `reference(image, draw)`
    on each image.

    Whole-numbered kinds differ by numbers from 0 to 255; "float" images are `images` / 255.
    """
    frame = Frame(1, images.shape[2], images.shape[3], kind)
    drawn = step.draw(frame, len(images), seeded())
    batch = images / 255 if kind == "float" else images
    results = step.apply(batch, frame, drawn)
    assert results.shape[1:] == (
        step.after(frame).channels,
        step.after(frame).height,
        step.after(frame).width,
    )
    expected = []
    for number, image in enumerate(batch):
        draw = {name: values[number] for name, values in drawn.values.items()}
        if not draw.get("applied", True):
            expected.append(image)
        elif kind == "pil":
            changed = reference(Image.fromarray(image[0].numpy()), draw)
            expected.append(torch.from_numpy(np.array(changed))[None])
        else:
            expected.append(reference(image.clone(), draw))
    difference = (results.double() - torch.stack(expected).double()).abs()
    return (difference == 0).double().mean().item(), difference.max().item()


def assert_alike(step, reference, kind, images=noise):
    """PIL images and bytes: every value equal.

    Floats: within 1e-5, the rounding of another order of additions.
    """
    share, largest = agreement(step, reference, kind, images)
    if kind == "float":
        assert largest < 1e-5
    else:
        assert share == 1


# Geometry


@BOTH
@KINDS
@FILTERS
@pytest.mark.parametrize("degrees", [(-7, 7), (-180, 180), (90, 90), (0, 0)])
def test_rotation_is_torchvisions(functional, kind, interpolation, degrees):
    assert_alike(
        rotation(degrees, interpolation=interpolation, fill=3),
        lambda image, draw: functional.rotate(
            image, draw["angle"].item(), InterpolationMode(interpolation), fill=[3.0]
        ),
        kind,
    )


@BOTH
@KINDS
def test_rotation_around_another_centre_is_torchvisions(functional, kind):
    assert_alike(
        rotation((-40, 40), center=(3, 20)),
        lambda image, draw: functional.rotate(
            image, draw["angle"].item(), center=[3, 20], fill=[0.0]
        ),
        kind,
    )


@BOTH
@KINDS
@FILTERS
@pytest.mark.parametrize(
    "way",
    [
        {"degrees": (-10, 10), "translate": (0.1, 0.2), "scale": (0.8, 1.2), "shear": (-5, 5)},
        {"degrees": (-10, 10), "shear": (-5, 5, -20, 20), "center": (10, 3)},
        {"translate": (0.2, 0.1)},
        {"translate": (0.1, 0.1), "scale": (0.5, 1.5)},
    ],
    ids=str,
)
def test_affine_is_torchvisions(functional, kind, interpolation, way):
    def reference(image, draw):
        return functional.affine(
            image,
            draw["angle"].item(),
            [int(draw["x"]), int(draw["y"])],
            draw["scale"].item(),
            [draw["shear_x"].item(), draw["shear_y"].item()],
            interpolation=InterpolationMode(interpolation),
            fill=[7.0],
            center=way.get("center"),
        )

    assert_alike(affine(**way, interpolation=interpolation, fill=7), reference, kind)


@BOTH
@KINDS
@FILTERS
@pytest.mark.parametrize("distortion_scale", [0.1, 0.3, 0.5])
def test_perspective_is_torchvisions_on_99_percent_of_pixels(
    functional, kind, interpolation, distortion_scale
):
    """Its solver's coefficients are rounded to single precision, so that ours may differ in the
    last bit.
    """
    step = operation(
        "RandomPerspective",
        distortion_scale=distortion_scale,
        p=0.9,
        interpolation=interpolation,
        fill=9,
    )

    def reference(image, draw):
        corners = draw["corners"].tolist()
        return functional.perspective(
            image, CORNERS, corners, interpolation=InterpolationMode(interpolation), fill=[9.0]
        )

    share, largest = agreement(step, reference, kind)
    assert share > 0.99 or (kind == "float" and largest < 1e-4)


def test_a_perspective_that_folds_the_image_still_returns_bytes():
    step = operation("RandomPerspective", distortion_scale=1, p=1, interpolation="bilinear", fill=0)
    line = torch.tensor([[[0, 0], [13, 0], [26, 0], [5, 0]]])
    for kind, images in (("pil", noise), ("float", noise / 255)):
        applied = torch.tensor([True])
        result = step.apply(
            images[:1], Frame(1, 28, 28, kind), Drawn({"corners": line, "applied": applied})
        )
        assert result.isfinite().all()


def test_the_fill_of_a_pil_image_counts_from_0_to_255():
    white = torch.full((1, 1, 28, 28), 255, dtype=torch.uint8)
    for fill, painted in ((1, 1), (0.5, 0), (300, 255), (-3, 0), (None, 0)):
        turned = rotation((45, 45), fill=fill)
        result = turned.apply(white, Frame(1, 28, 28), turned.draw(Frame(1, 28, 28), 1, seeded()))
        assert result[0, 0, 0, 0] == painted


def test_after_normalize_the_fill_is_a_normalised_value():
    frame = Frame(1, 28, 28, "float")
    turned = rotation((45, 45), fill=-0.4242)
    result = turned.apply(torch.ones(1, 1, 28, 28), frame, turned.draw(frame, 1, seeded()))
    assert result[0, 0, 0, 0] == pytest.approx(-0.4242)


@settings(max_examples=40, deadline=None)
@given(angle=st.floats(-720, 720, width=32), fill=st.integers(0, 255), side=st.integers(1, 40))
def test_any_rotation_of_a_pil_image_is_pils_own(angle, fill, side):
    image = torch.randint(0, 256, (1, 1, side, side), dtype=torch.uint8, generator=seeded())
    mine = rotation((angle, angle), fill=fill).apply(
        image, Frame(1, side, side), Drawn({"angle": torch.tensor([angle])})
    )
    pil = Image.fromarray(image[0, 0].numpy()).rotate(torch.tensor(angle).item(), fillcolor=fill)
    assert np.array_equal(mine[0, 0].numpy(), np.array(pil))


# Size


@BOTH
@pytest.mark.parametrize(
    ("interpolation", "size"),
    list(
        product(
            ["nearest", "nearest-exact", "bilinear", "bicubic"],
            [(22, 22), (28, 28), (32, 40), (9, 9)],
        )
    ),
)
def test_resize_of_pil_images_is_torchvisions(functional, interpolation, size):
    step = operation(
        "Resize", size=size, interpolation=interpolation, max_size=None, antialias=True
    )
    assert_alike(
        step,
        lambda image, draw: functional.resize(image, list(size), InterpolationMode(interpolation)),
        "pil",
    )


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize(
    ("interpolation", "size"),
    list(
        product(["nearest", "nearest-exact", "bilinear", "bicubic"], [(22, 22), (32, 40), (14, 64)])
    ),
)
def test_resize_of_floats_is_torchvisions(interpolation, size, antialias):
    step = operation(
        "Resize", size=size, interpolation=interpolation, max_size=None, antialias=antialias
    )

    def reference(image, draw):
        return v2_functional.resize(
            image, list(size), InterpolationMode(interpolation), antialias=antialias
        )

    assert_alike(step, reference, "float")


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resize_of_bytes_is_version_2s_but_for_rounding(interpolation):
    step = operation(
        "Resize", size=(22, 22), interpolation=interpolation, max_size=None, antialias=True
    )
    share, largest = agreement(
        step,
        lambda image, draw: v2_functional.resize(image, [22, 22], InterpolationMode(interpolation)),
        "bytes",
    )
    assert share > 0.98
    assert largest <= 1


@pytest.mark.parametrize(
    ("size", "max_size", "frame", "expected"),
    [
        ((14,), None, (28, 42), (14, 21)),
        ((14,), 16, (28, 42), (10, 16)),
        ((14,), None, (42, 28), (21, 14)),
    ],
)
def test_resize_to_one_number_sets_the_shorter_side(size, max_size, frame, expected):
    step = operation(
        "Resize", size=size, interpolation="bilinear", max_size=max_size, antialias=True
    )
    after = step.after(Frame(1, *frame))
    assert (
        after.height,
        after.width,
    ) == expected  # 14 * 42 / 28 = 21, cut to 16: int(16 * 14 / 21) = 10


@BOTH
@pytest.mark.parametrize("kind", ["pil", "float"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("size", "scale"), [((28, 28), (0.08, 1)), ((32, 40), (0.5, 1)), ((8, 8), (0.9, 1))]
)
def test_resized_crop_is_torchvisions(functional, kind, interpolation, size, scale):
    step = operation(
        "RandomResizedCrop",
        size=size,
        scale=scale,
        ratio=(0.75, 4 / 3),
        interpolation=interpolation,
        antialias=True,
    )

    def reference(image, draw):
        box = [int(draw[name]) for name in ("top", "left", "height", "width")]
        return functional.resized_crop(
            image, *box, list(size), InterpolationMode(interpolation), antialias=True
        )

    assert_alike(step, reference, kind)


@BOTH
@KINDS
@pytest.mark.parametrize("size", [(22, 22), (23, 21), (31, 20), (40, 33)])
def test_center_crop_is_torchvisions(functional, kind, size):
    step = operation("CenterCrop", size=size)
    assert_alike(step, lambda image, draw: functional.center_crop(image, list(size)), kind)


@BOTH
@KINDS
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_padding_is_torchvisions(functional, kind, mode):
    step = operation("Pad", padding=(1, 2, 3, 4), fill=5, padding_mode=mode)
    assert_alike(step, lambda image, draw: functional.pad(image, [1, 2, 3, 4], 5, mode), kind)


@settings(max_examples=40, deadline=None)
@given(
    padding=st.tuples(*[st.integers(0, 4)] * 4),
    mode=st.sampled_from(["constant", "edge", "reflect", "symmetric"]),
    height=st.integers(5, 8),
    width=st.integers(5, 8),
)
def test_padding_is_numpys(padding, mode, height, width):
    image = torch.arange(height * width, dtype=torch.uint8).view(1, 1, height, width)
    step = operation("Pad", padding=padding, fill=0, padding_mode=mode)
    mine = step.apply(image, Frame(1, height, width), Drawn())
    left, top, right, bottom = padding
    assert np.array_equal(
        mine[0, 0].numpy(), np.pad(image[0, 0].numpy(), ((top, bottom), (left, right)), mode)
    )


@BOTH
@KINDS
def test_random_crop_pads_then_cuts_as_torchvision(functional, kind):
    step = operation(
        "RandomCrop",
        size=(26, 24),
        padding=(4, 4, 4, 4),
        pad_if_needed=False,
        fill=5,
        padding_mode="constant",
    )

    def reference(image, draw):
        padded = functional.pad(image, [4, 4, 4, 4], 5)
        return functional.crop(padded, int(draw["top"]), int(draw["left"]), 26, 24)

    assert_alike(step, reference, kind)


def test_pad_if_needed_adds_what_is_missing_on_both_sides():
    step = operation(
        "RandomCrop",
        size=(30, 28),
        padding=None,
        pad_if_needed=True,
        fill=0,
        padding_mode="constant",
    )
    tops = step.draw(Frame(1, 28, 28), 500, seeded())["top"]
    assert sorted(tops.unique().tolist()) == [
        0,
        1,
        2,
    ]  # 28 + 2 + 2 = 32 rows: 30 of them start at row 0, 1 or 2


# Values


@BOTH
@KINDS
def test_jitter_is_torchvisions_in_both_orders(functional, kind):
    step = operation(
        "ColorJitter", brightness=(0.5, 1.5), contrast=(0.2, 1.8), saturation=None, hue=None
    )

    def reference(image, draw):
        contrast = draw["contrast"].item()
        brightness = draw["brightness"].item()
        if draw["contrast_first"]:
            return functional.adjust_brightness(
                functional.adjust_contrast(image, contrast), brightness
            )
        return functional.adjust_contrast(functional.adjust_brightness(image, brightness), contrast)

    assert_alike(step, reference, kind)


def test_saturation_and_hue_leave_grey_images_alone():
    step = operation(
        "ColorJitter", brightness=None, contrast=None, saturation=(0, 2), hue=(-0.5, 0.5)
    )
    assert torch.equal(
        step.apply(noise, Frame(1, 28, 28), step.draw(Frame(1, 28, 28), IMAGES, seeded())), noise
    )


@BOTH
@KINDS
def test_blur_is_torchvisions_on_999_of_1000_pixels(functional, kind):
    step = operation("GaussianBlur", kernel_size=(5, 3), sigma=(0.1, 2.0))
    share, largest = agreement(
        step,
        lambda image, draw: functional.gaussian_blur(image, [5, 3], [draw["sigma"].item()] * 2),
        kind,
    )
    assert largest < 1e-5 if kind == "float" else (share > 0.999 and largest <= 1)


@BOTH
@KINDS
@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0, 3.7])
def test_sharpness_is_torchvisions_on_98_percent_of_pixels(functional, kind, factor):
    step = operation("RandomAdjustSharpness", sharpness_factor=factor, p=0.5)
    share, largest = agreement(
        step, lambda image, draw: functional.adjust_sharpness(image, factor), kind
    )
    if kind == "pil":
        assert share == 1
    else:
        assert largest < 1e-5 if kind == "float" else (share > 0.98 and largest <= 1)


@BOTH
@KINDS
def test_autocontrast_is_torchvisions(functional, kind):
    step = operation("RandomAutocontrast", p=0.7)
    dim = noise // 3 + 20
    dim[0] = 77  # a flat image stays as it is
    share, largest = agreement(step, lambda image, draw: functional.autocontrast(image), kind, dim)
    assert share == 1 if kind == "pil" else largest <= (1e-5 if kind == "float" else 1)


@BOTH
@KINDS
def test_inversion_is_torchvisions(functional, kind):
    assert_alike(
        operation("RandomInvert", p=0.5), lambda image, draw: functional.invert(image), kind
    )


@KINDS
def test_flips_are_torchvisions(kind):
    horizontal, vertical = (
        operation("RandomHorizontalFlip", p=0.5),
        operation("RandomVerticalFlip", p=0.5),
    )
    assert_alike(horizontal, lambda image, draw: v2_functional.horizontal_flip(image), kind)
    assert_alike(vertical, lambda image, draw: v2_functional.vertical_flip(image), kind)


@pytest.mark.parametrize("kind", ["bytes", "float"])
def test_erasing_is_torchvisions(kind):
    step = operation("RandomErasing", p=0.8, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=1)

    def reference(image, draw):
        box = [int(draw[name]) for name in ("top", "left", "height", "width")]
        return v2_functional.erase(image, *box, torch.ones(1, 1, 1))

    assert_alike(step, reference, kind)


def test_erasing_with_noise_changes_the_rectangle_only():
    frame = Frame(1, 28, 28, "float")
    step = operation("RandomErasing", p=1, scale=(0.1, 0.2), ratio=(0.5, 2), value="random")
    drawn = step.draw(frame, 1, seeded())
    changed = step.apply(torch.full((1, 1, 28, 28), 9.0), frame, drawn) != 9
    assert changed.sum() == drawn["height"] * drawn["width"] > 0


# Draws: 20,000 of them; a share of p has a standard error of at most 0.0036

MANY = 20_000


def draws(step, kind="pil"):
    return step.draw(Frame(1, 28, 28, kind), MANY, seeded(11))


def assert_uniform(values, low, high):
    """The largest distance between two distribution functions; Kolmogorov's bound fails one time in
    a million.
    """
    assert low <= values.min()
    assert values.max() <= high
    ranks = torch.arange(1, MANY + 1) / MANY
    distance = ((values.sort().values - low) / (high - low) - ranks).abs().max()
    assert distance < 2.7 / MANY**0.5


def test_angles_are_uniform():
    assert_uniform(draws(rotation((-7, 12)))["angle"], -7, 12)


def test_affine_draws_are_uniform_and_translations_are_whole_pixels():
    drawn = draws(
        affine(degrees=(-5, 5), translate=(0.1, 0.25), scale=(0.8, 1.1), shear=(-3, 4, 10, 20)),
    )
    assert_uniform(drawn["scale"], 0.8, 1.1)
    assert_uniform(drawn["shear_x"], -3, 4)
    assert_uniform(drawn["shear_y"], 10, 20)
    assert drawn["x"].unique().tolist() == [-3, -2, -1, 0, 1, 2, 3]  # 0.1 * 28 = 2.8
    assert drawn["y"].unique().tolist() == list(range(-7, 8))  # 0.25 * 28 = 7
    assert (drawn["x"] == 3).float().mean() == pytest.approx(
        0.3 / 5.6, abs=0.008
    )  # from 2.5 to 2.8
    assert (drawn["x"] == 0).float().mean() == pytest.approx(1 / 5.6, abs=0.015)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_p_is_the_share_of_changed_images(p):
    applied = draws(operation("RandomHorizontalFlip", p=p))["applied"].float().mean().item()
    assert applied == pytest.approx(p, abs=0.018 if 0 < p < 1 else 0)


def test_perspective_corners_stay_within_half_of_the_distortion():
    corners = draws(
        operation("RandomPerspective", distortion_scale=0.5, p=1, interpolation="bilinear", fill=0)
    )
    x, y = corners["corners"].unbind(2)
    inwards = torch.cat([x[:, [0, 3]], 27 - x[:, [1, 2]], y[:, [0, 1]], 27 - y[:, [2, 3]]], dim=1)
    assert inwards.unique().tolist() == list(range(8))  # int(0.5 * 14) = 7
    counts = torch.stack([(inwards == step).float().mean(0) for step in range(8)])
    assert (counts - 1 / 8).abs().max() < 0.013


def test_crop_corners_are_uniform():
    step = operation(
        "RandomCrop",
        size=(28, 28),
        padding=(2, 2, 2, 2),
        pad_if_needed=False,
        fill=0,
        padding_mode="constant",
    )
    for name in ("top", "left"):
        shares = draws(step)[name].bincount(minlength=5) / MANY
        assert shares.tolist() == pytest.approx([0.2] * 5, abs=0.015)


def test_erased_rectangles_are_distributed_as_torchvisions():
    step = operation("RandomErasing", p=1, scale=(0.02, 0.5), ratio=(0.3, 3.3), value=0)
    drawn = draws(step, "float")
    theirs = v2.RandomErasing(1, (0.02, 0.5), (0.3, 3.3))
    torch.manual_seed(3)
    some = [theirs.make_params([torch.zeros(1, 28, 28)]) for _ in range(2000)]
    for mine, name in (("height", "h"), ("width", "w"), ("top", "i"), ("left", "j")):
        expected = np.mean([params[name] for params in some])
        assert drawn[mine].float().mean().item() == pytest.approx(
            expected, abs=0.75
        )  # 5 standard errors of 2000


def test_resized_crops_are_distributed_as_torchvisions():
    step = operation(
        "RandomResizedCrop",
        size=(28, 28),
        scale=(0.08, 1),
        ratio=(0.75, 4 / 3),
        interpolation="bilinear",
        antialias=True,
    )
    drawn = draws(step)
    theirs = v2.RandomResizedCrop(28)
    torch.manual_seed(3)
    some = [theirs.make_params([torch.zeros(1, 28, 28)]) for _ in range(2000)]
    for name in ("height", "width", "top", "left"):
        expected = np.mean([params[name] for params in some])
        assert drawn[name].float().mean().item() == pytest.approx(expected, abs=0.75)


def test_a_resized_crop_that_never_fits_takes_the_middle():
    step = operation(
        "RandomResizedCrop",
        size=(28, 28),
        scale=(1, 1),
        ratio=(2, 2),
        interpolation="bilinear",
        antialias=True,
    )
    drawn = step.draw(Frame(1, 28, 28), 1, seeded())
    assert {name: values.item() for name, values in drawn.values.items()} == {
        "top": 7,
        "left": 0,
        "height": 14,
        "width": 28,
    }


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 1000), seed=st.integers(0, 2**31))
def test_whole_numbers_stay_below_their_count(count, seed):
    numbers = whole(count, (200,), seeded(seed))
    assert numbers.min() >= 0
    assert numbers.max() < count
