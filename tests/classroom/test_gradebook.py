"""Gradebooks of learning platforms, by the rules that these publish."""

import csv
import io

import pytest

from grader.classroom import gradebook, roster
from grader.report import Verdict
from grader.submission.submission import UsageError
from tests import report_examples as examples

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section
    Points Possible,,,,
"Liddell, Alice",1001,S1,alice,A
"Doe, Jane",1002,S2,jane,A
"""
MOODLE = """Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,\
Last modified (submission),Last modified (grade),Feedback comments
Participant 71,Alice Liddell,alice@uni.example,Submitted,,50.00,Yes,"Monday, 1 June",-,
Participant 72,Jane Doe,jane@uni.example,No submission,,50.00,Yes,-,-,
"""


def rows(book):
    return list(csv.reader(io.StringIO(book.text)))


def canvas(*reports, **options):
    return gradebook.canvas(reports, roster.parse(CANVAS, "list.csv"), **options)


def moodle(*reports):
    return gradebook.moodle(reports, roster.parse(MOODLE, "list.csv"))


def test_canvas_gets_its_two_heading_lines_and_a_line_for_each_student():
    first, second, *others = rows(canvas(examples.passed()))
    assert first[:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert first[5] == examples.passed().assignment_title
    assert (second[0].strip(), second[5]) == ("Points Possible", "100")
    assert others[0] == ["Liddell, Alice", "1001", "S1", "alice", "A", "100"]


def test_who_handed_in_nothing_keeps_an_empty_cell_and_is_named():
    book = canvas(examples.passed())
    assert rows(book)[3][5] == ""
    assert "no work (1): Jane Doe" in book.remarks


def test_a_column_that_canvas_knows_is_written_by_its_own_name():
    assert rows(canvas(examples.passed(), column="MNIST (4711)"))[0][5] == "MNIST (4711)"
    title = examples.passed().assignment_title
    listed = CANVAS.replace("Section\n", f'Section,"{title} (4711)"\n', 1)
    found = gradebook.canvas([examples.passed()], roster.parse(listed, "list.csv"))
    assert rows(found)[0][5] == f"{title} (4711)"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"verdict": Verdict("broken")}, "not by its own fault"),
        ({"quick_look": "2 of 15 epochs"}, "QUICK LOOK"),
        ({"interrupted": True}, "INTERRUPTED"),
        ({"verdict": Verdict("passed_so_far")}, "not decided yet"),
        ({"verdict": Verdict("unknown")}, "not decided yet"),
    ],
)
def test_points_that_are_not_final_are_no_grade(changed, reason):
    report = examples.passed().model_copy(update=changed)
    for book, column in ((canvas(report), 5), (moodle(report), 4)):
        line = next(row for row in rows(book) if "Liddell" in "".join(row))
        assert line[column] == ""
        assert any(reason in remark for remark in book.remarks)


def test_practice_points_are_none_either():
    report = examples.practice().model_copy(update={"submission": "alice"})
    assert any("PRACTICE" in remark for remark in canvas(report).remarks)


def test_moodle_gets_its_worksheet_back_with_the_grade_on_its_own_scale():
    first, alice, jane = rows(moodle(examples.passed()))
    assert first == list(gradebook.MOODLE_COLUMNS)
    assert alice[:5] == ["Participant 71", "Alice Liddell", "alice@uni.example", "Submitted", "50"]
    assert alice[7] == "Monday, 1 June"
    assert alice[9].startswith("✓ passed: 100 of 100 points")
    assert jane[4] == ""


def test_moodle_takes_only_its_own_worksheet():
    with pytest.raises(UsageError, match="Download grading worksheet"):
        gradebook.moodle([examples.passed()], roster.parse(CANVAS, "list.csv"))


def test_a_student_with_two_works_gets_no_grade_and_both_are_named():
    one, other = (
        examples.passed().model_copy(update={"path": path, "display_name": "Alice Liddell"})
        for path in ("a/first.py", "a/second.py")
    )
    book = canvas(one, other)
    assert rows(book)[2][5] == ""
    assert any("a/first.py, a/second.py" in remark for remark in book.remarks)


def test_a_work_of_nobody_on_the_list_is_named():
    report = examples.passed().model_copy(update={"submission": "mallory"})
    assert "not on the list, so in no row (1): mallory" in canvas(report).remarks


def test_a_column_is_one_assignment_s():
    with pytest.raises(UsageError, match="are of 2: mnist_20k, mnist_8k"):
        canvas(examples.passed(), examples.failed())


def test_a_name_that_begins_like_a_formula_runs_in_no_spreadsheet():
    listed = CANVAS.replace('"Doe, Jane"', "=1+1")
    book = gradebook.canvas([examples.passed()], roster.parse(listed, "list.csv"))
    assert rows(book)[3][0] == "'=1+1"


@pytest.mark.parametrize(
    "path",
    [
        "hand-ins/Alicia_1001_assignsubmission_file/net.ipynb",
        "hand-ins/Alicia_1001_assignsubmission_file",
        "class.zip/liddellalice_LATE_1001_77123_net.ipynb",
    ],
)
def test_the_platform_s_number_in_a_path_says_whose_it_is(path):
    report = examples.passed().model_copy(update={"submission": "net", "path": path})
    assert rows(canvas(report))[2][5] == "100"


NBGRADER = """assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,\
late_submission_penalty,score,max_score"""
"""The heading that nbgrader/plugins/export.py writes."""


def test_nbgraders_table_has_its_columns_and_no_time_that_nobody_knows():
    book = gradebook.nbgrader([examples.passed()], roster.parse(CANVAS, "list.csv"))
    head, alice, jane = rows(book)
    assert ",".join(head) == NBGRADER
    assert ",".join(alice) == "mnist_8k,,,S1,Liddell,Alice,,100,0,100,100"
    assert ",".join(jane) == "mnist_8k,,,S2,Doe,Jane,,,,,100"
    assert "no work (1): Jane Doe" in book.remarks


def test_nbgraders_own_list_of_students_gives_the_names():
    listed = "id,first_name,last_name,email\nal1,Alice,Liddell,alice@uni.example\n"
    [_, alice] = rows(gradebook.nbgrader([examples.passed()], roster.parse(listed, "list.csv")))
    assert alice[3:7] == ["al1", "Liddell", "Alice", "alice@uni.example"]


def test_a_name_that_nobody_divided_stays_whole():
    [_, alice] = rows(
        gradebook.nbgrader([examples.passed()], roster.parse("name\nAlice Liddell\n", "list.csv"))
    )
    assert alice[3:6] == ["Alice Liddell", "Alice Liddell", ""]


def test_otters_table_has_the_points_of_each_check_their_sum_and_its_share():
    book = gradebook.otter([examples.passed()], roster.parse(CANVAS, "list.csv"))
    head, alice, jane = rows(book)
    assert (head[0], head[-2:]) == ("identifier", ["total", "percent_correct"])
    found = dict(zip(head, alice, strict=True))
    assert (found["identifier"], found["total"], found["percent_correct"]) == (
        "S1",
        "100",
        "1.0000",
    )
    assert sum(map(float, alice[1:-2])) == 100
    assert set(jane[1:]) == {""}


@pytest.mark.parametrize("write", [gradebook.nbgrader, gradebook.otter])
def test_neither_writes_a_grade_that_is_not_final(write):
    report = examples.passed().model_copy(update={"quick_look": "2 of 15 epochs"})
    _, alice, _ = rows(write([report], roster.parse(CANVAS, "list.csv")))
    assert "100" not in alice[:-1]


def test_the_gradebook_is_the_one_of_the_platform_whose_list_it_is():
    reports = [examples.passed()]
    for text, book in ((CANVAS, canvas(*reports)), (MOODLE, moodle(*reports))):
        assert gradebook.fitting(reports, roster.parse(text, "list.csv")) == book


def test_any_other_list_comes_back_with_points_verdict_and_a_remark():
    listed = "name,email\nAlice Liddell,alice@uni.example\n=cmd(),jane@uni.example\nJoe,joe@x.org\n"
    look = examples.passed().model_copy(
        update={"display_name": "Joe", "submission": "joe", "quick_look": "--epochs 2"}
    )
    book = gradebook.fitting([examples.passed(), look], roster.parse(listed, "list.csv"))
    head, alice, jane, joe = rows(book)
    assert head[:2] == ["name", "email"]
    assert head[3:] == ["of 100", "verdict", "remark"]
    assert alice == ["Alice Liddell", "alice@uni.example", "100", "100", "passed", ""]
    assert jane == ["'=cmd()", "jane@uni.example", "", "100", "", "no work"]
    assert joe[2:] == ["", "100", "passed", "QUICK LOOK: not a graded run"]


def test_in_any_other_list_two_works_and_unusable_ones_are_no_missing_work():
    known = roster.parse("name,id\nAlice Liddell,1\nJane Doe,2\nTim Roe,3\n", "list.csv")
    first = examples.passed().model_copy(update={"display_name": "Alice Liddell"})
    second = first.model_copy(update={"submission": "alice-2"})
    book = gradebook.fitting([first, second], known, unusable=known.students[1:2])
    remarks = [row[-1] for row in rows(book)[1:]]
    assert remarks == ["2 works, so no grade is written", "nothing that can be graded", "no work"]


def named(*names):
    found = [examples.passed() for _ in names]
    return [
        one.model_copy(update={"display_name": name, "submission": name, "path": name})
        for one, name in zip(found, names, strict=True)
    ]


@pytest.mark.parametrize("assignment", ["mnist", "hw-2"])
def test_a_clone_is_called_after_the_assignment_and_a_login(assignment):
    known = roster.parse("name,login\nAda Love,ada\nJo Doe,jo-doe\n", "list.csv")
    clones = named(f"{assignment}-ada", f"{assignment}-Jo-Doe", f"{assignment}-eve")
    joined = gradebook.join(clones, known)
    assert [(student.name, one.submission) for student, one in joined.owners] == [
        ("Ada Love", f"{assignment}-ada"),
        ("Jo Doe", f"{assignment}-Jo-Doe"),
    ]
    assert [one.submission for one in joined.unknown] == [f"{assignment}-eve"]


def test_what_not_all_names_begin_with_is_no_assignment():
    known = roster.parse("name,login\nAda Love,ada\n", "list.csv")
    for names in (["mnist-ada", "other-bob"], ["mnist-ada"], ["my-net-ada", "my-bob"]):
        assert gradebook.join(named(*names), known).owners == ()
