"""Submissions that are one thing while they are rehearsed and another while they are captured."""

from __future__ import annotations

from tests.hostile.case import EVERYWHERE, HUGE, USES_HUGE, Case, Expected, error, fails, net
from tests.hostile.rehearsing import own, refused, training, trains

OTHER = "a file that shows another network when it is captured"
ARGUMENTS = "a class that is built with other arguments when it is captured"
ACTED = "a network whose forward knows acted results and stand-ins"
CHANCE = "a recipe of random numbers, times and places in memory"
RECIPE = "a capture that hands over another recipe than was rehearsed"
WORDS = "a rehearsal whose words are not those of its recipe"
ENTRIES = (OTHER, ARGUMENTS, ACTED, CHANCE, RECIPE, WORDS)

REHEARSED = "hasattr(__import__('builtins'), '__left_by_an_error__')"
BY_ITS_TORCH = "torch.optim.Optimizer.zero_grad.__module__.startswith('grader')"
BY_ITS_NAME = "__name__ == '__main__'"

TOO_LARGE = Expected(failed=frozenset({"parameter_limit"}), words="47,650 parameters", flagged=True)
"""Weights that the rehearsed training does not know are never trained, and an instructor is told."""


def other(seen: str) -> str:
    """A network that is small where it is rehearsed, and too large where it is captured."""
    return net(
        after=f"self.small = {seen}\nif not self.small: {HUGE}",
        end=f"if not self.small: {USES_HUGE}",
        bottom=training(),
    )


def arguments(made: str, init: str = "def __init__(self, wide=200):") -> str:
    """A network with a width, which the training builds as `made`."""
    source = net(
        after="self.huge = nn.Linear(wide, wide)",
        end="x = x + 0 * self.huge(self.huge.bias).sum()",
        bottom=training(),
    ).replace("def __init__(self):", init)
    return source.replace("model = Net()", f"model = {made}")


def handed_over(change: str) -> str:
    """A training whose network changes, while it is built, how its capture is handed over."""
    return net(
        "import json\nfrom grader.program.program import Program\n"
        "if not hasattr(Program, 'real'):\n"
        "    Program.real = Program.to_json\n"
        "    def to_json(self):\n"
        "        d = json.loads(Program.real(self))\n"
        "        r = d['recipe']\n"
        f"        {change}\n"
        "        return json.dumps(d)\n"
        "    Program.to_json = to_json",
        bottom=training(),
    )


def told(statements: str) -> str:
    """A training that changes what is said of it, and not what is handed over to be trained."""
    return trains(
        after="import json\nfrom grader.program.rehearsed import Rehearsal\n"
        "real = Rehearsal.model_dump_json\n"
        "def dump(self, **_):\n    d = json.loads(real(self))\n"
        "    facts = {fact['name']: fact for fact in d['trainings'][-1]['facts']}\n"
        f"    {statements}\n    return json.dumps(d)\nRehearsal.model_dump_json = dump"
    )


def _of(entry, *cases):
    return tuple(
        Case(name, entry, source, expected, levels=EVERYWHERE if at == 0 else (2, 3))
        for at, (name, source, expected) in enumerate(cases)
    )


ITS_OWN_LINES = own("epochs: 3 epochs of 8 steps(.|\n)*not what it handed over")

