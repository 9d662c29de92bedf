"""What `backward()` is called on: losses, their factors, and terms on the weights, exactly."""

from __future__ import annotations

import pytest

from tests.capture.rehearsal.rehearsed import kind, only, rehearsed

STEP = """
def step(model, optimizer, x, y, index):
    optimizer.zero_grad()
    out = model(x)
    loss = F.nll_loss(out, y)
    {text}
    loss.backward()
    optimizer.step()
loop(step)
"""


def seen(text):
    """The one objective of a training whose loss is changed by a text, its weights by name."""

    def look(trace):
        (objective,) = kind(trace).objectives
        network = trace.networks[next(iter(only(trace).networks))]
        names = {id(weight): name for name, weight in network.named_parameters()}
        terms = [
            (term.kind, term.factor, sorted(names[item] for item in term.parameters))
            for term in objective.penalties
        ]
        return objective.problem, [factor for _, factor in objective.losses], terms

    return rehearsed(STEP.format(text=text), look)


ALL = ["b1.bias", "b1.weight", "c1.bias", "c1.weight", "c2.bias", "c2.weight"]
WEIGHTS = ["b1.weight", "c1.weight", "c2.weight"]
BY_NAME = "for name, p in model.named_parameters() if 'weight' in name"


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        (
            "loss = loss + 1e-5 * sum(p.abs().sum() for p in model.parameters())",
            [("l1", 1e-5, ALL)],
        ),
        ("loss += 1e-5 * sum(p.abs().sum() for p in model.parameters())", [("l1", 1e-5, ALL)]),
        (f"loss = loss + 0.002 * sum(p.norm(1) {BY_NAME})", [("l1", 0.002, WEIGHTS)]),
        (
            "loss = loss + 0.5 * 1e-4 * sum((p ** 2).sum() for p in model.parameters())",
            [("l2", 5e-5, ALL)],
        ),
        (
            "loss = loss + 1e-4 * sum(torch.norm(p) ** 2 for p in model.parameters())",
            [("l2", 1e-4, ALL)],
        ),
        (
            "loss = loss + 1e-3 * sum(torch.norm(p) for p in model.parameters())",
            [("norm", 1e-3, ALL)],
        ),
        ("loss = loss + 0.1 * model.c2.weight.norm()", [("norm", 0.1, ["c2.weight"])]),
        ("loss = loss + 0.1 * model.c2.weight.pow(2).sum()", [("l2", 0.1, ["c2.weight"])]),
        (
            "loss = loss + sum(1e-5 * p.abs().sum() + 1e-4 * p.pow(2).sum()"
            " for p in model.parameters())",
            [("l1", 1e-5, ALL), ("l2", 1e-4, ALL)],
        ),
        (
            "loss = loss + 0.01 * model.c1.weight.abs().sum() + 0.03 * model.c2.weight.abs().sum()",
            [("l1", 0.01, ["c1.weight"]), ("l1", 0.03, ["c2.weight"])],
        ),
        (
            "loss = loss + 1e-4 * torch.cat([p.view(-1) for p in model.parameters()]).abs().sum()",
            [("l1", 1e-4, ALL)],
        ),
    ],
)
def test_a_term_on_the_weights_is_measured(text, terms):
    assert seen(text) == ("", [1.0], terms)


def test_a_mean_of_absolute_values_has_a_factor_for_each_weight():
    problem, factors, terms = seen("loss = loss + 0.1 * model.c1.weight.abs().mean()")
    assert (problem, factors) == ("", [1.0])
    assert terms == [("l1", pytest.approx(0.1 / 36, rel=1e-4), ["c1.weight"])]


@pytest.mark.parametrize(
    "text",
    [
        "loss = loss + 0.1 * torch.cat([p.view(-1) for p in model.parameters()]).norm()",
        "loss = loss + 1e-3 * sum(p.abs().sqrt().sum() for p in model.parameters())",
        "loss = loss + 1e-3 * sum(p.pow(4).sum() for p in model.parameters())",
        "loss = loss - 1e-3 * sum(p.abs().sum() for p in model.parameters())",
        "loss = loss + (model.c2.weight.flatten(1) @ model.c2.weight.flatten(1).T).norm()",
        "loss = loss + 1e-3 * sum(p.abs().max() for p in model.parameters())",
    ],
)
def test_other_terms_on_the_weights_are_refused(text):
    problem, _, terms = seen(text)
    assert "neither L1, L2 nor norms" in problem
    assert terms == []


