"""An optimizer, a scheduler, a transform: one entry each.

Each test adds an entry and sees it accepted, used and named where the grader says what there is.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import transforms
from torchvision.transforms import functional, v2

from grader.assignment import Assignment, load
from grader.errors import GraderError
from grader.intake import intake
from grader.program import program
from grader.program.program import Captured
from grader.training import run
from grader.training.augment import build, colour
from grader.training.augment.operation import Drawn, Frame, Number, Operation, Sometimes
from grader.training.augment.transform import find
from grader.training.choices import OPTIMIZERS, SCHEDULERS, TRANSFORMS
from grader.training.engine import loop
from grader.training.task import Task
from tests.static_grading import InThisProcess, report
from tests.training.engine.test_loop import curve, images, student_loop, tiny, values
from tests.training.engine.test_loop import program as tiny_program
from tests.training.engine.test_replay import Immediate, OnAnyDevice

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "assignments" / "mnist_8k" / "assignment.toml").read_text(encoding="utf-8")
NETWORK = """
import torch
from torch import nn
from torchvision import transforms


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 3)

    def forward(self, x):
        return self.conv(x).mean((2, 3))


"""


def assigned(folder: Path, *changes: tuple[str, str]) -> Assignment:
    """mnist_8k with these texts replaced."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    own = folder / "mnist_8k"
    own.mkdir(exist_ok=True)
    (own / "assignment.toml").write_text(text, encoding="utf-8")
    return load(own)


def captured(asked: Assignment, rest: str = "") -> Captured:
    """The network, with `rest` after it, as it crosses from a child."""
    source = (NETWORK + rest).encode()
    return intake.capture(
        source, "net.py", asked, train_images=600, seeds=(0,), sandbox=InThisProcess()
    )


# An optimizer.


@pytest.fixture
def adamax(monkeypatch):
    monkeypatch.setitem(
        OPTIMIZERS, "Adamax", frozenset({"betas", "eps", "weight_decay", "maximize"})
    )


ADAMAX = """
def configure_optimizers(model):
    return torch.optim.Adamax(model.parameters(), lr=0.02, betas=(0.8, 0.99), weight_decay=1e-3)
"""
ASK_FOR_ADAMAX = (
    ('name = "SGD"', 'name = "Adamax"'),
    ("momentum = 0.9, weight_decay = 0.0005", "weight_decay = 0.001"),
)


def test_without_the_entry_an_optimizer_is_refused_everywhere(tmp_path):
    with pytest.raises(
        GraderError, match=r'name = "Adamax"; known choices: SGD, Adam, .*Adadelta\.'
    ):
        assigned(tmp_path, *ASK_FOR_ADAMAX)
    refused = report(NETWORK + ADAMAX).problem
    assert "the optimizer Adamax. The grader trains with torch.optim's SGD," in refused.message


def test_one_entry_lets_an_assignment_and_a_file_use_an_optimizer(tmp_path, adamax):
    by_assignment = captured(assigned(tmp_path, *ASK_FOR_ADAMAX)).program.recipe
    by_file = captured(assigned(tmp_path), ADAMAX).program.recipe
    assert (by_assignment.optimizer.name, by_file.optimizer.name) == ("Adamax", "Adamax")
    assert "optimizer" in by_assignment.defaults
    assert by_file.optimizer.groups[0].settings == {
        "betas": (0.8, 0.99),
        "eps": 1e-8,
        "weight_decay": 1e-3,
        "maximize": False,
    }


def test_one_entry_trains_an_optimizer_as_torchs_own_bit_for_bit(adamax):
    model = tiny()
    optimizer = torch.optim.Adamax(model.parameters(), lr=0.01, weight_decay=1e-3)
    _, rates, momenta = student_loop(optimizer, model=model)
    names = [name for name, _ in model.named_parameters()]
    wanted = tiny_program(
        optimizer={
            "name": "Adamax",
            "groups": [{"parameters": names, "settings": {"weight_decay": 1e-3}}],
        },
        schedule={"learning_rate": [curve(rates)], "momentum": [curve(momenta)]},
    )
    net = run.network.build(wanted, values())
    list(loop.train(net, wanted.recipe, images(), seed=3))
    assert all(torch.equal(net.weights[name], tensor) for name, tensor in model.named_parameters())


def test_an_optimizer_without_a_fast_rule_is_trained_by_the_plain_loop_which_says_so(
    monkeypatch, adamax
):
    names = [name for name, _ in tiny().named_parameters()]
    groups = [{"parameters": names, "settings": {}}]
    wanted = tiny_program(optimizer={"name": "Adamax", "groups": groups})
    monkeypatch.setattr(run, "FAST_ENGINES", (OnAnyDevice(Immediate),))
    (done,) = run.train_seeds(Task(wanted, images()), {3: values()})
    assert done.engine.startswith("eager")
    assert done.engine.endswith("(there is no rule for torch.optim.Adamax)")
    assert done.ending.finished


def test_one_entry_names_an_optimizer_in_the_report_that_refuses_another(adamax):
    unknown = "def configure_optimizers(model):\n    return torch.optim.LBFGS(model.parameters())\n"
    refused = report(NETWORK + unknown).problem
    assert "SGD, Adam, AdamW, RMSprop, NAdam, RAdam, Adagrad, Adadelta, Adamax" in refused.message


