"""The recipe is read as data, and the schedule is what PyTorch's own scheduler really sets at every
step.
"""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim import lr_scheduler

from grader.capture import recipe
from grader.capture.load import read_definitions
from grader.errors import SubmissionError
from grader.program.recipe import Recipe, Run
from tests.capture.sources import FILE, net, text

EPOCHS, STEPS = 4, 5
DEFAULT: dict[str, Any] = {
    "epochs": EPOCHS,
    "batch_size": 10,
    "optimizer": {"name": "SGD", "settings": {"lr": 0.1, "momentum": 0.9}},
    "scheduler": None,
    "train_transform": [],
    "criterion": "auto",
}


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))


def read(
    source: str, network: nn.Module | None = None, natural: str = "cross_entropy", **default: Any
) -> Recipe:
    """The recipe of a file for 50 images: 5 steps of 10 in each of 4 epochs."""
    return recipe.read(
        read_definitions(text(net() + source), FILE),
        network or model(),
        default={**DEFAULT, **default},
        train_images=50,
        most_steps=1000,
        natural_loss=natural,
    )


def configured(
    body: str, before: str = "", arguments: str = "model, steps_per_epoch, epochs"
) -> str:
    """A file with configure_optimizers in line 10 (where nothing comes before it)."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return f"{before}def configure_optimizers({arguments}):\n{lines}"


def refusal(source: str, **default: Any) -> SubmissionError:
    with pytest.raises(SubmissionError) as caught:
        read(source, **default)
    return caught.value


def scheduled(**options: str) -> str:
    """Lightning's dictionary around `scheduler`, with further options as source text."""
    inner = ", ".join(
        f"{name!r}: {value}" for name, value in {"scheduler": "scheduler", **options}.items()
    )
    return f"return {{'optimizer': optimizer, 'lr_scheduler': {{{inner}}}}}"


def expanded(curve: tuple[Run, ...]) -> list[float]:
    return [run.value for run in curve for _ in range(run.steps)]


SGD = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)"
ADAM = "optimizer = torch.optim.Adam(model.parameters(), lr=0.1, betas=(0.8, 0.99))"
EPOCH_SCHEDULERS = [
    "StepLR(optimizer, 2)",
    "MultiStepLR(optimizer, [1, 3], gamma=0.5)",
    "ExponentialLR(optimizer, 0.9)",
    "CosineAnnealingLR(optimizer, epochs)",
    "CosineAnnealingLR(optimizer, 2, eta_min=0.01)",
    "CosineAnnealingWarmRestarts(optimizer, 2)",
    "LinearLR(optimizer, total_iters=3)",
    "ConstantLR(optimizer, total_iters=2)",
    "PolynomialLR(optimizer, 4, power=2)",
    "LambdaLR(optimizer, lambda epoch: 0.5 ** epoch)",
    "MultiplicativeLR(optimizer, lambda epoch: 0.95)",
    "SequentialLR(optimizer, [LinearLR(optimizer, 0.1, total_iters=2), ExponentialLR(optimizer, "
    "0.5)], [2])",
    "ChainedScheduler([ConstantLR(optimizer, 0.1, 2), ExponentialLR(optimizer, 0.9)])",
    "OneCycleLR(optimizer, 0.2, total_steps=epochs)",  # a common mistake: stepped after epochs
]
STEP_SCHEDULERS = [
    "OneCycleLR(optimizer, 0.2, epochs=epochs, steps_per_epoch=steps_per_epoch)",
    "OneCycleLR(optimizer, 0.2, total_steps=100, cycle_momentum=False)",
    "OneCycleLR(optimizer, 0.2, total_steps=20, three_phase=True, anneal_strategy='linear')",
    "CyclicLR(optimizer, 0.01, 0.1, step_size_up=3, mode='triangular2')",
]


def stepped(make: str, scheduler: str, interval: str) -> tuple[list[float], list[float]]:
    """What the optimizer uses in every step when it is really trained: learning rates, and momenta
    or beta1.
    """
    names: dict[str, Any] = {**vars(lr_scheduler), "torch": torch, "model": model()}
    names |= {"epochs": EPOCHS, "steps_per_epoch": STEPS}
    exec(f"{make}\nscheduler = {scheduler}", names)
    optimizer, network, rates, momenta = names["optimizer"], names["model"], [], []
    for _ in range(EPOCHS):
        for _ in range(STEPS):
            group = optimizer.param_groups[0]
            rates.append(group["lr"])
            momenta.append(group["betas"][0] if "betas" in group else group["momentum"])
            optimizer.zero_grad()
            network(torch.ones(1, 3)).sum().backward()
            optimizer.step()
            if interval == "step":
                names["scheduler"].step()
        if interval == "epoch":
            names["scheduler"].step()
    return rates, momenta


