"""Rows of the tables on trained models, and where their figures stand in metrics/."""

from report_lookups import MT_BENCH, WILDBENCH, p_value, score, scores

BESIDE = " (not in the paper)"
CORPORA = {"lmsys": "LMSYS", "wildchat": "WildChat"}
PUBLISHED = ("kto", "rand_scratch", "neg_scratch", "neg_semantic")
RECIPES = (*PUBLISHED, "kto_neg_semantic")
TESTS = {"ours": ["p"], "ours, Holm": ["p_holm"], "ours, questions and seeds": ["runs", "p"]}


def tested(corpus, recipe, keys):
    """A row of Table 17; the tiny model stands in for both bases of a benchmark."""
    benches = (MT_BENCH, MT_BENCH, WILDBENCH, WILDBENCH)
    return [p_value("significance", *place, corpus, recipe, *keys) for place in benches]


def name_row(corpus, recipe, published):
    return f"{CORPORA[corpus]}, {recipe}{'' if recipe in published else BESIDE}"


CELLS = [(corpus, recipe) for corpus in CORPORA for recipe in RECIPES]
TRAINING = {
    "Table 4": {("Untrained base", "ours"): lambda: scores("base")}
    | {(name_row(*cell, PUBLISHED), "ours"): lambda cell=cell: scores(*cell) for cell in CELLS},
    "Table 14": {("Untrained base", "ours"): lambda: [score(*MT_BENCH, "base")]}
    | {
        (name_row(*cell, RECIPES), "ours"): lambda cell=cell: [score(*MT_BENCH, *cell)]
        for cell in CELLS
        if "kto" not in cell[1]
    },
    "Table 16": {
        (name_row(*cell, RECIPES), "ours"): lambda cell=cell: [score(*WILDBENCH, *cell), "not run"]
        for cell in CELLS
        if cell[0] == "wildchat" and "kto" not in cell[1]
    },
    "Table 17": {
        (name_row(*cell, ("neg_scratch", "neg_semantic")), line): (
            lambda cell=cell, keys=keys: tested(*cell, keys)
        )
        for cell in CELLS
        if cell[1] != "rand_scratch"
        for line, keys in TESTS.items()
    },
}
