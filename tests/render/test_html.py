"""The page shows everything, loads nothing, and has no element that a submission wrote."""

import base64
import hashlib
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings

from grader.printable import printable
from grader.render import html
from grader.render.html import render
from grader.report import Verdict
from tests import report_examples as examples
from tests.render import hostile
from tests.render.test_markdown import Tags


def page(*reports):
    return Tags(render(reports))


CALM = page(hostile.calm()).tags


@given(hostile.HOSTILE)
@settings(max_examples=60)
def test_no_text_of_a_report_adds_or_changes_an_element_or_an_attribute(report):
    assert page(report).tags == CALM


@pytest.mark.parametrize("text", hostile.STRINGS)
def test_a_known_trick_in_every_field_changes_nothing(text):
    shown = page(hostile.everywhere(text))
    assert shown.tags == CALM
    assert printable(text, 4000, lines=True) in shown.text


@given(hostile.HOSTILE)
@settings(max_examples=20)
def test_no_control_character_and_no_order_to_a_runner_gets_through(report):
    text = render([report])
    assert printable(text, len(text) + 1, lines=True) == text


@pytest.mark.parametrize("reports", [[examples.passed()], [example() for example in examples.ALL]])
def test_nothing_is_loaded_run_or_sent(reports):
    shown = page(*reports)
    assert not {"script", "iframe", "object", "embed", "link", "img", "form", "base"} & {
        tag for tag, _ in shown.tags
    }
    for _, attributes in shown.tags:
        for name, value in attributes:
            assert not name.startswith("on")
            assert name != "style"
            assert name not in {"href", "src"} or re.fullmatch(r"#report-\d+(-[a-z\d-]+)?", value)
    assert "url(" not in render(reports)
    assert "@import" not in render(reports)


def test_the_policy_allows_the_style_sheet_of_the_page_and_nothing_else():
    text = render([examples.passed()])
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert (
        policy
        == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert text.index("Content-Security-Policy") < text.index("<style>") < text.index("<body>")


@pytest.mark.parametrize("example", examples.ALL)
def test_every_element_is_closed_where_it_was_opened(example):
    stack = []
    for tag, _ in page(example()).tags:
        if tag.startswith("/"):
            assert stack.pop() == tag[1:]
        elif tag not in {"declaration", "meta", "br"}:
            stack.append(tag)
    assert stack == []


def test_the_page_says_what_the_scorecard_says():
    text = " ".join(page(examples.failed()).text.split())
    for part in (
        "model_a",
        "✗ failed",
        "30 of 100 points",
        "26,202 trainable parameters; the limit is 20,000.",
        "model_a.py:21 conv4 alone has 9,248",
        "The weights before training are not random",
    ):
        assert part in text


@pytest.mark.parametrize("verdict", Verdict)
def test_the_style_sheet_has_a_colour_for_every_verdict(verdict):
    style = Path(html.__file__).with_name("page.css").read_text(encoding="utf-8")
    assert style.count(f"--{verdict}: #") == 3  # by day, by night, on paper
    assert f"td.{verdict} " in style


def test_what_could_not_be_told_stands_out_and_says_why():
    shown = page(examples.unknown())
    articles = [dict(attributes) for tag, attributes in shown.tags if tag == "article"]
    assert [article["class"] for article in articles] == ["unknown"]
    rows = [dict(attributes).get("class") for tag, attributes in shown.tags if tag == "tr"]
    assert "unknown" in rows
    text = " ".join(shown.text.split())
    assert "? could not tell90 of 100 points" in text
    assert "torch.sort moves pixels by their values" in text
    assert "dora.py:33 Leave the sort out" in text


def test_the_training_is_shown_with_its_curves_and_confusions():
    text = " ".join(page(examples.passed()).text.split())
    for part in (
        "counts: at least 99.40 %",
        "selected on the test set",
        "epoch 15: 99.44 %",
        "required",
        "0.004 → peak 0.05 → 0.00333 · momentum 0.9",
        "4 taken for 9: 7 times",
        "From 0: 18, 198, 378",
        "The 5 images that are wrong and that the network was surest of, out of 56",
        "is 4 1 %",
        "read as 9 97 %",
    ):
        assert part in text


def test_a_class_begins_with_links_to_its_reports():
    shown = page(examples.passed(), examples.failed())
    targets = [value for tag, attributes in shown.tags if tag == "a" for _, value in attributes]
    places = [dict(attributes)["id"] for tag, attributes in shown.tags if tag == "article"]
    assert targets == [f"#{place}" for place in places] == ["#report-1", "#report-2"]


def test_a_remark_stands_below_its_line_and_the_check_links_to_it():
    shown = page(examples.quoted())
    text = " ".join(shown.text.split())
    assert (
        "9 self.conv2 = nn.Conv2d(32, 80, 3) The network is small enough: conv2 holds 23,120 of "
        "them: try 40 channels in place of 80. 10 self.drop" in text
    )
    links = {value for tag, attributes in shown.tags if tag == "a" for _, value in attributes}
    anchors = {dict(attributes).get("id") for _, attributes in shown.tags}
    assert links == {"#report-1-lines-1-2", "#report-1-lines-1-3", "#report-1-lines-2-2"}
    assert {link.removeprefix("#") for link in links} <= anchors


def test_in_a_notebook_the_cell_is_named():
    text = " ".join(page(examples.rehearsed()).text.split())
    assert "my_notebook.ipynb, cell 4 11 def forward(self, x): 12 x = self.pool" in text
    assert "12 x = self.pool(self.conv3(x)) One unit of the last feature map" in text


def test_a_link_in_the_page_leads_somewhere_and_every_id_is_there_once():
    shown = page(*[example() for example in examples.CARDS])
    ids = [dict(attributes)["id"] for _, attributes in shown.tags if "id" in dict(attributes)]
    assert len(ids) == len(set(ids))
    targets = {dict(attributes).get("href") for _, attributes in shown.tags} - {None}
    assert {target.removeprefix("#") for target in targets} <= set(ids)
    named = {dict(attributes).get("aria-labelledby") for _, attributes in shown.tags} - {None}
    assert named <= set(ids)


def test_the_heads_go_down_one_step_at_a_time():
    for reports in ([examples.borderline()], [examples.borderline(), examples.uncaptured()]):
        levels = [int(tag[1]) for tag, _ in page(*reports).tags if re.fullmatch(r"h\d", tag)]
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        assert levels.count(1) == 1