CASES = [(one, "epoch") for one in EPOCH_SCHEDULERS] + [(one, "step") for one in STEP_SCHEDULERS]


@pytest.mark.filterwarnings("ignore")  # torch's own, about its schedulers inside SequentialLR
@pytest.mark.parametrize("make", [SGD, ADAM])
@pytest.mark.parametrize(("scheduler", "interval"), CASES)
def test_the_schedule_is_what_pytorch_really_sets(make, scheduler, interval):
    found = read(
        configured(
            f"{make}\nreturn optimizer, {scheduler}", "from torch.optim.lr_scheduler import *\n"
        )
    )
    rates, momenta = stepped(make, scheduler, interval)
    assert expanded(found.schedule.learning_rate[0]) == rates
    assert expanded(found.schedule.momentum[0]) == momenta
    assert found.schedule.scheduler == scheduler.partition("(")[0]


def test_a_scheduler_for_epochs_may_be_stepped_after_every_step():
    scheduler = "torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)"
    found = read(configured(f"{SGD}\nscheduler = {scheduler}\n{scheduled(interval=repr('step'))}"))
    assert expanded(found.schedule.learning_rate[0]) == stepped(SGD, scheduler, "step")[0]


@given(st.lists(st.sampled_from([0.5, 0.25, 0.125]), min_size=EPOCHS, max_size=EPOCHS))
@settings(max_examples=25)
def test_runs_add_up_to_the_steps_and_neighbours_differ(factors):
    body = (
        f"{SGD}\nreturn optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: "
        f"{factors}[epoch])"
    )
    (curve,) = read(configured(body)).schedule.learning_rate
    assert sum(run.steps for run in curve) == EPOCHS * STEPS
    assert all(one.value != other.value for one, other in pairwise(curve))
    assert [run.value for run in curve for _ in range(run.steps // STEPS)] == [
        0.1 * factor for factor in factors
    ]


def test_without_a_scheduler_the_rate_is_one_run():
    found = read(configured(f"{SGD}\nreturn optimizer"))
    assert found.schedule.learning_rate == ((Run(value=0.1, steps=20),),)
    assert found.schedule.momentum == ((Run(value=0.9, steps=20),),)
    assert found.schedule.scheduler is None


SCHEDULER = "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)"


@pytest.mark.parametrize(
    "answer",
    [
        "optimizer, scheduler",
        "[optimizer, scheduler]",
        "[optimizer], [scheduler]",
        "[optimizer], [{'scheduler': scheduler, 'interval': 'epoch'}]",
        "{'optimizer': optimizer, 'lr_scheduler': scheduler}",
        "{'optimizer': optimizer, 'lr_scheduler': {'scheduler': scheduler, 'frequency': 1, "
        "'monitor': 'val_loss'}}",
    ],
)
def test_every_form_of_lightning_is_understood(answer):
    found = read(configured(f"{SGD}\n{SCHEDULER}\nreturn {answer}"))
    assert [(run.value, run.steps) for run in found.schedule.learning_rate[0]] == [
        (0.1, 10),
        (0.1 * 0.1, 10),
    ]


@pytest.mark.parametrize(
    "answer",
    ["optimizer", "[optimizer]", "[optimizer], []", "optimizer, None", "{'optimizer': optimizer}"],
)
def test_an_optimizer_alone_is_understood(answer):
    assert read(configured(f"{SGD}\nreturn {answer}")).schedule.scheduler is None


@pytest.mark.parametrize(
    "arguments",
    [
        "model",
        "model, steps_per_epoch",
        "epochs, model",
        "net, steps, rounds",
        "net, rate=0.1",
        "model, *, epochs, steps_per_epoch",
        "net, *rest",
    ],
)
def test_configure_optimizers_gets_as_much_as_it_takes(arguments):
    name = "net" if "net" in arguments else "model"
    assert read(
        configured(f"return torch.optim.SGD({name}.parameters(), lr=0.1)", arguments=arguments)
    )


@pytest.mark.parametrize(
    ("kind", "settings_given", "expected"),
    [
        (
            "SGD",
            "lr=0.1, nesterov=True, momentum=0.9",
            {"nesterov": True, "weight_decay": 0, "dampening": 0},
        ),
        (
            "Adam",
            "betas=(0.8, 0.9), amsgrad=True",
            {"betas": (0.8, 0.9), "amsgrad": True, "eps": 1e-8},
        ),
        ("AdamW", "weight_decay=0.5", {"weight_decay": 0.5}),
        ("RMSprop", "alpha=0.5, centered=True", {"alpha": 0.5, "centered": True, "momentum": 0}),
        (
            "NAdam",
            "momentum_decay=0.5, decoupled_weight_decay=True",
            {"momentum_decay": 0.5, "decoupled_weight_decay": True},
        ),
        ("RAdam", "eps=0.5", {"eps": 0.5}),
        ("Adagrad", "lr_decay=0.5", {"lr_decay": 0.5}),
        ("Adadelta", "rho=0.5", {"rho": 0.5, "eps": 1e-6}),
    ],
)
def test_every_optimizer_is_read_with_its_settings(kind, settings_given, expected):
    found = read(
        configured(f"return torch.optim.{kind}(model.parameters(), {settings_given})")
    ).optimizer
    assert found.name == kind
    assert found.groups[0].settings.items() >= expected.items()
    assert not found.groups[0].settings.keys() & {"lr", "params", "fused", "foreach"}


def test_every_group_has_its_weights_settings_and_curve():
    body = """
optimizer = torch.optim.SGD([
    {"params": [model[0].weight, model[1].weight], "weight_decay": 0.5},
    {"params": [model[0].bias], "lr": 0.01, "momentum": 0.5},
], lr=0.1, momentum=0.9)
return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
"""
    found = read(configured(body))
    first, second = found.optimizer.groups
    assert (first.parameters, first.settings["weight_decay"]) == (("0.weight", "1.weight"), 0.5)
    assert (second.parameters, second.settings["weight_decay"]) == (("0.bias",), 0)
    assert [curve[0].value for curve in found.schedule.learning_rate] == [0.1, 0.01]
    assert [curve[1].value for curve in found.schedule.learning_rate] == [0.05, 0.005]
    assert [curve[0].value for curve in found.schedule.momentum] == [0.9, 0.5]


def test_an_optimizer_without_momentum_has_no_momentum_curve():
    assert (
        read(configured("return torch.optim.Adagrad(model.parameters())")).schedule.momentum == ()
    )


PLATEAU = "scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, {})"


@pytest.mark.parametrize(
    ("settings_given", "monitor", "mode", "found"),
    [
        ("patience=2, factor=0.5", None, "min", "loss"),
        ("patience=2, factor=0.5, mode='max'", None, "max", "accuracy"),
        ("patience=2, factor=0.5, mode='max'", "val_acc", "max", "accuracy"),
        ("patience=2, factor=0.5", "val_loss", "min", "loss"),
    ],
)
def test_a_plateau_is_kept_as_its_parameters(settings_given, monitor, mode, found):
    answer = scheduled(monitor=repr(monitor))
    plateau = read(configured(f"{SGD}\n{PLATEAU.format(settings_given)}\n{answer}")).plateau
    assert plateau is not None
    assert (plateau.monitor, plateau.mode, plateau.patience, plateau.factor) == (
        found,
        mode,
        2,
        0.5,
    )
    assert plateau.min_lr == (0.0,)


def test_what_the_file_does_not_say_comes_from_the_assignment():
    found = read(
        "",
        scheduler={
            "name": "StepLR",
            "settings": {"step_size": 1, "gamma": 0.5},
            "interval": "epoch",
        },
    )
    assert (found.epochs, found.batch_size, found.steps_per_epoch, found.steps) == (4, 10, 5, 20)
    assert [run.value for run in found.schedule.learning_rate[0]] == [0.1, 0.05, 0.025, 0.0125]
    assert found.defaults == ("epochs", "batch_size", "optimizer", "criterion", "train_transform")


@pytest.mark.parametrize(
    ("interval", "name", "runs"), [("step", "OneCycleLR", 20), ("epoch", "CosineAnnealingLR", 4)]
)
def test_the_assignments_scheduler_is_as_long_as_the_training(interval, name, runs):
    length = {"max_lr": 0.5} if name == "OneCycleLR" else {}
    found = read("", scheduler={"name": name, "settings": length, "interval": interval})
    assert len(found.schedule.learning_rate[0]) == runs


def test_what_the_file_says_counts():
    found = read(
        "EPOCHS = 2\nBATCH_SIZE = 16\nGRADIENT_CLIP_NORM = 1\nGRADIENT_CLIP_VALUE = 0.5\n"
        "STOP_AT_ACCURACY = 0.994\n"
    )
    assert (found.epochs, found.batch_size, found.steps_per_epoch) == (
        2,
        16,
        4,
    )  # 16, 16, 16 and 2 images
    assert (found.clip_norm, found.clip_value, found.stop_at_accuracy) == (1.0, 0.5, 0.994)
    assert "epochs" not in found.defaults


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        ("nn.CrossEntropyLoss()", {"name": "cross_entropy"}),
        ("nn.CrossEntropyLoss", {"name": "cross_entropy"}),
        ("nn.CrossEntropyLoss(label_smoothing=0.1)", {"label_smoothing": 0.1}),
        ("nn.NLLLoss(reduction='sum')", {"name": "nll", "reduction": "sum"}),
        ("nn.NLLLoss(weight=torch.tensor([1.0, 2.0]))", {"weight": (1.0, 2.0)}),
        ("F.cross_entropy", {"name": "cross_entropy"}),
        ("F.nll_loss", {"name": "nll"}),
    ],
)
def test_a_criterion_is_read_with_its_options(criterion, expected):
    assert read(f"criterion = {criterion}\n").loss.model_dump().items() >= expected.items()


