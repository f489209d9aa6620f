"""Why our figures differ from the paper's, in a few words."""

from typing import Any

from feedback_lens.axes import Axes
from feedback_lens.report.inputs import ASKED, Inputs
from feedback_lens.report.names import join


def explain(*parts: str) -> str:
    """One sentence of the parts that are not empty."""
    text = "; ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}."


def about_data(axes: Axes) -> str:
    """The conversations are others than the paper's."""
    if axes.profile == "sample":
        return "sample data: a few hand-written conversations"
    return "other conversations than the paper's draw"


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
    """Another reward model scores; one that is trained here has seen most of what it scores."""
    cards = inputs.metrics["train_reward"].values()
    if not cards:
        return ""
    paper = inputs.published["training"]["reward_model"]
    seen = sum(card["pairs"]["train"] for card in cards)
    pairs = seen + sum(card["pairs"]["held_out"] for card in cards)
    return (
        f"a tiny reward model, not {paper}, that was itself trained on most of these pairs "
        f"({seen} of {pairs} of the negative split), to prefer the regenerated reply: "
        "these win rates are not evidence"
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


def about_models(axes: Axes) -> str:
    """Another base, and another judge."""
    judge = ", ".join(axes.judges)
    return f"models trained here: {', '.join(axes.bases)}; other judge: {judge}, not GPT-4"
