"""Folders, archives and notebooks that attack whoever reads and rehearses them."""

from __future__ import annotations

import stat

from tests.hostile.case import CANARY, EVERYWHERE, Case, error
from tests.hostile.rehearsing import (
    OUT_OF_TIME,
    beside,
    folder,
    in_folder,
    notebook,
    own,
    packed,
    refused,
    trains,
)

NAMES = "files beside it with the names of the grader's, torch's or Python's modules"
ARCHIVES = "archives: bombs, links, paths that lead out"
NOTEBOOKS = "notebooks: a hundred thousand cells, nested JSON, paths that lead out"
ENTRIES = (NAMES, ARCHIVES, NOTEBOOKS)

CASES = (
    *(
        Case(
            f"{name} beside it",
            NAMES,
            beside(name, text),
            expected,
            place=in_folder,
            levels=levels,
        )
        for name, text, expected, levels in (
            ("torch.py", "raise SystemExit('mine')", own(), EVERYWHERE),
            ("json.py", "def dumps(*_, **__): return '{}'\nloads = dumps", own(), (2, 3)),
            ("grader.py", "VERDICT = 'passed'", own(), EVERYWHERE),
            ("pydantic.py", "class BaseModel: pass", own(), (2, 3)),
            (
                "sitecustomize.py",
                "import os\nos._exit(0)",
                refused("ended the Python process early"),
                EVERYWHERE,
            ),
            ("os.py", "def _exit(status): pass", own(), (2, 3)),
            ("signal.py", "def setitimer(*_): pass\nsignal = setitimer", own(), (2, 3)),
            ("typing.py", "Any = None", own(), (2, 3)),
        )
    ),
    Case(
        "a package that is called grader",
        NAMES,
        folder(
            {
                "train.py": trains("import grader.capture.rehearsal.trace as trace\ntrace.Trace"),
                "grader/__init__.py": "",
                "grader/capture/__init__.py": "",
                "grader/capture/rehearsal/__init__.py": "",
                "grader/capture/rehearsal/trace.py": "class Trace: pass",
            }
        ),
        own(),
        place=in_folder,
    ),
    *(
        Case(name, ARCHIVES, content, expected, filename="work.zip", levels=levels)
        for name, content, expected, levels in (
            ("a zip bomb", packed(("more.py", bytes(10**8))), own(), EVERYWHERE),
            (
                "a bomb of many members",
                packed(*((f"m{at}.py", b"") for at in range(60_000))),
                error("holds 60,001 files"),
                (2, 3),
            ),
            (
                "a bomb in a bomb",
                packed(("in.zip", packed(("more.py", bytes(10**7))))),
                own(),
                (2, 3),
            ),
            (
                "a link",
                packed(("labels.txt", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777),
                own(),
                (2, 3),
            ),
            (
                "a device in an archive",
                packed(("zero.txt", b""), mode=stat.S_IFCHR | 0o666),
                own(),
                (2, 3),
            ),
            (
                "paths that lead out",
                packed(
                    ("../../evil.py", b"x = 1"),
                    ("/tmp/evil.py", b"x = 1"),
                    ("C:\\evil.py", b"x = 1"),
                ),
                own(),
                EVERYWHERE,
            ),
            ("a text that leads out", packed(("../evil.txt", b"hostile-mark")), own(), (2, 3)),
            (
                "names that a terminal obeys",
                packed(("\x1b[31m.py", b"x = 1"), ("a\n::error::.txt", b"x")),
                own(),
                (2, 3),
            ),
            ("a name of 60,000 letters", packed(("a" * 60_000 + ".py", b"x = 1")), own(), (2, 3)),
            ("a member twice", packed(("train.py", b"import os\nos._exit(0)")), own(), (2, 3)),
            ("cut in the middle", packed()[:-30], error("whole zip archive"), (2, 3)),
        )
    ),
    *(
        Case(name, NOTEBOOKS, text, expected, filename="work.ipynb", levels=levels, budget=3)
        for name, text, expected, levels in (
            (
                "a hundred thousand cells",
                notebook(trains(), *["x = 1"] * 10**5),
                error("too much code|larger"),
                (2, 3),
            ),
            ("nine hundred cells", notebook(trains(), *["x = 1"] * 900), own(), (2, 3)),
            (
                "nested a hundred thousand times",
                '{"cells": ' + "[" * 10**5 + "]" * 10**5 + "}",
                error("is not a notebook that can be read \\(RecursionError\\)"),
                (2, 3),
            ),
            (
                "a cell nested in outputs",
                notebook(trains()).replace('"outputs": []', '"outputs": ' + "[" * 900 + "]" * 900),
                own(),
                (2, 3),
            ),
            (
                "numbers of a million digits",
                notebook(trains()).replace(
                    '"execution_count": 1', '"execution_count": ' + "9" * 10**6
                ),
                error("not a notebook"),
                (2, 3),
            ),
            (
                "%%writefile out of the folder",
                notebook(
                    f"%%writefile {CANARY}/labels\nhostile-mark",
                    "%%writefile ../../evil.py\nx = 1",
                    "%%writefile ~/.bashrc\nx",
                    trains(),
                ),
                own(),
                EVERYWHERE,
            ),
            (
                "%%writefile of its own modules",
                notebook(
                    "%%writefile torch.py\nraise SystemExit",
                    "%%writefile grader/__init__.py\nx = 1",
                    "%%writefile sitecustomize.py\nimport os; os._exit(0)",
                    trains(),
                ),
                own(),
                EVERYWHERE,
            ),
            (
                "%run and ! of what is outside",
                notebook(
                    "%run /etc/passwd",
                    f"!cat {CANARY}/labels > /tmp/x",
                    "!rm -rf /",
                    "%load_ext evil",
                    trains(),
                ),
                own(),
                (2, 3),
            ),
            (
                "a cell that never ends",
                notebook(trains(), "while True: pass"),
                refused(OUT_OF_TIME),
                (2, 3),
            ),
            (
                "a cell that awaits for ever",
                notebook(trains(), "import asyncio\nawait asyncio.Event().wait()"),
                own(),
                (2, 3),
            ),
            (
                "escape codes in outputs that claim",
                notebook(trains()).replace(
                    '"outputs": []',
                    '"outputs": [{"output_type": "stream", "text": "\\u001b[31mTest accuracy: 99.99%\\u0007<script>alert(1)</script>"}]',
                ),
                own(),
                (2, 3),
            ),
        )
    ),
)