@pytest.mark.parametrize("natural", ["nll", "cross_entropy"])
def test_without_a_criterion_the_loss_fits_the_output(natural):
    assert read("", natural=natural).loss.name == natural


def test_a_transform_is_read_as_operations():
    found = read(
        "from torchvision import transforms\n"
        "train_transform = transforms.Compose([transforms.ToTensor()])\n"
    )
    assert [item.name for item in found.augmentations] == ["ToTensor"]


def test_the_assignments_transform_is_read_in_the_same_way():
    found = read("", train_transform=[{"name": "RandomRotation", "settings": {"degrees": 7}}])
    assert found.augmentations[0].settings["degrees"] == [-7.0, 7.0]


def test_steps_that_are_too_many_for_a_batch_of_ones_own_have_its_line():
    with pytest.raises(SubmissionError) as caught:
        read("BATCH_SIZE = 1", epochs=100)
    assert "the grader runs at most" in caught.value.message
    assert caught.value.line is not None


REFUSED = [
    ("EPOCHS = 0", "EPOCHS is 0; it must be a whole number from 1 to 1,000"),
    ("EPOCHS = 10**9", "EPOCHS is 1000000000; it must be a whole number"),
    ("EPOCHS = 3.5", "EPOCHS is 3.5; it must be a whole number"),
    ("EPOCHS = '5'", "EPOCHS is '5'; it must be a whole number"),
    ("EPOCHS = True", "EPOCHS is True; it must be a whole number"),
    ("EPOCHS = 300", "1,500 steps of training; the grader runs at most 1,000"),
    ("BATCH_SIZE = 0", "BATCH_SIZE is 0; it must be a whole number from 1 to 50"),
    ("BATCH_SIZE = 51", "BATCH_SIZE is 51; it must be"),
    ("GRADIENT_CLIP_NORM = -1", "GRADIENT_CLIP_NORM is -1; it must be a number above 0"),
    (
        "GRADIENT_CLIP_VALUE = float('nan')",
        "GRADIENT_CLIP_VALUE is nan; it must be a number above 0",
    ),
    ("STOP_AT_ACCURACY = 99.4", "99.4 % is 0.994"),
    ("EPOCHS = 1 / 0", "EPOCHS could not be defined: ZeroDivisionError"),
    (
        "criterion = nn.MSELoss()",
        "criterion is MSELoss(). The grader trains with nn.CrossEntropyLoss",
    ),
    ("criterion = lambda output, label: output.sum()", "criterion is the function <lambda>. The"),
    (
        "def criterion(output, label):\n    return (output.softmax(1) - label).sum()",
        "criterion is the function criterion. The grader",
    ),
    (
        "criterion = type('Own', (), {})()",
        "Own object>. The grader",
    ),
    (
        "criterion = nn.CrossEntropyLoss(weight=torch.ones(1, 10))",
        "criterion has weights of shape [1, 10]: write one number for each class",
    ),
    (
        "criterion = nn.CrossEntropyLoss(reduction='none')",
        "whose reduction cannot be used: it must be 'mean' or 'sum'",
    ),
    ("criterion = nn.CrossEntropyLoss(ignore_index=3)", "leaves out class 3 (ignore_index)"),
    ("criterion = 'mse'", "criterion is 'mse'. The grader trains with"),
    ("criterion = nn.CrossEntropyLoss(label_smoothing=3.0)", "label_smoothing"),
    ("criterion = nn.NLLLoss(weight=torch.tensor([float('nan'), 1.0]))", "weight"),
    ("configure_optimizers = 5", "configure_optimizers is 5; it must be a function"),
    ("train_transform = [lambda image: image]", "train_transform uses <lambda>"),
]


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_a_setting_that_cannot_be_used_is_named_with_its_line(line, message):
    error = refusal(line + "\n")
    assert message in error.message
    assert error.line == 10


