"""Submissions whose graph reads files, looks at memory that is not theirs, or asks for more than there is."""

from __future__ import annotations

from tests.hostile.case import net
from tests.hostile.cases.forged_output import NODES, edited, refuses
from tests.hostile.gallery import from_gallery

FROM_FILE = "`aten.from_file` reads and writes files from a pure graph"
STRIDED = "`as_strided` on a slice reads the neighbouring memory"
SET = "set_, resize_, empty*"
OUT = "out= variants"
CUSTOM = "custom operators"
HIGHER_ORDER = "higher-order operators beyond the plain no_grad and autocast blocks"
RANGES = "integers and floats in arguments are range-checked"
EXPAND = "a 3.8 TB expand"
NODE_CAP = "caps on nodes"
WEIGHT_CAP = "caps on weights"
WORK_CAP = "caps on FLOPs per image"
STEP_CAP = "caps on steps"
TIME_CAP = "caps on predicted seconds"
ENTRIES = (
    *(FROM_FILE, STRIDED, SET, OUT, CUSTOM, HIGHER_ORDER, RANGES, EXPAND),
    *(NODE_CAP, WEIGHT_CAP, WORK_CAP, STEP_CAP, TIME_CAP),
)

UNKNOWN = "which the grader does not know|is not one that the grader accepts"
CUSTOM_OP = """
import torch.library
@torch.library.custom_op("hostile::pass_through", mutates_args=())
def pass_through(x: torch.Tensor) -> torch.Tensor:
    return x.clone()
@pass_through.register_fake
def _(x):
    return torch.empty_like(x)
"""
RELU = "if n['op'] == 'aten.relu.default': "


def renamed(op: str, arguments: str = "n['arguments']") -> str:
    """A network whose ReLU is called this in the graph that is handed over."""
    return edited(NODES + RELU + f"n.update(op='{op}', arguments={arguments})")


def inserted(statement: str, shape: str = "None") -> str:
    """A network with another operator behind its last one. `statement` makes `new` of `last`, the output's name."""
    return edited(
        f"""
        for g in (d['train'], d['eval']):
            last = g['output']
            new = dict(name='extra', keywords={{}}, shape={shape} or ['N', 10], dtype='float32')
            {statement}
            g['nodes'].append(new)
            g['output'] = 'extra'
        """
    )


