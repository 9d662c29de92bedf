"""Submissions that write the grader's reply themselves, or fill it with what readers of reports obey."""

from __future__ import annotations

import textwrap

from tests.hostile.case import EVERYWHERE, PASSES, Case, error, fails, net

PASS = 'a "PASS" on stdout or the pipe'
FRAMES = "truncated, doubled, trailing or interleaved replies"
CLAIMS = "claims in the JSON"
JSON = "NaN, Infinity, 1e999, duplicate keys, lone surrogates, UTF-16"
ESCAPES = "ANSI and OSC escapes"
COMMANDS = "`::error::` and other workflow commands"
MARKUP = "HTML, Markdown and CSV formulas in names"
PICKLE = "pickle, torch.load, torch.jit.load or torch.export.load on what a child wrote"
ENTRIES = (PASS, FRAMES, CLAIMS, JSON, ESCAPES, COMMANDS, MARKUP, PICKLE)

OVERWRITTEN = "wrote over the grader's reply"
REFUSED = "cannot be accepted|not one that the grader accepts"


PACKS = """
import types
from grader.sandbox import reply
if not hasattr(reply, "kept"):
    reply.kept = types.FunctionType(reply.pack.__code__, vars(reply))
def pack(parts, nonce):
    import grader.sandbox.reply as reply
    real = reply.kept
    {body}
    return {change}
reply.pack.__code__ = pack.__code__
"""
WRITES = """
import json
from grader.program.program import Program
if not hasattr(Program, "kept"):
    Program.kept = Program.to_json
def to_json(self):
    text = self.kept()
    d = json.loads(text)
{body}
    return {change}
Program.to_json = to_json
"""


def framed(change: str) -> str:
    """A network whose reply, once packed under its valid nonce, is `change` of itself (`frame`)."""
    return net(PACKS.format(body="frame = real(parts, nonce)", change=change))


def parted(change: str) -> str:
    """A network that answers with `change` of the parts of its reply, in a good frame under the valid nonce."""
    return net(PACKS.format(body="header, text, *weights = parts", change=f"real({change}, nonce)"))


def text(change: str) -> str:
    """A network whose Program is written as `change` of its JSON (`text`, a string)."""
    return net(WRITES.format(body="", change=change))


def edited(statements: str) -> str:
    """A network whose Program, as JSON values `d`, is changed by `statements` before it is handed over."""
    body = textwrap.indent(textwrap.dedent(statements).strip(), "    ")
    return net(WRITES.format(body=body, change="json.dumps(d)"))


def refuses(name: str, answers: str, source: str, words: str = REFUSED) -> Case:
    """A forged reply that must be refused."""
    return Case(name, answers, source, error(words))


NODES = "for g in (d['train'], d['eval']):\n    for n in g['nodes']:\n        "

