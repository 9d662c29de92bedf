"""The page of a class shows everything, loads nothing, stays inert; `tests/browser` opens it."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings

from grader.classroom import leaderboard
from grader.classroom.similarity import Group, Pair
from grader.printable import printable
from grader.render import class_facts, class_page, html
from grader.report import RecipeReport, Verdict
from tests import class_examples
from tests import report_examples as examples
from tests.render import hostile
from tests.render.test_class_summary import record
from tests.render.test_markdown import Tags


def page(reports, **more):
    return Tags(class_page.render(reports, **more))


def said(reports, **more):
    return " ".join(page(reports, **more).text.split())


CALM = page([hostile.calm()]).tags


@given(hostile.HOSTILE)
@settings(max_examples=20)
def test_no_text_of_a_report_adds_or_changes_an_element(report):
    assert kinds(page([report]).tags) <= kinds(CALM)


def kinds(tags):
    """Elements with the names of their attributes: checks of one name share a row."""
    return {(tag, tuple(name for name, _ in attributes)) for tag, attributes in tags}


@pytest.mark.parametrize("text", hostile.STRINGS)
def test_a_known_trick_in_every_field_changes_nothing(text):
    shown = page([hostile.everywhere(text)])
    assert shown.tags == CALM
    assert printable(text, 80) in shown.text


@pytest.mark.parametrize("path", ["javascript:alert(1)", "//evil.example/x", '"><script>', "a b/ü"])
def test_the_address_of_a_students_page_is_relative_whatever_it_is_called(path):
    found = [
        dict(attributes).get("href", "")
        for tag, attributes in page([examples.passed()], page_of=lambda _: path).tags
        if tag == "a"
    ]
    (address,) = [one for one in found if not one.startswith("#")]
    assert re.fullmatch(r"\./[\w/.%-]+", address)


def test_names_of_groups_and_boards_are_inert():
    trick = "</script><script>alert(1)</script>"
    group = Group("text", (trick, "b"), 0.5, (trick,), (Pair(trick, "b", 1.0, 0.0, True),))
    board = leaderboard.Board("x", trick, trick, (leaderboard.Place(1, trick, 1.0, trick),))
    text = class_page.render(
        [examples.passed()], groups={"mnist_8k": [group]}, boards={"mnist_8k": [board]}
    )
    assert text.count("<script>") == text.count("</script>") == 1


def test_what_could_not_be_compared_is_not_said_to_differ():
    group = Group("text", ("a", "b"), 0.5, (), (Pair("a", "b", 0.8, None, None),))
    text = class_page.render([examples.passed()], groups={"mnist_8k": [group]})
    assert "of the text in common</li>" in text
    assert "differ by" not in text


@pytest.mark.parametrize("number", [1, 30, 300])
def test_nothing_is_loaded_and_only_the_pages_own_script_runs(number):
    text = class_page.render(class_examples.classroom(number))
    shown = Tags(text)
    assert not {"iframe", "object", "embed", "link", "img", "form", "base"} & {
        tag for tag, _ in shown.tags
    }
    assert [tag for tag, _ in shown.tags].count("script") == 1
    for _, attributes in shown.tags:
        for name, value in attributes:
            assert not name.startswith("on")
            assert name not in {"style", "src"}
            assert name != "href" or value.startswith("#")
    assert "url(" not in text
    assert "@import" not in text


def test_the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else():
    text = class_page.render([examples.passed()])
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    hashes = []
    for name in ("style", "script"):
        (body,) = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        hashes.append(f"{name}-src 'sha256-{digest}'")
    assert policy == f"default-src 'none'; {'; '.join(hashes)}; base-uri 'none'; form-action 'none'"


@pytest.mark.parametrize("reports", [[example() for example in examples.ALL], [hostile.calm()]])
def test_every_element_is_closed_and_every_id_is_there_once(reports):
    stack, ids, references = [], [], []
    for tag, attributes in page(reports).tags:
        found = dict(attributes)
        ids += [found["id"]] if "id" in found else []
        references += [found["href"][1:]] if found.get("href", "").startswith("#") else []
        references += found.get("aria-labelledby", "").split() + found.get("for", "").split()
        if tag.startswith("/"):
            assert stack.pop() == tag[1:]
        elif tag not in {"declaration", "meta", "input"}:
            stack.append(tag)
    assert stack == []
    assert len(ids) == len(set(ids))
    assert set(references) <= set(ids)


def test_the_colours_are_those_of_the_scorecards_page():
    ours, theirs = palettes("class_page.css"), palettes("page.css")
    assert len(ours) == 3  # by day, by night, on paper
    assert ours == theirs


def palettes(name):
    text = Path(html.__file__).with_name(name).read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    return [set(re.findall(r"--\w+: #\w+", block)) for block in blocks]


def test_a_row_says_what_the_spreadsheet_says():
    text = said([examples.borderline(), examples.failed(), examples.uncaptured()])
    for part in (
        "≈ too close to call",
        "30 / 100",
        "26,202",
        "99.36–99.48 %",
        "✗ parameter limit",
        "! same network",
        "– accuracy",
        "cannot be graded: model.py defines Encoder and Decoder",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("recipe", "shown"),
    [
        (RecipeReport(origin="rehearsed"), "own, rehearsed"),
        (RecipeReport(origin="convention"), "own, by name"),
        (RecipeReport(origin="assignment"), "the assignment's"),
    ],
)
def test_the_source_of_the_recipe_is_told(recipe, shown):
    assert shown in said([examples.passed().model_copy(update={"recipe": recipe})])


def test_each_assignment_has_its_own_part_limit_and_boards():
    other = class_examples.classroom(4, assignment="mnist_20k", title="The larger one")
    text = said([examples.passed(), *other])
    assert "5 submissions of 2 assignments" in text
    assert text.count("Which checks fail most") == text.count("Fewest parameters") == 2


def test_checks_that_most_fail_come_first_and_who_was_not_asked_is_not_counted():
    found = class_facts.failing(class_examples.classroom(30))
    assert [(one.name, one.failed, one.opened, one.asked) for one in found] == [
        ("accuracy", 4, 4, 21),  # of 29: 8 were not trained on the assignment's images
        ("parameter_limit", 3, 0, 29),
        ("global_average_pooling", 2, 0, 29),
        ("receptive_field", 0, 1, 29),
    ]


def test_a_class_that_was_not_trained_says_so_and_shows_its_sizes():
    text = said(class_examples.classroom(12, endings=["static"]))
    assert "Nobody was trained and graded yet" in text
    assert "Not drawn: 12 not trained." in text
    assert "Works by parameters" in text
    assert "Nobody yet." in text


def test_groups_are_for_a_person_to_judge_and_name_what_was_handed_out():
    reports = class_examples.classroom(30)
    groups = class_examples.groups(reports)
    text = said(reports, groups={"mnist_8k": groups})
    assert "no points depend on this. Honest works coincide." in text
    assert "This was handed out: starter.py" in text
    assert "100.0 % of the text in common, the same network, the same recipe" in text
    pair = next(group for group in groups if group.kind == "text").names
    people = {report.submission: report.display_name for report in reports}
    assert all(people[name] in text for name in pair)


def test_not_compared_and_nothing_alike_are_two_answers():
    assert "were not compared" in said([examples.passed()])
    assert "No two works stand out as alike." in said([examples.passed()], groups={})


def test_boards_made_elsewhere_are_shown_as_they_are():
    reports = class_examples.classroom(30)
    names = leaderboard.pseudonyms(reports, b"secret")
    text = said(reports, boards={"mnist_8k": leaderboard.boards(reports, names=names)})
    ranked = set(re.findall(r"participant \d\d", text))
    assert len(ranked) > 10


def test_what_was_flagged_is_told_to_the_instructor():
    text = said([examples.failed()])
    assert "1 work with a remark of the grader’s" in text
    assert "accuracy before training is 97.1 %" in text


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_colour_and_a_shape(verdict):
    text = class_page.render([examples.passed()])
    assert f".{verdict} {{ color: var(--{verdict});" in text
    assert f'id="mark-{verdict}"' in text


@pytest.mark.parametrize(("relation", "allowed"), [("<=", True), ("<", False)])
def test_the_limit_is_read_as_the_check_says_it(relation, allowed):
    check = examples.STATIC[0].model_copy(update={"relation": relation, "limit": 8000})
    found = class_facts.limit([examples.passed().model_copy(update={"checks": (check,)})])
    assert (found.allows(7999), found.allows(8000)) == (True, allowed)
    assert not found.allows(8001)


def test_a_thousand_are_one_page():
    reports = class_examples.classroom(1000)
    text = class_page.render(reports)
    assert text.count("<tr role") == 1001
    assert len(text) < 1_500_000


def test_who_is_late_and_by_whose_word_stands_beside_the_name():
    reports = class_examples.classroom(3)
    words = {
        "commit": "late by the clock of its last commit: 2024-01-01 10:31 UTC",
        "gradescope": "late: handed in 2024-01-01 10:31 UTC",
        "canvas": "late",
    }
    found = record(3)
    rows = [
        work.model_copy(
            update={
                "late": True,
                "late_says": says,
                "handed_in": "" if says == "canvas" else "2024-01-01T10:31:00+00:00",
            }
        )
        for work, says in zip(found.works, words, strict=True)
    ]
    told = found.model_copy(update={"works": tuple(rows)})
    text = class_page.render(reports, records={"mnist_8k": told})
    for sentence in words.values():
        assert f"<em>{sentence}</em>" in text
    assert "<em>late" not in class_page.render(reports)


def test_who_on_the_list_has_no_work_and_whose_work_is_on_no_list_is_named():
    reports = class_examples.classroom(3)
    shown = said(reports, records={"mnist_8k": record(3)})
    assert "The class’s list" in shown
    assert "9 students" in shown
    assert "9 handed in nothing" in shown
    assert "Oberhuberstein-Wittgenstein 8" in shown
    assert "3 not on the list" in shown
    assert "The class’s list" not in said(reports)


@pytest.mark.parametrize("text", hostile.STRINGS[:4])
def test_a_hostile_name_on_the_list_is_only_text(text):
    reports, found = class_examples.classroom(3), record(3)
    student = found.roster.missing[0]

    def tags(name):
        missing = (student.model_copy(update={"name": name}),)
        row = found.roster.model_copy(update={"missing": missing})
        told = found.model_copy(update={"roster": row})
        return page(reports, records={"mnist_8k": told}).tags

    assert tags(text) == tags("Jane Doe")
