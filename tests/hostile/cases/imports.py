"""Submissions that shadow, replace or miss modules, lie about themselves, or do their homework while imported."""

from __future__ import annotations

from tests.hostile.case import CANARY, EVERYWHERE, HUGE, PASSES, USES_HUGE, Case, error, fails, net
from tests.hostile.gallery import from_gallery

SHADOWS = "a json.py, torch.py or timeit.py beside the model"
STARTUP = "sitecustomize, .pth, PYTHONSTARTUP"
FAKES = "fake modules in sys.modules"
LIES = "a Module subclass that lies in parameters(), __class__, __eq__"
AT_IMPORT = "training, downloading, argparse or wandb at import"
SIBLINGS = "sibling imports"
SEVERAL = "several candidate classes"
ENTRIES = (SHADOWS, STARTUP, FAKES, LIES, AT_IMPORT, SIBLINGS, SEVERAL)

BOOM = "raise SystemExit('shadowed')"
EDIT = f"open('{CANARY}/labels', 'w').write('hostile-mark')"
TOO_MANY = "47,650 parameters"
NEVER_EVALUATES = fails(
    "dropout", "independent_samples", "parameter_limit", words=TOO_MANY, flagged=True
)


def lying(methods: str) -> str:
    """A network with 40,000 parameters too many, whose class also has these methods."""
    source = net(after=HUGE, end=USES_HUGE)
    return source + "\n" + "\n".join(f"    {line}" for line in methods.splitlines())