CASES = (
    Case(
        "PASS on standard output",
        PASS,
        net("print('PASS')\nprint('{\"verdict\": \"passed\"}')", end="x = x * x.mean(0)"),
        fails("independent_samples", words="by its batch"),
    ),
    refuses("PASS on the pipe", PASS, net("import os\nos.write(4, b'PASS')"), OVERWRITTEN),
    refuses(
        "PASS on every descriptor",
        PASS,
        net(
            "import os\nfor fd in range(30):\n    try: os.write(fd, b'PASS')\n    except OSError: pass"
        ),
        OVERWRITTEN,
    ),
    refuses(
        "a reply of its own, and the end",
        PASS,
        net("import os\nos.write(4, b'GRADER1\\n' + bytes(56))\nos._exit(0)"),
        OVERWRITTEN,
    ),
    Case(
        "PASS at level 1",
        PASS,
        net(
            "import os\nfor fd in range(3, 30):\n    try: os.write(fd, b'PASS')\n    except OSError: pass"
        ),
        error(OVERWRITTEN),
        levels=(1,),
    ),
    refuses("a reply cut in the middle", FRAMES, framed("frame[:len(frame) // 2]"), OVERWRITTEN),
    refuses("a reply without its last byte", FRAMES, framed("frame[:-1]"), OVERWRITTEN),
    refuses("a reply twice", FRAMES, framed("frame + frame"), OVERWRITTEN),
    refuses("a reply and a line end", FRAMES, framed("frame + b'\\n'"), OVERWRITTEN),
    refuses("a reply in a reply", FRAMES, framed("frame[:100] + frame + frame[100:]"), OVERWRITTEN),
    refuses("a reply under another nonce", FRAMES, framed("real(parts, bytes(16))"), OVERWRITTEN),
    refuses("an empty reply", FRAMES, framed("b''"), "early"),
    refuses("a reply of no parts", FRAMES, parted("[]"), OVERWRITTEN),
    refuses(
        "a reply with weights missing",
        FRAMES,
        parted("[header, text, weights[0]]"),
        "weights for other seeds",
    ),
    refuses(
        "a reply with weights too many",
        FRAMES,
        parted("[header, text, *weights, *weights]"),
        "weights for other seeds",
    ),
    refuses("parts in another order", FRAMES, parted("[header, weights[0], text, weights[1]]")),
    refuses("weights cut short", FRAMES, parted("[header, text, weights[0][:-4], weights[1]]")),
    refuses(
        "weights with bytes behind them",
        FRAMES,
        parted("[header, text, weights[0] + b'1234', weights[1]]"),
    ),
    refuses(
        "weights that overlap",
        FRAMES,
        parted(
            r"""[header, text, (lambda h: len(h).to_bytes(8, 'little') + h + bytes(4))(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'), weights[1]]"""
        ),
    ),
    refuses(
        "a header that says it failed",
        CLAIMS,
        parted(
            '[b\'{"captured": false, "message": "all checks passed", "line": 1}\', text, *weights]'
        ),
        "all checks passed",
    ),
    refuses(
        "a header with points",
        CLAIMS,
        parted('[b\'{"captured": true, "points": 100}\', text, *weights]'),
        OVERWRITTEN,
    ),
    refuses("points in the Program", CLAIMS, edited("d['points'] = 100"), "points"),
    refuses(
        "a verdict in a node",
        CLAIMS,
        edited("d['train']['nodes'][3]['verdict'] = 'passed'"),
        "verdict",
    ),
    refuses("fewer parameters than there are", CLAIMS, edited("d['weights'][0]['shape'] = [1]")),
    refuses("another class count", CLAIMS, edited("d['classes'] = 2"), r"\w"),
    refuses("seeds that were not asked for", CLAIMS, edited("d['seeds'] = [7, 8]"), "other seeds"),
    refuses(
        "a BatchNorm that never runs, in the table of modules",
        CLAIMS,
        edited(
            "d['train']['nodes'] = [n for n in d['train']['nodes'] if 'batch_norm' not in n['op']]"
        ),
    ),
    Case(
        "dropout in the table of modules alone",
        CLAIMS,
        edited(NODES + "if n['op'] == 'aten.dropout.default': n['arguments'][1] = 0.0"),
        fails("dropout", words="0 layers"),
    ),
    Case(
        "weights that are called running statistics",
        CLAIMS,
        edited("for w in d['weights']:\n    w['kind'] = w['kind']"),
        PASSES,
    ),
    refuses(
        "more steps than the data have",
        CLAIMS,
        edited(
            "d['recipe']['steps_per_epoch'] = 1000\nfor c in [*d['recipe']['schedule']['learning_rate'], *d['recipe']['schedule']['momentum']]: c[:] = [{'value': 0.1, 'steps': 1000 * d['recipe']['epochs']}]"
        ),
        "steps",
    ),
    refuses(
        "NaN",
        JSON,
        text(
            "text.replace('\"eps\":', '\"eps\":NaN,\"x\":', 1) if '\"eps\":' in text else text.replace('0.05', 'NaN', 1)"
        ),
    ),
    refuses("Infinity", JSON, text("text.replace('0.05', 'Infinity')")),
    refuses("1e999", JSON, text("text.replace('0.05', '1e999')")),
    refuses("a number of 400 digits", JSON, text("text.replace('0.05', '9' * 400)")),
    refuses(
        "duplicate keys",
        JSON,
        text('text.replace(\'"classes":10\', \'"classes":10,"classes":10\')'),
    ),
    refuses(
        "a lone surrogate", JSON, text('text.replace(\'"model":"Net"\', \'"model":"\\\\ud800"\')')
    ),
    refuses(
        "UTF-16 in the JSON", JSON, parted("[header, text.decode().encode('utf-16'), *weights]")
    ),
    refuses(
        "a byte order mark in the JSON",
        JSON,
        parted("[header, b'\\xef\\xbb\\xbf' + text, *weights]"),
    ),
    refuses("nested 100,000 deep", JSON, parted("[header, b'[' * 100000, *weights]")),
    refuses("not JSON", JSON, parted("[header, b'PASS', *weights]")),
    refuses("a list", JSON, parted("[header, b'[]', *weights]")),
    Case(
        "escapes in an error",
        ESCAPES,
        net("raise RuntimeError('\\x1b[2J\\x1b[32mPASSED\\x1b]8;;http://x\\x07')"),
        error("PASSED"),
        levels=EVERYWHERE,
    ),
    Case(
        "escapes in a class's name",
        ESCAPES,
        net(
            after="Evil = type('\\x1b[32mPASSED', (nn.ReLU,), {})\nself.evil = Evil()",
            forward="x = self.evil(x)",
        ),
        PASSES,
    ),
    Case(
        "escapes in a module's name",
        ESCAPES,
        net(after="self.add_module('\\x1b[2J\\r\\n', nn.Conv2d(1, 1, 1))"),
        PASSES,
    ),
    Case(
        "right-to-left marks in a module's name",
        ESCAPES,
        net(
            after="self.add_module('\\u202epassed\\u200b', nn.Conv2d(1, 1, 1))",
            forward="x = self.get_submodule('\\u202epassed\\u200b')(x)",
        ),
        PASSES,
    ),
    Case(
        "escapes in what was left out",
        ESCAPES,
        net(bottom="print('\x1b[32mPASSED\x1b[0m')\nfor \u0430 in []: pass"),
        PASSES,
    ),
    Case(
        "a surrogate in an error",
        ESCAPES,
        net("raise RuntimeError('\\ud800 \\udfff')"),
        error(r"RuntimeError"),
    ),
    Case(
        "an error of workflow commands",
        COMMANDS,
        net("raise RuntimeError('::error file=x,line=1::pwned%0A::set-output name=a::b')"),
        error("pwned"),
    ),
    Case(
        "a printed workflow command",
        COMMANDS,
        net("print('::set-env name=PATH::/tmp\\n##[error]pwned\\n::add-mask::1')"),
        PASSES,
    ),
    Case(
        "HTML in an error",
        MARKUP,
        net("raise RuntimeError('<script>alert(1)</script>')"),
        error("<script>"),
    ),
    Case(
        "HTML in a class's name",
        MARKUP,
        net(
            top="Evil = type('<img src=x onerror=alert(1)>', (nn.ReLU,), {})",
            after="self.evil = Evil()",
            forward="x = self.evil(x)",
        ),
        PASSES,
    ),
    Case(
        "a formula as a module's name",
        MARKUP,
        net(
            after="self.add_module('=HYPERLINK(1)', nn.Conv2d(1, 1, 1))",
            forward="x = self._modules['=HYPERLINK(1)'](x)",
        ),
        PASSES,
    ),
    Case(
        "Markdown in an error",
        MARKUP,
        net("raise RuntimeError('[x](javascript:1) | a | **b** `c` ![](http://x)')"),
        error("javascript"),
    ),
    Case(
        "rich's markup in an error",
        MARKUP,
        net("raise RuntimeError('[bold green]PASSED[/] [link=http://x]x[/link] [/nothing]')"),
        error("PASSED"),
    ),
    refuses(
        "a pickle as weights",
        PICKLE,
        parted("[header, text, *[__import__('pickle').dumps({'a': 1}) for _ in weights]]"),
    ),
    refuses(
        "a torch.save as weights",
        PICKLE,
        parted(
            "[header, text, *[(lambda f: (__import__('torch').save({'a': 1}, f), f.getvalue())[1])(__import__('io').BytesIO()) for _ in weights]]"
        ),
    ),
    refuses(
        "a zip as the Program", PICKLE, parted("[header, b'PK\\x03\\x04' + bytes(100), *weights]")
    ),
    refuses(
        "a pickle that runs when it is read",
        PICKLE,
        parted(
            "[header, text, *[b'cos\\nsystem\\n(S\\'touch hostile-mark\\'\\ntR.' for _ in weights]]"
        ),
    ),
)
