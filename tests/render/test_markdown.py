"""The Markdown says what the scorecard says; nothing in it is markup that a submission wrote."""

import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt

from grader.printable import printable
from grader.render.markdown import MOST_ROWS, ZERO_WIDTH_SPACE, code, prose, render
from tests import report_examples as examples
from tests.render import hostile

GITHUB = MarkdownIt("gfm-like", {"linkify": False, "html": True})


class Tags(HTMLParser):
    """Every tag with its attributes, and the text between them."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.text = [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, tuple(attributes)))

    def handle_endtag(self, tag):
        self.tags.append((f"/{tag}", ()))

    def handle_comment(self, data):
        self.tags.append(("comment", ()))

    def handle_decl(self, decl):
        self.tags.append(("declaration", ()))

    def handle_pi(self, data):
        self.tags.append(("instruction", ()))

    def handle_data(self, data):
        self.text += data


def tags(text):
    """The structure of the rendered Markdown, but for line breaks and the spans of dollar signs."""
    may_come = {("br", ()), ("span", ()), ("/span", ())}
    return [tag for tag in Tags(GITHUB.render(text)).tags if tag not in may_come]


CALM = tags(render([hostile.calm()]))


@given(hostile.HOSTILE)
@settings(max_examples=60)
def test_no_text_of_a_report_changes_the_structure_of_the_page(report):
    assert tags(render([report])) == CALM


@pytest.mark.parametrize("text", hostile.STRINGS)
def test_a_known_trick_in_every_field_changes_nothing(text):
    assert tags(render([hostile.everywhere(text)])) == CALM


@pytest.mark.parametrize("text", hostile.STRINGS)
def test_what_was_written_can_be_read(text):
    shown = Tags(GITHUB.render(f"- {prose(text)}")).text.replace(ZERO_WIDTH_SPACE, "")
    assert "".join(shown.split()) == "".join(printable(text, 600, lines=True).split())


@given(hostile.TEXTS)
def test_nothing_is_left_that_github_would_bring_to_life_after_markdown(text):
    shown = Tags(GITHUB.render(f"- {prose(text)}")).text
    for lively in (r"@\w", r"#\d", r"\bGH-\d", r"\w+://", r"www\.\w", r":[\w+-]+:", r"::", r"##"):
        assert not re.search(lively, shown, re.IGNORECASE), (lively, shown)


def test_a_dollar_sign_stands_in_a_span_as_github_asks_for_one_that_is_no_formula():
    assert prose("$x$") == "<span>$</span>x<span>$</span>"


def test_a_place_in_a_file_can_be_copied():
    assert code("model.py:21") == "<code>model.py:21</code>"


def test_a_calm_report_has_no_link_and_no_image():
    assert not {"a", "img", "script", "h1"} & {tag for tag, _ in CALM}


@pytest.mark.parametrize("example", examples.ALL)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(example):
    for table in re.findall(r"<table>.*?</table>", GITHUB.render(render([example()])), re.DOTALL):
        rows = [len(re.findall(r"<t[hd]", row)) for row in table.split("<tr>")[1:]]
        assert len(set(rows)) == 1


def test_verdict_and_points_are_the_heading():
    assert render([examples.failed()]).startswith("## ✗ model\\_a: failed, 30 of 100 points\n")


def test_a_check_is_a_row_with_measured_limit_and_points():
    assert "| ✗ | The model is small enough | 26,202 | \\< 20,000 | 0 / 20 |" in render(
        [examples.failed()]
    )


def test_a_hint_names_file_and_line():
    assert "  - <code>model\\_a.py:21</code> conv4 alone has 9,248: try 24 channels" in render(
        [examples.failed()]
    )


def test_what_could_not_be_told_is_a_row_and_something_to_do():
    text = render([examples.unknown()])
    assert text.startswith("## ? dora: could not tell, 90 of 100 points\n")
    assert "| ? | The last feature map sees the whole image | 28 |" in text
    assert "- ? **The last feature map sees the whole image**<br>torch.sort moves" in text
    assert "  - <code>dora.py:33</code> Leave the sort out" in text


def test_the_lines_of_a_reason_stay_lines():
    assert "the limit is 20,000.<br>The convolutions 3 to 5 hold 88 %." in render(
        [examples.failed()]
    )


def test_the_score_that_counts_is_bold_and_the_best_epoch_marked():
    text = render([examples.passed()])
    assert "| **mean of last 3** | **99.42 %** | counts: at least 99.40 % |" in text
    assert "| best epoch | 99.44 % | epoch 15, 9,944 of 10,000 · selected on the test set |" in text


def test_the_layers_are_folded_away():
    text = render([examples.passed()])
    folded = text[text.index("<details>") : text.index("</details>")]
    assert "conv5" in folded
    assert "6,260 parameters" in folded


def test_thousands_of_layers_are_counted_not_listed():
    layers = examples.LAYERS * 1000
    text = render([examples.report(layers=layers)])
    assert f"… and {len(layers) - MOST_ROWS:,} more layers" in text
    assert len(text) < 2**17


def test_a_class_begins_with_a_table_of_all():
    head = render([example() for example in examples.ALL]).split("---\n\n##")[0]
    found = Counter(re.findall(r"passed so far|passed|failed|borderline|unknown|broken", head))
    once = Counter(["passed", "borderline", "unknown"])
    assert found == once + Counter({"passed so far": 2, "failed": 2, "broken": 2})