REFUSED_PLANS = [
    ("return None", "configure_optimizers returns None. Return one optimizer"),
    ("return model", "configure_optimizers returns Sequential("),
    ("return {'optimizer': 0.1}", "Return one optimizer"),
    (f"{SGD}\nreturn [optimizer, optimizer], []", "Return one optimizer"),
    (f"{SGD}\nreturn optimizer, [{SCHEDULER[12:]}] * 2", "as its scheduler"),
    (
        f"{SGD}\nreturn optimizer, optimizer",
        "as its scheduler. Use one of torch.optim.lr_scheduler",
    ),
    (f"{SGD}\nreturn optimizer, None, None", "Return one optimizer"),
    (
        "return torch.optim.LBFGS(model.parameters())",
        "uses the optimizer LBFGS. The grader trains with torch.optim's SGD",
    ),
    (
        "class Mine(torch.optim.SGD): pass\nreturn Mine(model.parameters(), lr=1)",
        "uses the optimizer Mine",
    ),
    (
        "return torch.optim.SGD([torch.zeros(3, 4, requires_grad=True)], lr=1)",
        "a tensor of shape (3, 4) that is not a parameter",
    ),
    (
        "return torch.optim.SGD(model.parameters(), lr=float('nan'))",
        "The learning rate is nan in step 1 of training",
    ),
    (
        "return torch.optim.SGD(model.parameters(), lr=float('inf'))",
        "The learning rate is inf in step 1",
    ),
    ("return torch.optim.SGD(model.parameters(), lr=1, momentum=float('nan'))", "momentum"),
    (
        "return torch.optim.SGD(model.parameters(), lr=1, weight_decay=float('inf'))",
        "The optimizer's weight_decay is inf",
    ),
    (
        f"{SGD}\nreturn optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda e: 1 - e)",
        "is -0.1 in step 11",
    ),
    (
        f"{SGD}\nreturn optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda e: [1, "
        "1][e])",
        "The scheduler fails after step 10: list index out of range",
    ),
    (
        f"{SGD}\nreturn optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, "
        "total_steps=10)",
        "The scheduler fails after step 11",
    ),
    (
        f"{SGD}\n{SCHEDULER}\n{scheduled(interval=repr('batch'))}",
        "the interval 'batch'; write",
    ),
    (
        f"{SGD}\n{SCHEDULER}\n{scheduled(frequency='0')}",
        "the frequency 0",
    ),
    (
        f"{SGD}\nother = torch.optim.SGD(model.parameters(), lr=1)\nreturn other, {SCHEDULER[12:]}",
        "a scheduler of another optimizer",
    ),
    (
        f"{SGD}\n{PLATEAU.format('')}\n{scheduled(monitor=repr('val_acc'))}",
        "waits for the minimum of 'val_acc'",
    ),
    (
        f"{SGD}\n{PLATEAU.format('')}\n{scheduled(interval=repr('step'))}",
        "stepped after every epoch",
    ),
]


