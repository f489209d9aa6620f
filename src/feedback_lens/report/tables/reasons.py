"""Why our figures differ from the paper's, in a few words and as causes."""

from collections.abc import Iterable, Sequence

from feedback_lens.axes import Axes
from feedback_lens.feedback.labels import NEUTRAL
from feedback_lens.report.inputs import ASKED, Inputs
from feedback_lens.report.names import (
    BASES,
    PAPER_GOLD_SETS,
    REWARD_MODEL,
    join,
    list_gold_sets,
    match_gold_set,
)
from feedback_lens.report.tables import causes
from feedback_lens.report.tables.rows import Reason

SAMPLE_SETS = ("lmsys", "wildchat", "sparse")  # corpora and gold sets of the sample profile
WRITTEN = "sample data: a few hand-written conversations"
OTHERS = "other conversations than the paper's draw"
ERRORS = (
    "rows as a detector finds it carry that detector's errors, which the intervals do not show: "
    "see All detectors"
)
RATER = "gpt-4o-mini"  # appendix G
SCORER = "perspective"  # section 4
NOTHING = Reason()


def explain(*parts: Reason | str) -> Reason:
    """The parts that say something as one sentence, with all their causes; a string has none."""
    reasons = [Reason(part) if isinstance(part, str) else part for part in parts]
    text = "; ".join(reason.text for reason in reasons if reason.text)
    found = tuple(dict.fromkeys(cause for reason in reasons for cause in reason.causes))
    return Reason(f"{text[:1].upper()}{text[1:]}." if text else "", found)


def about_data(axes: Axes, names: Iterable[str]) -> Reason:
    """The conversations of these corpora or gold sets are others than the paper's."""
    listed = list(names)
    known = SAMPLE_SETS if axes.profile == "sample" else ()
    written = [name for name in listed if name in known]
    others = [name for name in listed if name not in known]
    if written and others:
        text = f"{WRITTEN} ({join(written)}); {OTHERS} ({join(others)})"
        return Reason(text, (causes.SAMPLE_DATA, causes.OTHER_CONVERSATIONS))
    if written:
        return Reason(WRITTEN, (causes.SAMPLE_DATA,))
    return Reason(OTHERS, (causes.OTHER_CONVERSATIONS,)) if others else NOTHING


def about_gold(inputs: Inputs) -> Reason:
    """The gold sets that are not the paper's own."""
    others = [name for name in inputs.axes.gold_sets if not _is_published(inputs, name)]
    return about_data(inputs.axes, others)


def about_annotators(inputs: Inputs) -> Reason:
    """Others labeled the gold sets that are not the paper's own."""
    own = all(_is_published(inputs, name) for name in inputs.axes.gold_sets)
    return NOTHING if own else Reason("other annotators", (causes.OTHER_ANNOTATORS,))


def _is_published(inputs: Inputs, name: str) -> bool:
    """Whether a gold set has as many conversations and turns as the paper's beside it."""
    paper = match_gold_set(inputs.axes.gold_sets[name], name)
    counts = inputs.metrics["count_feedback_gold"][name]
    table = inputs.published["table1_annotation_stats"]
    sizes = ("conversations", "turns")
    return paper in PAPER_GOLD_SETS and all(counts[size] == table[paper][size] for size in sizes)


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


def about_labels(inputs: Inputs) -> Reason:
    """Another model finds the feedback of the corpora."""
    return _about_detector(inputs, list(inputs.labelers.values()))


def about_detectors(inputs: Inputs) -> Reason:
    """Another model answers the detection prompts on the gold sets."""
    asked = [inputs.judged[name] for name in ASKED if name in inputs.judged]
    return _about_detector(inputs, asked if inputs.axes.gold_sets else [])


def _about_detector(inputs: Inputs, models: Sequence[str]) -> Reason:
    paper = inputs.published["analysis"]["detector"]
    if set(models) <= {paper}:
        return NOTHING
    return Reason(f"other detector: {join(models)}, not {paper}", (causes.OTHER_DETECTOR,))


def about_replies(inputs: Inputs) -> Reason:
    """Another model regenerates."""
    writers = list(inputs.writers.values())
    if set(writers) <= {inputs.published["training"]["regenerator"]}:
        return NOTHING
    return Reason(f"replies by {join(writers)}", (causes.OTHER_REGENERATOR,))


def about_reward(inputs: Inputs) -> Reason:
    """Which reward model scores; one that is trained here was made to prefer what it prefers."""
    paper = inputs.published["training"]["reward_model"]
    if not inputs.axes.trained or inputs.reward_model == REWARD_MODEL:
        return NOTHING
    if not inputs.metrics["train_reward"]:
        text = f"scored by {inputs.reward_model}; the paper's reward model is {paper}"
        return Reason(text, (causes.OTHER_REWARD_MODEL,))
    text = (
        f"a tiny reward model, not {paper}, that was trained here to prefer the regenerated reply "
        "of the negative split: each conversation is scored by a model that did not see it, but "
        "these win rates are no evidence that regenerated replies are better"
    )
    return Reason(text, (causes.OTHER_REWARD_MODEL,))


def about_rater(inputs: Inputs, *stages: str) -> Reason:
    """What rates the prompts in these stages, `rate_prompts` or `rate_prompt_sets`."""
    calls, cells = inputs.metrics["summarize_calls"], [inputs.metrics[stage] for stage in stages]
    methods = [metrics["rater"] for found in cells for metrics in found.values()]
    asked = [model for stage in stages for model in calls.get(stage, ())]
    raters = [name for name in methods if name != "llm"] + (asked if "llm" in methods else [])
    if set(raters) <= {RATER}:
        return NOTHING
    return Reason(f"rater: {join(raters)}, not {RATER}", (causes.OTHER_RATER,))


def about_tokens(inputs: Inputs, stage: str) -> str:
    """How tokens are counted in a stage that rates prompts."""
    metrics = inputs.metrics[stage].values()
    countings = [f"{found['tokenizer']} (counting: {found['counting']})" for found in metrics]
    return f"tokens by {join(countings)}; the paper names no tokenizer" if countings else ""


def about_scorer(inputs: Inputs) -> Reason:
    """What scores the toxicity."""
    metrics = inputs.metrics["score_toxicity"].values()
    if {found["scorer"] for found in metrics} <= {SCORER}:
        return NOTHING
    scorers = join([f"{found['scorer']} ({found['model'] or 'no model'})" for found in metrics])
    return Reason(f"scorer: {scorers}; the paper asks Perspective", (causes.OTHER_SCORER,))


def about_models(inputs: Inputs) -> Reason:
    """The bases that are trained, and another judge."""
    axes = inputs.axes
    others = () if {*axes.bases} & {*BASES.values()} or not axes.bases else (causes.OTHER_MODELS,)
    bases = f"models trained here: {', '.join(axes.bases) or 'none'}"
    paper = inputs.published["training"]["judge"]
    if {model.lower() for model in inputs.judges.values()} <= {paper.lower()}:
        return Reason(bases, others)
    judges = ", ".join(f"{name} ({model})" for name, model in inputs.judges.items())
    return Reason(f"{bases}; judged by {judges}, not {paper}", (*others, causes.OTHER_JUDGE))