@pytest.mark.parametrize(
    "text",
    [
        "loss = loss ** 2",
        "loss = loss + 0.1 * (out.exp() * out).sum(1).mean()",
        "loss = (1 - torch.exp(-F.nll_loss(out, y, reduction='none'))).pow(2).mul("
        "F.nll_loss(out, y, reduction='none')).mean()",
        "loss = loss + 0.5",
        "loss = (loss - 0.1).abs() + 0.1",
        "loss = -out.gather(1, y[:, None]).mean()",
    ],
)
def test_a_formula_of_ones_own_is_refused(text):
    assert "formula of your own" in seen(text)[0]


def test_a_loss_without_reduction_whose_mean_is_taken_is_the_usual_one():
    def look(trace):
        return kind(trace).objectives[0].plain

    source = STEP.format(text="loss = F.nll_loss(out, y, reduction='none').mean()")
    loss = rehearsed(source, look)
    assert (loss.name, loss.options) == ("nll_loss", ())


def test_a_factor_of_the_loss_is_measured():
    assert seen("loss = 3 * loss / 4") == ("", [0.75], [])


def test_two_losses_have_a_factor_each():
    assert seen("loss = 0.25 * loss + 2 * F.nll_loss(out, y)") == ("", [0.25, 2.0], [])


def test_a_factor_that_changes_makes_another_kind_of_step():
    source = """
    def step(model, optimizer, x, y, index):
        optimizer.zero_grad()
        loss = F.nll_loss(model(x), y)
        (loss + 1e-3 * (1 + index) * model.c1.weight.abs().sum()).backward()
        optimizer.step()
    loop(step)
    """

    def look(trace):
        return [item.objectives[0].penalties[0].factor for item in only(trace).kinds]

    assert rehearsed(source, look) == pytest.approx([0.001 * (1 + n) for n in range(8)], rel=1e-4)


@pytest.mark.parametrize(
    ("criterion", "options"),
    [
        ("nn.CrossEntropyLoss()", ()),
        ("nn.CrossEntropyLoss(label_smoothing=0.1)", (("label_smoothing", 0.1),)),
        ("nn.CrossEntropyLoss(reduction='sum')", (("reduction", "sum"),)),
        ("nn.CrossEntropyLoss(weight=torch.ones(10) / 2)", (("weight", (0.5,) * 10),)),
        ("nn.CrossEntropyLoss().cuda()", ()),
        ("lambda out, y: F.cross_entropy(out, F.one_hot(y, 10).float())", ()),
        (
            "lambda out, y: F.cross_entropy(out, F.one_hot(y, 10) * 0.9 + 0.01)",
            (("label_smoothing", 0.1),),
        ),
    ],
)
def test_options_of_a_loss_are_seen(criterion, options):
    source = f"""
    criterion = {criterion}
    def step(model, optimizer, x, y, index):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    loop(step)
    """
    loss = rehearsed(source, kind).objectives[0].plain
    assert (loss.name, loss.options, loss.through) == ("cross_entropy", options, ())
    assert loss.true_labels


@pytest.mark.parametrize("labels", ["y.flip(0)", "(y + 1) % 10", "torch.zeros_like(y)"])
def test_other_labels_are_seen(labels):
    source = f"""
    def step(model, optimizer, x, y, index):
        usual(model, optimizer, x, {labels}, index)
    loop(step)
    """
    assert not rehearsed(source, kind).objectives[0].plain.true_labels


def test_clipping_before_backward_has_no_effect_and_is_said():
    source = """
    def step(model, optimizer, x, y, index):
        optimizer.zero_grad()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        F.nll_loss(model(x), y).backward()
        optimizer.step()
    loop(step)
    """
    clips, notes = rehearsed(source, lambda trace: (kind(trace).clips, dict(trace.notes)))
    assert clips == ()
    assert "no effect" in next(iter(notes))


def test_a_hook_on_gradients_is_an_obstacle_with_its_line():
    source = """
    model = Net()
    for p in model.parameters(): p.register_hook(lambda g: g.clamp(-1, 1))
    loop(usual, model=model)
    """

    def look(trace):
        return [(text[:6], line) for text, line in only(trace).obstacles.items()]

    assert rehearsed(source, look) == [("A hook", 60)]
