"""The ledger, with numbers worked by hand."""

import torch
import torchvision
from torch import nn

from grader.analysis.parameters import Parameters, count_parameters
from tests.analysis.graphs import program_of
from tests.analysis.networks import DsconvSe, Net, model_a, shrinking, sub_8k


def ledger(build) -> Parameters:
    return count_parameters(program_of(build))


def hints(found: Parameters) -> str:
    return " ".join(hint.text for hint in found.hints)


def test_reference_models():
    assert ledger(sub_8k).counted == 6_260
    assert ledger(shrinking).counted == 6_198
    assert ledger(DsconvSe).counted == 17_682
    assert ledger(model_a).counted == 26_202
    assert ledger(lambda: model_a(24)).counted == 16_834


def test_keras_counts_the_running_statistics_too():
    found = ledger(model_a)
    assert found.running_statistics == 256
    assert found.with_statistics == 26_458


def test_an_honest_model_counts_what_it_trains():
    found = ledger(model_a)
    assert (found.counted, found.frozen, found.buffers, found.constants) == (
        found.trainable,
        0,
        0,
        0,
    )
    (only,) = found.hints  # where most of them are
    assert "9,248 of them" in only.text


def test_tied_weights_count_once():
    def build():
        model = Net(
            lambda x, a, b: (a(x) + b(x)).mean((2, 3)), nn.Conv2d(1, 10, 3), nn.Conv2d(1, 10, 3)
        )
        model.layers[1].weight = model.layers[0].weight
        return model

    found = ledger(build)
    assert found.trainable == 90 + 10 + 10
    assert found.shared == (("layers.0.weight", "layers.1.weight"),)


def test_frozen_parameters_count():
    def build():
        model = Net(lambda x, a: a(x).mean((2, 3)), nn.Conv2d(1, 10, 3))
        model.layers[0].weight.requires_grad = False
        return model

    found = ledger(build)
    assert (found.trainable, found.frozen, found.counted) == (10, 90, 100)
    assert "layers.0.weight: 90 frozen" in hints(found)


class Loose(nn.Module):
    def __init__(self):
        super().__init__()
        self.filters = [torch.rand(10, 1, 3, 3, requires_grad=True)]
        self.register_buffer("offset", torch.rand(10))

    def forward(self, x):
        return nn.functional.conv2d(x, self.filters[0]).mean((2, 3)) + self.offset


def test_weights_in_a_list_and_in_a_buffer_count():
    found = ledger(Loose)
    assert (found.trainable, found.constants, found.buffers, found.counted) == (0, 90, 10, 100)
    assert "nn.ParameterList" in hints(found)
    assert "offset: 10 numbers in buffers" in hints(found)


def test_a_running_mean_that_is_read_as_a_weight_counts():
    def run(x, a, b):
        return b(a(x)).mean((2, 3)) * b.running_var

    found = ledger(lambda: Net(run, nn.Conv2d(1, 10, 3), nn.BatchNorm2d(10)))
    assert (found.buffers, found.running_statistics) == (10, 10)


def test_declared_and_unused_layers_are_named():
    found = ledger(
        lambda: Net(lambda x, a, b: a(x).mean((2, 3)), nn.Conv2d(1, 10, 3), nn.Linear(5, 5))
    )
    assert (found.trainable, found.unused) == (130, 30)
    assert found.unused_names == ("layers.1.weight", "layers.1.bias")
    assert "does not depend on" in hints(found)


def test_half_precision_weights_are_named():
    def run(x, a):
        return a(x.half()).float().mean((2, 3))

    assert ledger(lambda: Net(run, nn.Conv2d(1, 10, 3).half())).other_types == (
        "layers.0.weight",
        "layers.0.bias",
    )


def test_torchvision_agrees():
    def build():
        return torchvision.models.resnet18(num_classes=10)

    assert count_parameters(program_of(build, (3, 64, 64))).counted == 11_181_642


def test_a_loose_tensor_that_the_output_does_not_depend_on_does_not_count():
    class Idle(Loose):
        def forward(self, x):
            nn.functional.conv2d(x, self.filters[0])
            return x.mean((2, 3)) + self.offset

    found = ledger(Idle)
    assert (found.constants, found.unregistered, found.buffers) == (0, 0, 10)


def test_weights_that_only_evaluation_reads_count():
    class Later(Loose):
        def __init__(self):
            super().__init__()
            self.end = nn.Linear(10, 10)

        def forward(self, x):
            if self.training:
                return x.mean((2, 3)).expand(-1, 10)
            x = nn.functional.conv2d(x, self.filters[0]).mean((2, 3))
            return self.end(x) + self.offset

    found = ledger(Later)
    assert (found.constants, found.buffers, found.trainable, found.unused) == (90, 10, 110, 0)


def test_the_layer_that_holds_most_is_named_with_its_line():
    found = ledger(
        lambda: Net(lambda x, a, b: b(a(x).mean((2, 3))), nn.Conv2d(1, 50, 3), nn.Linear(50, 10))
    )
    (hint,) = found.hints
    assert hint.text == "layers.1 (Linear) holds 510 of them, 50 %: save there first."


def test_the_layer_that_holds_most_is_not_named_twice():
    found = ledger(
        lambda: Net(lambda x, a, b: a(x).mean((2, 3)), nn.Conv2d(1, 10, 3), nn.Linear(50, 50))
    )
    (only,) = found.hints
    assert "2,550 parameters that the output does not depend on" in only.text


def test_a_few_numbers_that_are_not_used_come_after_the_layer_that_holds_most():
    found = ledger(
        lambda: Net(lambda x, a, b: a(x).mean((2, 3)), nn.Conv2d(1, 10, 3), nn.Linear(1, 1))
    )
    first, second = (hint.text for hint in found.hints)
    assert first.startswith("layers.0 (Conv2d) holds 100 of them")
    assert "2 parameters that the output does not depend on" in second
