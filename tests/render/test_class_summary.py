"""A class on one screen: at most 30 lines of 80 columns, whatever the class is like."""

import io

import pytest
from rich.console import Console

from grader.classroom import class_record, leaderboard, roster
from grader.classroom.class_record import ClassRecord, Left
from grader.classroom.late import Lateness
from grader.render import class_summary
from grader.report import Verdict
from tests.class_examples import classroom, groups

LONG = "Maximiliane-Theodora von und zu Oberhuberstein-Wittgenstein"


def record(number=30, **changes):
    reports = classroom(number)
    students = roster.parse(
        "name,email\n" + "".join(f"{LONG} {place},{place}@example.org\n" for place in range(9)), "x"
    )
    joined = roster.join(students, [(roster.Identity(one.display_name), one) for one in reports])
    late = {
        one.submission: Lateness(late=place % 3 == 0, says="canvas" if place else "commit")
        for place, one in enumerate(reports)
    }
    names = tuple(one.submission for one in reports)
    return ClassRecord(
        **{
            "assignment": "mnist_8k",
            "assignment_title": "MNIST with at most 8,000 parameters",
            "started": "2026-01-12T10:00:00+00:00",
            "seconds": 312.0,
            "side_by_side": 2,
            "quick_look": "static checks only (--static)",
            "isolation": "3 boxed",
            "verdicts": class_record.verdicts(reports),
            "late": sum(one.late for one in late.values()),
            "points": class_record.points(reports),
            "accuracy": class_record.accuracy(reports),
            "checks": class_record.checks(reports),
            "works": class_record.works(reports, joined, late=late, kept=frozenset(names[:4])),
            "roster": class_record.beside_list(joined, ()),
            "similarity": class_record.group_rows(groups(reports) if number > 9 else ()),
            "similarity_key": "",
            "leaderboard": class_record.boards(
                leaderboard.boards(reports, names=leaderboard.own_name)
            ),
            "left_out": (Left(path="a.docx", reason="not a .py file"),) * 3,
            "files": {name: f"/a/long/way/to/grades/mnist_8k/{name}" for name in "abc"},
            **changes,
        }
    )


def lines(found, width=80):
    text = io.StringIO()
    Console(file=text, width=width).print(class_summary.draw(found, "grader report NAME"))
    return text.getvalue().splitlines()


@pytest.mark.parametrize("number", [1, 30, 300])
def test_it_fits_on_a_screen(number):
    shown = lines(record(number))
    assert len(shown) <= 30
    assert max(map(len, shown)) <= 80


def test_it_says_what_an_instructor_asks_first():
    found = record()
    shown = " ".join(" ".join(lines(found)).split())
    assert "30 submissions in 5 min 12 s" in shown
    assert f"✓ {found.verdicts[Verdict.PASSED]} passed" in shown
    assert f"{found.late}: " in shown
    assert "(1 by the clock of a commit)" in shown
    assert "9 handed in nothing" in shown
    assert "30 not on the list" in shown
    assert "for a person to judge" in shown
    assert f"mean {found.points.mean:.1f}" in shown
    first = found.checks[0]
    assert f"{first.name}: {first.failed} of {first.asked} failed" in shown
    assert shown.endswith("next grader report NAME")


def test_a_class_that_is_all_right_is_short():
    shown = lines(record(1, left_out=(), similarity=(), late=0, quick_look="", roster=None))
    assert len(shown) <= 16
    assert "no two works stand out as alike" in "\n".join(shown)
