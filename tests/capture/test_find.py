"""The one network of a file is found, or the message says which line keeps it from being found."""

from __future__ import annotations

import sys
import warnings

import pytest
import torch
from torch import nn

from grader.capture.find import Builder, find_builder
from grader.capture.load import read_definitions
from grader.capture.one_run import check_run
from grader.errors import SubmissionError
from tests.capture.sources import FILE, net, text

EXAMPLE = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
GPU = "return self.fc(x.cuda().flatten(1))"
NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
LAYERS = "torch.nn.Flatten(), torch.nn.Linear(784, 10)"
BLOCK = net("self.conv = nn.Conv2d(1, 1, 3)", "return self.conv(x)", name="Block")


def found(source: str) -> Builder:
    return find_builder(
        read_definitions(text(source), FILE), example=EXAMPLE, classes=10, filename=FILE
    )


def refusal(source: str) -> SubmissionError:
    with pytest.raises(SubmissionError) as caught:
        found(source)
    return caught.value


def choice(source: str) -> tuple[str, int | None]:
    builder = found(source)
    check_run(builder.build(0), EXAMPLE, classes=10, filename=FILE)
    return builder.name, builder.line


def test_the_one_network_is_found():
    assert choice(net()) == ("Net", 4)


def test_a_part_of_the_network_is_not_the_network():
    part = net(name="Block")
    assert choice(part + net("self.inner = Block()", "return self.inner(x)")) == ("Net", 10)


def test_a_class_with_other_outputs_is_not_the_network():
    assert choice(BLOCK + net()) == ("Net", 10)


def test_a_part_that_needs_arguments_is_not_the_network():
    assert choice(net(name="Block", arguments="self, width") + net()) == ("Net", 10)


def test_two_networks_are_listed():
    error = refusal(net(name="First") + net(name="Second"))
    assert error.message.startswith("The file holds 2 networks that fit: First, Second.")
    assert "MODEL = Second" in error.message
    assert error.line == 4


@pytest.mark.parametrize("line", ["MODEL = Second", "MODEL = 'Second'"])
def test_model_decides_between_two_networks(line):
    assert choice(net(name="First") + net(name="Second") + line) == ("Second", 10)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "MODEL = 'Third'",
            'MODEL is "Third", which is not a class in this file. Write MODEL = Name with one of: '
            "Net.",
        ),
        ("MODEL = Net()", "MODEL is a Net, which is not a class in this file."),
        ("MODEL = 3", "MODEL is a int, which is not a class in this file."),
        ("MODEL = lambda: Net()", "MODEL is a function, which is not a class in this file."),
    ],
)
def test_a_model_that_is_no_class_of_the_file_is_refused(line, message):
    error = refusal(net() + line)
    assert message in error.message
    assert error.line == 10


def test_a_model_from_a_missing_file_names_the_file():
    assert "The network uses models_x" in refusal("from models_x import Net\nMODEL = Net\n").message


@pytest.mark.parametrize("name", ["build_model", "create_model", "get_model"])
def test_a_factory_comes_before_the_classes(name):
    source = net(arguments="self, width") + f"def {name}(width=10):\n    return Net(width)\n"
    assert choice(source) == (name, 10)


@pytest.mark.parametrize("classes", ["", net(arguments="self, width")])
def test_a_factory_with_arguments_is_refused_where_nothing_else_can_be_built(classes):
    error = refusal(classes + "def build_model(width):\n    return nn.Linear(width, 10)\n")
    assert "build_model() needs the argument width" in error.message
    assert error.line == (10 if classes else 4)


def test_a_factory_with_arguments_does_not_hide_the_one_network():
    factory = "def get_model(name):\n    return {'net': Net}[name]()\nmodel = get_model('net')\n"
    assert choice(net() + factory) == ("Net", 4)


def test_a_factory_without_arguments_comes_before_one_with_arguments():
    source = (
        net()
        + "def build_model(width):\n    return Net()\ndef get_model():\n    return build_model(1)\n"
    )
    assert choice(source) == ("get_model", 12)


