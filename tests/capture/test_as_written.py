"""What of a file is trained as it stands there is silent; all else is named with its line, or
refused before training."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grader.capture import capture, explain
from grader.errors import SubmissionError
from grader.program.request import Request
from tests.capture.sources import FILE, IMPORTS

DEFAULT: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 10,
    "optimizer": {"name": "SGD", "settings": {"lr": 0.1, "momentum": 0.9}},
    "scheduler": None,
    "train_transform": [],
    "criterion": "auto",
}
HEAD = IMPORTS + "from torch.optim.lr_scheduler import *\nfrom torchvision import transforms as T\n"


def file(init: str = "pass", forward: str = "pass", after: str = "", arguments: str = "") -> str:
    """A network whose lines 12 and 14 are `init` and `forward`; `after` begins in line 16."""
    return (
        f"{HEAD}\nclass Net(nn.Module):\n    def __init__(self{arguments}):\n"
        "        super().__init__()\n        self.conv = nn.Conv2d(1, 10, 3)\n"
        f"        self.bn = nn.BatchNorm2d(10)\n        {init}\n    def forward(self, x):\n"
        f"        x = self.bn(self.conv(x)); {forward}\n        return x.mean((2, 3))\n{after}"
    )


def configured(returned: str) -> str:
    return file(
        after="def configure_optimizers(model, steps_per_epoch, epochs):\n"
        "    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)\n"
        f"    return {returned}\n"
    )


def each_epoch(scheduler: str) -> str:
    return f'{{"optimizer": opt, "lr_scheduler": {scheduler}, "interval": "epoch"}}'


def program(source: str) -> dict[str, Any]:
    """What the child answers for 6 epochs of 5 steps, 8 × 8 pixels."""
    request = Request(
        source=source,
        filename=FILE,
        input_shape=(1, 8, 8),
        classes=10,
        seeds=(0,),
        train_images=50,
        validation_images=10,
        most_steps=1000,
        most_epochs=20,
        default_recipe=DEFAULT | {"epochs": 6},
    )
    try:
        answer: dict[str, Any] = json.loads(capture.answer(request)[0])
    except Exception as error:
        raise explain.explained(error, FILE) from error
    return answer


def notes(source: str) -> str:
    return " | ".join(program(source)["notes"])


def refusal(source: str) -> SubmissionError:
    with pytest.raises(SubmissionError) as caught:
        program(source)
    return caught.value


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("epochs, batch_size = 12, 64", "epochs (line 16) is not read: did you mean EPOCHS?"),
        ("epochs, batch_size = 12, 64", "batch_size (line 16) is not read: did you mean BATCH_"),
        ("EPOCH = 3", "did you mean EPOCHS?"),
        ("BATCHSIZE = 3", "did you mean BATCH_SIZE?"),
        ("N_EPOCHS = 3", "did you mean EPOCHS?"),
        ("train_transforms = T.ToTensor()", "did you mean train_transform?"),
        ("loss_fn = nn.CrossEntropyLoss()", "did you mean criterion?"),
        ("critereon = nn.CrossEntropyLoss()", "did you mean criterion?"),
        ("def configure_optimizer(model): ...", "did you mean configure_optimizers?"),
        ("MAX_GRAD_NORM = 1.0", "did you mean GRADIENT_CLIP_NORM?"),
        ("config = {'epochs': 3}", 'config["epochs"] (line 16) is not read'),
        ("class C:\n    batch_size = 3", "C.batch_size (line 17) is not read"),
        ("def main():\n    EPOCHS = 3", "EPOCHS (line 17) stands in main()"),
        ("if __name__ == '__main__':\n    epochs = 3", "epochs (line 17, in `if __name__"),
        ("EMA_DECAY, USE_AMP = 0.9, True", "EMA_DECAY (line 16) and USE_AMP (line 16) are not"),
        ("ACCUMULATION_STEPS = 4", "ACCUMULATION_STEPS (line 16) is not read"),
        ("LR = 0.1", "LR (line 16) is not read: rates are what configure_optimizers"),
        ("o = torch.optim.SGD(x, 0.1)\ns = StepLR(o, 5)", "SGD (line 16) and StepLR (line 17)"),
        ("EPOCHS = 2\ndef main():\n    o = torch.optim.Adam(x)", "beside your EPOCHS"),
    ],
)
def test_what_is_nearly_a_setting_is_named_with_its_line(line, named):
    assert named in notes(file(after=line + "\n"))


@pytest.mark.parametrize(
    "after",
    [
        "EPOCHS = 3\nepochs = 3\n",
        "lr = 0.1\ndef configure_optimizers(m): return torch.optim.SGD(m.parameters(), lr=lr)\n",
        "SEED = 3\nTEST_BATCH_SIZE = 5\nLOG_INTERVAL = 3\nwidth = 8\n",
        "def main():\n    loss = 0\n    model = Net()\n",
    ],
)
def test_what_is_read_or_is_no_setting_is_not_named(after):
    assert notes(file(after=after)) == ""


def test_each_setting_of_the_file_has_its_line():
    found = program(file(after="EPOCHS = 2\ncriterion = nn.CrossEntropyLoss()\n"))["recipe"]
    assert found["lines"] == {"epochs": 16, "criterion": 17}
    assert found["defaults"] == ["batch_size", "optimizer", "train_transform"]


def test_the_network_may_have_the_optimizer_as_a_method():
    method = "    def configure_optimizers(self):\n        return torch.optim.Adam("
    found = program(file(after=f"{method}self.parameters(), lr=0.25)\n"))["recipe"]
    assert found["optimizer"]["name"] == "Adam"
    assert found["lines"] == {"optimizer": 16}


def rates(source: str) -> list[float]:
    (curve,) = program(source)["recipe"]["schedule"]["learning_rate"]
    return [round(run["value"], 6) for run in curve for _ in range(run["steps"])]


def test_a_scheduler_may_be_called_so_and_its_options_stand_on_either_level():
    assert rates(configured('{"optimizer": opt, "scheduler": StepLR(opt, 3)}'))[14:16] == [
        0.1,
        0.01,
    ]
    stepped = '{"optimizer": opt, "lr_scheduler": ExponentialLR(opt, 0.9), "interval": "step"}'
    assert rates(configured(stepped))[:3] == [0.1, 0.09, 0.081]
    often = '{"optimizer": opt, "lr_scheduler": {"scheduler": StepLR(opt, 1), "frequency": 2}}'
    assert rates(configured(often))[9:11] == [0.1, 0.01]


def test_a_restart_that_counts_steps_is_stepped_by_steps():
    found = rates(configured("opt, CosineAnnealingWarmRestarts(opt, T_0=2 * steps_per_epoch)"))
    assert found[10] == found[20] == 0.1 > found[9]


@pytest.mark.parametrize("monitor", ["train_loss", "training/loss", "Train Loss"])
def test_a_plateau_rule_may_watch_the_training_loss_and_then_nothing_is_held_back(monitor):
    plateau = f'{{"scheduler": ReduceLROnPlateau(opt), "monitor": "{monitor}"}}'
    found = program(configured(f'{{"optimizer": opt, "lr_scheduler": {plateau}}}'))["recipe"]
    assert (found["plateau"]["monitor"], found["steps_per_epoch"]) == ("train_loss", 5)


WEIGHT_DECAY = (
    "class WD(LRScheduler):\n    def get_lr(self):\n"
    "        for group in self.optimizer.param_groups: group['{}'] = {}\n"
    "        return [0.1 for _ in self.optimizer.param_groups]\n"
)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ('{"optimizer": opt, "lr_schedular": 3}', 'Did you mean "lr_scheduler"?'),
        ('{"optimizer": opt, "gradient_clip": 3}', "'gradient_clip', which is not known"),
        ('{"optimizer": opt, "lr_scheduler": StepLR(opt, 1), "frequency": 0}', "the frequency 0"),
        (
            '{"optimizer": opt, "interval": "step", "lr_scheduler": '
            '{"scheduler": StepLR(opt, 1), "interval": "epoch"}}',
            "gives interval twice",
        ),
        (
            '{"optimizer": opt, "lr_scheduler": ReduceLROnPlateau(opt), "monitor": "f1"}',
            "watches 'f1', which the grader does not have",
        ),
        ("[opt.register_step_post_hook(print), opt][1]", "gives its optimizer a hook"),
    ],
)
def test_what_would_be_lost_of_the_plan_is_refused(returned, said):
    assert said in refusal(configured(returned)).message


@pytest.mark.parametrize(
    ("name", "value"),
    [("dampening", "0.01 * self.last_epoch"), ("nesterov", "self.last_epoch > 2")],
)
def test_a_schedule_of_anything_but_rates_is_refused_by_name(name, value):
    source = configured("opt, WD(opt)") + WEIGHT_DECAY.format(name, value)
    assert f"The scheduler changes {name} from" in refusal(source).message


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("epoch", [[0.01 * epoch, 5] for epoch in range(6)]),
        ("step", [[0.01 * step, 1] for step in range(30)]),
    ],
)
def test_a_schedulers_own_weight_decay_is_recorded(interval, expected):
    returned = f'{{"optimizer": opt, "lr_scheduler": WD(opt), "interval": "{interval}"}}'
    source = configured(returned)
    source += WEIGHT_DECAY.format("weight_decay", "0.01 * self.last_epoch")
    schedule = program(source)["recipe"]["schedule"]
    (curve,) = schedule["weight_decay"]
    assert [[run["value"], run["steps"]] for run in curve] == expected
    assert notes(source) == ""


OWN = "class {}(torch.optim.{}):\n    def step(self, closure=None): return super().step(closure)\n"


@pytest.mark.parametrize(("name", "base"), [("Lion", "Optimizer"), ("SGD", "SGD"), ("My", "Adam")])
def test_an_optimizer_of_the_files_own_is_refused_by_name(name, base):
    made = (
        f"{name}(model.parameters(), lr=0.1)"
        if base != "Optimizer"
        else (f"{name}(model.parameters(), dict(lr=0.1))")
    )
    message = refusal(configured(made) + OWN.format(name, base)).message
    assert f"uses the optimizer {name}, which is not torch's. The grader trains with" in message


def test_weight_decay_that_stays_is_a_setting_and_no_curve():
    source = configured("opt, StepLR(opt, 2)").replace("lr=0.1", "lr=0.1, weight_decay=0.5")
    recipe = program(source)["recipe"]
    assert recipe["schedule"]["weight_decay"] == []
    assert recipe["optimizer"]["groups"][0]["settings"]["weight_decay"] == 0.5


@pytest.mark.parametrize("value", ["-1.0", "float('nan')"])
def test_weight_decay_that_moves_to_where_torch_takes_none_is_refused(value):
    decay = f"0.1 if self.last_epoch < 2 else {value}"
    source = configured("opt, WD(opt)") + WEIGHT_DECAY.format("weight_decay", decay)
    assert "The weight decay is" in refusal(source).message


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (each_epoch("LinearLR(opt, 0.01, total_iters=100)"), "total_iters = 100"),
        (each_epoch("PolynomialLR(opt, total_iters=20)"), "total_iters = 20"),
        (each_epoch("MultiStepLR(opt, [7, 9])"), "MultiStepLR is planned for more steps"),
        ("opt, LambdaLR(opt, lambda s: min(1.0, (s + 1) / 30))", "LambdaLR hardly moves"),
        ('{"optimizer": opt, "lr_scheduler": StepLR(opt, 1), "interval": "step"}', "1/10,000"),
        ("opt, StepLR(opt, 2, verbose=True)", "verbose=True of StepLR is left out"),
    ],
)
def test_a_schedule_that_does_not_fit_the_training_is_remarked_on(returned, said):
    assert said in notes(configured(returned))


@pytest.mark.parametrize(
    "scheduler",
    [
        "StepLR(opt, 2)",
        "LambdaLR(opt, lambda e: 0.9 ** e)",
        "CosineAnnealingLR(opt, T_max=epochs)",
        "OneCycleLR(opt, 0.1, epochs=epochs, steps_per_epoch=steps_per_epoch)",
        "LinearLR(opt, total_iters=3)",
    ],
)
def test_one_that_fits_is_not(scheduler):
    assert notes(configured(f"opt, {scheduler}")) == ""


@pytest.mark.parametrize(
    "source",
    [
        file("[p.register_hook(lambda g: g.clamp(-1, 1)) for p in self.parameters()]"),
        file("self.conv.weight.register_post_accumulate_grad_hook(print)"),
        file("self.conv.register_full_backward_hook(print)"),
        file(forward="x.register_hook(lambda g: g * 0.1)"),
        file(forward="x.requires_grad and x.register_hook(lambda g: g * 0.1)"),
    ],
)
def test_hooks_on_gradients_are_refused_with_the_line_and_what_to_write_for_a_clamp(source):
    problem = refusal(source)
    assert problem.line == next(
        at for at, line in enumerate(source.split("\n"), 1) if "register" in line
    )
    assert "GRADIENT_CLIP_VALUE" in problem.message


def test_a_reentrant_checkpoint_is_no_block_without_gradients():
    source = file(
        forward="x = torch.utils.checkpoint.checkpoint(self.bn, x, use_reentrant=True)"
    ).replace("import torch\n", "import torch, torch.utils.checkpoint\n")
    assert all(node["gradient"] for node in program(source)["train"]["nodes"])


@pytest.mark.parametrize(
    ("init", "forward"),
    [
        ("self.calls = 0", "self.calls += 1; x = x * (1 + 1 / self.calls)"),
        ("self.p = 1.0", "self.p *= 0.9; x = F.dropout(x, self.p, self.training)"),
        ("self.calls = 0", "self.calls += self.training; x = x + self.calls"),
        ("self.calls = 0", "self.calls += 1; x = x * 2 if self.calls > 500 else x"),
        ("import random; self.r = random", "x = x * self.r.random()"),
        ("self.mean = torch.zeros(1)", "self.mean = self.mean + x.mean().detach()"),
    ],
)
def test_what_changes_from_call_to_call_is_refused_with_its_line(init, forward):
    assert refusal(file(init, forward)).line in (13, 14, 15)


@pytest.mark.parametrize(
    "forward",
    ["self.calls += 1", "self.calls += 1; x.mean() if self.calls < 3 else x"],
)
def test_a_counter_without_effect_is_untouched(forward):
    assert notes(file("self.calls = 0", forward)) == ""


@pytest.mark.parametrize(
    ("source", "said", "line"),
    [
        (file(after="train_transform = T.Compose([T.ToTensor(), T.ToTensor()])\n"), "once", 16),
        (file(after="train_transform = T.Resize((32, 32))\n"), "1 x 32 x 32", 16),
        (file(after="train_transform = [T.Pad(2)]\n"), "1 x 12 x 12", 16),
        (file(after="train_transform = [T.Grayscale(3)]\n"), "leave out Grayscale(3)", 16),
        (file(after="train_transform = [T.ToTensor(), T.Pad(2)]\n"), "1 x 12 x 12", 16),
        (file(after="train_transform = [T.RandomCrop(32, padding=12)]\n"), "1 x 32 x 32", 16),
        (file(after="train_transform = T.ToTensor\n"), "ToTensor(), with parentheses", 16),
        (file(after="train_transform = {'a': 1}\n"), 'none of them is "train"', 16),
        (
            file(after="train_transform = [T.ToTensor(), T.Normalize([0.1] * 3, [1.0] * 3)]\n"),
            "has 3 values",
            16,
        ),
        (file(after="criterion = nn.CrossEntropyLoss(torch.ones(9))\n"), "weights for 9", 16),
        (file(forward="x = F.dropout(F.relu(x), 0.1, self.training, inplace=True)"), "place", 14),
        (file(forward="x = x.exp(); x += 1"), "place", 14),
        (
            file("self.p = nn.Parameter(x0)", "self.p.mul_(1.1); x = x * self.p").replace(
                "x0", "torch.ones(1)"
            ),
            "A parameter is changed in place",
            14,
        ),
        (file(after="criterion = nn.CrossEntropyLoss(weight=torch.ones(1))\n"), "for 1 class;", 16),
        (
            file(
                "self.b = nn.BatchNorm1d(10)", "return self.b(x.mean((2, 3)))", "BATCH_SIZE = 1\n"
            ),
            "a single value for each channel",
            16,
        ),
        (file(after="EPOCHS = 0\n"), "from 1 to 20", 16),
        (file(forward="n = len(x); x = x.reshape(n // 4, 40, 6, 6)"), "ghost batch norm", 14),
        (
            file(forward="n = len(x); x = x.reshape(n // 2, 20, 36).reshape(n, 10, 6, 6)"),
            "ghost batch norm",
            14,
        ),
        (file(forward="x = self.cnov(x)"), "Did you mean conv?", 14),
        (file().replace("return x.mean", "x.mean"), "returns nothing", 13),
        (HEAD + "from model import Net\ndef main():\n    Net()\n", "from model.py", 6),
        (
            file(after="import albumentations as A\ntrain_transform = A.Compose([])\n"),
            "train_transform uses albumentations",
            17,
        ),
    ],
)
def test_what_training_would_refuse_is_said_at_once_with_the_line(source, said, line):
    problem = refusal(source)
    assert said in problem.message
    assert problem.line == line


@pytest.mark.parametrize(
    "source",
    [
        file("self.conv = self.conv.cuda()"),
        file("self.to('cuda:0')", "x = x.to('cuda')"),
        file("pass", "pass", "from helpers import d\nmodel = Net(p=2).to(d)\n", ", p=1"),
        file(after="criterion = nn.CrossEntropyLoss().cuda()\n"),
    ],
)
def test_moves_to_a_device_are_left_out_with_a_note(source):
    assert "moves the network and the images to the device" in notes(source)


def test_of_several_transforms_that_of_training_is_taken():
    after = "train_transform = {'train': T.RandomRotation(7), 'val': T.ToTensor()}\n"
    found = program(file(after=after))
    assert [item["name"] for item in found["recipe"]["augmentations"]] == ["RandomRotation"]
    assert "its 'train' is used, and 'val' is left out" in found["notes"][0]


def test_arguments_that_the_file_itself_gives_its_network_are_named():
    source = file("self.drop = nn.Dropout(p)", "x = self.drop(x)", "", ", p=0.0")
    said = notes(source + "def main():\n    model = Net(p=0.05)\n")
    assert "Net(), so with p=0.0; line 17 of the file builds Net(p=0.05)" in said


def test_a_function_s_argument_does_not_come_from_a_missing_module():
    after = "from helpers import *\ndef train(model, criterion):\n    return criterion(model)\n"
    assert "criterion" not in program(file(after=after))["recipe"]["lines"]


def test_forward_may_take_its_images_as_a_list():
    assert (
        program(
            file(forward="x = x")
            .replace("(self, x)", "(self, *x)")
            .replace("self.conv(x)", "self.conv(x[0])")
        )["model"]
        == "Net"
    )


def test_many_classes_that_need_arguments_are_one_sentence():
    one = "class N{}(nn.Module):\n    def __init__(self, a, b):\n        super().__init__()\n"
    message = refusal(HEAD + "".join(one.format(number) for number in range(11))).message
    assert len(message) < 500
    assert "N0 (a, b), N1 (a, b)" in message


def test_networks_that_look_alike_have_their_lines():
    both = file() + file().removeprefix(HEAD).replace("Net", "N\u0435t")
    assert "Net (line 7), N\u0435t (line 17)" in refusal(both).message


@pytest.mark.parametrize("squeeze", ["x.squeeze()", "torch.squeeze(x)"])
def test_squeeze_without_a_dimension_is_named(squeeze):
    assert "squeeze() (line 14) without a dimension" in notes(file(forward=f"x = x + {squeeze}"))


@pytest.mark.parametrize("squeeze", ["x[..., None].squeeze(-1)", "torch.squeeze(x[..., None], 4)"])
def test_squeeze_of_a_dimension_is_not(squeeze):
    assert "squeeze()" not in notes(file(forward=f"x = {squeeze}"))


@pytest.mark.parametrize("given", [True, False])
def test_verbose_is_quoted_as_it_stands(given):
    scheduler = each_epoch(f"StepLR(opt, 5, verbose={given})")
    assert f"verbose={given} of StepLR is left out" in notes(configured(scheduler))


@pytest.mark.parametrize("arguments", ["self, x, y", "self, *, x", "self"])
def test_a_forward_that_does_not_take_the_images_alone_is_named(arguments):
    source = file().replace("def forward(self, x)", f"def forward({arguments})")
    problem = refusal(source)
    assert "def forward(self, x)" in problem.message
    assert problem.line == 13


@pytest.mark.parametrize("module", ["networks", "networks.models"])
def test_a_module_of_ones_own_that_only_main_uses_is_named(module):
    problem = refusal(f"{HEAD}import {module}\ndef main():\n    {module}.LeNet()\n")
    assert "networks.py, which is not here" in problem.message
    assert problem.line == 6
