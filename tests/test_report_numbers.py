"""The page's figures of ours against the committed metrics, read by paths written by hand."""

import pytest
import yaml

from feedback_lens.params import read_axes
from feedback_lens.report.inputs import Inputs, read_metrics
from feedback_lens.report.plots.plot import Plot
from feedback_lens.report.tables.listing import list_tables
from feedback_lens.report.tables.overview import CLAIMS, show_claims, survey
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
    assert {*TABLES} == {*CLAIMS, "Agreement"} - {"Figure 2"}


def test_every_claim_s_difference_and_state_follow_from_its_figures(tables):
    claims = show_claims(survey(list(tables.values())))
    rows = [dict(zip(claims["columns"], row, strict=True)) for row in claims["rows"]]
    for claim in rows:
        reported, found = claim["reported"], claim["ours"]
        if isinstance(reported, str) or isinstance(found, str):
            assert claim["difference"] is None
            assert claim["state"] in ("not run", "no number in the paper", "no value of ours")
            continue
        assert claim["difference"] == pytest.approx(found - reported)
        low, high = claim["difference_low"], claim["difference_high"]
        if low is None:
            assert claim["state"] == "no interval"
            continue
        assert low <= claim["difference"] <= high
        assert claim["state"] == ("within" if low <= 0 <= high else "outside")
    assert {claim["state"] for claim in rows} >= {"within", "outside", "no interval", "not run"}


def test_the_paper_s_rates_have_the_intervals_of_its_counts(tables):
    # Table 6, the paper's prompt: 74 of 107 found; 74 of 74 listed are right; 33 of 175 missed
    [row] = [row for row in tables["Table 6"].rows if row.name == "the paper's prompt"]
    cells = dict(zip(tables["Table 6"].columns, row.published, strict=True))
    ends = {name: (cells[name].low, cells[name].high) for name in cells}
    assert ends["recall"] == pytest.approx((59.9, 77.1), abs=0.05)
    assert ends["precision"] == pytest.approx((95.1, 100), abs=0.05)
    assert ends["false negative"] == pytest.approx((13.8, 25.3), abs=0.05)
    # no counts give the dense figures of prior work's prompt
    [row] = [row for row in tables["Table 7"].rows if row.name == "prior work's prompt"]
    assert {cell.low for cell in row.published} == {None}


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
