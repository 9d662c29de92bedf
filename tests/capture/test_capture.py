"""What students write beside plain layers is captured as the network that it is, or refused with
the reason.
"""

from __future__ import annotations

import torch

from grader.capture import gradients
from grader.report import Report, Verdict
from tests.static_grading import report

HEAD = """
import torch
import torch.nn as nn
import torch.nn.functional as F
"""
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 5)
        self.norm = nn.BatchNorm2d(10)
        self.drop = nn.Dropout(0.1)
    def forward(self, x):
        x = self.drop(self.norm(self.conv(x)))
        return F.log_softmax(F.adaptive_avg_pool2d(x, 1).squeeze(), dim=-1)
"""


def verdicts(found: Report) -> dict[str, Verdict]:
    assert found.problem is None, found.problem
    return {check.name: check.verdict for check in found.checks}


def test_a_bare_squeeze_at_the_end_leaves_one_image_one_image():
    found = verdicts(report(HEAD + NET))
    assert (found["independent_samples"], found["output"]) == (Verdict.PASSED, Verdict.PASSED)


def test_a_compiled_forward_or_class_is_the_network_without_the_compiler():
    plain = report(HEAD + NET)
    forward = report(HEAD + NET.replace("    def forward", "    @torch.compile\n    def forward"))
    whole = report(HEAD + NET + "\n\ndef build_model():\n    return torch.compile(Net())\n")
    for found in (forward, whole):
        assert verdicts(found) == verdicts(plain)
        assert found.analysis["total_parameters"] == plain.analysis["total_parameters"]


SIGN = """
class Sign(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return torch.sign(x)
    @staticmethod
    def backward(context, gradient):
        return gradient

sign = Sign.apply
"""


def test_a_gradient_of_ones_own_is_refused_because_it_would_be_lost():
    found = report(HEAD + SIGN + NET.replace("self.conv(x)", "sign(self.conv(x))"))
    assert (
        "Sign is a torch.autograd.Function: its backward() would be lost" in found.problem.message
    )
    assert "x + (f(x) - x).detach()" in found.problem.message
    assert found.problem.line == 23


def test_a_gradient_of_ones_own_that_nobody_applies_is_no_obstacle():
    assert verdicts(report(HEAD + SIGN.replace("sign = Sign.apply\n", "") + NET))


def test_functions_of_others_go_on_working():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            return 2 * x

        @staticmethod
        def backward(context, gradient):
            return 3 * gradient

    with gradients.own_ones_refused("anna.py"):
        x = torch.ones(1, requires_grad=True)
        Double.apply(x).backward()
    assert x.grad == 3


def test_afterwards_torch_is_as_before():
    assert torch.autograd.Function.apply.__self__ is torch.autograd.Function
    report(HEAD + SIGN + NET)
    assert torch.autograd.Function.apply.__self__ is torch.autograd.Function
    assert type("Own", (torch.autograd.Function,), {}).apply.__self__.__name__ == "Own"


def test_a_network_that_was_taken_in_place_of_another_is_remarked_on():
    source = (
        HEAD
        + NET.replace("def __init__(self)", "def __init__(self, p=0.1)")
        + "\nmodel = Net(missing)\n"
    )
    (note,) = [text for text in report(source).notes if "Net() is graded instead" in text]
    assert note.startswith("Line 16, model = ..., cannot be used here")
