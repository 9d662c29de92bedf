"""Submissions that replace what counts, prints, measures time or exports. It happens in their own process alone."""

from __future__ import annotations

from tests.hostile.case import HUGE, QUICK, USES_HUGE, Case, Expected, error, fails, net
from tests.hostile.cases.process import BUSY

MODULE = "nn.Module"
NUMEL = "Tensor.numel"
BUILTINS = "builtins"
JSON = "json"
TIME = "time"
EXPORTER = "the exporter itself"
ENTRIES = (MODULE, NUMEL, BUILTINS, JSON, TIME, EXPORTER)

STILL_COUNTED = fails("parameter_limit", words="47,650 parameters")


def patched(
    name: str,
    answers: str,
    statements: str,
    expected: Expected = STILL_COUNTED,
    seconds: float = 60.0,
) -> Case:
    """A network of 47,650 parameters whose constructor first replaces something."""
    source = net(statements, after=HUGE, end=USES_HUGE)
    return Case(name, answers, source, expected, seconds)


SMALL = """
import torch.export
real = torch.export.export
class Small(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.stem, self.norm, self.drop = model.stem, model.norm, model.drop
        self.conv, self.last, self.huge = model.conv, model.last, model.huge
    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 2)
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.last(self.drop(x)).mean((2, 3))
torch.export.export = lambda model, *a, **k: real(Small(model).train(model.training), *a, **k)
"""

CASES = (
    patched(
        "parameters() of every module",
        MODULE,
        "nn.Module.parameters = lambda self, recurse=True: iter(())",
        error(r"optimizer|parameter"),
    ),
    patched(
        "named_parameters() of every module",
        MODULE,
        "nn.Module.named_parameters = lambda self, *a, **k: iter(())",
        error(r"\w"),
    ),
    patched(
        "train() of every module",
        MODULE,
        "nn.Module.train = lambda self, mode=True: self",
        fails("dropout", "independent_samples", "parameter_limit", words="47,650", flagged=True),
    ),
    patched(
        "__call__ of every module",
        MODULE,
        "nn.Module.__call__ = lambda self, x: torch.zeros(len(x), 10)",
        error("Nothing in the network learns"),
    ),
    patched(
        "state_dict() of every module", MODULE, "nn.Module.state_dict = lambda self, *a, **k: {}"
    ),
    patched(
        "a hook on every module",
        MODULE,
        "nn.modules.module.register_module_forward_hook(lambda m, i, o: o * 1)",
    ),
    patched(
        "numel() of every tensor",
        NUMEL,
        "torch.Tensor.numel = lambda self: 0",
        error("invalid for input of size 0"),
    ),
    patched(
        "shape of every tensor",
        NUMEL,
        "torch.Tensor.shape = property(lambda self: torch.Size([1]))",
        error(r"\w"),
    ),
    patched("nelement() and size()", NUMEL, "torch.Tensor.nelement = lambda self: 0"),
    patched("__eq__ of every tensor", NUMEL, "torch.equal = lambda a, b: True"),
    patched(
        "len, sum and max",
        BUILTINS,
        "import builtins\nbuiltins.sum = lambda *a: 0",
        error("exactly one input|cut off"),
    ),
    patched(
        "print and open",
        BUILTINS,
        "import builtins\nbuiltins.print = builtins.open = lambda *a, **k: 1 / 0",
    ),
    patched(
        "isinstance",
        BUILTINS,
        "import builtins\nbuiltins.isinstance = lambda *a: True",
        error(r"\w"),
    ),
    patched(
        "__import__",
        BUILTINS,
        "import builtins\nbuiltins.__import__ = lambda *a, **k: 1 / 0",
        error(r"\w"),
    ),
    patched(
        "exceptions", BUILTINS, "import builtins\nbuiltins.Exception = builtins.BaseException = int"
    ),
    patched("json.dumps", JSON, "import json; json.dumps = lambda *a, **k: '{\"captured\": true}'"),
    patched("json.loads", JSON, "import json; json.loads = lambda *a, **k: {}"),
    patched("hashlib", JSON, "import hashlib; hashlib.sha256 = lambda *a: 1 / 0", error(r"\w")),
    patched(
        "a stopped clock",
        TIME,
        "import time; time.time = time.monotonic = time.perf_counter = lambda: 0.0",
    ),
    patched(
        "a clock that runs backwards",
        TIME,
        "import time; clock = iter(range(10**9, 0, -1)); time.time = lambda: next(clock)",
    ),
    patched(
        "no alarm, and no end",
        TIME,
        "import signal; signal.alarm = signal.setitimer = None\nwhile True: pass",
        error(BUSY),
        QUICK,
    ),
    patched(
        "a random seed that stays",
        TIME,
        "real = torch.manual_seed; torch.manual_seed = lambda seed: real(7)\ntorch.manual_seed(0)",
        fails("parameter_limit", "untrained", words="that no seed changes"),
    ),
    patched(
        "an exporter that raises",
        EXPORTER,
        "import torch.export\ndef no(*a, **k): raise RuntimeError('no export')\ntorch.export.export = no",
        error("no export"),
    ),
    patched(
        "an exporter that gives nothing",
        EXPORTER,
        "import torch.export; torch.export.export = lambda *a, **k: None",
        error(r"\w"),
    ),
    patched(
        "an exporter that ends the process",
        EXPORTER,
        "import os, torch.export; torch.export.export = lambda *a, **k: os._exit(0)",
        error("early"),
    ),
    patched("an exporter of a smaller network, whose unused weights count", EXPORTER, SMALL),
    patched(
        "a Program that is empty",
        EXPORTER,
        "from grader.program.program import Program; Program.to_json = lambda self: '{}'",
        error("not one that the grader accepts"),
    ),
    patched(
        "a reader of recipes that lies",
        EXPORTER,
        "from grader.capture import recipe; recipe.read = lambda *a, **k: None",
        error(r"\w"),
    ),
    Case(
        "the checks in the child",
        EXPORTER,
        net(
            "from grader.analysis.untrained import observation\nobservation.observe = None",
            end="x = x * x.mean(0)",
        ),
        fails("independent_samples", words="by its batch"),
    ),
)
