"""The picture of a report: well-formed, drawn from its numbers, and never more than a picture."""

import sys
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings

from grader.errors import GraderError
from grader.render import field_panel, png, rate_panel, svg
from tests import report_examples as examples
from tests.render import hostile

SPACE = "{http://www.w3.org/2000/svg}"
KNOWN = {"svg", "title", "style", "g", "rect", "line", "text", "polyline", "circle"}


def drawn(*reports):
    return ET.fromstring(svg.render(reports))


def said(root):
    return [element.text for element in root.iter(f"{SPACE}text")]


def test_accuracy_rate_and_receptive_field_each_have_a_panel():
    titles = [one.text for one in drawn(examples.passed()).iter() if one.get("class") == "title"]
    assert [title.split()[0] for title in titles] == ["Accuracy", "Learning", "Receptive"]


def test_a_report_without_numbers_says_so():
    assert "Nothing was measured that could be drawn." in said(drawn(examples.broken()))


def test_a_bar_is_as_long_as_the_field_and_the_image_ends_at_28_pixels():
    rows = field_panel.rows(examples.passed())
    assert [row.receptive_field[0] for row in rows] == [3, 5, 6, 10, 28]
    root = ET.fromstring(f"<g>{''.join(field_panel.draw(rows, svg.text))}</g>")
    widths = [float(bar.get("width")) for bar in root.iter("rect")]
    whole = field_panel.RIGHT - field_panel.LEFT
    assert widths == pytest.approx([whole * field / 28 for field in (3, 5, 6, 10, 28)], abs=0.1)


def test_the_rate_is_that_of_the_run_else_of_the_plan():
    trained = examples.passed()
    assert rate_panel.rates(trained)[:2] == (0.05, 0.025)
    planned = examples.rehearsed().model_copy(update={"training": None})
    assert rate_panel.rates(planned) == examples.REHEARSED.rates
    assert rate_panel.rates(examples.broken()) == ()


def test_a_rate_of_zero_can_be_drawn():
    assert any("polyline" in part for part in rate_panel.draw([0.0, 0.0]))


def test_several_reports_stand_below_one_another():
    one, two = (float(drawn(*[examples.passed()] * count).get("height")) for count in (1, 2))
    assert two == 2 * one


@given(hostile.HOSTILE)
@settings(max_examples=40)
def test_no_string_becomes_more_than_text(report):
    root = drawn(report)
    assert {element.tag.removeprefix(SPACE) for element in root.iter()} <= KNOWN
    names = {name for element in root.iter() for name in element.attrib}
    assert not {name for name in names if name.startswith("on") or "href" in name}


def test_png_without_its_package_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(GraderError, match=r"resvg-py.*--format svg"):
        png.render([examples.passed()])


def test_png_is_drawn_from_the_svg(monkeypatch):
    asked = {}
    fake = ModuleType("resvg_py")
    fake.svg_to_bytes = lambda **options: asked.update(options) or [137, 80, 78, 71]
    monkeypatch.setitem(sys.modules, "resvg_py", fake)
    assert png.render([examples.passed()]) == b"\x89PNG"
    assert asked["svg_string"] == svg.render([examples.passed()])
