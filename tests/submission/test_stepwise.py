"""Works for an assignment in steps: which files, or which class, are whose step."""

import json
import zipfile
from pathlib import Path

import pytest

from grader.assignment import Step, load
from grader.submission import carried, find, stepwise, write_up
from grader.submission.claims import Text

ROOT = Path(__file__).parents[2]
ASKED = load(ROOT / "assignments" / "mnist_progressive")
STEPS = {"mnist_progressive": ASKED.steps}

NET = "from torch import nn\n\n\nclass Net(nn.Module):\n    pass\n"
SAID = '"""One.\n\nTarget: {0} %\nResult: {0}.5 %, {1} parameters.\nAnalysis: It learns.\n"""\n'


def found(*paths, root=None, assignment="mnist_progressive"):
    return find.look(
        paths,
        ["mnist_progressive"],
        root=root or paths[0].parent,
        assignment=assignment,
        steps=STEPS,
    ).submissions


def write(folder, **files):
    for name, text in files.items():
        place = folder / name.replace("__", "/")
        place = place if place.suffix else place.with_suffix(".py")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return folder


def notebook(*cells):
    made = []
    for kind, text in cells:
        made.append({"cell_type": kind, "source": text, "metadata": {}, "outputs": []})
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("step_1.py", "step_1"),
        ("Step_1_Foundation.ipynb", "step_1"),
        ("step-2.py", "step_2"),
        ("step 3 final.ipynb", "step_3"),
        ("step1.py", "step_1"),
        ("step_1-2.py", "step_1"),
        ("step_1/train.py", "step_1"),
        ("step_10.py", ""),
        ("step10.py", ""),
        ("helpers.py", ""),
        ("my_step_1.py", ""),
    ],
)
def test_a_file_is_of_the_step_that_its_name_begins_with(name, step):
    assert stepwise.step_of(name, ASKED.steps) == step


def test_a_folder_is_one_work_with_a_part_for_each_step(tmp_path):
    folder = write(tmp_path / "ada", step_1=NET, step_2=NET, step_3=NET, helpers="x = 1\n")
    (work,) = found(folder)
    assert (work.name, work.problem) == ("ada", None)
    assert [part.step for part in work.steps] == ["step_1", "step_2", "step_3"]
    for part in work.steps:
        assert part.listing.main == f"{part.step}.py"
        assert set(part.listing.files) == {f"{part.step}.py", "helpers.py"}
        assert part.display.endswith(f"ada/{part.step}.py")
    assert set(work.listing.files) == {"step_1.py", "step_2.py", "step_3.py", "helpers.py"}


