"""The page of a class as a browser shows it: by mouse, by keyboard, on a phone, at night, on paper.

`--screenshots FOLDER` keeps pictures of it, to be looked at.
"""

import re
from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from grader.render import class_page
from tests import class_examples
from tests.render import hostile

SIZES = {"desk": (1200, 900), "tablet": (768, 1024), "phone": (390, 844)}
TABS = ("overview", "works", "boards", "alike")


def thirty():
    reports = class_examples.classroom(30)
    groups = {"mnist_8k": class_examples.groups(reports)}
    return class_page.render(reports, groups=groups, page_of=lambda one: f"{one.submission}.html")


def two_assignments():
    more = class_examples.classroom(20, seed=2, assignment="mnist_20k", title="MNIST, larger")
    return class_page.render(class_examples.classroom(30) + more)


PAGES = {
    "thirty": thirty,
    "one": lambda: class_page.render(class_examples.classroom(1)),
    "three hundred": lambda: class_page.render(class_examples.classroom(300)),
    "two assignments": two_assignments,
    "static": lambda: class_page.render(class_examples.classroom(12, endings=["static"])),
    "all failed": lambda: class_page.render(
        class_examples.classroom(12, endings=["too large", "unreadable", "no pooling"])
    ),
    "hostile": lambda: class_page.render(
        [hostile.everywhere("</script><script>alert(1)</script>\"'>"), hostile.calm()]
    ),
}


@pytest.fixture(scope="session", params=PAGES)
def file(request, tmp_path_factory):
    return written(request.param, tmp_path_factory)


@pytest.fixture(scope="session")
def class_of_thirty(tmp_path_factory):
    return written("thirty", tmp_path_factory)


def written(name, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / f"{name.replace(' ', '_')}.html"
    path.write_text(PAGES[name](), encoding="utf-8")
    return path


@pytest.fixture
def show(chromium):
    """Open a file; in the end no page said anything on its console or asked for another file."""
    pages, said = [], []

    def show(path, size="desk", **more):
        width, height = SIZES[size]
        page = chromium.new_page(viewport={"width": width, "height": height}, **more)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: said.append(request.url))
        page.goto(path.as_uri())
        assert said.pop(0) == path.as_uri()
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.close()
    assert said == []


def names(page):
    """The names in the table that are shown, from above."""
    return [
        row.split("\n")[0]
        for row in page.locator("table.works tbody tr:visible th").all_inner_texts()
    ]


def tab(page, name):
    page.locator(f"#part-1-{name}-tab").click()


def test_nothing_is_loaded_and_nothing_complains(show, file):
    page = show(file)
    for name in TABS:
        tab(page, name)
        assert page.locator(f"#part-1-{name}").is_visible()


@pytest.mark.parametrize("size", SIZES)
def test_nothing_sticks_out_to_the_side(show, file, size, request):
    page = show(file, size)
    for name in TABS:
        tab(page, name)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= SIZES[size][0], name
        keep(request, page, f"{file.stem}-{size}-{name}")


def test_on_a_phone_no_text_is_cut(show, file):
    page = show(file, "phone")
    for name in TABS:
        tab(page, name)
        cut = page.evaluate("""() => [...document.querySelectorAll("body *")].filter((e) => {
            if (e.closest(".unseen, [hidden]") || e.closest("svg")) return false;
            const box = e.getBoundingClientRect(), style = getComputedStyle(e);
            if (box.width <= 1 || style.clipPath !== "none") return false;
            return box.right > innerWidth + 1 || box.left < -1
                || (style.overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1
                    && !e.matches("input, select"));
        }).map((e) => e.outerHTML.slice(0, 120))""")
        assert cut == [], name


@pytest.mark.parametrize("name", ["thirty", "two assignments", "static", "hostile"])
def test_axe_finds_nothing_to_say(show, tmp_path_factory, name):
    page = show(written(name, tmp_path_factory), bypass_csp=True)  # axe is a script of its own
    complaints(page)


def test_axe_finds_nothing_to_say_by_night_on_a_phone(show, class_of_thirty):
    complaints(show(class_of_thirty, "phone", color_scheme="dark", bypass_csp=True))


def complaints(page):
    for name in TABS:
        tab(page, name)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_a_head_sorts_by_mouse_and_once_more_turns_it_round(show, class_of_thirty):
    page = show(class_of_thirty)
    tab(page, "works")
    before = names(page)
    assert before == sorted(before, key=str.casefold)
    page.get_by_role("button", name="parameters").click()
    head = page.locator("th", has_text="parameters").first
    assert head.get_attribute("aria-sort") == "ascending"
    assert names(page)[0] == "Chiara Rossi"  # 3,176 parameters
    assert names(page)[-1] == "Bo Li"  # could not be read: last, whichever way
    page.get_by_role("button", name="parameters").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert names(page)[0] == "Tomás Herrera"  # 26,969
    assert names(page)[-1] == "Bo Li"
    assert sorted(names(page)) == sorted(before)
    assert page.locator("th[aria-sort]").count() == 1


