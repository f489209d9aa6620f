"""The page's figures of ours against the committed metrics, read by paths written by hand."""

from pathlib import Path

import pytest
import yaml

from feedback_lens.params import read_axes
from feedback_lens.report.inputs import Inputs, read_metrics
from feedback_lens.report.plots.plot import Plot
from feedback_lens.report.tables.listing import list_tables
from feedback_lens.report.tables.overview import CLAIMS
from feedback_lens.tables import read_json

ROOT = Path(__file__).parents[1]
REWARD_MODEL = "tiny"
MINUS = "\N{MINUS SIGN}"
CRITERIA = (
    "specificity",
    "domain_knowledge",
    "complexity",
    "problem_solving",
    "creativity",
    "technical_accuracy",
    "real_world",
    "mean",
)


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


def metric(*keys):
    """A figure in metrics/<stage>/<cell>.json or metrics/<file>.json."""
    path, *rest = keys
    content = read_json(ROOT / "metrics" / f"{path}.json")
    for key in rest:
        content = content[key]
    return content


def bounded(path, *keys, bounds, decimals, scale=1):
    """A figure with the interval that stands beside it, as the page prints them."""
    *place, name = keys
    beside = metric(path, *place)
    texts = [f"{scale * beside[key]:.{decimals}f}" for key in (name, *bounds)]
    return "{} ({} to {})".format(*texts).replace("-", MINUS)


def percent(path, *keys):
    return bounded(
        path, *keys, bounds=(f"{keys[-1]}_low", f"{keys[-1]}_high"), decimals=1, scale=100
    )


def p_value(*keys):
    p = metric(*keys)
    return "<.00001" if p < 1e-5 else f"{p:.3g}"


def score(*keys):
    found = metric("summary", *keys)
    mean = f"{found['mean']:.2f}"
    text = mean if found["spread"] is None else f"{mean} ± {found['spread']:.2f}"
    return text.replace("-", MINUS)


def counted(path, turn):
    found = metric(path, "by_turn", turn)
    trials = found["turns"] - found["unlabeled"]
    share, low, high = (f"{100 * found[name]:.0f}" for name in ("share", "low", "high"))
    return f"{found['feedback']}/{trials} ({share}%, {low} to {high})"


def detected(gold_set, detector):
    return f"evaluate_detector/{gold_set}", detector


