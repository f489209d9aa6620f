"""Rows of the page's tables, and the paths in metrics/ at which their figures stand.

Keys: table; row and line, the latter without the number of turns or prompts behind it.
"""

from report_lookups import (
    MT_BENCH,
    WILDBENCH,
    bounded,
    counted,
    detected,
    metric,
    p_value,
    percent,
    quality,
    score,
    scores,
    win_rates,
)

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
