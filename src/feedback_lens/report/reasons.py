"""Why our figures differ from the paper's, in a few words."""

from feedback_lens.report.inputs import Inputs, Run


def explain(*parts: str) -> str:
    """One sentence of the parts that are not empty."""
    text = "; ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}."


def about_data(run: Run) -> str:
    """The conversations are others than the paper's."""
    if run.profile == "sample":
        return "sample data: a few hand-written conversations"
    return "other conversations than the paper's draw"


def about_labels(inputs: Inputs) -> str:
    """Another model labels."""
    paper = inputs.published["analysis"]["detector"]
    return "" if inputs.labeler == paper else f"other detector: {inputs.labeler}, not {paper}"


def about_replies(inputs: Inputs) -> str:
    """Another model regenerates."""
    paper = inputs.published["training"]["regenerator"]
    writers = ", ".join(sorted(set(inputs.writers.values())))
    return "" if writers == paper else f"replies by {writers or 'no model'}"


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


def about_models(run: Run) -> str:
    """Another base, and another judge."""
    judge = ", ".join(run.judges)
    return f"models trained here: {', '.join(run.bases)}; other judge: {judge}, not GPT-4"
