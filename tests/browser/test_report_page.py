"""The page of one submission as a browser shows it: on a desk, on a phone, at night, on paper.

`--screenshots FOLDER` keeps pictures of it, to be looked at.
"""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from grader.render import html
from grader.report import Claim
from tests import report_examples as examples
from tests.browser.test_class_page import SIZES, brightness, keep, show  # noqa: F401 - a fixture
from tests.render import hostile


def letters():
    """Many classes, many seeds, a receptive field larger than the image."""
    table = tuple(tuple((row * column) % 7 for column in range(26)) for row in range(26))
    runs = [
        examples.run(tuple(9300 + 40 * epoch + seed for epoch in range(15)), seed=seed)
        for seed in range(1, 8)
    ]
    training = examples.training(*runs, dataset="emnist_letters", confusion=table)
    return examples.passed().model_copy(update={"training": training})


def long_claim():
    """A claim in a file of a learning platform's long name."""
    place = "costabruno_1002_51002_my_final_model_of_the_course.py, line 51"
    claim = Claim(name="parameters", number=7512, quote="7,512 parameters", place=place)
    return examples.passed().model_copy(update={"claims": (claim,)})


PAGES = {
    "long claim": lambda: [long_claim()],
    "passed": lambda: [examples.passed()],
    "borderline": lambda: [examples.borderline()],
    "quoted": lambda: [examples.quoted()],
    "rehearsed": lambda: [examples.rehearsed()],
    "obstructed": lambda: [examples.obstructed()],
    "letters": lambda: [letters()],
    "uncaptured": lambda: [examples.uncaptured()],
    "practice": lambda: [examples.practice()],
    "several": lambda: [example() for example in examples.CARDS],
    "hostile": lambda: [hostile.everywhere("</script><script>alert(1)</script>\"'>")],
}


@pytest.fixture(scope="session", params=PAGES)
def file(request, tmp_path_factory):
    return written(request.param, tmp_path_factory)


def written(name, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / f"report_{name}.html"
    path.write_text(html.render(PAGES[name]()), encoding="utf-8")
    return path


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_loaded_nothing_complains_and_nothing_sticks_out(show, file, size, request):  # noqa: F811
    page = show(file, size)
    for details in page.locator("details").all():
        details.evaluate("one => { one.open = true }")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    keep(request, page, f"{file.stem}-{size}")


def test_on_a_phone_no_text_is_cut(show, file):  # noqa: F811
    """What is wider than the phone stands in a box that scrolls, by keyboard too."""
    page = show(file, "phone")
    for details in page.locator("details").all():
        details.evaluate("one => { one.open = true }")
    cut = page.evaluate("""() => [...document.querySelectorAll("body *")].filter((e) => {
        if (e.closest(".unseen, .wide") || e.closest("svg")) return false;
        const box = e.getBoundingClientRect(), style = getComputedStyle(e);
        if (box.width <= 1) return false;
        return box.right > innerWidth + 1 || box.left < -1
            || (style.overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1);
    }).map((e) => e.outerHTML.slice(0, 120))""")
    assert cut == []
    scrolled = page.locator(".wide")
    for number in range(scrolled.count()):
        assert scrolled.nth(number).get_attribute("tabindex") == "0"


@pytest.mark.parametrize("size", ["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["borderline", "quoted", "letters", "several", "hostile"])
def test_axe_finds_nothing_to_say(show, tmp_path_factory, name, scheme, size):  # noqa: F811
    page = show(written(name, tmp_path_factory), size, color_scheme=scheme, bypass_csp=True)
    for details in page.locator("details").all():
        details.evaluate("one => { one.open = true }")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_hint_leads_to_its_line_by_keyboard(show, tmp_path_factory):  # noqa: F811
    page = show(written("quoted", tmp_path_factory))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "model.py:9"
    page.keyboard.press("Enter")
    line = page.locator(".line:target")
    assert "self.conv2 = nn.Conv2d(32, 80, 3)" in line.inner_text()
    box = line.bounding_box()
    assert 0 <= box["y"] < SIZES["desk"][1]


def test_the_layer_table_opens_by_keyboard(show, tmp_path_factory):  # noqa: F811
    page = show(written("quoted", tmp_path_factory))
    assert not page.locator("table.layers").is_visible()
    page.locator("summary", has_text="Layer table").focus()
    page.keyboard.press("Enter")
    assert page.locator("table.layers").is_visible()


def test_what_one_value_sees_is_brighter_than_the_rest(show, tmp_path_factory):  # noqa: F811
    page = show(written("passed", tmp_path_factory))
    frames = page.locator(".frames li")
    assert frames.count() == 5
    widths = [frame.locator("rect.frame").bounding_box()["width"] for frame in frames.all()]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1] / 5


def test_on_paper_it_is_white_and_whole(show, tmp_path_factory, request):  # noqa: F811
    page = show(written("borderline", tmp_path_factory), color_scheme="dark")
    page.emulate_media(media="print", color_scheme="light")
    style = "getComputedStyle(document.querySelector('article')).backgroundColor"
    assert page.evaluate(style) == "rgb(255, 255, 255)"
    assert re.match(rb"%PDF-", page.pdf(format="A4"))
    keep(request, page, "report_borderline-print")


def test_at_night_the_page_is_dark_and_its_letters_light(show, tmp_path_factory, request):  # noqa: F811
    page = show(written("borderline", tmp_path_factory), color_scheme="dark")
    style = "getComputedStyle(document.querySelector('article'))"
    back, front = (page.evaluate(f"{style}.{name}") for name in ("backgroundColor", "color"))
    assert brightness(back) < 60 < 180 < brightness(front)
    keep(request, page, "report_borderline-dark")
