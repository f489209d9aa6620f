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
    """Another model regenerates, and another reward model scores."""
    paper = inputs.published["training"]
    writers = ", ".join(sorted(set(inputs.writers.values())))
    regenerator = "" if writers == paper["regenerator"] else f"replies by {writers or 'no model'}"
    if inputs.run.profile != "sample":
        return regenerator
    return f"{regenerator}; a tiny reward model, not {paper['reward_model']}"


def about_models(run: Run) -> str:
    """Another base, and another judge."""
    judge = ", ".join(run.judges)
    return f"models trained here: {', '.join(run.bases)}; other judge: {judge}, not GPT-4"