@pytest.mark.parametrize(("body", "message"), REFUSED_PLANS)
def test_a_plan_that_cannot_be_followed_is_explained_with_its_line(body, message):
    error = refusal(configured(body))
    assert message in error.message
    assert error.line == 10


@pytest.mark.parametrize(
    ("arguments", "model", "steps", "epochs"),
    [
        ("model, epochs, rate=0.05", "model", None, "epochs"),
        ("net, epochs, steps_per_epoch", "net", "steps_per_epoch", "epochs"),
        ("model, num_epochs, steps", "model", "steps", "num_epochs"),
        (
            "network, n_epochs, batches_per_epoch, *rest, **more",
            "network",
            "batches_per_epoch",
            "n_epochs",
        ),
        ("net, steps, rounds", "net", "steps", "rounds"),
        ("net, first, second", "net", "first", "second"),
        ("model, /, epochs=1", "model", None, "epochs"),
    ],
)
def test_arguments_are_given_by_what_their_names_say(arguments, model, steps, epochs):
    body = f"""
assert isinstance({model}, nn.Module)
assert {steps} in (None, 5)
assert {epochs} == 4
return torch.optim.SGD({model}.parameters(), lr=0.1)
"""
    assert read(configured(body, arguments=arguments))


@pytest.mark.parametrize(
    ("scheduler", "interval"),
    [
        ("CosineAnnealingLR(optimizer, T_max=steps_per_epoch * epochs)", "step"),
        ("LinearLR(optimizer, total_iters=steps_per_epoch)", "step"),
        ("MultiStepLR(optimizer, [steps_per_epoch, 3 * steps_per_epoch])", "step"),
        ("CosineAnnealingLR(optimizer, T_max=epochs)", "epoch"),
        ("MultiStepLR(optimizer, [2, 3])", "epoch"),
        ("StepLR(optimizer, 30)", "epoch"),
    ],
)
def test_a_schedule_that_is_planned_in_steps_is_taken_in_steps(scheduler, interval):
    code = f"{SGD}\nscheduler = torch.optim.lr_scheduler.{scheduler}"
    said = read(configured(f"{code}\n{scheduled(interval=repr(interval))}"))
    assert read(configured(f"{code}\nreturn optimizer, scheduler")).schedule == said.schedule


