"""Why our figures differ from the paper's, in a few words."""

from collections.abc import Iterable
from typing import Any

from feedback_lens.axes import Axes
from feedback_lens.feedback.labels import NEUTRAL
from feedback_lens.report.inputs import ASKED, Inputs
from feedback_lens.report.names import join, list_gold_sets

SAMPLE_SETS = ("lmsys", "wildchat", "sparse")  # corpora and gold sets of the sample profile
WRITTEN = "sample data: a few hand-written conversations"
OTHERS = "other conversations than the paper's draw"
ERRORS = (
    "rows as a detector finds it carry that detector's errors, which the intervals do not show: "
    "see All detectors"
)


def explain(*parts: str) -> str:
    """One sentence of the parts that are not empty."""
    text = "; ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}."


def about_data(axes: Axes, names: Iterable[str]) -> str:
    """The conversations of these corpora or gold sets are others than the paper's."""
    known = SAMPLE_SETS if axes.profile == "sample" else ()
    written = [name for name in names if name in known]
    others = [name for name in names if name not in known]
    if not written:
        return OTHERS
    return f"{WRITTEN} ({join(written)}); {OTHERS} ({join(others)})" if others else WRITTEN


def about_sparse(inputs: Inputs) -> str:
    """The sparse sets that have no turn without feedback; empty where there is none."""
    counts = inputs.metrics["count_feedback_gold"]
    names = list_gold_sets(inputs.axes, "sparse")
    full = [name for name in names if not counts[name]["by_label"][NEUTRAL]["count"]]
    return f"every labeled turn of a sparse set ({join(full)}) holds feedback" if full else ""


def about_errors(inputs: Inputs) -> str:
    """What the rows of the corpora carry, and which corpora nobody checked."""
    if not inputs.axes.corpora:
        return ""
    unchecked = [
        f"the {detector} detector was never checked on the log {corpus}"
        for corpus, detector in inputs.axes.corpora.items()
        if not _is_checked(inputs.axes, corpus)
    ]
    return "; ".join((ERRORS, *unchecked))


def _is_checked(axes: Axes, corpus: str) -> bool:
    names = {name.removeprefix("dense_") for name in axes.gold_sets}
    return corpus in names and axes.corpora[corpus] in axes.detectors


def about_labels(inputs: Inputs) -> str:
    """Another model finds the feedback of the corpora."""
    return _about_detector(inputs, join(list(inputs.labelers.values())))


def about_detectors(inputs: Inputs) -> str:
    """Another model answers the detection prompts on the gold sets."""
    asked = [inputs.judged[name] for name in ASKED if name in inputs.judged]
    return _about_detector(inputs, join(asked)) if asked and inputs.axes.gold_sets else ""


def _about_detector(inputs: Inputs, model: str) -> str:
    paper = inputs.published["analysis"]["detector"]
    return "" if model == paper else f"other detector: {model}, not {paper}"


def about_replies(inputs: Inputs) -> str:
    """Another model regenerates."""
    paper = inputs.published["training"]["regenerator"]
    writers = join(list(inputs.writers.values()))
    return "" if writers == paper else f"replies by {writers}"


def about_reward(inputs: Inputs) -> str:
    """Which reward model scores; one that is trained here was made to prefer what it prefers."""
    paper = inputs.published["training"]["reward_model"]
    if not inputs.metrics["train_reward"]:
        return f"scored by {inputs.reward_model}; the paper's reward model is {paper}"
    return (
        f"a tiny reward model, not {paper}, that was trained here to prefer the regenerated reply "
        "of the negative split: each conversation is scored by a model that did not see it, but "
        "these win rates are no evidence that regenerated replies are better"
    )


def about_rater(inputs: Inputs) -> str:
    """What rates the prompts."""
    return f"rater: {join([found['rater'] for found in _list_ratings(inputs)])}, not gpt-4o-mini"


def about_tokens(inputs: Inputs) -> str:
    """How tokens are counted."""
    countings = [f"{m['tokenizer']} (counting: {m['counting']})" for m in _list_ratings(inputs)]
    return f"tokens by {join(countings)}; the paper names no tokenizer"


def _list_ratings(inputs: Inputs) -> list[Any]:
    return [
        metrics
        for stage in ("rate_prompts", "rate_prompt_sets")
        for metrics in inputs.metrics[stage].values()
    ]


def about_scorer(inputs: Inputs) -> str:
    """What scores the toxicity."""
    metrics = inputs.metrics["score_toxicity"].values()
    scorers = join([f"{found['scorer']} ({found['model'] or 'no model'})" for found in metrics])
    return f"scorer: {scorers}; the paper asks Perspective"


def about_models(inputs: Inputs) -> str:
    """The bases that are trained, and another judge."""
    bases = f"models trained here: {', '.join(inputs.axes.bases) or 'none'}"
    paper = inputs.published["training"]["judge"]
    if {model.lower() for model in inputs.judges.values()} == {paper.lower()}:
        return bases
    judges = ", ".join(f"{name} ({model})" for name, model in inputs.judges.items())
    return f"{bases}; judged by {judges or 'none'}, not {paper}"
