"""The plots: one definition for DVC and the page, and their data on the page."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import vl_convert
import yaml
from dvc.render.match import match_defs_renderers
from dvc.repo import Repo

from feedback_lens.params import read_axes
from feedback_lens.report.plots.figures import list_figures, pack_plots
from feedback_lens.report.plots.places import PLACES
from feedback_lens.report.plots.plot import HERE, MADE_BY_DVC, Plot, read_plots
from report_page import build, data_of
from report_world import PARAMS, write_world

PROJECT = Path(__file__).parents[1]
DEFINITIONS = yaml.safe_load((HERE / "plots.yaml").read_text())["plots"]
TEMPLATES = {path.stem: path.read_text() for path in (HERE / "templates").glob("*.json")}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    build(write_world(folder))
    return folder


@pytest.fixture(scope="module")
def page(world):
    return (world / "report/index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plots(world):
    return read_plots(world / "plots", read_axes(world / "params.yaml"))


def test_the_page_draws_what_dvc_plots_show_draws(world, plots):
    Repo.init(str(world), no_scm=True).close()
    (world / ".dvc/plots").symlink_to(HERE / "templates")
    (world / "src").symlink_to(PROJECT / "src")
    pipeline = yaml.safe_load((PROJECT / "dvc.yaml").read_text())
    own = {name: pipeline[name] for name in ("vars", "plots")}
    (world / "dvc.yaml").write_text(yaml.safe_dump(own))
    with Repo(str(world)) as repo:
        found = match_defs_renderers(repo.plots.show(), templates_dir=repo.plots.templates_dir)
    drawn = {each.renderer.name: each.renderer.get_filled_template() for each in found}
    assert drawn == {plot.path: plot.fill("workspace") for plot in plots}
    assert len(drawn) == 23


def test_dvc_draws_the_defined_plots_in_their_order():
    listed = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["plots"]
    assert listed == [f"${{plots.{name}}}" for name in DEFINITIONS]
    assert [Path(path).stem for entry in DEFINITIONS.values() for path in entry] == [*DEFINITIONS]


def test_each_defined_plot_has_its_place_and_a_template_that_is_ours():
    used = {settings["template"] for entry in DEFINITIONS.values() for settings in entry.values()}
    assert set(PLACES) == set(DEFINITIONS)
    assert used == set(TEMPLATES)
    assert (PROJECT / ".dvc/plots").resolve() == (HERE / "templates").resolve()


def test_every_plot_stands_on_the_page_once_with_its_section(page, plots):
    for section, heading in {"confusion": "Detectors", "win_rates": "Replies"}.items():
        before = page[: page.index(f'id="plot-{section}-')]
        assert re.findall(r"<h2>(\w+)", before)[-1] == heading
    for plot in plots:
        assert page.count(f'id="{plot.anchor}"') == 1


def test_a_caption_names_title_unit_corpus_and_detector(plots, world):
    figures = list_figures(plots, read_axes(world / "params.yaml"))
    captions = {figure.anchor: figure.caption for found in figures.values() for figure in found}
    turns = "Labels by user turn, as the detector finds them (share of turns)"
    assert captions["plot-turn_distribution-lmsys"] == f"{turns}: LMSYS, by the prompted detector"
    assert captions["plot-confusion-sparse"].endswith(": Sparse, LMSYS (gold set sparse)")
    assert captions["plot-win_rates-lmsys"] == "Win rates of the replies (share of prompts): LMSYS"
    assert captions["plot-loss"] == "Training loss (SFT: nats a token)"


def test_a_plot_that_has_no_place_comes_after_the_others(world, plots):
    own = Plot("own", "", "plots/own.csv", {"title": "Ours"}, [{"x": "1"}])
    sections = list_figures([*plots, own], read_axes(world / "params.yaml"))
    assert [*sections][-1] == "More plots"
    assert [figure.caption for figure in sections["More plots"]] == ["Ours"]


def test_the_data_on_the_page_are_the_points_of_the_plots(page, plots):
    packed = data_of(page, "plots")
    for plot in plots:
        columns, rows = packed[plot.anchor]["columns"], range(packed[plot.anchor]["rows"])
        spread = {k: v if isinstance(v, list) else [v for _ in rows] for k, v in columns.items()}
        values = [{name: column[row] for name, column in spread.items()} for row in rows]
        spec = packed[plot.anchor]["spec"]
        assert {**spec, "data": {**spec["data"], "values": values}} == plot.fill()
        own = [name for name in columns if name not in packed[plot.anchor]["made"]]
        assert [{name: row[name] for name in own} for row in values] == plot.points
    assert [*MADE_BY_DVC] == packed["plot-loss"]["made"]


def test_what_all_rows_have_in_common_is_on_the_page_once(plots):
    [loss] = [plot for plot in plots if plot.name == "loss"]
    packed = pack_plots([loss])["plot-loss"]
    assert (packed["columns"]["base"], packed["columns"]["rev"]) == ("tiny", "this run")
    # 130 steps by two recipes and two seeds
    assert packed["rows"] == len(packed["columns"]["step"]) == 520


def test_a_plot_without_cells_or_points_says_so(tmp_path):
    arguments = write_world(tmp_path, {**PARAMS, "gold_sets": {}})
    empty = tmp_path / "plots/loss.csv"
    empty.write_text(empty.read_text().splitlines()[0] + "\n")
    page = build(arguments)
    figure = page[page.index('id="plot-confusion"') :]
    assert "not run: gold_sets has no entry" in figure[: figure.index("</figure>")]
    assert "plots/loss.csv has no points" in page
    assert not {"plot-loss", "plot-confusion"} & set(data_of(page, "plots"))


def test_two_revisions_are_told_apart(plots):
    """As `dvc plots diff` draws them: each row or panel says of which revision it is."""
    for plot in plots:
        spec = plot.fill("main")
        spec["data"]["values"] = [*spec["data"]["values"], *plot.fill("few")["data"]["values"]]
        texts = re.findall(r">([^<]*)<", vl_convert.vegalite_to_svg(json.dumps(spec)))
        for name in ("main", "few"):
            assert any(re.search(rf"\b{name}\b", text) for text in texts), plot.path


def test_the_bundle_is_the_same_in_every_process():
    code = "import hashlib; from feedback_lens.report.plots.bundle import bundle_vega as b;"
    code += "print(hashlib.sha256(b().encode()).hexdigest(), '</script' in b())"
    runs = {subprocess.check_output([sys.executable, "-c", code], text=True) for _ in range(2)}
    assert len(runs) == 1 and runs.pop().endswith("False\n")