def test_a_factory_with_arguments_says_by_its_call_which_of_several_classes_is_the_network():
    factory = (
        "def get_model(name):\n    return {'new': Net, 'old': OldNet}[name](10)\n"
        "model = get_model('new')\n"
    )
    builder = found(net(name="OldNet") + net(arguments="self, width") + factory)
    assert (builder.name, type(builder.build(0)).__name__) == ("model", "Net")


def test_the_problem_of_a_class_comes_before_that_of_a_factory_with_arguments():
    error = refusal(
        net("self.fc = nn.Linear(784, 32)") + "def build_model(width):\n    return Net()\n"
    )
    assert "32 scores for 10 classes" in error.message


@pytest.mark.parametrize("wrap", ["torch.compile", "nn.DataParallel"])
def test_a_wrapped_network_is_graded_as_it_was_written(wrap):
    builder = found(net() + f"def build_model():\n    return {wrap}(Net())\n")
    assert type(builder.build(0)).__name__ == "Net"


def test_a_factory_that_gives_no_module_is_refused():
    builder = found(net() + "def build_model():\n    return Net\n")
    with pytest.raises(SubmissionError, match=r"build_model gives a type, not an nn\.Module"):
        builder.build(0)


def test_a_constructor_with_arguments_is_refused_by_name():
    error = refusal(net(arguments="self, width, depth=3"))
    assert "Net needs the argument width to be built" in error.message
    assert error.line == 4


@pytest.mark.parametrize(
    "source",
    [
        "model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n",
        "width = 784\nnet = nn.Sequential(nn.Flatten(), nn.Linear(width, 10))\n",
        net(arguments="self, width")
        + "device = 'cpu'\nmodel = Net(10).to(device)\nmodel = model.to(device)\n",
        "class Act(nn.Module):\n    def forward(self, x):\n        return x\n"
        "model = nn.Sequential(Act(), nn.Flatten(), nn.Linear(784, 10))\n",
    ],
)
def test_a_network_at_the_top_level_is_found_where_no_class_fits(source):
    assert choice(source)[0] in ("model", "net")


OLD_AND_NEW = net(name="OldNet") + net(
    "self.fc = nn.Linear(784, 10)\nself.drop = drop",
    "return self.fc(x.flatten(1))",
    arguments="self, drop",
)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("model", "model = Net(0.1)"),
        ("network", "network = Net(0.1)"),
        ("model", "model = torch.compile(Net(0.1))"),
        ("net", "net = Net(0.1)\nmodel = nn.DataParallel(net)"),
        ("model", "net = Net(0.2)\nmodel = Net(0.1)"),
        ("model", "net = OldNet()\nmodel = Net(0.1)"),
    ],
)
def test_the_class_that_the_top_level_builds_is_the_network_though_another_needs_no_arguments(
    name, lines
):
    builder = found(OLD_AND_NEW + lines)
    assert (builder.name, builder.build(0).drop) == (name, 0.1)


def test_the_top_level_decides_between_two_networks():
    assert choice(net(name="First") + net(name="Second") + "model = First()") == ("First", 4)


def test_two_networks_at_the_top_level_are_listed():
    error = refusal(net(name="First") + net(name="Second") + "model = First()\nnet = Second()")
    assert "2 networks that fit: First, Second" in error.message


def test_the_top_level_gives_the_arguments_that_it_calls_the_class_with():
    source = net("self.fc = nn.Linear(784, 10)\nself.drop = drop", arguments="self, drop=0.5")
    assert found(source + "model = Net(drop=0.1)").build(0).drop == 0.1


@NO_GPU
def test_the_problem_of_the_class_at_the_top_level_is_told_though_another_fits():
    error = refusal(net(name="OldNet") + net(forward=GPU) + "model = Net()")
    assert error.message.startswith("The network asks for a GPU")
    assert error.message.endswith(
        "Line 16 makes this the network. If it is another, write MODEL = OldNet."
    )
    assert error.line == 15