def test_a_sequence_of_schedules_that_is_planned_in_steps_is_taken_in_steps():
    code = f"""{SGD}
from torch.optim.lr_scheduler import *
warm = LinearLR(optimizer, 0.1, total_iters=steps_per_epoch)
cool = CosineAnnealingLR(optimizer, T_max=steps_per_epoch * (epochs - 1))
scheduler = SequentialLR(optimizer, [warm, cool], milestones=[steps_per_epoch])"""
    code = code.replace("import *", "import CosineAnnealingLR, LinearLR, SequentialLR")
    rates = read(configured(f"{code}\nreturn optimizer, scheduler")).schedule.learning_rate[0]
    assert max(run.value for run in rates) == pytest.approx(0.1)
    assert rates[-1].value < 0.01


def test_arguments_that_nobody_gives_are_named():
    error = refusal(configured("return None", arguments="model, steps, epochs, config"))
    assert "needs 4 arguments (model, steps, epochs, config)" in error.message


def test_the_length_of_a_loader_is_better_taken_as_an_argument():
    loader = (
        "from torch.optim.lr_scheduler import OneCycleLR\ntrain_loader = open('/nowhere/train')\n"
    )
    body = f"{SGD}\nreturn OneCycleLR(optimizer, 0.1, steps_per_epoch=len(train_loader), epochs=4)"
    error = refusal(loader + configured(body))
    assert "train_loader could not be defined: FileNotFoundError" in error.message
    assert (
        "take it as an argument: configure_optimizers(model, steps_per_epoch, epochs)"
        in error.message
    )


def test_a_network_without_parameters_is_told_where_they_hide():
    with pytest.raises(
        SubmissionError, match=r"nn\.ModuleList or nn\.Sequential for layers, and nn\.ParameterList"
    ):
        read("", nn.Flatten())


def test_a_setting_that_lies_about_itself_is_still_named():
    source = "class Bad:\n    def __repr__(self):\n        raise ValueError\nEPOCHS = Bad()\n"
    assert "EPOCHS is a Bad" in refusal(source).message


def test_torch_says_nothing_on_the_way():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(
            configured(
                f"{SGD}\nreturn optimizer, {EPOCH_SCHEDULERS[0]}",
                "from torch.optim.lr_scheduler import *\n",
            )
        )


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("", "assignment"),
        ("learning_rate = 0.5\n", "assignment"),
        ("EPOCHS = 3\n", "convention"),
        ("GRADIENT_CLIP_NORM = 1.0\n", "convention"),
        (configured(f"{SGD}\nreturn optimizer"), "convention"),
    ],
)
def test_a_recipe_says_whether_anything_of_it_is_the_files(source, origin):
    found = read(source)
    assert found.origin == origin
    assert (origin == "assignment") == (not found.lines)
