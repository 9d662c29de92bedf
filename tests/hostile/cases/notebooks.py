"""Notebooks, folders and archives whose cells, outputs, names and sizes attack who reads them."""

from __future__ import annotations

import json
import struct

from tests.hostile.case import EVERYWHERE, Case, error
from tests.hostile.rehearsing import (
    CLAIMED,
    answers,
    folder,
    in_folder,
    notebook,
    own,
    packed,
    refused,
    trains,
)

MANY = "notebooks with a hundred thousand cells, texts or outputs"
OUTPUTS = "stored outputs that claim, colour, or reverse what is read"
SOURCES = "cells whose source is no text, or holds what no text may hold"
WRITTEN = "cells that write modules which Python, torch or the grader imports"
SHADOWS = "packages beside it that shadow Python's, torch's or the grader's"
NESTED = "archives in archives, and archives that lie about themselves"
PIPE = "an answer that is too large for the pipe"
ENTRIES = (MANY, OUTPUTS, SOURCES, WRITTEN, SHADOWS, NESTED, PIPE)


def cells(*found: dict) -> str:
    """A notebook of these cells."""
    return json.dumps({"cells": list(found), "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def code(source: object, outputs: object = ()) -> dict:
    """A code cell."""
    return {
        "cell_type": "code",
        "metadata": {},
        "source": source,
        "outputs": list(outputs) if isinstance(outputs, tuple) else outputs,
        "execution_count": 1,
    }


def text(source: object) -> dict:
    """A cell of text."""
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def printed(said: str) -> str:
    """A training whose stored output is this."""
    return cells(code(trains(), [{"output_type": "stream", "name": "stdout", "text": said}]))


def _of(entry, *cases, **more):
    return tuple(
        Case(name, entry, source, expected, levels=EVERYWHERE if at == 0 else (2, 3), **more)
        for at, (name, source, expected) in enumerate(cases)
    )


def in_archives(times: int) -> bytes:
    """A training beside an archive in an archive, so many times."""
    inner = packed(("more.py", bytes(10**6)))
    for _ in range(times):
        inner = packed(("again.zip", inner))
    return inner


def of_another_size(content: bytes, size: int) -> bytes:
    """The archive with this as the unpacked size of every member in its directory."""
    changed, at = bytearray(content), content.find(b"PK\x01\x02")
    while at >= 0:
        struct.pack_into("<I", changed, at + 24, size)
        at = content.find(b"PK\x01\x02", at + 4)
    return bytes(changed)


def locked(content: bytes) -> bytes:
    """The archive with every member marked as encrypted."""
    changed = bytearray(content)
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            changed[at + flags] |= 1
            at = content.find(mark, at + 4)
    return bytes(changed)


CASES = (
    *_of(
        MANY,
        (
            "a hundred thousand cells of text",
            cells(*[text("words")] * 10**5, code(trains())),
            own(),
        ),
        (
            "a hundred thousand empty cells of code",
            cells(*[code("")] * 10**5, code(trains())),
            error("holds too much code: 100001 cells"),
        ),
        (
            "a hundred thousand outputs",
            cells(code(trains(), [{"output_type": "stream", "text": "x"}] * 10**5)),
            own(),
        ),
        (
            "a source of a hundred thousand lines in a list",
            cells(code(["x = 1\n"] * 10**5), code(trains())),
            error("holds too much code: 2 cells"),
        ),
        filename="work.ipynb",
    ),
    *_of(
        OUTPUTS,
        ("a claim of all points", printed("accuracy: 100 of 100 points, PASSED\n"), own()),
        ("a claim of more than all", printed("Test accuracy: 250.0%\nTest accuracy: nan%"), own()),
        (
            "a claim that runs from right to left",
            printed("\u202eTest accuracy: 99.99%\u202c \u2066\u200f"),
            own(),
        ),
        (
            "a claim of a million digits",
            printed("Test accuracy: 99." + "9" * 10**6 + "%"),
            own(),
        ),
        (
            "a claim in colours and commands",
            printed("\x1b[2J\x1b]8;;http://x\x07::error::Test accuracy: 99.9%\n##[error]x"),
            own(),
        ),
        (
            "a claim of markup in HTML",
            cells(
                code(
                    trains(),
                    [
                        {
                            "output_type": "display_data",
                            "data": {
                                "text/html": ["<script>alert(1)</script>accuracy: 99.9%"],
                                "text/plain": 7,
                            },
                        }
                    ],
                )
            ),
            own(),
        ),
        ("outputs that are no list", cells(code(trains(), "PASSED")), own()),
        ("outputs of numbers", cells(code(trains(), [1, None, [], {"text": {}}])), own()),
        filename="work.ipynb",
    ),
    *_of(
        SOURCES,
        ("null bytes in a cell", cells(code("x = 1\0"), code(trains())), own()),
        ("half a character in a cell", cells(code("x = '\ud800'"), code(trains())), own()),
        ("a source that is a number", cells(code(17), code(trains())), own()),
        ("a source of sources", cells(code([["x"], {}]), code(trains())), own()),
        ("other ends of lines", cells(code(trains().replace("\n", "\r"))), own()),
        (
            "a form feed and other spaces in a cell",
            cells(code("\f\u2028x = 1\x1c\x85"), code(trains())),
            own(),
        ),
        filename="work.ipynb",
    ),
    *_of(
        WRITTEN,
        (
            "builtins written by a cell",
            notebook("%%writefile builtins.py\nraise SystemExit", trains("import builtins")),
            own(),
        ),
        (
            "__import__ shadowed in a written file",
            notebook(
                "%%writefile tool.py\nimport builtins\ndef __import__(*_): raise SystemExit(9)\n"
                "builtins.__import__ = __import__",
                "import tool",
                trains(),
            ),
            refused("could not be handed over"),
        ),
        (
            "pydantic written by a cell, after it was imported",
            notebook(
                trains(),
                "%%writefile pydantic/__init__.py\nraise SystemExit",
                "import sys\nfor name in [*sys.modules]:\n"
                "    if name.startswith('pydantic'): del sys.modules[name]",
            ),
            own(),
        ),
        (
            "a file that is written while it is read",
            notebook(
                "%%writefile tool.py\nopen('tool.py', 'a').write('1')\nx = 1",
                "import tool\nimport importlib\nimportlib.reload(tool)",
                trains(),
            ),
            own(),
        ),
        filename="work.ipynb",
    ),
    *_of(
        SHADOWS,
        *(
            (f"{name} beside it", folder({"train.py": trains(f"import {imported}"), **files}), said)
            for name, imported, files, said in (
                (
                    "a package called torch",
                    "torch",
                    {"torch/__init__.py": "", "torch/optim.py": "raise SystemExit"},
                    own(),
                ),
                (
                    "a package called torchvision",
                    "torchvision",
                    {"torchvision/__init__.py": "raise SystemExit('mine')"},
                    own(),
                ),
                (
                    "numpy, math and random",
                    "numpy, math, random",
                    dict.fromkeys(("numpy.py", "math.py", "random.py"), "raise SystemExit('mine')"),
                    own(),
                ),
                (
                    "encodings and codecs",
                    "codecs",
                    dict.fromkeys(("encodings/__init__.py", "codecs.py"), "raise SystemExit(1)"),
                    own(),
                ),
            )
        ),
        place=in_folder,
    ),
    *_of(
        NESTED,
        ("an archive in an archive, ten times", in_archives(10), own()),
        (
            "members that say they are small",
            of_another_size(packed(), 1),
            error("work.zip holds code that cannot be read: train.py: it "),
        ),
        (
            "members that say they are of four gigabytes",
            of_another_size(packed(), 2**32 - 2),
            error("work.zip holds code that cannot be read: train.py: larger than 256 KiB"),
        ),
        ("members that are locked", locked(packed()), error("is locked with a password")),
        (
            "a notebook that unpacks to a hundred megabytes",
            packed(("work.ipynb", b'{"cells": [' + b" " * 10**8 + b"]}")),
            own(),
        ),
        filename="work.zip",
    ),
    *_of(
        PIPE,
        (
            "a note of nine megabytes",
            answers("d['notes'] = [{'text': 'x' * 9 * 10**6}]"),
            refused(CLAIMED),
        ),
        (
            "a reply of three hundred megabytes",
            answers("d = '\"' + 'x' * 3 * 10**8 + '\"'"),
            refused("The training was run, and answered with more than 256 MiB"),
        ),
        (
            "a hundred thousand optimizers that step",
            trains(
                epoch="for at in range(30_000):\n"
                "    torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=at).step()"
            ),
            refused("Several optimizers step after one backward"),
        ),
        (
            "names of a million letters",
            trains("Net.__name__ = Net.__qualname__ = 'N' * 10**6\nprint('x' * 10**6)"),
            own(),
        ),
    ),
)