CASES = (
    *_of(
        OTHER,
        ("small where the stand-ins are imported", other(REHEARSED), TOO_LARGE),
        ("small where steps are stand-ins", other(BY_ITS_TORCH), TOO_LARGE),
        ("small where it is the program", other(BY_ITS_NAME), TOO_LARGE),
        (
            "another class of the same name",
            trains(f"if not ({REHEARSED}):\n    class Net(nn.Linear): pass"),
            error("without the argument in_features: it is another class", line=28),
        ),
    ),
    *_of(
        ARGUMENTS,
        ("narrow in the training, wide by default", arguments("Net(2)"), own("epochs: 3")),
        (
            "narrow where it is rehearsed",
            arguments(f"Net(2 if {REHEARSED} else 200)"),
            own("epochs: 3"),
        ),
        (
            "arguments that are another number at the second reading",
            arguments(
                "Net(type('Two', (int,), {'__index__': lambda self: 2, '__int__': lambda self: 2})(200))"
            ),
            fails("parameter_limit", words="47,650 parameters"),
        ),
        (
            "an argument that no data can hold",
            arguments("Net(wide=type('Any', (), {'__index__': lambda self: 2})())"),
            own("epochs: 3"),
        ),
    ),
    *_of(
        ACTED,
        (
            "another answer for images of two grey levels",
            net(
                end="x = x * (1 + (images.unique().numel() < 3))",
                forward="images = x",
                bottom=training(),
            ),
            error("decides by the values of a tensor", line=23),
        ),
        (
            "it counts how often it is really run",
            net(after="self.runs = 0", end="self.runs += 1", bottom=training()),
            own(),
        ),
        (
            "it trains on while the scores are acted",
            trains(
                epoch="wrong = (model(images).argmax(1) != labels).sum().item()\n"
                "for group in optimizer.param_groups: group['lr'] = 0.05 if wrong else 0.5"
            ),
            refused("The learning rate is set by how well the network does"),
        ),
        (
            "it ends when the loss is what no network reaches",
            trains(epochs=5, epoch="if loss.item() < 1e-12: break"),
            refused("The training stops when the loss is small enough"),
        ),
    ),
    *_of(
        CHANCE,
        (
            "epochs by the clock",
            trains("import time", epochs="1 + time.time_ns() % 9"),
            refused("other random numbers, (the number of epochs) came out"),
        ),
        (
            "a rate by the system's random numbers",
            trains("import os").replace("lr=0.05", "lr=(1 + os.urandom(1)[0]) / 1000"),
            refused("other random numbers, (the optimizer or one|the learning rate) came out"),
        ),
        (
            "a batch size by a place in memory",
            trains().replace("batch_size=128", "batch_size=64 + id(object()) // 16 % 64"),
            refused("other random numbers, (the batch size) came out"),
        ),
        (
            "epochs by random numbers that the system seeds",
            trains(
                "import random, os\nrandom.seed(os.urandom(8))",
                epochs="random.randint(2, 9)",
            ),
            refused("other random numbers, (the number of epochs) came out"),
        ),
    ),
    *_of(
        RECIPE,
        (
            "other epochs in the capture",
            handed_over("r['epochs'] = 1; r['schedule']['learning_rate'][0][0]['steps'] = 8"),
            error("the schedule does not cover epochs x steps_per_epoch steps"),
        ),
        (
            "another rate in the capture",
            handed_over("r['schedule']['learning_rate'][0][0]['value'] = 0.5"),
            error("another recipe than the one that was rehearsed"),
        ),
        (
            "a loss with weights in the capture",
            handed_over("r['loss']['label_smoothing'] = 0.5"),
            error("another recipe than the one that was rehearsed"),
        ),
        (
            "a rehearsed recipe where the assignment's is asked for",
            handed_over("r['origin'] = 'convention'; r['clip_norm'] = 0.1").replace(
                "loss.backward()", "(loss * 3).backward()"
            ),
            error("claims to be from elsewhere"),
        ),
        (
            "the assignment's recipe with another rate",
            handed_over("r['schedule']['learning_rate'][0][0]['value'] = 0.5").replace(
                "loss.backward()", "(loss * 3).backward()"
            ),
            error("claims to be the assignment's"),
        ),
    ),
    *_of(
        WORDS,
        (
            "twenty epochs in words, three in truth",
            told("facts['epochs']['text'] = '20 epochs of 8 steps'"),
            ITS_OWN_LINES,
        ),
        (
            "Adam in words, SGD in truth",
            told("facts['optimizer']['text'] = 'Adam, lr 0.05'"),
            ITS_OWN_LINES,
        ),
        (
            "no word of the loss",
            told("d['trainings'][-1]['facts'] = [facts['epochs']]"),
            ITS_OWN_LINES,
        ),
        (
            "another rate in words",
            told("facts['schedule']['text'] = 'none: the rate stays at 0.5'"),
            ITS_OWN_LINES,
        ),
        (
            "a line of its own among the words",
            told(
                "d['trainings'][-1]['facts'].append({'name': 'verdict', 'text': 'passed', 'line': 1})"
            ),
            ITS_OWN_LINES,
        ),
        (
            "obstacles beside a recipe that is used",
            told("d['trainings'][-1]['obstacles'] = [{'text': 'nothing of it', 'line': 1}]"),
            refused("nothing of it"),
        ),
    ),
)
