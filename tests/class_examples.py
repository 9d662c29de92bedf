"""Classes that look like real ones: seeded, invented, of any size. For the class's page."""

from __future__ import annotations

import random
from collections.abc import Sequence

from grader.classroom import similarity
from grader.classroom.similarity import Group, Layer, Work
from grader.report import RecipeReport, Report, Verdict
from tests import report_examples as examples

NAMES = (
    "Amara Okafor", "Ben Fischer", "Chiara Rossi", "Dmitri Volkov", "Elif Yılmaz", "Farid Haddad",
    "Greta Lindqvist", "Hana Sato", "Ines Carvalho", "Jonas Weber", "Kofi Mensah", "Léa Dubois",
    "Mei Chen", "Nikhil Rao", "Oona Korhonen", "Paweł Nowak", "Quynh Tran", "Rosa Jiménez",
    "Sanna Berg", "Tomás Herrera", "Uma Iyer", "Viktor Horváth", "Wendy Osei", "Xavier Lambert",
    "Yara Mansour", "Zoë van der Berg", "Aisha Siddiqui-Featherstonehaugh", "Bo Li",
    "Callum O’Connor", "model_final_FINAL_v2",
)  # fmt: skip
THRESHOLD = 0.994
ENDINGS = {
    "passed": 12,
    "borderline": 4,
    "inaccurate": 3,
    "too large": 3,
    "no pooling": 2,
    "static": 2,
    "practice": 1,
    "unreadable": 1,
    "unknown": 1,
    "diverged": 1,
}
"""How a submission may end, and how often of 30."""


def classroom(
    number: int = 30,
    *,
    seed: int = 1,
    endings: Sequence[str] = (),
    assignment: str = "mnist_8k",
    title: str = "MNIST with at most 8,000 parameters",
) -> list[Report]:
    """That many reports; `endings` are drawn from, each as often, where some are given."""
    chance = random.Random(seed)
    pool = list(endings) or [ending for ending, often in ENDINGS.items() for _ in range(often)]
    found = []
    for place in range(number):
        ending = pool[place % len(pool)] if number <= len(pool) else chance.choice(pool)
        name = NAMES[place % len(NAMES)]
        if place >= len(NAMES):
            name = f"{name} {place // len(NAMES) + 1}"
        found.append(_work(chance, name, ending, assignment, title))
    chance.shuffle(found)
    return found


def _work(chance, name, ending, assignment, title) -> Report:
    facts = {
        "submission": f"{name.split()[0].lower()}-{chance.getrandbits(24):06x}",
        "display_name": name,
        "path": f"assignments/{assignment}/submissions/{name}.py",
        "assignment": assignment,
        "assignment_title": title,
        "started": f"2026-01-{chance.randint(12, 14)}T10:{chance.randint(10, 59)}:07+00:00",
        "recipe": RecipeReport(origin=chance.choice(["rehearsed", "rehearsed", "convention"])),
        "flags": (),
    }
    if ending == "unreadable":
        problem = examples.uncaptured().problem
        return examples.report(
            **facts | {"recipe": None}, verdict=Verdict.FAILED, points=0, checks=(), problem=problem
        )
    size = int(chance.triangular(2300, 8000, 7600))
    if ending == "too large":
        size = chance.randint(8_100, 27_000)
    changes = {"recipe": RecipeReport(origin="assignment")} if chance.random() < 0.2 else {}
    if chance.random() < 0.07:
        changes["flags"] = ("The weights before training are not random: accuracy is 97.1 %.",)
    checks, points, verdict = _checks(ending, size)
    training = _training(chance, ending, size)
    if ending == "static":
        changes["quick_look"] = "static checks only (--static)"
    return examples.report(
        **facts | changes,
        checks=(*checks, _accuracy(ending, training)),
        points=points,
        verdict=verdict,
        training=training,
        analysis={
            **examples.ANALYSIS,
            "total_parameters": size,
            "multiply_adds": size * chance.randint(60, 200),
        },
    )


