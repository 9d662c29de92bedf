"""Trainings that replace what a rehearsal stands on: torch, its stand-ins, imports and modules."""

from __future__ import annotations

from tests.hostile.case import EVERYWHERE, Case
from tests.hostile.rehearsing import FOUND, OUT_OF_TIME, in_folder, own, refused, trains
from tests.hostile.rehearsing import folder as files

STEP = "a training that replaces the steps of optimizers and schedulers"
LOADER = "a training that replaces loaders, data sets and samplers"
CALL = "a training that replaces how a network is called"
LOSS = "a training that replaces losses and backward()"
LOAD = "a training that replaces torch.load and torch.save"
FRAMES = "a training that reaches the trace through frames, garbage and tracing"
FINDERS = "a training with import hooks"
MODULES = "a training that replaces entries of sys.modules"
IMPORTS = "a training that replaces __import__"
LIARS = "numbers and texts that lie about themselves"
ENTRIES = (STEP, LOADER, CALL, LOSS, LOAD, FRAMES, FINDERS, MODULES, IMPORTS, LIARS)

LYING = """
class Lying(float):
    def __eq__(self, other): return True
    def __hash__(self): return 0
    def __float__(self): return 9.0
    def __repr__(self): return '0.05'
    __lt__ = __gt__ = __le__ = __ge__ = lambda self, other: False
"""


def _of(entry, *cases):
    """Cases of an entry; the first at every level."""
    return tuple(
        Case(
            name,
            entry,
            source,
            expected,
            levels=EVERYWHERE if at == 0 else (2, 3),
            budget=2.0 if "end" in name else 30.0,
        )
        for at, (name, source, expected) in enumerate(cases)
    )


