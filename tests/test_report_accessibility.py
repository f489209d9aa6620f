"""The page in a browser: by keyboard, by a screen reader's rules, on a phone and on paper."""

import itertools
import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from browsing import needs_chromium, open_page
from report_page import build
from report_world import write_world

pytestmark = [pytest.mark.browser, needs_chromium]

WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 400, "height": 800}
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# everything that opens or changes something must be named, in sight and marked when it has focus
TABBED = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const name = element.id || element.getAttribute("href") || element.ariaLabel
    || element.textContent.trim().slice(0, 40);
  return [`${element.tagName} ${name}`, parseFloat(style.outlineWidth) > 0
    && style.outlineStyle !== "none" || style.boxShadow !== "none"];
}"""
REACHABLE = """() => [...document.querySelectorAll(
  "a[href], button, input, select, textarea, summary, [tabindex='0']")].filter(
  (element) => element.checkVisibility() && !element.disabled).length"""
HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(
  (heading) => heading.checkVisibility()).map((heading) => Number(heading.tagName[1]))"""
DRAWN = """() => [...document.querySelectorAll(".drawing")].every(
  (box) => box.querySelector("svg[role='img']"))"""
UNRESOLVED = """() => [...document.querySelectorAll("a[href^='#']")].map(
  (link) => decodeURIComponent(link.hash.slice(1))).filter(
  (id) => !id.includes("?") && !document.getElementById(id))"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    build(write_world(folder))
    return folder / "report/index.html"


def open_all(page):
    """Draw every plot, as for paper, and open whatever can be opened."""
    for event in ("beforeprint", "afterprint"):
        page.evaluate("name => dispatchEvent(new Event(name))", event)
        page.wait_for_function(DRAWN)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.locator("#list .card[open] article").first.wait_for()


@pytest.mark.parametrize(
    ("viewport", "scheme", "rules"),
    [
        (WIDE, "light", {"type": "tag", "values": WCAG}),
        (PHONE, "light", {"type": "tag", "values": WCAG}),
        # in the dark other colors hold, and nothing else
        (WIDE, "dark", {"type": "rule", "values": ["color-contrast"]}),
        (PHONE, "dark", {"type": "rule", "values": ["color-contrast"]}),
    ],
    ids=["light-wide", "light-phone", "dark-wide", "dark-phone"],
)
def test_no_rule_of_wcag_2_a_and_aa_is_broken(path, viewport, scheme, rules):
    with open_page(path, viewport=viewport, color_scheme=scheme) as page:
        if viewport is WIDE:  # opened, a phone holds the same
            open_all(page)
        found = Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]})
    broken = {
        rule["id"]: [node["html"][:200] for node in rule["nodes"][:3]]
        for rule in found.response["violations"]
    }
    assert broken == {}


def test_on_a_phone_only_boxes_scroll_sideways(path):
    with open_page(path, viewport=PHONE) as page:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            wide = "[document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth]"
            assert page.evaluate(wide) == [400, 400]
        contents = page.locator("#contents").bounding_box()
        assert contents["height"] < 60


def test_every_control_is_reached_by_tab_and_shows_its_focus(path):
    with open_page(path, viewport=WIDE) as page:
        count = page.evaluate(REACHABLE)
        stops = []
        for _ in range(count):
            page.keyboard.press("Tab")
            stops.append(page.evaluate(TABBED))
        assert stops[0][0] == "A #claims"
        assert [name for name, marked in stops if not marked] == []
        assert len(stops) > 100
        page.keyboard.press("Tab")
        # after the last the page is left
        assert page.evaluate("document.activeElement === document.body")


def test_the_skip_link_leads_past_the_header(path):
    with open_page(path, viewport=WIDE) as page:
        page.keyboard.press("Tab")
        skip = page.locator(".skip")
        assert skip.bounding_box()["x"] >= 0
        skip.press("Enter")
        assert page.evaluate("location.hash") == "#claims"
        page.keyboard.press("Tab")
        inside = "document.querySelector('main').contains(document.activeElement)"
        assert page.evaluate(inside)


def test_the_page_has_landmarks_one_title_and_no_gap_between_levels(path):
    with open_page(path) as page:
        for landmark in ("body > header", "body > main", "body > footer", "body > #contents"):
            assert page.locator(landmark).count() == 1
        levels = page.evaluate(HEADINGS)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_link_inside_the_page_leads_somewhere(path):
    with open_page(path) as page:
        assert page.evaluate(UNRESOLVED) == []
        assert page.locator("a[href^='#']").count() > 50


def test_the_contents_stay_in_sight_and_say_where_one_is(path):
    with open_page(path, "#section-2", viewport=WIDE) as page:
        current = page.locator("#contents [aria-current]")
        current.wait_for()
        assert current.get_attribute("href") == "#section-2"
        bar = page.locator("#contents").bounding_box()
        assert bar["y"] == 0
        # what a link leads to is not under the contents
        assert page.locator("#section-2").bounding_box()["y"] >= bar["height"]
        page.locator("#contents a[href='#lineage']").click()
        page.locator("#contents a[href='#lineage'][aria-current]").wait_for()
        assert page.locator("#contents [aria-current]").count() == 1


def test_every_box_that_scrolls_can_be_scrolled_by_keyboard(path):
    with open_page(path, viewport=PHONE) as page:
        boxes = page.locator(".scroll[tabindex='0'][role='region'][aria-label]")
        assert boxes.count() == page.locator(".scroll").count() > 20


def test_the_page_asks_for_nothing_and_complains_of_nothing_in_any_window(path):
    for viewport in (WIDE, PHONE):
        with open_page(path, viewport=viewport, color_scheme="dark") as page:
            page.mouse.wheel(0, 5000)
            page.wait_for_timeout(200)
            assert page.requests == [path.as_uri()]
            assert page.complaints == []


def test_paper_holds_the_tables_and_neither_browsers_nor_contents(path):
    with open_page(path, viewport={"width": 1000, "height": 700}, color_scheme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        assert page.locator("#contents").is_hidden()
        assert page.locator("#filters").is_hidden()
        assert page.locator("#table-1 table").is_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(252, 252, 251)"
        )
        printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 1