def _checks(ending, size):
    limit = examples.STATIC[0].model_copy(
        update={"measured": f"{size:,} parameters", "value": size}
    )
    checks = [limit, *examples.STATIC[1:]]
    failing = {"too large": 0, "no pooling": 2}.get(ending)
    if ending == "unknown":
        checks[3] = checks[3].model_copy(update={"verdict": Verdict.UNKNOWN, "points": 0})
    if failing is not None:
        checks[failing] = checks[failing].model_copy(
            update={"verdict": Verdict.FAILED, "points": 0}
        )
    reached = {"passed": 40, "borderline": 40, "unknown": 40}.get(ending, 0)
    verdict = {
        "passed": Verdict.PASSED,
        "borderline": Verdict.BORDERLINE,
        "static": Verdict.PASSED_SO_FAR,
        "practice": Verdict.PASSED_SO_FAR,
        "unknown": Verdict.UNKNOWN,
    }.get(ending, Verdict.FAILED)
    return checks, sum(check.points for check in checks) + reached, verdict


def _training(chance, ending, size):
    if ending in ("static", "too large", "no pooling"):
        return None
    if ending == "practice":
        digits = examples.run((201, 290, 322, 331, 340, 347), total=360)
        return examples.training(digits, practice=True, interval=None)
    if ending == "borderline":
        score = THRESHOLD + chance.uniform(-0.0003, 0.0002)
    elif ending == "inaccurate":
        score = THRESHOLD - chance.uniform(0.001, 0.012)
    elif ending == "diverged":
        score = 0.1135
    else:
        score = THRESHOLD + 0.0001 + chance.uniform(0.0, 0.0011) * (size / 8000)
    half = 0.0004 if ending == "borderline" else chance.uniform(0.0004, 0.0008)
    return examples.training(
        examples.run(),
        score=score,
        best=min(score + 0.0004, 1),
        interval=(max(score - half, 0), min(score + half, 1)),
    )


def _accuracy(ending, training):
    verdict = {
        "passed": Verdict.PASSED,
        "unknown": Verdict.PASSED,
        "borderline": Verdict.BORDERLINE,
        "inaccurate": Verdict.FAILED,
        "diverged": Verdict.FAILED,
    }.get(ending, Verdict.SKIPPED)
    earned = 40 if verdict in (Verdict.PASSED, Verdict.BORDERLINE) else 0
    return examples.check(
        "accuracy",
        "The network recognises enough digits.",
        verdict,
        measured="" if training is None else f"{100 * (training.score or 0):.2f} %",
        asked=">= 99.40 %",
        points=earned,
        max_points=40,
    )


SOURCE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv{0} = nn.Conv2d(1, {0}, 3, padding=1)
        self.bn{0} = nn.BatchNorm2d({0})
        self.conv{1} = nn.Conv2d({0}, {1}, 3)
        self.drop = nn.Dropout(0.0{1})

    def forward(self, x):
        x = F.max_pool2d(self.bn{0}(F.relu(self.conv{0}(x))), 2)
        return self.drop(F.relu(self.conv{1}(x))).mean((2, 3)) * {2}
"""


def groups(reports: Sequence[Report], seed: int = 1) -> list[Group]:
    """What the real comparison finds in invented works: a copy, a common network, near ones."""
    chance = random.Random(seed)
    names = sorted(report.submission for report in reports)
    chance.shuffle(names)
    works = []
    for place, name in enumerate(names):
        first, second = (8, 16) if place < 5 else (chance.randint(4, 40), chance.randint(8, 60))
        if place in (5, 6):
            first, second = 30 + place, 50
        third = 3 if place < 2 else place + 10
        kinds = ["conv2d", "relu", "batch_norm", "max_pool2d", "conv2d", "dropout", "mean"]
        kinds += ["linear"] * (place // 3 if place > 6 else 0)
        shape = [(first,), (first,), (first,), (), (second,), (), ()] + [(place,)] * 40
        layers = tuple(map(Layer, kinds, shape))
        works.append(
            Work(
                name=name,
                sources=(SOURCE.format(first, second, third) if place < 2 else "",),
                architecture=f"{first}-{second}-{kinds}",
                layers=layers,
                recipe=(("scheduler", "OneCycleLR" if place < 3 else f"rule {place}"),),
            )
        )
    starter = Work(name="starter.py", sources=("",), architecture=works[0].architecture)
    return similarity.groups(works, [starter])
