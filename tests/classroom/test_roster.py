"""Whose a piece of work is: by numbers, addresses and whole names, never by a guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.classroom import roster
from grader.classroom.roster import Identity, Roster, Student
from grader.submission.submission import UsageError

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,MNIST (4711)
    Points Possible,,,,,100
"Doe, Jane",1001,S1,jdoe,A,
"Müller, Zoë",1002,S2,zmueller,A,
"""
MOODLE = """Identifier,Full name,Email address,Status,Grade,Maximum Grade
Participant 71,Jane Doe,jane@uni.example,Submitted,,100.00
Participant 72,Zoë Müller,zoe@uni.example,Submitted,,100.00
"""
GRADESCOPE = """First Name,Last Name,SID,Email,Role
Jane,Doe,S1,jane@uni.example,Student
Zoë,Müller,S2,zoe@uni.example,Student
"""
GITHUB = """"identifier","github_username","github_id","name"
"jane@uni.example","janed","123","Jane Doe"
"zoe@uni.example","zoem","124","Zoë Müller"
"""
SEMICOLONS = "\ufeffName;E-Mail;Login\nJane Doe;jane@uni.example;jdoe\n"


def names(text):
    return [student.name for student in roster.parse(text.lstrip("\ufeff"), "list.csv").students]


@pytest.mark.parametrize("text", [CANVAS, MOODLE, GRADESCOPE, GITHUB])
def test_the_lists_of_platforms_are_read_as_they_are(text):
    assert names(text) == ["Jane Doe", "Zoë Müller"]


def test_a_spreadsheet_in_another_language_writes_semicolons(tmp_path):
    file = tmp_path / "list.csv"
    file.write_text(SEMICOLONS, encoding="utf-8")
    (jane,) = roster.read(file).students
    assert (jane.name, jane.email, jane.login) == ("Jane Doe", "jane@uni.example", "jdoe")


@pytest.mark.parametrize(
    ("text", "who"),
    [
        (CANVAS, Identity("doejane", "1001")),
        (CANVAS, Identity("doejane")),
        (CANVAS, Identity("jdoe")),
        (CANVAS, Identity("S1")),
        (MOODLE, Identity("Jane Doe", "71")),
        (MOODLE, Identity("jane_doe")),
        (MOODLE, Identity("jane")),
        (GRADESCOPE, Identity("JANE DOE")),
        (GITHUB, Identity("janed")),
    ],
)
def test_a_work_finds_its_student(text, who):
    found = roster.parse(text, "list.csv").find(who)
    assert found is not None
    assert found.name == "Jane Doe"


@pytest.mark.parametrize("name", ["mullerzoe", "Zoe Muller", "ZOË MÜLLER", "zoë-müller"])
def test_accents_case_and_punctuation_part_nobody_from_the_own_name(name):
    found = roster.parse(CANVAS, "list.csv").find(Identity(name))
    assert found is not None
    assert found.name == "Zoë Müller"


@pytest.mark.parametrize("name", ["Jane", "Doe", "jan", "", "model", "J. Doe"])
def test_half_a_name_is_nobody_s(name):
    assert roster.parse(CANVAS, "list.csv").find(Identity(name)) is None


def test_two_students_of_one_name_are_told_apart_by_number_alone():
    known = Roster((Student("Jane Doe", number="1"), Student("Jane Doe", number="2")))
    assert known.find(Identity("Jane Doe")) is None
    assert known.find(Identity("Jane Doe", "2")) is known.students[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "no column that names a student: a, b"),
        ("name,id\n", "names no student"),
        ("", "no column that names a student: none"),
    ],
)
def test_a_list_that_names_nobody_is_refused_with_what_to_write(text, said):
    with pytest.raises(UsageError, match=said):
        roster.parse(text, "list.csv")


def test_a_spreadsheet_file_is_refused_with_what_to_save(tmp_path):
    file = tmp_path / "list.xlsx"
    file.write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(UsageError, match=r"Save it as CSV \(UTF-8\)"):
        roster.read(file)


NAMES = st.lists(st.sampled_from(["Ada Lovelace", "Alan Turing", "Grace Hopper", "X"]), max_size=8)


@given(NAMES, NAMES)
def test_every_work_and_every_student_is_somewhere_once(on_the_list, handed_in):
    known = Roster(tuple(Student(name) for name in dict.fromkeys(on_the_list)))
    works = [(Identity(name), number) for number, name in enumerate(handed_in)]
    joined = roster.join(known, works)
    placed = [work for _, work in joined.owners] + list(joined.unknown)
    placed += [work for _, own in joined.several for work in own]
    assert sorted(placed) == list(range(len(handed_in)))
    students = [one for one, _ in joined.owners] + [one for one, _ in joined.several]
    assert sorted(s.name for s in [*students, *joined.missing]) == sorted(set(on_the_list))
