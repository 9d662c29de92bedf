"""One file in which much is wrong, and the reports on it with one to eight checks failed.

The words are those that the grader has for this file and the rules of `mnist_8k`.
"""

import hashlib

from grader.report import Hint, RecipeReport, Report, Verdict
from tests.report_examples import check, report

PATH = "my_model.py"
FILE = '''"""My first try."""

import torch
from torch import nn
from torchvision import transforms

EPOCHS = 30
BATCH_SIZE = 64
train_transform = transforms.Compose([transforms.ToTensor()])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution_block_1 = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU())
        self.convolution_block_2 = nn.Sequential(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2))
        self.norm = nn.BatchNorm2d(64)
        self.fc1 = nn.Linear(64 * 13 * 13, 64)
        self.fc2 = nn.Linear(64, 10)
        self.fc3 = nn.Linear(10, 10)

    def forward(self, x):
        x = self.convolution_block_1(x)
        x = self.convolution_block_2(x)
        x = x - x.mean(dim=0)
        x = self.fc1(x.flatten(1)).relu()
        if self.training:
            return self.fc2(x)
        return self.fc2(x.tanh()) + torch.rand(1)
'''

FAILED = (
    check(
        "parameter_limit",
        "The network is small enough.",
        Verdict.FAILED,
        measured="713,074 parameters",
        asked="<= 8,000",
        max_points=20,
        detail="713,074 parameters; 705,074 too many for the limit of <= 8,000. Fewer channels, or "
        "1×1 convolutions in place of 3×3 ones, save the most: the layer table shows where the "
        "parameters are",
        hints=(
            Hint(text="fc1 (Linear) holds 692,288 of them, 97 %: save there first.", line=18),
            Hint(
                text="norm.weight, norm.bias, fc3.weight, fc3.bias: 238 parameters that the output "
                "does not depend on. They count; delete the layers that forward() does not use.",
                line=17,
            ),
        ),
    ),
    check(
        "batch_norm",
        "Batch normalisation is used.",
        Verdict.FAILED,
        measured="0 layers",
        asked="at least 1",
        detail="no BatchNorm layer has an effect on the output",
        hints=(Hint(text="norm (BatchNorm2d) has no effect: forward() never calls it.", line=17),),
    ),
    check(
        "gap",
        "Global average pooling ends the network.",
        Verdict.FAILED,
        measured="FC → FC",
        asked="GAP",
        detail="the network ends in fully connected (Linear) → fully connected (Linear): the last "
        "map is not averaged as a whole",
        hints=(
            Hint(
                text="Average each channel of the last map, made here, as a whole: "
                "nn.AdaptiveAvgPool2d(1) does it.",
                line=25,
            ),
        ),
    ),
    check(
        "receptive_field",
        "One unit of the last feature map sees enough of the image.",
        Verdict.FAILED,
        measured="6 × 6 pixels",
        asked=">= 28",
        detail="6 pixels; 28 are needed to see the whole digit. Another 3×3 convolution after a "
        "pooling adds the most; the layer table shows how the receptive field grows",
        hints=(Hint(text="The last feature map, before the head, is made here.", line=25),),
    ),
    check(
        "independent_samples",
        "Every image is scored by itself, and the same way each time.",
        Verdict.FAILED,
        measured="differs each time",
        asked="by itself",
        points=0,
        max_points=0,
        detail="the same images get other scores when they are asked again",
        hints=(
            Hint(
                text="Something random or changing runs in eval mode, such as F.dropout without "
                "training=."
            ),
            Hint(text="rand draws other numbers in every call, in evaluation too.", line=29),
            Hint(
                text="mean runs over dimension 0, the images of the batch: dimension 1 holds the "
                "channels or classes, 2 and 3 the rows and columns.",
                line=25,
            ),
        ),
    ),
    check(
        "same_network",
        "The network that is evaluated is the one that was trained.",
        Verdict.FAILED,
        measured="another one",
        asked="the same",
        points=0,
        max_points=0,
        detail="forward() depends on the mode: training runs linear (fc2) where evaluation runs "
        "tanh",
        hints=(
            Hint(
                text="Only Dropout and BatchNorm may depend on self.training; do everything else "
                "in both modes.",
                line=28,
            ),
        ),
    ),
    check(
        "epochs",
        "Training takes no more epochs than allowed.",
        Verdict.FAILED,
        measured="30 epochs",
        asked="<= 15",
        detail="EPOCHS = 30; at most 15 are allowed",
    ),
    check(
        "dropout",
        "Dropout is used in training and off in evaluation.",
        Verdict.FAILED,
        required=False,
        points=0,
        max_points=0,
        measured="0 layers",
        asked="at least 1",
        detail="no Dropout layer with p > 0 has an effect on the output: put a small one, such as "
        "nn.Dropout(0.05), between two layers",
    ),
)
SKIPPED = tuple(
    check(name, title, Verdict.SKIPPED, max_points=points, detail="static checks only (--static)")
    for name, title, points in (
        ("accuracy", "The network is accurate enough on the test images.", 40),
        ("steady", "The accuracy holds when the test images are a shade different.", 0),
    )
)


def failed(number: int) -> Report:
    """The report in which the first `number` of these checks failed, and the others passed."""
    passed = [
        one.model_copy(update={"verdict": Verdict.PASSED, "points": one.max_points})
        for one in FAILED[number:]
    ]
    checks = (*FAILED[:number], *passed, *SKIPPED)
    lines = {"epochs": 7, "batch_size": 8, "train_transform": 9}
    return report(
        submission="my_model",
        path=PATH,
        sha256=hashlib.sha256(FILE.encode()).hexdigest(),
        assignment_title="MNIST with at most 8,000 parameters",
        verdict=Verdict.FAILED,
        points=sum(one.points for one in checks),
        checks=checks,
        recipe=RecipeReport(origin="convention"),
        analysis={"recipe": {"lines": lines}},
        quick_look="static checks only (--static)",
    )
