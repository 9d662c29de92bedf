from torch import nn

from grader.analysis.fingerprint import fingerprint_of
from tests.analysis.graphs import graph_of
from tests.analysis.networks import Net


def taken(model: nn.Module) -> str:
    return fingerprint_of(graph_of(model.eval()))


class Named(nn.Module):
    """Two convolutions, declared in either order under any names."""

    def __init__(
        self, names: tuple[str, str], *, first_declared: int = 0, unused: bool = False
    ) -> None:
        super().__init__()
        layers = [(names[0], nn.Conv2d(1, 4, 3)), (names[1], nn.Conv2d(4, 10, 3))]
        for name, layer in layers if first_declared == 0 else reversed(layers):
            self.add_module(name, layer)
        if unused:
            self.spare = nn.Linear(3, 3)
        self.names = names

    def forward(self, x):
        for name in self.names:
            x = getattr(self, name)(x).relu()
        return x.mean((2, 3))


def test_names_and_order_of_declaration_do_not_matter():
    one = taken(Named(("a", "b")))
    two = taken(Named(("conv_z", "conv_a"), first_declared=1, unused=True))
    assert one == two


def test_style_does_not_matter():
    one = nn.Sequential(nn.Conv2d(1, 10, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6760, 10))
    two = Net(
        lambda x, a, b: b(a(x).relu_().view(-1, 6760)), nn.Conv2d(1, 10, 3), nn.Linear(6760, 10)
    )
    assert taken(one) == taken(two)


def test_the_sides_of_a_sum_do_not_matter():
    one = Net(
        lambda x, a, b: (a(x) + b(x)).mean((2, 3)),
        nn.Conv2d(1, 10, 3),
        nn.Conv2d(1, 10, 3, dilation=1),
    )
    two = Net(lambda x, a, b: (b(x) + a(x)).mean((2, 3)), nn.Conv2d(1, 10, 3), nn.Conv2d(1, 10, 3))
    assert taken(one) == taken(two)


def test_another_stride_is_another_architecture():
    one = Net(lambda x, a: a(x).mean((2, 3)), nn.Conv2d(1, 10, 3))
    two = Net(lambda x, a: a(x).mean((2, 3)), nn.Conv2d(1, 10, 3, stride=2))
    assert taken(one) != taken(two)


def test_tied_weights_are_another_architecture():
    layers = nn.Conv2d(1, 10, 3), nn.Conv2d(1, 10, 3)
    one = Net(lambda x, a, b: (a(x) + b(x)).mean((2, 3)), *layers)
    two = Net(lambda x, a, b: (a(x) + a(x)).mean((2, 3)), *layers)
    assert taken(one) != taken(two)