CASES = (
    *(
        Case(
            f"a {name}.py beside it",
            SHADOWS,
            net(top=f"import {name}"),
            PASSES,
            beside={f"{name}.py": BOOM},
        )
        for name in ("json", "timeit", "random")
    ),
    Case(
        "a torch.py beside it",
        SHADOWS,
        net(),
        PASSES,
        beside={"torch.py": BOOM, "grader.py": BOOM, "torch/__init__.py": BOOM},
    ),
    Case(
        "a safetensors folder beside it",
        SHADOWS,
        net(),
        PASSES,
        beside={"safetensors/__init__.py": EDIT},
    ),
    Case(
        "sitecustomize beside it",
        STARTUP,
        net(),
        PASSES,
        beside={
            "sitecustomize.py": EDIT,
            "usercustomize.py": EDIT,
            "hostile.pth": f"import os; {EDIT}",
        },
        levels=EVERYWHERE,
    ),
    Case(
        "PYTHONSTARTUP and PYTHONPATH",
        STARTUP,
        net(),
        PASSES,
        beside={"sitecustomize.py": EDIT, "start.py": EDIT},
        environment={
            "PYTHONSTARTUP": f"{CANARY}/../submissions/start.py",
            "PYTHONPATH": f"{CANARY}/../submissions",
        },
        levels=EVERYWHERE,
    ),
    Case(
        "LD_PRELOAD and BASH_ENV",
        STARTUP,
        net("import os\nassert 'LD_PRELOAD' not in os.environ and 'BASH_ENV' not in os.environ"),
        PASSES,
        environment={"LD_PRELOAD": "/nowhere/hostile.so", "BASH_ENV": "/nowhere/hostile"},
    ),
    Case(
        "an empty grader.program",
        FAKES,
        net(
            "import sys, types; sys.modules['grader.program.program'] = types.ModuleType('program')"
        ),
        PASSES,
    ),
    Case(
        "no safetensors", FAKES, net("import sys; sys.modules['safetensors.torch'] = None"), PASSES
    ),
    Case("no modules at all", FAKES, net("import sys; sys.modules.clear()"), error(r"\w")),
    Case(
        "a torch.export of its own",
        FAKES,
        net("import sys; sys.modules['torch.export'] = sys"),
        PASSES,
    ),
    Case(
        "an import hook",
        FAKES,
        net(
            "import sys\nclass Hook:\n    def find_spec(self, *_): raise SystemExit('hooked')\nsys.meta_path.insert(0, Hook())"
        ),
        PASSES,
    ),
    Case(
        "too many parameters",
        LIES,
        net(after=HUGE, end=USES_HUGE),
        fails("parameter_limit", words=TOO_MANY),
    ),
    Case(
        "parameters() gives none",
        LIES,
        lying("def parameters(self, recurse=True): return iter(())"),
        error(r"optimizer|parameter"),
    ),
    Case(
        "named_parameters() gives some",
        LIES,
        lying(
            "def named_parameters(self, *a, **k): return [p for p in super().named_parameters(*a, **k) if 'huge' not in p[0]]"
        ),
        error("huge"),
    ),
    Case(
        "__class__ is another",
        LIES,
        lying("@property\ndef __class__(self): return nn.Linear"),
        fails("parameter_limit", words=TOO_MANY),
    ),
    Case(
        "__eq__ is always true",
        LIES,
        lying("def __eq__(self, other): return True\ndef __hash__(self): return 0"),
        fails("parameter_limit", words=TOO_MANY),
    ),
    Case(
        "__len__ and __bool__ are 0",
        LIES,
        lying("def __len__(self): return 0\ndef __bool__(self): return False"),
        fails("parameter_limit", words=TOO_MANY),
    ),
    Case(
        "__repr__ and __str__ never end",
        LIES,
        lying("def __repr__(self):\n    while True: pass"),
        fails("parameter_limit", words=TOO_MANY),
    ),
    Case(
        "__getattribute__ hides a layer from all but forward",
        LIES,
        lying(
            "def __getattribute__(self, name):\n    if name == 'num_parameters': return 5\n    return super().__getattribute__(name)"
        ),
        fails("parameter_limit", words=TOO_MANY),
    ),
    Case(
        "modules() gives none",
        LIES,
        lying("def modules(self): return iter(())\ndef children(self): return iter(())"),
        NEVER_EVALUATES,
    ),
    Case(
        "state_dict() is small",
        LIES,
        lying("def state_dict(self, *a, **k): return {}"),
        fails("parameter_limit", words=TOO_MANY),
    ),
    Case(
        "train() does nothing",
        LIES,
        lying("def train(self, mode=True): return self"),
        NEVER_EVALUATES,
    ),
    Case(
        "numel() of a Parameter subclass is 0",
        LIES,
        net(
            "class Small(nn.Parameter):\n    def numel(self): return 0\nself.kept = Small(torch.randn(200, 200))",
            end="x = x + 0 * self.kept[0, :10]",
        ),
        fails("parameter_limit", words="47,450 parameters"),
    ),
    Case(
        "deepcopy gives another network",
        LIES,
        lying("def __deepcopy__(self, memo): return nn.Linear(1, 1)"),
        fails("parameter_limit", words=TOO_MANY),
    ),
    from_gallery("training_at_import", AT_IMPORT, levels=EVERYWHERE),
    from_gallery("argparse_at_import", AT_IMPORT),
    from_gallery("missing_package_unused", AT_IMPORT),
    Case(
        "training in the constructor",
        AT_IMPORT,
        net("import wandb; wandb.init()"),
        error("uses wandb, which is not installed"),
        levels=EVERYWHERE,
    ),
    Case(
        "a download that the network needs",
        AT_IMPORT,
        net(
            "len(DATA)",
            top="import urllib.request\nDATA = urllib.request.urlopen('http://127.0.0.1:9/x').read()",
        ),
        error("DATA could not be defined: URLError"),
    ),
    Case(
        "a download that it does not need",
        AT_IMPORT,
        net(bottom="import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9')"),
        PASSES,
    ),
    from_gallery("sibling_import_used", SIBLINGS, levels=EVERYWHERE),
    from_gallery("sibling_module_at_definition", SIBLINGS),
    Case(
        "a relative import",
        SIBLINGS,
        net("Block()", top="from .blocks import Block"),
        error("blocks.*one file"),
        beside={"blocks.py": "Block = int"},
    ),
    Case(
        "a star import",
        SIBLINGS,
        net("Block()", top="from blocks import *"),
        error("blocks.*one file"),
        beside={"blocks.py": "Block = int"},
    ),
    from_gallery("several_networks", SEVERAL, levels=EVERYWHERE),
    from_gallery("several_networks_with_model", SEVERAL),
    from_gallery("required_arguments", SEVERAL),
    from_gallery("factory_function", SEVERAL),
    Case(
        "MODEL names nothing",
        SEVERAL,
        net(bottom="MODEL = 'Other'"),
        error('MODEL is "Other".*Net'),
    ),
    Case("no class", SEVERAL, "x = 1\n", error("defines no nn.Module")),
    Case(
        "two hundred classes",
        SEVERAL,
        net() + "\n".join(f"class N{i}(Net): pass" for i in range(40)),
        error("41 networks that fit|fit: Net, N0"),
        seconds=30,
    ),
)
