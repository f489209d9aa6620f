"""Where each figure of data/paper_reported.yaml stands on the page: table, row, column."""

from feedback_lens.report.names import PAPER_CORPORA, PAPER_GOLD_SETS

# what is no figure of a table: settings, headings, and counts that we worked out from the figures
SETTINGS = ("label_priority", "training", "analysis", "columns", "counts_that_give_these")
PROMPTS = {"prior": "prior work's prompt", "ours": "the paper's prompt"}
TURNS = {"n2": "turn 2", "n3": "turn 3", "n4": "turn 4", "n5plus": "turn 5+"}
BENCHMARKS = {"mtbench": "mt_bench", "wildbench": "wildbench"}
SPLITS = {"rand": "random", "neg": "negative", "pos": "positive"}
WIN_RATES = {
    "better_scratch_vs_weak": "scratch over weak",
    "better_semantic_vs_weak": "semantic over weak",
    "better_semantic_vs_weak_next": "semantic over next weak",
    "better_semantic_vs_better_scratch": "semantic over scratch",
    "weak_next_vs_weak": "next weak over weak",
}
CRITERIA = (
    "specificity",
    "domain knowledge",
    "complexity",
    "problem solving",
    "creativity",
    "technical accuracy",
    "real world",
    "mean",
)
BASES = ("vicuna7b", "mistral7b")
MODELS = [f"{benchmark}, {base}" for benchmark in BENCHMARKS.values() for base in BASES]


def list_places(published):
    """(table, row, column) and the figure there, a mean with its spread or a count as a list.

    A column is what it begins with. What has no place raises a KeyError.
    """
    for section, content in published.items():
        if section not in SETTINGS:
            yield from READERS[section](content)


def _read_rows(table, rows, columns, content):
    """A row's figures by name."""
    for row, cells in content.items():
        for name, figure in cells.items():
            if name not in SETTINGS:
                yield (table, rows[row], columns(name)), figure


def _spell(name):
    return name.replace("_", " ")


def _read_kappas(content):
    columns = {"binary": "binary", "three_way": "three-way", "fine": "fine"}
    for name, figure in content.items():
        if name != "n_conversations":  # said above the table
            yield ("Kappa", "Two annotators", columns[name]), figure


def _read_accuracies(content):
    columns = {"three_way": "three-way"}
    for setting, prompts in content.items():
        rows = {name: f"{setting.capitalize()}, {title}" for name, title in PROMPTS.items()}
        yield from _read_rows("Table 2", rows, lambda name: columns.get(name, name), prompts)


def _read_classes(content):
    for section, parts in content.items():
        table = f"Table {section.removeprefix('table').split('_')[0]}"
        for row, figures in parts.items():
            single = [figures] if isinstance(figures, float) else figures
            for column, figure in zip(("precision", "recall", "F1"), single, strict=False):
                yield (table, row, column), figure


def _read_refusals(content):
    for corpus, words in content.items():
        for split in SPLITS.values():
            yield ("Refusals", PAPER_CORPORA[corpus], split), words


def _read_quality(content):
    rows = {"LIMA": content["lima"]} | {
        f"{title}, {SPLITS[split]}": figures
        for corpus, title in PAPER_CORPORA.items()
        for split, figures in content[corpus].items()
    }
    yield from _read_lists("Table 12", rows, CRITERIA)


def _read_lists(table, rows, columns):
    for row, figures in rows.items():
        for column, figure in zip(columns, figures, strict=True):
            yield (table, row, column), figure


def _read_win_rates(table):
    def read(content):
        splits = {"rand": "Random", "neg": "Negative"}
        rows = {
            f"{splits[split]}: {WIN_RATES[pair]}": rates
            for split, pairs in content.items()
            for pair, rates in pairs.items()
        }
        for (place, row, column), rate in _read_lists(
            table, rows, ("with feedback", "without feedback")
        ):
            # the paper prints a dash: random replies have no feedback to show
            if (row.startswith("Random"), column, rate) != (True, "with feedback", None):
                yield (place, row, column), rate

    return read


def _read_recipes(table, columns):
    def read(content):
        rows = {
            f"{title}, {recipe}": figures
            for corpus, title in PAPER_CORPORA.items()
            for recipe, figures in content[corpus].items()
        }
        if "base" in content:
            rows = {"Untrained base": content["base"]} | rows
        if len(columns) == 1:
            rows = {row: [figure] for row, figure in rows.items()}
        yield from _read_lists(table, rows, columns)

    return read


def _read_judges(content):
    columns = {"mt_judge": "MT judge", "wild_judge": "Wild judge"}
    rows = {recipe: f"WildChat, {recipe}" for recipe in content}
    return _read_rows("Table 16", rows, columns.__getitem__, content)


def _read_benchmarks(content):
    columns = {"prompts": "questions", "mean_tokens": "tokens", "complexity": "complexity"}
    return _read_rows("Table 15", BENCHMARKS, columns.__getitem__, content)


READERS = {
    "agreement_cohen_kappa": _read_kappas,
    "table1_annotation_stats": lambda content: _read_rows(
        "Table 1", PAPER_GOLD_SETS, lambda name: TURNS.get(name, name), content
    ),
    "table2_detection_accuracy": _read_accuracies,
    "table6_binary_sparse": lambda content: _read_rows(
        "Table 6", PROMPTS, _spell, {name: content[name] for name in PROMPTS}
    ),
    "table7_binary_dense": lambda content: _read_rows(
        "Table 7", PROMPTS, _spell, {name: content[name] for name in PROMPTS}
    ),
    "three_way": _read_classes,
    "refusal_rate_percent": _read_refusals,
    "table12_prompt_quality": _read_quality,
    "table3_winrate_lmsys": _read_win_rates("Table 3"),
    "table13_winrate_wildchat": _read_win_rates("Table 13"),
    "table4_training": _read_recipes("Table 4", MODELS),
    "table14_mtbench_qwen1_5_4b": _read_recipes("Table 14", ["mt_bench, qwen1_5_4b"]),
    "table15_benchmarks": _read_benchmarks,
    "table16_wildbench_two_judges_vicuna_wildchat": _read_judges,
    "table17_paired_t_test_p": _read_recipes("Table 17", MODELS),
}


def list_scalars(content):
    """All numbers, words and nulls of the file that are figures, in whatever lists they stand."""
    if isinstance(content, dict):
        parts = [own for name, own in content.items() if name not in SETTINGS]
    elif isinstance(content, list):
        parts = content
    else:
        return [content]
    return [scalar for part in parts for scalar in list_scalars(part)]
