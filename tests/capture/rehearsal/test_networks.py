"""Networks: which was trained, how it was built, and what it is shown."""

from __future__ import annotations

import pytest

from tests.capture.rehearsal.rehearsed import kind, line, only, rehearsed


def network(trace):
    from grader.capture.rehearsal import building

    (found,) = only(trace).networks
    return building.built(trace.networks[found])


def test_the_class_and_its_arguments_are_those_that_it_was_built_with():
    found = rehearsed("loop(usual, model=Net(8, dropout=0.1, sizes=[1, 2]))", network)
    assert (found.file, found.name, found.line) == ("train.py", "Net", 58)
    assert (found.arguments, found.keywords) == ((8,), {"dropout": 0.1, "sizes": (1, 2)})
    assert found.whole


def test_arguments_that_are_no_plain_data_are_not_kept():
    found = rehearsed("loop(usual, model=Net(4, block=nn.Conv2d))", network)
    assert (found.arguments, found.keywords, found.whole) == ((), {}, False)


def test_a_network_inside_of_a_class_is_not_taken_for_it():
    source = """
    class Outer(nn.Module):
        def __init__(self, depth=1):
            super().__init__()
            self.inner = Net(6)
        def forward(self, x):
            return self.inner(x)
    loop(usual, model=copy.deepcopy(Outer(depth=2)))
    """
    found = rehearsed(source, network)
    assert (found.name, found.keywords) == ("Outer", {"depth": 2})


@pytest.mark.parametrize(
    "wrap",
    [
        "model.cuda()",
        "model.to(torch.device('cuda:0'))",
        "nn.DataParallel(model)",
        "torch.compile(model, mode='max-autotune')",
        "torch.jit.script(model)",
    ],
)
def test_a_network_that_is_moved_or_wrapped_trains(wrap):
    source = f"""
    model = Net()
    model = {wrap}
    loop(usual, model=model)
    """
    step = rehearsed(source, kind)
    assert step.objectives[0].plain.of_network
    assert step.images == "untouched"


def test_forward_that_is_called_directly_is_a_call():
    source = """
    class Direct(Net):
        def forward(self, x):
            return super().forward(x)
    def step(model, optimizer, x, y, index):
        optimizer.zero_grad()
        F.nll_loss(model.forward(x), y).backward()
        optimizer.step()
    loop(step, model=Direct())
    """
    assert rehearsed(source, kind).objectives[0].plain.of_network


def test_a_network_that_gives_more_than_scores_trains():
    source = """
    class Two(Net):
        def forward(self, x):
            out = super().forward(x)
            return out, x.mean((1, 2, 3))
    def step(model, optimizer, x, y, index):
        optimizer.zero_grad()
        out, _ = model(x)
        F.nll_loss(out, y).backward()
        optimizer.step()
    def end(epoch, accuracy, optimizer): pass
    model, (train, _) = Two(), loaders()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for x, y in train:
        step(model, optimizer, x, y, 0)
    """
    assert rehearsed(source, kind).objectives[0].plain.of_network


def test_weights_that_are_set_outside_of_the_class_are_noted():
    source = """
    def initialise(module):
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    model = Net()
    model.apply(initialise)
    loop(usual, model=model)
    """
    ((text, at),) = rehearsed(source, lambda trace: list(trace.notes.items()))
    assert text.startswith("The weights are set anew after the network was built")
    assert at == 63


def test_weights_that_the_class_itself_sets_are_not():
    source = """
    class Own(Net):
        def __init__(self):
            super().__init__()
            self.apply(lambda m: isinstance(m, nn.Conv2d) and nn.init.zeros_(m.weight))
    loop(usual, model=Own())
    """
    assert rehearsed(source, lambda trace: dict(trace.notes)) == {}


def test_a_network_of_half_precision_is_an_obstacle():
    source = """
    model, (train, _) = Net().half(), loaders()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for x, y in train:
        usual(model, optimizer, x.half(), y, 0)
    """
    (text,) = rehearsed(source, lambda trace: list(only(trace).obstacles))
    assert "not float32" in text


def test_two_networks_in_a_file_are_told_apart():
    source = """
    loop(usual, epochs=1, model=Net(3))
    loop(usual, epochs=2, model=Net(5))
    """

    def look(trace):
        from grader.capture.rehearsal import building

        return [
            (building.built(trace.networks[name]).arguments, training.steps)
            for training in trace.trainings
            for name in training.networks
        ]

    assert rehearsed(source, look) == [((3,), 8), ((5,), 16)]


def test_the_mode_of_each_forward_is_counted():
    def look(trace):
        return [dict(walk.forwards) for walk in trace.walks[:2]]

    assert rehearsed("loop(usual, epochs=1)", look) == [{("Net", True): 8}, {("Net", False): 2}]


def test_an_error_of_the_network_is_the_students():
    source = """
    class Wrong(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(100, 10)
        def forward(self, x):
            return self.fc(x.flatten(1))
    loop(usual, model=Wrong())
    """
    with pytest.raises(AssertionError, match="cannot be multiplied"):
        rehearsed(source, lambda trace: None)


def test_where_a_network_was_built_is_remembered():
    lines = rehearsed("loop(usual)", lambda trace: list(trace.network_lines.values()))
    assert lines == [line("model = model or Net()")]
