"""The page's figures of ours against the committed metrics, read by paths written by hand."""

import pytest
import yaml

from feedback_lens.params import read_axes
from feedback_lens.report.inputs import Inputs, read_metrics
from feedback_lens.report.plots.plot import Plot
from feedback_lens.report.tables.listing import list_tables
from feedback_lens.report.tables.overview import CLAIMS
from report_expected import TABLES
from report_lookups import ROOT

REWARD_MODEL = "tiny"


@pytest.fixture(scope="module")
def tables():
    axes = read_axes(ROOT / "params.yaml")
    inputs = Inputs(
        axes=axes,
        published=yaml.safe_load((ROOT / "data/paper_reported.yaml").read_text("utf-8")),
        metrics=read_metrics(ROOT / "metrics", axes, REWARD_MODEL),
        # what is no metric: plots, and texts
        plots=[Plot("turn_distribution_gold", name, None, {}, ()) for name in axes.gold_sets],
        clusters={},
        dates={},
        catalog={},
        labelers={},
        judged={},
        writers={},
        judges={},
        pair_judges={},
        reward_model=REWARD_MODEL,
        hashes={},
    )
    return {table.name: table for own in list_tables(inputs).values() for table in own}


CELLS = [(table, row, line) for table, rows in TABLES.items() for row, line in rows]


def test_every_table_with_a_metric_is_looked_up():
    # Figure 2 rests on plots/turn_distribution, which Git does not hold
    assert {*TABLES} == {*CLAIMS} - {"Figure 2"}


@pytest.mark.parametrize(("table", "row", "line"), CELLS)
def test_the_page_s_figures_equal_the_metrics_in_git(tables, table, row, line):
    [found] = [own for own in tables[table].rows if own.name == row]
    # behind a line's name may stand the number of turns or prompts
    [cells] = [
        printed.cells
        for printed in found.lines
        if printed.label.split(" (n = ")[0] == line and printed.kind == "ours"
    ]
    assert list(cells) == TABLES[table][row, line]()
