"""Figures in metrics/, as the page prints them; found without the code of the tables."""

from pathlib import Path

from feedback_lens.tables import read_json

ROOT = Path(__file__).parents[1]
MINUS = "\N{MINUS SIGN}"
MT_BENCH = ("mt_bench", "reference", "tiny")
WILDBENCH = ("wildbench", "reference", "tiny")


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
    """In percent; a dash of a class without turns, and no interval where there is none."""
    *place, name = keys
    beside = metric(path, *place)
    if beside.get("support") == 0:
        return "–"
    if beside[f"{name}_low"] is None:
        return f"{100 * beside[name]:.1f}"
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
    if not trials:
        return "0/0"
    share, low, high = (f"{100 * found[name]:.0f}" for name in ("share", "low", "high"))
    return f"{found['feedback']}/{trials} ({share}%, {low} to {high})"


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
