"""The lines that hints are about travel with the report, and no more than a page of them."""

from grader.program.listing import Listing, Part
from grader.report import Hint, Problem, RecipeReport, Verdict
from grader.submission import excerpts, where
from tests import static_grading
from tests.report_examples import check, report

TEXT = "\n".join(f"line {number}" for number in range(1, 21))


def failing(*hints):
    return check("gap", "A head.", Verdict.FAILED, hints=hints)


def of(checks=(), listing=None, **more):
    found = listing or Listing.of_file("net.py", TEXT)
    return excerpts.with_excerpts(
        where.in_places(report(checks=checks, **more), found), found
    ).excerpts


def test_two_lines_around_each_hint_and_one_excerpt_where_they_meet():
    found = of([failing(Hint(text="a", line=4), Hint(text="b", line=8), Hint(text="c", line=20))])
    assert [(one.first, one.lines[0], one.lines[-1]) for one in found] == [
        (2, "line 2", "line 10"),
        (18, "line 18", "line 20"),
    ]


def test_the_first_line_has_none_before_it():
    (found,) = of([failing(Hint(text="a", line=1))])
    assert (found.first, found.lines) == (1, ("line 1", "line 2", "line 3"))


def test_what_passed_or_has_no_line_needs_none():
    passed = check("gap", "A head.", hints=(Hint(text="a", line=4),))
    assert of([passed, failing(Hint(text="b"))]) == ()


def test_a_problem_and_an_obstacle_have_theirs():
    problem = Problem(fault="submission", message="a", line=5)
    recipe = RecipeReport(origin="assignment", obstacles=(Hint(text="b", line=15),))
    found = of(problem=problem, recipe=recipe)
    assert [one.first for one in found] == [3, 13]


def test_a_line_that_the_file_does_not_have_is_nothing():
    assert of([failing(Hint(text="a", line=400))]) == ()


def test_in_a_notebook_they_are_lines_of_the_cell_and_of_no_other():
    parts = (
        Part(file="n.ipynb", cell=1, first=1, text="a\nb\nc"),
        Part(file="n.ipynb", cell=2, first=4, text="d\ne\nf\ng"),
    )
    listing = Listing(main="n.ipynb", parts=parts)
    (found,) = of([failing(Hint(text="x", line=4))], listing)
    assert (found.cell, found.first, found.lines) == (2, 1, ("d", "e", "f"))


def test_in_a_folder_they_have_their_file():
    parts = (
        Part(file="train.py", first=1, text="a\nb"),
        Part(file="net.py", first=3, text="c\nd"),
    )
    listing = Listing(main="train.py", parts=parts)
    (found,) = of([failing(Hint(text="x", line=4))], listing)
    assert (found.file, found.first, found.lines) == ("net.py", 1, ("c", "d"))


def test_there_are_at_most_so_many_and_none_is_long():
    long = "\n".join("x" * 9_000 for _ in range(3_000))
    hints = tuple(Hint(text="a", line=number) for number in range(3, 3_000, 7))
    found = of([failing(*hints)], Listing.of_file("net.py", long))
    lines = [line for one in found for line in one.lines]
    assert len(lines) == excerpts.MOST_LINES
    assert max(map(len, lines)) == excerpts.LONGEST_LINE


def test_a_graded_file_brings_the_lines_that_its_hints_are_about():
    text = """from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 60, padding=30)

    def forward(self, images):
        return self.conv(images).mean((2, 3))
"""
    found = static_grading.report(text)
    failed = next(one for one in found.checks if one.name == "parameter_limit")
    assert (failed.verdict, failed.hints[0].line) == (Verdict.FAILED, 7)
    assert any(
        one.lines[7 - one.first].strip().startswith("self.conv = nn.Conv2d(1, 10, 60")
        for one in found.excerpts
        if one.first <= 7 < one.first + len(one.lines)
    )
    assert found.sample.columns == 28
    assert len(found.sample.pixels) == 784