LMSYS = "count_feedback_gold/lmsys"
PRIOR = detected("lmsys", "prior")
OURS = detected("wildchat", "prompted")
TABLES = {
    "Table 1": {
        ("Dense, LMSYS", "ours, by annotators (lmsys)"): lambda: [
            str(metric(LMSYS, "conversations")),
            str(metric(LMSYS, "turns")),
            *(counted(LMSYS, turn) for turn in ("2", "3", "4", "5+")),
        ],
        ("Corpus wildchat, as the prompted detector finds it", "ours"): lambda: [
            str(metric("count_feedback/wildchat", "conversations")),
            str(metric("count_feedback/wildchat", "turns")),
            *(counted("count_feedback/wildchat", turn) for turn in ("2", "3", "4", "5+")),
        ],
    },
    "Table 2": {
        ("Dense, prior work's prompt", "ours, lmsys"): lambda: [
            *(percent(*PRIOR, name, "accuracy") for name in ("binary", "three_way", "fine")),
            *(percent(*PRIOR, "binary", name) for name in ("precision", "recall")),
        ],
        ("Dense, prior work's prompt", "as published, lmsys"): lambda: [
            *(
                percent(*PRIOR, "as_published", name, "accuracy")
                for name in ("binary", "three_way", "fine")
            ),
            *(percent(*PRIOR, "as_published", "binary", n) for n in ("precision", "recall")),
        ],
    },
    "Table 6": {
        ("the paper's prompt", "ours and as published, sparse"): lambda: [
            percent(*detected("sparse", "prompted"), "binary", name) for name in BINARY
        ],
    },
    "Table 7": {
        ("the paper's prompt", "ours and as published, wildchat"): lambda: [
            f"{metric(*OURS, 'predicted_per_conversation'):.2f}",
            *(percent(*OURS, "binary", name) for name in BINARY),
        ],
    },
    "Table 8": {
        ("weighted", "ours and as published, sparse"): lambda: [
            percent(*detected("sparse", "prior"), "three_way", "weighted", name) for name in PRF
        ],
    },
    "Table 9": {
        ("NEG", "ours and as published, sparse"): lambda: [
            percent(*detected("sparse", "prompted"), "three_way", "NEG", name) for name in PRF
        ],
    },
    "Table 10": {
        ("macro", "ours, lmsys"): lambda: [
            percent(*PRIOR, "three_way", "macro", name) for name in PRF
        ],
        ("accuracy", "ours, lmsys"): lambda: [percent(*PRIOR, "three_way", "accuracy"), "", ""],
    },
    "Table 11": {
        ("POS", "ours and as published, wildchat"): lambda: [
            percent(*OURS, "three_way", "POS", name) for name in PRF
        ],
    },
    "Table 3": {
        ("Negative: semantic over scratch", "ours"): lambda: win_rates(
            "compare_replies/lmsys", "neg", "semantic_vs_scratch"
        ),
    },
    "Table 13": {
        ("Random: scratch over weak", "ours"): lambda: win_rates(
            "compare_replies/wildchat", "rand", "scratch_vs_weak"
        ),
    },
    "Table 4": {
        ("Untrained base", "ours"): lambda: scores("base"),
        ("LMSYS, kto", "ours"): lambda: scores("lmsys", "kto"),
        ("WildChat, neg_semantic", "ours"): lambda: scores("wildchat", "neg_semantic"),
    },
    "Table 14": {
        ("LMSYS, rand_scratch", "ours"): lambda: [score(*MT_BENCH, "lmsys", "rand_scratch")],
    },
    "Table 16": {
        ("WildChat, neg_scratch", "ours"): lambda: [
            score(*WILDBENCH, "wildchat", "neg_scratch"),
            "not run",
        ],
    },
    "Table 17": {
        ("LMSYS, neg_semantic", "ours"): lambda: [
            p_value("significance", *place, "lmsys", "neg_semantic", "p")
            for place in (MT_BENCH, MT_BENCH, WILDBENCH, WILDBENCH)
        ],
        ("LMSYS, neg_semantic", "ours, questions and seeds"): lambda: [
            p_value("significance", *place, "lmsys", "neg_semantic", "runs", "p")
            for place in (MT_BENCH, MT_BENCH, WILDBENCH, WILDBENCH)
        ],
    },
    "Table 12": {
        ("WildChat, negative", "ours"): lambda: [
            quality("rate_prompts/wildchat", "neg", name, 3) for name in CRITERIA
        ],
    },
    "Table 15": {
        ("wildbench", "ours"): lambda: [
            str(metric("rate_prompt_sets/wildbench", "wildbench", "prompts")),
            quality("rate_prompt_sets/wildbench", "wildbench", "tokens", 2),
            quality("rate_prompt_sets/wildbench", "wildbench", "difficulty", 2),
        ],
    },
    "Figure 3": {
        ("LMSYS", "mean"): lambda: [
            bounded("score_toxicity/lmsys", split, "mean", bounds=("low", "high"), decimals=3)
            for split in SPLITS
        ],
        ("LMSYS", "median (quartiles)"): lambda: [
            bounded("score_toxicity/lmsys", split, "median", bounds=("q1", "q3"), decimals=3)
            for split in SPLITS
        ],
    },
    "Figure 4": {
        ("WildChat", "complexity, 1 to 5"): lambda: [
            quality("rate_prompts/wildchat", split, "difficulty", 2) for split in SPLITS
        ],
    },
    "Figure 6": {
        ("Dense, WildChat, by annotators", "percent, wildchat"): lambda: [
            bounded(
                "count_feedback_gold/wildchat",
                "by_label",
                label,
                "share",
                bounds=("low", "high"),
                decimals=0,
                scale=100,
            )
            for label in ("NEG_1", "NEG_2", "NEG_3", "NEG_4", "POS", "NEU")
        ],
    },
    "Kappa": {
        ("Two annotators", "ours, lmsys: gold and second"): lambda: [
            bounded(
                "evaluate_detector/lmsys",
                "agreement",
                "gold_vs_second",
                name,
                "kappa",
                bounds=("low", "high"),
                decimals=2,
            )
            for name in ("binary", "three_way", "fine")
        ],
    },
    "Refusals": {
        ("LMSYS", "ours, by cluster"): lambda: [
            bounded(
                "find_refusals/lmsys",
                split,
                "refusal_rate",
                bounds=("refusal_low", "refusal_high"),
                decimals=1,
                scale=100,
            )
            for split in SPLITS
        ],
    },
}
BINARY = (
    "false_positive",
    "false_negative",
    "true_positive",
    "true_negative",
    "accuracy",
    "recall",
    "precision",
)
PRF = ("precision", "recall", "f1")
SPLITS = ("neg", "rand", "pos")
MT_BENCH = ("mt_bench", "reference", "tiny")
WILDBENCH = ("wildbench", "reference", "tiny")


def win_rates(path, split, pair):
    rates = [metric(path, split, pair, name) for name in ("with_feedback", "without_feedback")]
    shown = [
        "{:.0f} ({:.0f} to {:.0f})".format(*(100 * rate[n] for n in ("win_rate", "low", "high")))
        for rate in rates
    ]
    ties = [f"{r['ties']}/{r['n']} ({100 * r['ties'] / r['n']:.0f}%)" for r in rates]
    return [*shown, *ties]


def scores(*place):
    """The tiny model stands in for both bases of a benchmark."""
    return [score(*known, *place) for known in (MT_BENCH, MT_BENCH, WILDBENCH, WILDBENCH)]


def quality(path, split, name, decimals):
    figures = metric(path, split)
    ends = figures["intervals"][name]
    texts = (f"{n:.{decimals}f}" for n in (figures[name], ends["low"], ends["high"]))
    return "{} ({} to {})".format(*texts)


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