def test_a_class_has_a_folder_for_each_person(tmp_path):
    for name in ("ada", "bob"):
        write(tmp_path / name, step_1=NET, step_2=NET, step_3=NET)
    assert [work.name for work in found(tmp_path)] == ["ada", "bob"]
    # One person alone in it is no other than one who is named.
    (tmp_path / "ada").rename(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    assert [work.name for work in found(tmp_path)] == ["bob"]


def test_an_archive_with_a_folder_for_each_step(tmp_path):
    file = tmp_path / "ada.zip"
    with zipfile.ZipFile(file, "w") as pack:
        for number in (1, 2, 3):
            pack.writestr(f"work/step_{number}/train.py", NET)
            pack.writestr(f"work/step_{number}/model.py", "x = 1\n")
    (work,) = found(file)
    assert [part.problem for part in work.steps] == [None] * 3
    assert [part.listing.main for part in work.steps] == [
        f"step_{number}/train.py" for number in (1, 2, 3)
    ]


def test_a_step_that_is_missing_is_that_steps_problem_alone(tmp_path):
    (work,) = found(write(tmp_path / "ada", step_1=NET, step_3=NET))
    problems = [part.problem for part in work.steps]
    assert (problems[0], problems[2]) == (None, None)
    assert "nothing for Step 2: its file is step_2.py or step_2.ipynb" in problems[1].message


def test_only_the_step_that_changed_has_another_hash(tmp_path):
    folder = write(tmp_path / "ada", step_1=NET, step_2=NET, step_3=NET)
    (before,) = found(folder)
    write(folder, step_2=f"{NET}\n# wider\n")
    (after,) = found(folder)
    same = [
        one.sha256 == other.sha256 for one, other in zip(before.steps, after.steps, strict=True)
    ]
    assert same == [True, False, True]
    assert before.sha256 != after.sha256


def test_one_file_has_a_class_for_each_step(tmp_path):
    text = "from torch import nn\n"
    for number in (1, 2, 3):
        text += f'\n\nclass Step{number}(nn.Module):\n    """Target: 9{number} %\n\n    '
        text += f'Result: 9{number}.5 %\n    """\n'
    write(tmp_path, ada=text)
    (work,) = found(tmp_path / "ada.py")
    assert work.path == tmp_path / "ada.py"
    for number, part in enumerate(work.steps, 1):
        assert part.source.endswith(f"MODEL = Step{number}")
        assert part.write_up.target.text == f"9{number} %"
        assert part.write_up.accuracy == pytest.approx(0.905 + number / 100)
    assert len({part.sha256 for part in work.steps}) == 3


def test_one_notebook_has_a_class_and_a_section_for_each_step(tmp_path):
    cells = [("code", "from torch import nn")]
    for number in (1, 2, 3):
        cells.append(("markdown", f"# Step {number}\n**Target:** 9{number} %\n\n**Result:** none"))
        cells.append(("code", f"class Step{number}(nn.Module):\n    pass"))
    (tmp_path / "ada.ipynb").write_text(notebook(*cells), encoding="utf-8")
    (work,) = found(tmp_path / "ada.ipynb")
    assert [part.write_up.target.text for part in work.steps] == ["91 %", "92 %", "93 %"]
    assert [part.listing.parts[-1].text for part in work.steps] == [
        f"MODEL = Step{number}" for number in (1, 2, 3)
    ]


def test_a_class_that_is_missing_is_named(tmp_path):
    write(tmp_path, ada="from torch import nn\n\n\nclass Step1(nn.Module):\n    pass\n")
    (work,) = found(tmp_path / "ada.py")
    assert work.steps[0].problem is None
    assert "ada.py defines no class Step2, which is the network of Step 2" in str(
        work.steps[1].problem
    )


def test_one_file_without_names_for_its_classes_is_refused():
    steps = [Step(name="a", title="A"), Step(name="b", title="B")]
    works = stepwise.of_file("net.py", NET.encode(), steps)
    assert "hand in a folder with a file for each, a.py, b.py." in works[0].problem.message


def test_the_file_of_one_step_is_that_step_alone(tmp_path):
    folder = write(tmp_path / "ada", step_1=NET, step_2=NET)
    (work,) = found(folder / "step_2.py")
    assert (work.step, work.steps) == ("step_2", ())


def test_each_step_has_its_section_of_the_readme(tmp_path):
    readme = "# Work\n\n## Step 1\nTarget: 96 %\n\n## Step 2, enhanced\n### Target\n98.5 %\n\n"
    readme += "### Result\n98.6 % on the test images\n\n## Step 3\nResult: 99.4 %\n"
    folder = write(tmp_path / "ada", step_1=NET, step_2=NET, step_3=NET)
    (folder / "README.md").write_text(readme, encoding="utf-8")
    first, second, third = found(folder)[0].steps
    assert (first.write_up.target.text, first.write_up.result) == ("96 %", None)
    assert second.write_up.target.text == "98.5 %"
    assert second.write_up.accuracy == 0.986
    assert (third.write_up.target, third.write_up.accuracy) == (None, 0.994)


def test_a_work_in_steps_reaches_another_process_unchanged(tmp_path):
    text = SAID.format(96, "1,674") + NET
    (work,) = found(write(tmp_path / "ada", step_1=text, step_3=NET))
    again = carried.from_json(carried.to_json(work))
    assert (again.steps[0], again.steps[2]) == (work.steps[0], work.steps[2])
    assert again.steps[1].problem.message == work.steps[1].problem.message


def test_a_work_for_an_assignment_without_steps_is_not_divided(tmp_path):
    folder = write(tmp_path / "ada", step_1=NET, step_2=NET)
    works = find.discover([folder], ["mnist_8k"], root=tmp_path, assignment="mnist_8k")
    assert [work.steps for work in works] == [(), ()]


# What a work states


def stated(text):
    return write_up.read(Text(line, "net.py", line=n) for n, line in enumerate(text.split("\n"), 1))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Result: 99.1 %", "99.1 %"),
        ("**Result:** 99.1 %", "99.1 %"),
        ("**Result**: 99.1 %", "99.1 %"),
        ("- Results - no\n* Result: 99.1 %", "99.1 %"),
        ("## Result\n\n99.1 %\nin one run\n\nMore.", "99.1 % in one run"),
        ("Step 2. Result: 99.1 %", "99.1 %"),
        ("Target: 98 %\nResult: 99.1 %\nAnalysis: fine", "99.1 %"),
        ("The result: is not one, but\nresulting: no", None),
        ("Result:\nAnalysis: fine", None),
    ],
)
def test_a_statement_begins_with_its_word_and_ends_with_its_paragraph(text, result):
    found = stated(text).result
    assert (found.text if found else None) == result


def test_a_statement_knows_its_line():
    assert stated("One.\n\nTarget: 96 %\nResult: 97 %").result.line == 4


@pytest.mark.parametrize(
    ("result", "accuracy"),
    [
        ("99.54 % in the best epoch", 0.9954),
        ("train accuracy 99.9 %, test accuracy 98.9 %", 0.989),
        ("0.9891 on the test images", 0.9891),
        ("1,674 parameters, 96.58%", 0.9658),
        ("not measured yet", None),
    ],
)
def test_the_accuracy_of_a_result(result, accuracy):
    assert write_up.WriteUp(result=write_up.Statement(result, "")).accuracy == accuracy


def test_the_parameters_of_a_result():
    said = write_up.WriteUp(result=write_up.Statement("99 %, 7,432 trainable parameters", ""))
    assert said.parameters == 7_432
