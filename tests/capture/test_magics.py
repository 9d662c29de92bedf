"""What IPython takes beside Python is blanked, and no line changes its number."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.capture import magics


def python(text: str) -> str:
    return magics.python(text)[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("!pip install torch", ""),
        ("%matplotlib inline", ""),
        ("if new:\n    !pip install torch", "if new:\n    pass"),
        (" !pip install torch\nx = 1", "\nx = 1"),
        ("files = !ls data", "files = []"),
        ("here = %pwd", "here = []"),
        ("net?", ""),
        ("?nn.Conv2d", ""),
        ("torch.nn??", ""),
        ("!wget a \\\n  b\nx = 1", "\n\nx = 1"),
        ("%time net = Net()", "net = Net()"),
        ("%timeit -n 10 -r 3 f()", "f()"),
        ("x = (3\n% 2)", "x = (3\n% 2)"),
        ("x = 3 \\\n  % y", "x = 3 \\\n  % y"),
        (
            'text = """\n!not a command\n%nor this\n"""',
            'text = """\n!not a command\n%nor this\n"""',
        ),
        ("x = '''a''' # '''\n!ls", "x = '''a''' # '''\n"),
        ("x != 3", "x != 3"),
        ("#%% cell\nx = 1", "#%% cell\nx = 1"),
    ],
)
def test_a_line(before, after):
    assert python(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("%%time\ntrain()", "\ntrain()"),
        ("%%capture out\ntrain()", "\ntrain()"),
        ("\n%%bash\nls *\nrm", "\n\n\n"),
        ("%%html\n<b>", "\n"),
        ("  x = 1\n  if x:\n    y = 2", "x = 1\nif x:\n  y = 2"),
        ("%%time\n  x = 1\n  y = 2", "\nx = 1\ny = 2"),
    ],
)
def test_a_cell(before, after):
    assert magics.cell(before)[0] == after


def test_what_was_blanked_is_named_with_its_line():
    _, found = magics.cell("%%time\nx = 1\n!ls")
    assert [(item.line, item.text) for item in found] == [(1, "%%time"), (3, "!ls")]


def test_programs_that_a_notebook_starts_are_found():
    source = "!python train.py --epochs 3\n!pip install x\n%run src/eval.py\n! python3 -u a.py"
    assert magics.programs(source) == [
        (1, "train.py --epochs 3"),
        (3, "src/eval.py"),
        (4, "a.py"),
    ]


@given(st.text(alphabet="!%?x=( \n\\'\"#:", max_size=60))
def test_lines_keep_their_numbers(text):
    assert python(text).count("\n") == text.count("\n")
    assert magics.cell(text)[0].count("\n") == text.count("\n")


@given(st.lists(st.sampled_from([*"ab+%!?:#\\", "'''", '"""', "'", '"', "\n", " ", "1"])))
def test_what_python_reads_stays(parts):
    text = "".join(parts)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    assert ast.dump(ast.parse(python(text))) == ast.dump(tree)


def test_a_whole_cell_parses():
    source = dedent(
        """
        !pip install -q torchinfo
        from torch import nn
        %load_ext autoreload
        class Net(nn.Module):
            '''%not a magic'''
            def forward(self, x):
                return x
        """
    )
    assert [node.lineno for node in ast.parse(python(source)).body] == [3, 5]
