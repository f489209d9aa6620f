"""Corpora and gold sets beside the paper's, and how the page names them."""

from collections.abc import Sequence

from feedback_lens.axes import Axes

PAPER_CORPORA = {"lmsys": "LMSYS", "wildchat": "WildChat"}
PAPER_GOLD_SETS = {
    "sparse_lmsys": "Sparse, LMSYS",
    "dense_lmsys": "Dense, LMSYS",
    "dense_wildchat": "Dense, WildChat",
}
BASES = {"vicuna7b": "vicuna_7b", "mistral7b": "mistral_7b", "qwen1_5_4b": "qwen1_5_4b"}
REWARD_MODEL = "fsfairx_llama3"  # the paper's, by its name in profiles/paper.yaml, as are BASES
BENCHMARKS = {"mtbench": "mt_bench", "wildbench": "wildbench"}  # paper_reported.yaml -> ours
SPLITS = {"neg": "negative", "rand": "random", "pos": "positive"}
BESIDE = "(not in the paper)"
TEXT_LEFT_OUT = "text left out"


def list_corpora(axes: Axes) -> list[str]:
    """The paper's corpora, run or not, then the others that are analyzed."""
    return list(dict.fromkeys((*PAPER_CORPORA, *axes.corpora)))


def list_trained(axes: Axes) -> list[str]:
    """The paper's corpora, run or not, then the others that are trained on."""
    return list(dict.fromkeys((*PAPER_CORPORA, *axes.trained)))


def list_gold_sets(axes: Axes, setting: str) -> list[str]:
    """The gold sets of a setting, `dense` or `sparse`."""
    return [name for name, own in axes.gold_sets.items() if own == setting]


def name_corpus(corpus: str) -> str:
    """A corpus as the paper spells it, or that it is none of the paper's."""
    return PAPER_CORPORA.get(corpus, f"{corpus} {BESIDE}")


def match_gold_set(setting: str, name: str) -> str | None:
    """The paper's gold set that one of ours stands beside; null where there is none.

    The paper has one sparse set, and a dense one of each of its corpora.
    """
    kind = "lmsys" if setting == "sparse" else name.removeprefix("dense_")
    matched = f"{setting}_{kind}"
    return matched if matched in PAPER_GOLD_SETS else None


def name_gold_set(axes: Axes, name: str) -> str:
    """A gold set as the paper's beside it and our name, or that the paper has none such."""
    matched = match_gold_set(axes.gold_sets[name], name)
    if matched is None:
        return f"{axes.gold_sets[name].capitalize()}, {name} {BESIDE}"
    return f"{PAPER_GOLD_SETS[matched]} (gold set {name})"


def absent(corpus: str) -> str:
    """What stands in the place of a corpus that is not analyzed."""
    return f"not run: {corpus} is not in corpora"


def untrained(corpus: str) -> str:
    """What stands in the place of a corpus that is not trained on."""
    return f"not run: {corpus} is not in run.models.corpora"


def join(names: Sequence[str]) -> str:
    """The different names, in order."""
    return ", ".join(sorted(set(names))) or "none"