CASES = (
    *_of(
        STEP,
        (
            "Optimizer.step does nothing",
            trains("torch.optim.Optimizer.step = lambda *_, **__: None"),
            own(),
        ),
        (
            "SGD.step does nothing",
            trains("torch.optim.SGD.step = lambda *_, **__: None"),
            refused(r"The step\(\) of SGD is replaced"),
        ),
        (
            "the step of one optimizer changes its rate",
            trains(
                step="if epoch == 0: optimizer.step = lambda *_, **__: "
                "optimizer.param_groups[0].update(lr=9.0)"
            ),
            refused("no optimizer of torch.optim steps"),
        ),
        (
            "a scheduler that sets the rate by hand, behind the back of its class",
            trains(
                epoch="torch.optim.lr_scheduler.LRScheduler.step = lambda self: None\n"
                "torch.optim.lr_scheduler.StepLR(optimizer, 1).step()"
            ),
            own(),
        ),
        (
            "an optimizer of its own under the name of SGD",
            trains(
                "class SGD(torch.optim.SGD):\n    def step(self, closure=None): return None\n"
                "SGD.__module__ = 'torch.optim.sgd'\ntorch.optim.SGD = SGD"
            ),
            refused("SGD is an optimizer of your own"),
        ),
    ),
    *_of(
        LOADER,
        (
            "a loader that ends after one batch",
            trains(
                "real = DataLoader.__iter__\ndef once(self): yield next(iter(real(self)))\n"
                "DataLoader.__iter__ = once"
            ),
            refused("3 of 3 epochs end before all batches are used \\(1 of 8\\)"),
        ),
        (
            "a loader that never comes to its end",
            trains(
                "real = DataLoader.__iter__\ndef again(self):\n    while True: yield from real(self)\n"
                "DataLoader.__iter__ = again"
            ),
            refused(OUT_OF_TIME),
        ),
        (
            "batches that no loader gave",
            trains(
                "def made(self):\n    for _ in range(8):\n"
                "        yield torch.rand(128, 1, 28, 28), torch.zeros(128).long()\n"
                "DataLoader.__iter__ = made"
            ),
            refused("Some steps are not fed by a DataLoader"),
        ),
        (
            "a data set that says another length each time",
            trains(
                "class Other(datasets.MNIST):\n    def __len__(self):\n"
                "        Other.asked = getattr(Other, 'asked', 0) + 1\n"
                "        return 1000 + Other.asked\n"
                "datasets.MNIST = Other"
            ),
            refused("Epochs have different numbers of images"),
        ),
    ),
    *_of(
        CALL,
        (
            "Module.__call__ replaced",
            trains(
                "torch.nn.Module.__call__ = lambda self, x: torch.zeros(len(x), 10, requires_grad=True)"
            ),
            refused("no network was called for it"),
        ),
        (
            "forward of the network replaced in the training",
            trains(after="", step="").replace(
                "optimizer = ",
                "model.forward = lambda x: torch.zeros(len(x), 10, requires_grad=True)\noptimizer = ",
            ),
            refused(r"forward\(\) of the network is replaced"),
        ),
        (
            "another class put on the network",
            trains(
                "class Other(nn.Module):\n    def forward(self, x): return x.flatten(1)[:, :10]\n",
                epoch="model.__class__ = Other",
            ),
            own(),
        ),
    ),
    *_of(
        LOSS,
        (
            "cross_entropy replaced",
            trains("F.cross_entropy = lambda scores, labels: scores.sum() * 0"),
            refused(r"backward\(\) is called on a formula of your own"),
        ),
        (
            "backward() replaced",
            trains("torch.Tensor.backward = lambda *_, **__: None"),
            refused(r"The optimizer steps without backward\(\)"),
        ),
        (
            "the loss is told labels of its own",
            trains().replace("cross_entropy(scores, labels)", "cross_entropy(scores, labels * 0)"),
            refused("The loss is told other labels"),
        ),
    ),
    *_of(
        LOAD,
        (
            "torch.load replaced, and asked",
            trains("torch.load = lambda *_, **__: {}\ntorch.load('weights.pt')"),
            own(),
        ),
        (
            "weights that pickle would run",
            trains(
                "import pickle, os\nclass Evil:\n"
                "    def __reduce__(self): return (os._exit, (0,))\n"
                "open('w.pt', 'wb').write(pickle.dumps(Evil()))\n"
                "try: torch.load('w.pt', weights_only=False)\nexcept Exception: pass"
            ),
            refused("ended the Python process early"),
        ),
        (
            "torch.save that writes elsewhere",
            trains(
                "def save(what, where, *_, **__): open('/tmp/elsewhere', 'w').write('x')\n"
                "torch.save = save",
                epoch="try: torch.save(model.state_dict(), 'x.pt')\nexcept OSError: pass",
            ),
            own(),
        ),
    ),
    *_of(
        FRAMES,
        (
            "the trace found in a frame, with another rate",
            trains(
                after="import sys\nframe = sys._getframe()\n"
                "while frame and 'trace' not in frame.f_locals: frame = frame.f_back\n"
                "record = frame.f_locals['trace'].trainings[-1]\n"
                "record.curve = [[((0.3,), (0.9,), (0.0,)), record.steps]]"
            ),
            own("lr 0.3"),
        ),
        (
            "more steps than were taken, in the trace",
            trains(after=f"{FOUND}record.steps += 8"),
            own(),
        ),
        (
            "a profiler that raises in the stand-ins",
            trains(
                "import sys\ndef look(frame, event, value):\n"
                "    if 'rehearsal' in frame.f_code.co_filename: raise ValueError('look')\n",
                epoch="sys.setprofile(look)",
            ),
            refused("ends with an error, so its epochs are not all there: ValueError: look"),
        ),
        (
            "every list of the trace emptied",
            trains(
                after="import gc\nfrom grader.capture.rehearsal import trace as traces\n"
                "trace = next(one for one in gc.get_objects() if type(one) is traces.Trace)\n"
                "trace.trainings.clear(); trace.walks.clear(); trace.networks.clear()"
            ),
            refused("no optimizer of torch.optim steps"),
        ),
    ),
    *_of(
        FINDERS,
        (
            "a finder that answers for every module",
            trains(
                "import sys, types, importlib.machinery\nclass Finder:\n"
                "    def find_spec(self, name, path=None, target=None):\n"
                "        return importlib.machinery.ModuleSpec(name, self)\n"
                "    def create_module(self, spec): return types.ModuleType(spec.name)\n"
                "    def exec_module(self, module): pass\n"
                "sys.meta_path.insert(0, Finder())"
            ),
            refused("It stops with an error: TypeError"),
        ),
        (
            "all finders taken away",
            trains("import sys\nsys.meta_path.clear(); sys.path_hooks.clear(); sys.path.clear()"),
            refused("It stops with an error: ImportError"),
        ),
        (
            "the grader's own modules loaded anew",
            trains(
                after="import importlib\nfrom grader.program import rehearsed\n"
                "from grader.capture.rehearsal import summary\n"
                "importlib.reload(rehearsed); importlib.reload(summary)"
            ),
            refused("could not be summed up"),
        ),
        (
            "a finder that never comes to its end",
            trains(
                "import sys\nclass Finder:\n    def find_spec(self, *_, **__):\n"
                "        while True: pass\nsys.meta_path.insert(0, Finder())",
                after="import nothing_of_that_name",
            ),
            refused(OUT_OF_TIME),
        ),
    ),
    *_of(
        MODULES,
        (
            "torch replaced in sys.modules",
            trains(after="import sys, types\nsys.modules['torch'] = types.ModuleType('torch')"),
            own(),
        ),
        (
            "the summary replaced in sys.modules",
            trains(
                after="import sys, types\nfake = types.ModuleType('summary')\n"
                "fake.summarise = lambda *_: None\n"
                "sys.modules['grader.capture.rehearsal.summary'] = fake\n"
                "sys.modules['grader.program.rehearsed'] = fake"
            ),
            own(),
        ),
        (
            "sys.modules replaced by something that is no dictionary",
            trains(after="import sys\nsys.modules = None"),
            own(),
        ),
        (
            "__main__ replaced",
            trains(
                "import sys, types\nsys.modules['__main__'] = types.ModuleType('__main__')",
                after="sys.modules['__main__'].__dict__.clear()",
            ),
            own(),
        ),
    ),
    *_of(
        IMPORTS,
        (
            "__import__ that gives None",
            trains(after="import builtins\nbuiltins.__import__ = lambda *_, **__: None"),
            refused("summed up|handed over"),
        ),
        (
            "__import__ of a module of its own",
            files(
                {
                    "train.py": trains("from tool import __import__\nimport math"),
                    "tool.py": "import builtins\nreal = builtins.__import__\n"
                    "def __import__(name, *rest):\n    raise ImportError(name)\n"
                    "builtins.__import__ = lambda name, *rest: real(name, *rest)",
                }
            ),
            own(),
        ),
        (
            "__import__ that never comes to its end",
            trains(
                "import builtins\ndef forever(*_, **__):\n    while True: pass\n"
                "builtins.__import__ = forever",
                after="import math",
            ),
            refused("with SIGXCPU"),
        ),
    ),
    *_of(
        LIARS,
        (
            "a rate that is equal to everything",
            trains(LYING).replace("lr=0.05", "lr=Lying(0.05)"),
            own("optimizer: SGD, lr 9, momentum 0.9"),
        ),
        (
            "a batch size that counts otherwise than it says",
            trains(
                "class Size(int):\n    def __index__(self): return 1\n"
                "    def __int__(self): return 1\n    def __repr__(self): return '128'"
            ).replace("batch_size=128", "batch_size=Size(128)"),
            refused("An epoch takes 8 steps in the rehearsal, and has 1,000 batches of 1 images"),
        ),
        (
            "a rate that is read anew each time",
            trains(
                "class Rates(dict):\n    read = 0\n    def __getitem__(self, key):\n"
                "        Rates.read += key == 'lr'\n"
                "        return Rates.read / 1e4 if key == 'lr' else dict.__getitem__(self, key)",
                epoch="optimizer.param_groups[0] = Rates(optimizer.param_groups[0])",
            ),
            own("no scheduler, the rate is set by hand"),
        ),
    ),
)
CASES = tuple(
    Case(
        **{
            name: getattr(case, name)
            for name in ("name", "answers", "expected", "source", "levels", "budget")
        },
        place=in_folder,
    )
    if '"train.py"' in str(case.source)
    else case
    for case in CASES
)