def test_a_statement_that_cannot_build_its_class_is_told_though_another_fits():
    error = refusal(OLD_AND_NEW + "model = Net(1 / 0)")
    assert error.message.startswith("ZeroDivisionError: division by zero")
    assert error.line == 17


@NO_GPU
@pytest.mark.parametrize(
    "line",
    [
        "model = Net()",
        "model = Net().to('cuda')",
        "model = Net().cuda()",
        "model = Net(None).cuda()",
        "model = Net",
        "model = train(Net(), loader)",
        "model, optimizer = Net(), 1 / 0",
        "model = Net()\nmodel = model.cuda()",
        "net = Net()\nmodel = net.cuda()",
    ],
)
@pytest.mark.parametrize("other", ["", net(name="OldNet")])
def test_a_class_without_arguments_is_the_network_whatever_the_top_level_does_with_it(line, other):
    assert choice(other + net(arguments="self, width=None") + line) == ("Net", 10 if other else 4)


def test_a_statement_that_is_not_used_is_noted():
    definitions = read_definitions(
        text(net(arguments="self, width=16") + "model = Net(missing)"), FILE
    )
    assert find_builder(definitions, example=EXAMPLE, classes=10, filename=FILE).name == "Net"
    assert definitions.notes == [
        "Line 10, model = ..., cannot be used here, so Net() is graded instead, with its default "
        "arguments: name 'missing' is not defined. The grader runs definitions only, so a name "
        "that is made by a loop or a call at the top level does not exist: define it where the "
        "class can see it."
    ]


def test_the_line_of_a_network_at_the_top_level_is_where_it_is_made():
    assert choice(net(arguments="self, width") + "model = Net(1)\nmodel = model.to('cpu')")[1] == 10


def test_a_class_without_arguments_is_built_without_running_the_top_level():
    definitions = read_definitions(text(net() + "device = 1 / 0\nmodel = Net().to(device)"), FILE)
    find_builder(definitions, example=EXAMPLE, classes=10, filename=FILE)
    assert [item.line for item in definitions.left_out] == [11]
    assert not definitions.notes


@NO_GPU
def test_a_part_that_the_top_level_names_too_is_not_the_network():
    whole = net(
        "self.block = block()\nself.fc = nn.Linear(676, 10)",
        "return self.fc(self.block(x).flatten(1))",
        arguments="self, block=Block",
    )
    assert choice(BLOCK + whole + "model = Net(Block).cuda()") == ("Net", 10)


@pytest.mark.parametrize(
    "lines",
    [
        "model = nn.Sequential(Net(), nn.LogSoftmax(1))",
        "net = Net()\nmodel = Wrapper(net)",
        "model = Net()\nnet = Wrapper(model)",
    ],
)
def test_a_network_that_the_top_level_wraps_is_graded_with_its_wrapping(lines):
    wrapper = net(
        "self.inner = inner", "return self.inner(x)", name="Wrapper", arguments="self, inner"
    )
    model = found(net() + wrapper + lines).build(0)
    assert type(next(model.children())).__name__ == "Net"


def test_a_class_that_is_the_first_part_of_the_top_level_model_is_not_the_network():
    assert (
        choice(
            BLOCK + "net = Block()\nmodel = nn.Sequential(net, nn.Flatten(), nn.Linear(676, 10))"
        )[0]
        == "model"
    )


def test_a_network_at_the_top_level_from_a_missing_file_names_the_file():
    builder = found("from models_x import Net\nmodel = Net()\n")
    with pytest.raises(SubmissionError, match="The network uses models_x"):
        builder.build(0)


@pytest.mark.parametrize(
    "source", ["", "x = 1\n", "def train():\n    pass\n", "class Data:\n    pass\n"]
)
def test_a_file_without_a_network_says_what_is_wanted(source):
    assert "defines no nn.Module that can be built without arguments" in refusal(source).message


