"""Notebooks as people's tools write them: which cells they become, and that nothing is lost."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.errors import SubmissionError
from grader.submission import assembly, notebook
from grader.submission.submission import Work

HERE = Path(__file__).parent / "notebooks"


def stored(name: str) -> Work:
    return assembly.of_file(name, (HERE / name).read_bytes())


def written(*cells: str | dict[str, object], **more: object) -> bytes:
    """A notebook of code cells, each its text or a whole cell."""
    whole = [
        {"cell_type": "code", "source": cell} if isinstance(cell, str) else cell for cell in cells
    ]
    return json.dumps({"cells": whole, "nbformat": 4, **more}).encode()


def texts(*cells: str) -> list[str]:
    """The text of each cell, as it is read."""
    return [cell.text for cell in notebook.read("a.ipynb", written(*cells)).cells]


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("jupyter.ipynb", 6),
        ("colab.ipynb", 4),
        ("kaggle.ipynb", 3),
        ("vscode.ipynb", 4),
        ("format_3.ipynb", 2),
        ("databricks.ipynb", 6),
        ("writefile.ipynb", 9),
        ("out_of_order.ipynb", 6),
        ("bad_format.ipynb", 3),
        ("crlf.ipynb", 3),
        ("not_run.ipynb", 3),
        ("lightning.ipynb", 2),
    ],
)
def test_the_notebooks_of_all_tools_are_read_cell_by_cell(name, cells):
    work = stored(name)
    assert work.problem is None
    assert [part.cell for part in work.listing.parts] == list(range(1, cells + 1))
    assert "loss.backward()" in work.listing.source(name) or name == "lightning.ipynb"


@pytest.mark.parametrize("name", ["databricks.py", "percent.py", "exported.py"])
def test_notebooks_that_were_exported_as_python_are_plain_files(name):
    work = stored(name)
    text = (HERE / name).read_text()
    assert [(part.file, part.text) for part in work.listing.parts] == [(name, text)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cut_off.ipynb", "its JSON breaks in line 33 of the file"),
        ("conflict.ipynb", "its JSON breaks in line"),
        ("r.ipynb", "is a notebook in R."),
    ],
)
def test_what_is_no_notebook_in_python_is_told_what_to_do(name, said):
    work = stored(name)
    assert said in work.problem.message
    assert work.sha256 == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"[]", "has no cells"),
        (b"{}", "has no cells"),
        (b'{"cells": 3, "worksheets": [3, {"cells": null}]}', "has no cells"),
        (b'{"cells": [{"cell_type": "markdown", "source": "x"}]}', "has no code cells"),
        (b"\xff\xfe{}", "is not UTF-8 text"),
        (b"[" * 200_000, "not a"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not a"),
        (written("x = 1\n" * 100_000), "holds too much code"),
        (written(*["x"] * 1_500), "holds too much code"),
    ],
)
def test_an_odd_file_is_refused_and_never_a_crash(content, said):
    with pytest.raises(SubmissionError, match=said):
        notebook.read("a.ipynb", content)


def test_a_cell_that_writes_a_file_is_a_part_of_that_file():
    parts = stored("writefile.ipynb").listing.parts
    files = [(part.file, part.cell) for part in parts if part.file != "writefile.ipynb"]
    assert files == [("model.py", 1), ("model.py", 2), ("config.yaml", 3), ("utils.py", 4)]
    assert parts[0].text.startswith("%%writefile model.py\nimport torch.nn as nn\n")
    assert parts[1].text == "%%writefile -a model.py\n\ndef build():\n    return Net()\n"
    assert parts[2].text == "\nlr: 0.01\nepochs: 15\n"


def test_a_file_outside_of_the_folder_is_not_written_and_that_is_said():
    work = stored("writefile.ipynb")
    assert work.listing.parts[4].text.strip() == ""
    [note] = work.notes
    assert note.text.startswith("Cell 5 writes ../../outside.py, which is left out")
    assert note.line == work.listing.parts[4].first


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("model.py", "model.py"),
        ("./src/model.py", "src/model.py"),
        ("/content/model.py", "model.py"),
        ("/kaggle/working/a/b.py", "a/b.py"),
        ("/etc/passwd", ""),
        ("../model.py", ""),
        ("a/../../model.py", ""),
        ("{name}.py", ""),
        ("$HOME/a.py", ""),
        ("~/a.py", ""),
        ("C:\\a.py", ""),
        ("a\x00.py", ""),
        ("", ""),
        (".", ""),
    ],
)
def test_a_path_stays_within_the_work(path, inside):
    assert notebook.inside(path) == inside


@pytest.mark.parametrize(
    "cell",
    ["%%bash\nls -la\necho", "%%html\n<b>\n", "%md\n# title\ntext", "\n\n%%javascript\nalert(1)"],
)
def test_a_cell_in_another_language_is_blank_and_keeps_its_lines(cell):
    assert texts(cell, "x = 1")[0] == "\n" * cell.count("\n")


@pytest.mark.parametrize("cell", ["%%time\nx = 1", "%%capture out\nx = 1", "%pip install a\nx = 1"])
def test_a_cell_whose_magic_runs_python_is_kept_as_it_is(cell):
    assert texts(cell) == [cell]


def test_line_ends_of_other_systems_and_broken_unicode_are_made_plain():
    work = stored("crlf.ipynb")
    assert "\r" not in work.listing.source("crlf.ipynb")
    assert work.listing.parts[1].text == "    lr = 0.01\n    name = 'x\ufffd'\n"


def test_cells_that_were_run_in_another_order_are_a_note_on_the_later_cell():
    work = stored("out_of_order.ipynb")
    [note] = work.notes
    assert note.text.startswith("Cell 2 was last run before cell 1, which stands above it ([9] and")
    assert str(work.listing.place(note.line)) == "cell 2, line 1"
    assert stored("jupyter.ipynb").notes == ()


def test_two_notebooks_that_differ_in_their_outputs_alone_are_two_hashes():
    cell = {"cell_type": "code", "source": "x = 1", "outputs": [{"text": "99 %"}]}
    first, second = (assembly.of_file("a.ipynb", written(one)) for one in ("x = 1", cell))
    assert first.listing == second.listing
    assert first.sha256 != second.sha256


CELLS = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=60),
        st.lists(st.sampled_from(["x = 1", "", "  y", "#", "!ls", "%time x"]), max_size=5).map(
            "\n".join
        ),
        st.sampled_from(
            [
                "%%writefile a.py\nx = 1\ny",
                "%%writefile b.py",
                "\n\n%%file c.txt\nx",
                "%%file -a b/c.py\nz",
                "%%bash\nls\n",
            ]
        ),
    ),
    min_size=1,
    max_size=12,
)


@given(CELLS, st.booleans())
def test_every_line_of_the_listing_is_a_line_of_its_cell(cells, as_list):
    sources = [cell.splitlines(keepends=True) if as_list else cell for cell in cells]
    whole = [{"cell_type": "code", "source": source} for source in sources]
    content = json.dumps({"cells": [*whole, {"cell_type": "code", "source": "end = 1"}]}).encode()
    listing = assembly.of_file("a.ipynb", content).listing
    assert [part.cell for part in listing.parts] == list(range(1, len(cells) + 2))
    number = 0
    for part, cell in zip(listing.parts, [*cells, "end = 1"], strict=True):
        own = part.text.split("\n")
        assert len(own) == cell.count("\n") + 1
        for line, text in enumerate(own, start=1):
            number += 1
            place = listing.place(number)
            assert (place.cell, place.line) == (part.cell, line)
            assert listing.source(part.file).split("\n")[number - 1] == text
            is_kept = not cell.lstrip().startswith("%%") and not cell.lstrip().startswith("%")
            assert not is_kept or text == cell.split("\n")[line - 1]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "cells",
                        "cell_type",
                        "source",
                        "outputs",
                        "text",
                        "data",
                        "metadata",
                        "worksheets",
                        "execution_count",
                        "language_info",
                        "name",
                        "vscode",
                        "languageId",
                        "kernelspec",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_no_json_whatever_crashes_the_reader(document):
    content = json.dumps(
        {"cells": [{"cell_type": "code", "source": "x"}, document], "metadata": document}
    ).encode()
    assembly.of_file("a.ipynb", content)
    assembly.of_file("a.ipynb", json.dumps(document).encode())