def test_a_head_sorts_by_keyboard(show, class_of_thirty):
    page = show(class_of_thirty)
    tab(page, "works")
    page.get_by_label("Verdict").focus()
    page.keyboard.press("Tab")  # the first head
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "verdict"
    page.keyboard.press("Enter")
    assert page.locator("th", has_text="verdict").first.get_attribute("aria-sort") == "ascending"
    verdicts = page.locator("table.works td:nth-child(2)").all_inner_texts()
    assert len(verdicts) == 30
    changes = [one for one, other in pairwise(verdicts) if one != other]
    assert len(changes) == len(set(verdicts)) - 1  # each verdict is one block


def test_the_filter_looks_for_every_word_in_every_column(show, class_of_thirty):
    page = show(class_of_thirty)
    tab(page, "works")
    field = page.get_by_label("Filter")
    field.fill("PARAMETER limit")
    assert names(page) == ["Tomás Herrera", "Uma Iyer", "Viktor Horváth"]
    assert page.get_by_role("status").inner_text() == "3 of 30 shown"
    field.fill("nobody is called that")
    assert names(page) == []
    assert page.get_by_text("No submission matches the filter.").is_visible()
    field.fill("")
    assert len(names(page)) == 30
    assert not page.get_by_text("No submission matches the filter.").is_visible()


def test_the_filter_by_verdict_and_by_words_at_once(show, class_of_thirty):
    page = show(class_of_thirty)
    tab(page, "works")
    page.get_by_label("Verdict").select_option("failed")
    assert len(names(page)) == 10
    page.get_by_label("Filter").fill("pooling")
    assert names(page) == ["Wendy Osei", "Xavier Lambert"]


def test_tabs_are_chosen_with_the_arrows(show, class_of_thirty):
    page = show(class_of_thirty)
    page.locator("#part-1-overview-tab").focus()
    for key, name in (("ArrowRight", "works"), ("End", "alike"), ("ArrowRight", "overview")):
        page.keyboard.press(key)
        chosen = page.locator("[role=tab][aria-selected=true]")
        assert chosen.get_attribute("id") == f"part-1-{name}-tab"
        assert chosen.evaluate("tab => tab === document.activeElement")
        assert [page.locator(f"#part-1-{one}").is_visible() for one in TABS] == [
            one == name for one in TABS
        ]


def test_a_link_to_a_work_opens_its_row_though_the_filter_hides_it(show, class_of_thirty):
    page = show(class_of_thirty)
    tab(page, "works")
    page.get_by_label("Filter").fill("nobody")
    tab(page, "alike")
    link = page.locator(".group a").first
    name = link.inner_text()
    link.click()
    row = page.locator(f"tr{link.get_attribute('href')}")
    expect(row).to_be_focused()  # the browser tells of the link's goal a moment later
    assert row.is_visible()
    assert name in row.inner_text()


def test_the_browsers_own_search_finds_what_is_in_another_tab(show, class_of_thirty):
    page = show(class_of_thirty)
    assert page.locator("#part-1-works").get_attribute("hidden") == "until-found"
    page.locator("#part-1-works").dispatch_event("beforematch")
    assert page.locator("#part-1-works").is_visible()


def test_without_the_script_everything_is_shown(chromium, class_of_thirty, request):
    page = chromium.new_page(java_script_enabled=False)
    page.goto(class_of_thirty.as_uri())
    assert all(page.locator(f"#part-1-{name}").is_visible() for name in TABS)
    assert not page.get_by_label("Filter").is_visible()
    assert page.locator("table.works tbody tr").count() == 30
    keep(request, page, "thirty-without-script")
    page.close()


def test_on_paper_all_parts_are_shown_and_nothing_to_press(show, class_of_thirty, request):
    page = show(class_of_thirty)
    page.emulate_media(media="print")
    heads = [page.locator(f"#part-1-{name} > h3") for name in TABS]
    assert all(head.is_visible() for head in heads)
    assert all(head.bounding_box()["height"] > 10 for head in heads)
    assert not page.get_by_label("Filter").is_visible()
    assert not page.locator(".tabs").is_visible()
    paper = page.evaluate("getComputedStyle(document.querySelector('article')).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    assert re.match(rb"%PDF-", page.pdf(format="A4"))
    keep(request, page, "thirty-print")


def test_at_night_the_page_is_dark_and_its_letters_light(show, class_of_thirty, request):
    page = show(class_of_thirty, color_scheme="dark")
    style = "getComputedStyle(document.querySelector('article'))"
    back, front = (page.evaluate(f"{style}.{name}") for name in ("backgroundColor", "color"))
    assert brightness(back) < 60 < 180 < brightness(front)
    keep(request, page, "thirty-dark")


def brightness(colour):
    red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
    return (red + green + blue) / 3


def keep(request, page, name):
    folder = request.config.getoption("--screenshots")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