@pytest.mark.parametrize("called", ["nn.Sequential", "torch.nn.Sequential", "Sequential"])
def test_a_network_under_another_name_is_named_with_what_to_add(called):
    source = f"import torch\nfrom torch.nn import Sequential\nmy_model = {called}({LAYERS})\n"
    error = refusal(source + "optimizer = torch.optim.Adam(my_model.parameters())\n")
    assert text(source).split("\n")[error.line - 1].startswith("my_model = ")
    assert error.message.startswith("my_model is a network, but nothing says that it is what you")
    assert error.message.endswith("add a last line: model = my_model")
    name, _ = choice(source + "model = my_model\n")
    assert name == "model"


def test_several_networks_that_do_not_fit_are_told_apart():
    error = refusal(BLOCK + net("self.fc = nn.Linear(784, 32)"))
    assert "Block: forward() returns a tensor of shape (2, 1, 26, 26)" in error.message
    assert "Net: forward() returns a tensor of shape (2, 32)" in error.message


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        ("return self.fc(x.flatten(1)), x", "forward() returns a tuple, not one tensor."),
        ("self.fc(x.flatten(1))", "forward() returns nothing. End it with a return of the scores"),
        ("return {'logits': x}", "forward() returns a dict, not one tensor."),
        (
            "return self.fc(x.flatten(1)).argmax(1)",
            "shape (2,) for 2 images, where (2, 10) is needed",
        ),
        (
            "return F.one_hot(self.fc(x.flatten(1)).argmax(1), 10)",
            "torch.int64 numbers, not scores",
        ),
        ("return x", "Pool over the image and flatten with x.flatten(1)"),
        ("return self.fc(x.flatten(1)).T", "shape (10, 2) for 2 images"),
        (
            "return self.fc(x.flatten(1)).repeat(1, 2)",
            "20 scores for 10 classes. Give the last layer 10 outputs",
        ),
        (
            "return x[:, :, :20].reshape(-1, 10)",
            "view(-1, 10) has turned image positions into images",
        ),
    ],
)
def test_an_output_that_is_no_score_per_class_is_explained(forward, message):
    error = refusal(net(forward=forward))
    assert message in error.message
    assert error.line == 8


@pytest.mark.parametrize(
    ("init", "forward", "message", "line"),
    [
        ("self.fc = nn.Linear(100, 10)", "return self.fc(x.flatten(1))", "nn.Linear(784, 10)", 9),
        ("self.fc = nn.Conv2d(3, 10, 3)", "return self.fc(x)", "write in_channels=1", 9),
        (
            "self.fc = 1",
            "return self.fc(x.view(64, -1))",
            "write x.size(0), or use x.flatten(1)",
            9,
        ),
        ("self.fc = 1", "raise NotImplementedError", "forward() is not written yet", 9),
        (
            "self.fc = nn.Conv2d(1, 8, 3)\nself.n = nn.BatchNorm2d(16)",
            "return self.n(self.fc(x))",
            "n (BatchNorm2d) gets 8 channels and expects 16. Write nn.BatchNorm2d(8)",
            10,
        ),
        (
            "self.fc = nn.Conv2d(1, 8, 3)\nself.n = nn.Conv2d(16, 8, 3)",
            "return self.n(self.fc(x))",
            "n (Conv2d) gets 8 channels and expects 16",
            10,
        ),
        (
            "self.fc = 1",
            "return self.conv(x)",
            "AttributeError: 'Net' object has no attribute 'conv'",
            9,
        ),
        (
            "self.fc = 1",
            "return missing(x)",
            "name 'missing' is not defined. The grader runs definitions only",
            9,
        ),
        ("self.fc = 1", "return self.forward(x)", "calls itself without end", 9),
        ("self.fc = nn.Linear(10**6, 10**6)", "return x", "needs 4,000 GB of memory", 7),
        (
            "self.fc = torch.zeros(1).cuda()",
            "return x",
            "the grader moves the network to its device",
            7,
        ),
        ("import einops_x", "return x", "The network uses einops_x", 7),
        ("raise ValueError('no\\nway')", "return x", "ValueError: no", 7),
    ],
)
def test_an_error_is_explained_with_its_line(init, forward, message, line):
    if "cuda" in init and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    error = refusal(net(init, forward))
    assert message in error.message
    assert error.line == line


