"""The plots of the page in headless Chromium."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browsing import needs_chromium, open_page
from feedback_lens.params import read_axes
from feedback_lens.report.plots.plot import HERE, read_plots
from report_page import build
from report_world import write_world

STYLE = (HERE.parent / "page/style.css").read_text()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    build(write_world(folder))
    return folder


@pytest.fixture(scope="module")
def plots(world):
    return read_plots(world / "plots", read_axes(world / "params.yaml"))


def draw_all(page):
    """Scroll to each drawing and wait for it; how many there are."""
    drawings = page.locator(".drawing")
    for index in range(drawings.count()):
        drawings.nth(index).scroll_into_view_if_needed()
        drawings.nth(index).locator("svg[role=img]").wait_for()
    return drawings.count()


@pytest.mark.browser
@needs_chromium
def test_every_plot_is_drawn_under_the_policy_with_its_name(world, plots):
    with open_page(world / "report/index.html") as page:
        assert draw_all(page) == len(plots)
        for plot in plots:
            drawing = page.locator(f"#{plot.anchor} svg[role=img]")
            assert plot.settings["title"] in drawing.get_attribute("aria-label")
            assert drawing.locator("path, rect, text").count() > 10
        assert page.complaints == []


@pytest.mark.browser
@needs_chromium
def test_the_data_of_a_plot_are_one_click_away_and_saved_as_they_are(world, plots):
    [plot] = [plot for plot in plots if plot.name == "loss"]
    with open_page(world / "report/index.html") as page:
        figure = page.locator("#plot-loss")
        figure.scroll_into_view_if_needed()
        figure.locator("svg[role=img]").wait_for()  # until then what is below it moves
        assert figure.locator("summary").inner_text() == "Data (520 rows)"
        figure.locator("summary").click()
        assert figure.locator("caption").inner_text() == "The first 200 of 520 rows"
        assert figure.locator("tbody tr").count() == 200
        assert figure.locator("thead th").all_inner_texts() == [*plot.points[0]]
        first = figure.locator("tbody tr").first.locator("td").all_inner_texts()
        assert first == [*plot.points[0].values()]
        with page.expect_download() as saved:
            figure.get_by_role("button", name="Save as CSV").click()
        assert saved.value.suggested_filename == "loss.csv"
        assert Path(saved.value.path()).read_bytes() == (world / "plots/loss.csv").read_bytes()
        with page.expect_download() as saved:
            figure.get_by_role("button", name="Save as SVG").click()
        assert "<svg" in Path(saved.value.path()).read_text()
        assert page.complaints == []


@pytest.mark.browser
@needs_chromium
def test_plots_follow_light_and_dark(world):
    light, dark = re.findall(r"--ink: (#\w+)", STYLE)
    with open_page(world / "report/index.html", color_scheme="light") as page:
        draw_all(page)
        label = page.locator("#plot-calibration svg .role-axis-label text").first
        expect(label).to_have_attribute("fill", light)
        page.emulate_media(color_scheme="dark")
        expect(label).to_have_attribute("fill", dark)


@pytest.mark.browser
@needs_chromium
def test_a_drawing_saved_from_a_dark_page_is_light(world):
    light, dark = re.findall(r"--ink: (#\w+)", STYLE)
    with open_page(world / "report/index.html", color_scheme="dark") as page:
        figure = page.locator("#plot-loss")
        figure.scroll_into_view_if_needed()
        figure.locator("svg[role=img]").wait_for()
        figure.locator("summary").click()
        with page.expect_download() as saved:
            figure.get_by_role("button", name="Save as SVG").click()
        text = Path(saved.value.path()).read_text()
        assert light in text and dark not in text
        label = figure.locator("svg .role-axis-label text").first
        expect(label).to_have_attribute("fill", dark)


@pytest.mark.browser
@needs_chromium
def test_a_tap_on_a_mark_shows_what_it_is_until_the_next_tap(world):
    with open_page(world / "report/index.html", has_touch=True) as page:
        draw_all(page)
        mark = page.locator("#plot-scores svg .mark-symbol path").first
        mark.tap()
        tooltip = page.locator("#vg-tooltip-element")
        expect(tooltip).to_be_visible()
        assert "recipe" in tooltip.inner_text()
        page.locator("#plot-scores figcaption").tap(position={"x": 2, "y": 2})
        expect(tooltip).to_be_hidden()


@pytest.mark.browser
@needs_chromium
def test_on_a_phone_no_plot_is_wider_than_the_page(world):
    with open_page(world / "report/index.html", viewport={"width": 400, "height": 800}) as page:
        draw_all(page)
        page.wait_for_timeout(200)
        assert (
            page.evaluate(
                "[...document.querySelectorAll('figure.plot')].filter((f) => f.getBoundingClientRect().right > innerWidth).length"
            )
            == 0
        )


@pytest.mark.browser
@needs_chromium
def test_printing_draws_every_plot(world, plots):
    with open_page(world / "report/index.html") as page:
        drawn = page.evaluate(
            "async () => { dispatchEvent(new Event('beforeprint'));"
            " await new Promise((done) => setTimeout(done));"
            " return document.querySelectorAll('.drawing svg[role=img]').length; }"
        )
        assert drawn == len(plots)


@pytest.mark.browser
@needs_chromium
def test_a_click_on_a_legend_keeps_one_series_and_the_wheel_scrolls_the_page(world):
    with open_page(world / "report/index.html") as page:
        draw_all(page)
        page.locator("#plot-loss").scroll_into_view_if_needed()
        faint = page.locator("#plot-loss svg g.mark-line path[opacity='0.12']")
        expect(faint).to_have_count(0)
        page.locator("#plot-loss svg .role-legend-label text", has_text="kto").first.click()
        expect(faint).to_have_count(1)
        page.locator("#plot-loss svg .role-legend-label text", has_text="kto").first.click()
        expect(faint).to_have_count(0)
        before = page.evaluate("scrollY")
        page.locator("#plot-loss svg").hover()
        page.mouse.wheel(0, -300)
        page.wait_for_timeout(500)
        assert page.evaluate("scrollY") < before