def test_a_program_that_names_another_optimizer_is_refused_with_those_there_are():
    text = tiny_program().to_json().replace('"name":"SGD"', '"name":"LBFGS"')
    with pytest.raises(Exception, match=r"'LBFGS' is not an optimizer .*\(SGD, .*Adadelta\)"):
        program.read(text)


@pytest.mark.parametrize("name", ["mnist_20k", "mnist_8k"])
def test_the_brief_names_the_optimizers_that_there_are(name):
    brief = (ROOT / "assignments" / name / "README.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"You may use the optimizers ([\w, ]+), and every scheduler", brief)
    assert sentence.replace(" and ", ", ").split(", ") == list(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_settings_of_an_optimizer_are_arguments_of_torchs_class(name):
    built = getattr(torch.optim, name)([torch.zeros(1)])
    assert OPTIMIZERS[name] <= built.defaults.keys()


# A scheduler.


def test_one_entry_lets_an_assignment_use_a_scheduler_and_gives_it_its_length(
    tmp_path, monkeypatch
):
    ask = (
        ('name = "OneCycleLR"', 'name = "LinearLR"'),
        ("max_lr = 0.05, pct_start = 0.2", "start_factor = 1.0, end_factor = 0.5"),
    )
    with pytest.raises(GraderError, match=r'"LinearLR"; known choices: StepLR, .*OneCycleLR\.'):
        assigned(tmp_path, *ask)
    monkeypatch.setitem(SCHEDULERS, "LinearLR", "total_iters")
    schedule = captured(assigned(tmp_path, *ask)).program.recipe.schedule
    steps = 15 * 5  # 15 epochs of 600 images in batches of 128
    rates = schedule.learning_rate[0]
    assert schedule.scheduler == "LinearLR"
    assert (len(rates), rates[0].value) == (steps, 0.05)
    assert rates[-1].value == pytest.approx(0.05 * (0.5 + 0.5 / steps))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_is_torchs_own(name):
    assert issubclass(getattr(torch.optim.lr_scheduler, name), torch.optim.lr_scheduler.LRScheduler)


# A transform.


class RandomSolarize(Sometimes):
    """White from `threshold` on becomes black."""

    threshold: Number

    def change(self, images: torch.Tensor, frame: Frame, drawn: Drawn) -> torch.Tensor:
        return torch.where(images >= self.threshold, int(frame.white) - images, images)


@pytest.fixture
def solarize(monkeypatch):
    monkeypatch.setattr(colour, "RandomSolarize", RandomSolarize, raising=False)
    monkeypatch.setitem(TRANSFORMS, "RandomSolarize", "colour")


ASK_TO_SOLARIZE = (
    ('name = "RandomRotation"', 'name = "RandomSolarize"'),
    ("degrees = 7", "threshold = 100, p = 1.0"),
)
SOLARIZE = """
train_transform = transforms.Compose([transforms.RandomSolarize(100, p=1.0), transforms.ToTensor()])
"""


def test_without_the_entry_a_transform_is_refused_everywhere(tmp_path):
    with pytest.raises(GraderError, match=r'"RandomSolarize"; known choices: ToTensor, .*Invert\.'):
        assigned(tmp_path, *ASK_TO_SOLARIZE)
    refused = report(NETWORK + SOLARIZE).problem
    assert "uses RandomSolarize, which the grader cannot train with" in refused.message


def test_one_entry_lets_an_assignment_and_a_file_use_a_transform_which_is_applied(
    tmp_path, solarize
):
    by_assignment = captured(assigned(tmp_path, *ASK_TO_SOLARIZE)).program.recipe
    by_file = captured(assigned(tmp_path), SOLARIZE).program.recipe
    first = by_file.augmentations[0]
    assert (first.name, first.settings) == ("RandomSolarize", {"p": 1.0, "threshold": 100})
    assert by_assignment.augmentations[0] == first
    pixels = torch.from_numpy(np.arange(2 * 784, dtype=np.uint8).reshape(2, 1, 28, 28))
    ours = build(by_file.augmentations)(pixels, torch.Generator())
    assert torch.equal(ours, functional.solarize(pixels, 100) / 255)


def test_one_entry_names_a_transform_in_the_report_that_refuses_another(solarize):
    refused = report(NETWORK + SOLARIZE.replace("RandomSolarize(100,", "RandomPosterize(4,"))
    assert "RandomRotation, RandomSolarize, RandomVerticalFlip" in refused.problem.message


def test_every_class_of_an_operation_is_an_entry_and_torchvision_has_it():
    written = set()
    for file in set(TRANSFORMS.values()):
        module = import_module(f"grader.training.augment.{file}")
        for name, item in vars(module).items():
            own = getattr(item, "__module__", "") == module.__name__
            if own and isinstance(item, type) and issubclass(item, Operation):
                written.add(name)
    assert written == TRANSFORMS.keys()
    for name in TRANSFORMS:
        assert find(name).__name__ == name
        assert hasattr(transforms, name) or hasattr(v2, name)


def test_an_assignment_may_name_transforms_of_version_2_and_a_dtype(tmp_path):
    entry = "[[recipe.train_transform]]\nname ="
    to_dtype = f'{entry} "ToDtype"\nsettings = {{ dtype = "float32", scale = true }}'
    ask = (f'{entry} "ToTensor"', f'{entry} "ToImage"\n\n{to_dtype}')
    names = [item.name for item in captured(assigned(tmp_path, ask)).program.recipe.augmentations]
    assert names == ["RandomRotation", "ToImage", "ToDtype", "Normalize"]