def test_a_network_that_holds_itself_is_explained():
    error = refusal(net("self.inner = Net()"))
    assert "calls itself without end" in error.message
    assert error.line in (6, 7)  # wherever the recursion ends


def test_a_class_without_forward_is_explained_at_its_line():
    error = refusal("class Net(nn.Module):\n    pass\n")
    assert 'missing the required "forward" function' in error.message
    assert error.line == 4


def test_a_forward_of_torch_gives_no_line_of_the_file():
    sequential = "nn.Sequential(nn.Flatten(), nn.Linear(784, 32))"
    assert (
        refusal(
            "class Net(nn.Sequential):\n    def __init__(self):\n"
            f"        super().__init__(*{sequential})\n"
        ).line
        == 4
    )
    with pytest.raises(SubmissionError, match="32 scores for 10 classes") as caught:
        check_run(found(f"model = {sequential}").build(0), EXAMPLE, classes=10, filename=FILE)
    assert caught.value.line is None


def test_a_setting_that_could_not_be_defined_is_named_where_a_layer_gets_it():
    error = refusal("width = 1 / 0\n" + net("self.fc = nn.Linear(784, width)"))
    assert "width could not be defined: ZeroDivisionError" in error.message


def test_an_exit_while_building_is_not_swallowed():
    with pytest.raises(SystemExit):
        found(net("exit()"))


@pytest.mark.parametrize(
    ("init", "forward"),
    [
        ("self.fc = nn.LazyLinear(10)", "return self.fc(x.flatten(1))"),
        ("self.größe = nn.Linear(784, 10)", "return self.größe(x.flatten(1))"),
        ("self.fc = nn.Linear(784, 10)", "with torch.no_grad():\n    return self.fc(x.flatten(1))"),
        (
            "self.a = self.b = nn.Linear(784, 10)",
            "return self.a(x.flatten(1)) + self.b(x.flatten(1))",
        ),
        (
            "self.fc = nn.Linear(784, 10)",
            "if self.training:\n    x = F.dropout(x)\nreturn self.fc(x.flatten(1))",
        ),
        (
            "self.fc = nn.Linear(784, 10)",
            "print(x.shape)\nreturn F.log_softmax(self.fc(x.flatten(1)), dim=1)",
        ),
    ],
)
def test_honest_habits_are_accepted(init, forward):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, that lazy modules are a new feature
        assert choice(net(init, forward)) == ("Net", 4)


def test_the_seed_decides_the_weights_and_nothing_else_does():
    builder = found(net("self.fc = nn.Linear(784, 10)"))
    first, again, other = builder.build(1), builder.build(1), builder.build(2)
    assert torch.equal(first.fc.weight, again.fc.weight)
    assert not torch.equal(first.fc.weight, other.fc.weight)


def test_the_seed_decides_numpys_and_pythons_random_numbers_too():
    source = "import random\nimport numpy as np\n" + net(
        "self.fc = nn.Linear(784, 10)\nself.r = random.random(), np.random.rand()"
    )
    builder = found(source)
    assert builder.build(3).r == builder.build(3).r != builder.build(4).r


def test_running_once_leaves_the_random_numbers_and_the_statistics_as_they_were():
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(784, 10))
    before = torch.get_rng_state()
    check_run(model, EXAMPLE, classes=10, filename=FILE)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(model[0].running_mean, torch.zeros(1))


def test_a_class_that_lies_about_itself_is_still_run(monkeypatch):
    monkeypatch.setattr(sys, "setrecursionlimit", lambda limit: None)
    source = net() + "Net.__eq__ = lambda self, other: 1 / 0\nNet.__hash__ = lambda self: 1\n"
    assert found(source).name == "Net"
