"""Rows of the tables on detectors and annotators, and where their figures stand in metrics/."""

from report_lookups import bounded, metric, percent

KINDS = ("binary", "three_way", "fine")
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
PROMPTS = {"prior": "prior work's prompt", "prompted": "the paper's prompt"}
SETTINGS = {"sparse": ["sparse"], "dense": ["lmsys", "wildchat"]}
TABLE_OF = {("sparse", "prior"): "Table 8", ("sparse", "prompted"): "Table 9"} | {
    ("dense", "prior"): "Table 10",
    ("dense", "prompted"): "Table 11",
}


def list_lines(gold_set, detector):
    """Line -> the path to its figures: one line where both ways of counting take all turns."""
    path = f"evaluate_detector/{gold_set}"
    if metric(path, detector, "as_published", "turns") == metric(path, detector, "turns"):
        return {f"ours and as published, {gold_set}": (path, detector)}
    published = (path, detector, "as_published")
    return {f"ours, {gold_set}": (path, detector), f"as published, {gold_set}": published}


def overall(*place):
    """The cells of Table 2."""
    return [
        *(percent(*place, name, "accuracy") for name in KINDS),
        *(percent(*place, "binary", name) for name in ("precision", "recall")),
    ]


def binary(*place):
    return [percent(*place, "binary", name) for name in BINARY]


def dense(*place):
    """The cells of Table 7, which begin with the turns found in a conversation."""
    whole = "as_published" not in place
    found = f"{metric(*place, 'predicted_per_conversation'):.2f}" if whole else "–"
    return [found, *binary(*place)]


def three_way(*place):
    """Rows of Tables 8 to 11."""
    return {
        "accuracy": lambda: [percent(*place, "three_way", "accuracy"), "", ""],
        **{
            name: lambda name=name: [percent(*place, "three_way", name, each) for each in PRF]
            for name in ("NEG", "NEU", "POS", "macro", "weighted")
        },
    }


def kappas(gold_set, pair):
    place = (f"evaluate_detector/{gold_set}", "agreement", pair)
    return [
        "no value"
        if metric(*place, kind, "kappa") is None
        else bounded(*place, kind, "kappa", bounds=("low", "high"), decimals=2)
        for kind in KINDS
    ]


def agreement(gold_set, pair):
    place = (f"evaluate_detector/{gold_set}", "agreement", pair)
    return [*kappas(gold_set, pair), *(str(metric(*place, n)) for n in ("turns", "unlabeled"))]


TITLES = {
    "lmsys": "Dense, LMSYS (gold set lmsys)",
    "wildchat": "Dense, WildChat (gold set wildchat)",
    "sparse": "Sparse, LMSYS (gold set sparse)",
}
DETECTION = {f"Table {number}": {} for number in (2, 6, 7, 8, 9, 10, 11)} | {
    "Kappa": {
        ("Two annotators", f"ours, {name}: gold and second"): lambda name=name: kappas(
            name, "gold_vs_second"
        )
        for name in SETTINGS["dense"]
    }
    | {
        (f"The {detector} detector and gold (not in the paper)", f"ours, {gold_set}"): (
            lambda gold_set=gold_set, detector=detector: kappas(gold_set, f"gold_vs_{detector}")
        )
        for detector in ("local", *PROMPTS)
        for gold_set in TITLES
    },
    "Agreement": {
        (title, pair.replace("_vs_", " and ")): lambda name=name, pair=pair: agreement(name, pair)
        for name, title in TITLES.items()
        for pair in metric(f"evaluate_detector/{name}", "agreement")
    },
}
for setting, gold_sets in SETTINGS.items():
    for gold_set in gold_sets:
        local = (f"evaluate_detector/{gold_set}", "local")
        row = f"{setting.capitalize()}, local detector (not in the paper)"
        DETECTION["Table 2"][row, f"ours, {gold_set}"] = lambda p=local: overall(*p)
        for detector, prompt in PROMPTS.items():
            for line, place in list_lines(gold_set, detector).items():
                row = f"{setting.capitalize()}, {prompt}"
                DETECTION["Table 2"][row, line] = lambda p=place: overall(*p)
                if setting == "sparse":
                    DETECTION["Table 6"][prompt, line] = lambda p=place: binary(*p)
                else:
                    DETECTION["Table 7"][prompt, line] = lambda p=place: dense(*p)
                for name, cells in three_way(*place).items():
                    DETECTION[TABLE_OF[setting, detector]][name, line] = cells