CASES = (
    refuses(
        "from_file in forward",
        FROM_FILE,
        net(end="x = x + torch.from_file('labels', size=1)"),
        r"\w",
    ),
    refuses(
        "from_file in the graph",
        FROM_FILE,
        renamed("aten.from_file.default", "['/etc/passwd', False, 10]"),
        UNKNOWN,
    ),
    refuses(
        "a file is written by the graph",
        FROM_FILE,
        renamed("aten.from_file.default", "['/tmp/hostile-mark', True, 10]"),
        UNKNOWN,
    ),
    refuses(
        "as_strided in forward",
        STRIDED,
        net(end="x = x + torch.as_strided(self.last.weight[:1], (10,), (1,), 10**6)"),
        r"\w",
    ),
    refuses(
        "as_strided in the graph",
        STRIDED,
        renamed("aten.as_strided.default", "[n['arguments'][0], [2], [1], 1000000]"),
        UNKNOWN,
    ),
    refuses("set_ in the graph", SET, renamed("aten.set_.source_Tensor"), UNKNOWN),
    refuses(
        "resize_ in the graph",
        SET,
        renamed("aten.resize_.default", "[n['arguments'][0], [1000000]]"),
        UNKNOWN,
    ),
    refuses("empty in forward", SET, net(end="x = x + torch.empty(10)"), UNKNOWN),
    refuses(
        "empty_strided in the graph",
        SET,
        renamed("aten.empty_strided.default", "[[10], [1]]"),
        UNKNOWN,
    ),
    refuses("resize_ of the data in forward", SET, net(forward="x.resize_(1)"), r"\w"),
    refuses("out= in the graph", OUT, renamed("aten.relu.out"), UNKNOWN),
    refuses(
        "out= as an argument",
        OUT,
        edited(NODES + RELU + "n['keywords'] = {'out': n['arguments'][0]}"),
        "no argument out",
    ),
    refuses(
        "a custom operator",
        CUSTOM,
        net(top=CUSTOM_OP, end="x = pass_through(x)"),
        "hostile::pass_through",
    ),
    refuses(
        "an operator of another library in the graph",
        CUSTOM,
        renamed("prims.relu.default"),
        UNKNOWN,
    ),
    refuses("a function of Python in the graph", CUSTOM, renamed("builtins.eval"), UNKNOWN),
    refuses("an attribute walk in the graph", CUSTOM, renamed("aten.relu.__class__"), UNKNOWN),
    refuses("no overload", CUSTOM, renamed("aten.relu"), UNKNOWN),
    refuses(
        "an autograd function of its own",
        CUSTOM,
        net(
            top="class Own(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x): return x * 1\n    @staticmethod\n    def backward(ctx, g): return g * 1e9\n",
            end="x = torch.fft.fft(Own.apply(x)).real",
        ),
        r"its backward\(\) would be lost",
    ),
    from_gallery("fft_unknown_operator", CUSTOM),
    refuses(
        "torch.cond",
        HIGHER_ORDER,
        net(end="x = torch.cond(x.sum() > 0, lambda a: a + 1, lambda a: a - 1, (x,))"),
        r"\w",
    ),
    refuses(
        "torch.while_loop",
        HIGHER_ORDER,
        net(
            end="from torch._higher_order_ops.while_loop import while_loop\nx = while_loop(lambda a: a.sum() < 0, lambda a: (a + 1,), (x,))[0]"
        ),
        r"\w",
    ),
    refuses(
        "a higher-order operator in the graph",
        HIGHER_ORDER,
        renamed("higher_order.cond.default"),
        UNKNOWN,
    ),
    from_gallery("no_grad_block", HIGHER_ORDER),
    refuses(
        "an integer of 65 bits",
        RANGES,
        edited(
            NODES + RELU + "n.update(op='aten.add.Tensor', arguments=[n['arguments'][0], 2**64])"
        ),
    ),
    refuses(
        "a float beyond all floats",
        RANGES,
        edited(
            NODES + RELU + "n.update(op='aten.add.Tensor', arguments=[n['arguments'][0], 1e400])"
        ),
    ),
    refuses(
        "a number where a tensor belongs",
        RANGES,
        renamed("aten.relu.default", "[5]"),
        "does not run by itself",
    ),
    refuses(
        "a tensor where a number belongs",
        RANGES,
        renamed("aten.softmax.int", "[n['arguments'][0], n['arguments'][0]]"),
        "does not run by itself",
    ),
    refuses(
        "too many arguments",
        RANGES,
        renamed("aten.relu.default", "n['arguments'] * 3"),
        "takes 1 arguments",
    ),
    refuses(
        "a window of 2 to the power of 40",
        RANGES,
        renamed("aten.max_pool2d.default", "[n['arguments'][0], [2**40, 2**40]]"),
        r"does not run|shape",
    ),
    refuses(
        "a negative window",
        RANGES,
        renamed("aten.max_pool2d.default", "[n['arguments'][0], [-1, -1]]"),
        r"does not run|shape",
    ),
    refuses(
        "a device as an argument",
        RANGES,
        edited(NODES + RELU + "n.update(op='aten.ones_like.default', keywords={'device': 'cuda'})"),
        "decided by the grader",
    ),
    refuses(
        "a node that reads itself",
        RANGES,
        edited(NODES + RELU + "n['arguments'] = [{'node': n['name']}]"),
        "does not come before",
    ),
    refuses("two nodes of one name", RANGES, edited(NODES + "n['name'] = 'same'")),
    refuses(
        "two inputs",
        RANGES,
        edited(
            "for g in (d['train'], d['eval']): g['nodes'].insert(1, {**g['nodes'][0], 'name': 'x2', 'op': 'input', 'arguments': [], 'shape': ['N', 1, 28, 28]})"
        ),
        "exactly one input",
    ),
    refuses(
        "a shape that is not so",
        RANGES,
        edited(NODES + RELU + "n['shape'] = ['N', 8, 1, 1]"),
        "claims",
    ),
    refuses(
        "a tensor cut into dust",
        RANGES,
        inserted("new.update(op='aten.split.Tensor', arguments=[{'node': last}, 1], shape=None)"),
        r"\w",
    ),
    refuses(
        "an expand to 3.8 TB",
        EXPAND,
        inserted(
            "new.update(op='aten.expand.default', arguments=[{'node': last}, [10**11, 2, 10]])"
        ),
        r"limit is|does not run|claims",
    ),
    refuses(
        "a repeat to 3.8 TB",
        EXPAND,
        net(end="x = x + x.repeat(1, 10**11).sum()"),
        r"limit is|memory|GB",
    ),
    refuses(
        "a padding of a terabyte",
        EXPAND,
        inserted("new.update(op='aten.pad.default', arguments=[{'node': last}, [0, 2**38]])"),
        r"limit is|claims|does not run",
    ),
    refuses(
        "6,000 nodes",
        NODE_CAP,
        edited(
            "for g in (d['train'], d['eval']):\n    last = g['output']\n    for i in range(6000):\n        g['nodes'].append(dict(name=f'e{i}', op='aten.neg.default', arguments=[{'node': last}], keywords={}, shape=['N', 10], dtype='float32'))\n        last = f'e{i}'\n    g['output'] = last"
        ),
        "operators; the grader runs at most 5,000",
    ),
    refuses(
        "30,000 nodes",
        NODE_CAP,
        edited(
            "for g in (d['train'], d['eval']): g['nodes'] += [{**g['nodes'][0], 'name': f'e{i}'} for i in range(30000)]"
        ),
    ),
    refuses(
        "a weight of 60 million numbers",
        WEIGHT_CAP,
        edited(
            "d['weights'].append(dict(name='big', kind='buffer', shape=[60_000_000], dtype='float32', trainable=False, storage='big'))"
        ),
        "numbers in its weights; the grader runs at most 50,000,000",
    ),
    refuses(
        "6,000 weights",
        WEIGHT_CAP,
        edited(
            "d['weights'] += [{**d['weights'][0], 'name': f'w{i}', 'storage': f'w{i}'} for i in range(6000)]"
        ),
    ),
    refuses(
        "2,000 million multiply-adds",
        WORK_CAP,
        net(
            after="self.wide = nn.Conv2d(1, 64, 1)",
            forward="y = self.wide(x).flatten(2)\nfor _ in range(26): y = y @ torch.softmax(y.transpose(1, 2) @ y, 1)\nx = x + 0 * y.sum(1).view(-1, 1, 28, 28)",
        ),
        "multiply-adds for one image; the grader runs at most 1,000,000,000",
    ),
    refuses(
        "activations of 2 GB an image",
        WORK_CAP,
        net(
            after="self.wide = nn.Conv2d(1, 1, 1)",
            forward="y = x.repeat(1, 4000, 1, 1)\nfor _ in range(160): y = torch.sin(y)\nx = x + 0 * y.sum(1, keepdim=True)",
        ),
        "bytes for one image",
    ),
    from_gallery("epochs_absurd", STEP_CAP),
    refuses(
        "a batch of one, twenty epochs",
        STEP_CAP,
        net(bottom="EPOCHS = 100_000\nBATCH_SIZE = 1"),
        "steps of training; the grader runs at most",
    ),
    refuses(
        "steps beyond the limit in the Program",
        STEP_CAP,
        edited(
            "d['recipe']['epochs'] = 50000\nfor c in [*d['recipe']['schedule']['learning_rate'], *d['recipe']['schedule']['momentum']]: c[:] = [{'value': 0.1, 'steps': 50000 * d['recipe']['steps_per_epoch']}]"
        ),
        "steps",
    ),
    refuses(
        "2,000 million multiply-adds in training only",
        TIME_CAP,
        net(
            after="self.wide = nn.Conv2d(1, 64, 1)",
            forward="if self.training:\n    y = self.wide(x).flatten(2)\n    for _ in range(26): y = y @ torch.softmax(y.transpose(1, 2) @ y, 1)\n    x = x + 0 * y.sum(1).view(-1, 1, 28, 28)",
        ),
        "multiply-adds for one image",
    ),
)
