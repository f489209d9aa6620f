"""Rows of the page's tables, and the paths in metrics/ at which their figures stand.

Keys: table; row and line, the latter without the number of turns or prompts behind it.
"""

from report_expected_detection import DETECTION
from report_expected_training import TRAINING
from report_lookups import bounded, counted, metric, quality, win_rates

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
CORPORA = {"lmsys": "LMSYS", "wildchat": "WildChat"}
SPLITS = ("neg", "rand", "pos")
NAMES = {"neg": "negative", "rand": "random", "pos": "positive"}
PAIRS = {
    ("rand", "scratch_vs_weak"): "Random: scratch over weak",
    ("neg", "scratch_vs_weak"): "Negative: scratch over weak",
    ("neg", "semantic_vs_weak"): "Negative: semantic over weak",
    ("neg", "semantic_vs_scratch"): "Negative: semantic over scratch",
    ("neg", "weak_next_vs_weak"): "Negative: next weak over weak",
}


def feedback(path):
    """A row of Table 1."""
    sizes = [str(metric(path, name)) for name in ("conversations", "turns")]
    return [*sizes, *(counted(path, turn) for turn in ("2", "3", "4", "5+"))]


def compared(corpus):
    """The rows of Table 3 or 13."""
    return {
        (name, "ours"): lambda place=place: win_rates(f"compare_replies/{corpus}", *place)
        for place, name in PAIRS.items()
    }


TABLES = {
    **DETECTION,
    **TRAINING,
    "Table 1": {
        ("Sparse, LMSYS", "ours, by annotators (sparse)"): lambda: feedback(
            "count_feedback_gold/sparse"
        ),
    }
    | {
        (f"Dense, {name}", f"ours, by annotators ({corpus})"): lambda corpus=corpus: feedback(
            f"count_feedback_gold/{corpus}"
        )
        for corpus, name in CORPORA.items()
    }
    | {
        (f"Corpus {corpus}, as the prompted detector finds it", "ours"): lambda corpus=corpus: (
            feedback(f"count_feedback/{corpus}")
        )
        for corpus in CORPORA
    },
    "Table 3": compared("lmsys"),
    "Table 13": compared("wildchat"),
    "Table 12": {
        (f"{name}, {NAMES[split]}", "ours"): lambda corpus=corpus, split=split: [
            quality(f"rate_prompts/{corpus}", split, each, 3) for each in CRITERIA
        ]
        for corpus, name in CORPORA.items()
        for split in SPLITS
    },
    "Table 15": {
        (name, "ours"): lambda name=name: [
            str(metric(f"rate_prompt_sets/{name}", name, "prompts")),
            quality(f"rate_prompt_sets/{name}", name, "tokens", 2),
            quality(f"rate_prompt_sets/{name}", name, "difficulty", 2),
        ]
        for name in ("mt_bench", "wildbench")
    },
    "Figure 3": {
        (name, line): lambda corpus=corpus, of=of: [
            bounded(f"score_toxicity/{corpus}", split, of[0], bounds=of[1:], decimals=3)
            for split in SPLITS
        ]
        for corpus, name in CORPORA.items()
        for line, of in {
            "mean": ("mean", "low", "high"),
            "median (quartiles)": ("median", "q1", "q3"),
        }.items()
    },
    "Figure 4": {
        (name, line): lambda corpus=corpus, of=of: [
            quality(f"rate_prompts/{corpus}", split, *of) for split in SPLITS
        ]
        for corpus, name in CORPORA.items()
        for line, of in {
            "mean share of criteria": ("mean", 3),
            "complexity, 1 to 5": ("difficulty", 2),
            "tokens": ("tokens", 1),
        }.items()
    },
    "Figure 6": {
        (row, line): lambda path=path: [
            bounded(path, "by_label", label, "share", bounds=("low", "high"), decimals=0, scale=100)
            for label in ("NEG_1", "NEG_2", "NEG_3", "NEG_4", "POS", "NEU")
        ]
        for corpus, name in CORPORA.items()
        for row, line, path in (
            (
                f"Dense, {name}, by annotators",
                f"percent, {corpus}",
                f"count_feedback_gold/{corpus}",
            ),
            (
                f"Corpus {corpus}, as the prompted detector finds it",
                "percent",
                f"count_feedback/{corpus}",
            ),
        )
    },
    "Refusals": {
        (name, line): lambda corpus=corpus, of=of: [
            bounded(
                f"find_refusals/{corpus}",
                split,
                f"{of}_rate",
                bounds=(f"{of}_low", f"{of}_high"),
                decimals=1,
                scale=100,
            )
            for split in SPLITS
        ]
        for corpus, name in CORPORA.items()
        for line, of in {
            "ours, by cluster": "refusal",
            "ours, by phrase": "lexical_refusal",
        }.items()
    },
}
