"""What the numbers on the page come from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from feedback_lens.report.inputs import Inputs

SAMPLE = (
    "Sample profile: hand-written logs and stand-in models. "
    "The scores below say nothing about the paper."
)

# a commit cannot be named in a file that is a part of it
COMMAND = "feedback-lens lineage report/index.html"


@dataclass(frozen=True)
class Group:
    """A part of the lineage: names, and what stands behind each; `is_md5` of hashes of files."""

    title: str
    rows: Mapping[str, str]
    is_md5: bool = False


def open_page(inputs: Inputs) -> str:
    """The page's first line."""
    if inputs.axes.profile == "sample":
        return SAMPLE
    return f"Profile {inputs.axes.profile}: what was run, beside what the paper reports."


def list_lineage(inputs: Inputs) -> list[Group]:
    """What stands behind the run: data, detectors, models, training, judges."""
    axes = inputs.axes
    training = {
        "Base models": _join(axes.bases),
        "Trained on": _join(axes.trained),
        "Recipes": _join(axes.recipes),
        "Seeds": _join(str(seed) for seed in axes.seeds),
        "Benchmarks": _join(axes.benchmarks),
        "Reward model": inputs.reward_model if axes.trained else "none",
        **{f"Replies {name}": f"written by {by}" for name, by in inputs.writers.items()},
    }
    return [
        Group("Data", dict(_describe_data(inputs))),
        Group("Files", {f"data/{path}": md5 for path, md5 in inputs.hashes.items()}, is_md5=True),
        Group("Detectors and scorers", dict(_name_measures(inputs))),
        Group("Models asked", dict(_name_asked(inputs.metrics["summarize_calls"]))),
        Group("Training", training),
        Group("Judges", dict(_name_judges(inputs))),
    ]


def _describe_data(inputs: Inputs) -> Iterator[tuple[str, str]]:
    for corpus in inputs.axes.corpora:
        yield f"Corpus {corpus}", _describe_corpus(inputs, corpus)
    for name in inputs.axes.gold_sets:
        yield f"Gold set {name}", _describe_gold(inputs, name)
    yield "Prompt sets", _join(inputs.axes.prompt_sets)


def _name_judges(inputs: Inputs) -> Iterator[tuple[str, str]]:
    for name in inputs.axes.judges:
        yield name, _describe_judge(inputs, name)
    for name in inputs.axes.pair_judges:
        yield f"{name}, of pairs", _describe_pairs(inputs, name)


def _name_asked(calls: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The models that were asked: by which stages, and how their servers named them."""
    stages = [(stage, models) for stage, models in calls.items() if stage != "total"]
    for model in dict.fromkeys(name for _, models in stages for name in models):
        asked = [(stage, models[model]) for stage, models in stages if model in models]
        by = _join(f"{stage} ({found['calls']} calls)" for stage, found in asked)
        snapshots = (name for _, found in asked for name in found.get("snapshots", ()))
        served = _join(dict.fromkeys(snapshots))
        yield model, by if served == "none" else f"{by}; the server named it {served}"


def _describe_corpus(inputs: Inputs, corpus: str) -> str:
    counts, splits = inputs.metrics["ingest"][corpus], inputs.metrics["split"][corpus]
    drawn = _join(f"{name} {split['rows']}" for name, split in splits.items())
    return (
        f"{counts['rows']} rows read, {counts['kept']} conversations kept "
        f"({counts['kept_user_turns']} user turns); detector: "
        f"{inputs.axes.corpora[corpus]} (by {inputs.labelers[corpus]}); drawn: {drawn}"
    )


def _describe_gold(inputs: Inputs, name: str) -> str:
    counts = inputs.metrics["read_gold"][name]
    annotators = _join(f"{who} {own['turns']}" for who, own in counts["annotators"].items())
    return (
        f"{inputs.axes.gold_sets[name]}; {counts['conversations']} conversations, "
        f"{counts['turns']} turns labeled by annotators; turns of each annotator: {annotators}"
    )


def _describe_judge(inputs: Inputs, name: str) -> str:
    judge = inputs.axes.judges[name]
    chosen = [
        f"{axis} {_join(names)} alone"
        for axis, names in (
            ("bases", judge.bases),
            ("corpora", judge.corpora),
            ("recipes", judge.recipes),
        )
        if names
    ]
    return f"{inputs.judges[name]}; " + "; ".join([_join(judge.benchmarks), *chosen])


def _describe_pairs(inputs: Inputs, name: str) -> str:
    judge = inputs.axes.pair_judges[name]
    return f"{inputs.pair_judges[name]}; {_join(judge.benchmarks)}; against {judge.against}"


def _name_measures(inputs: Inputs) -> Iterator[tuple[str, str]]:
    for name, by in inputs.judged.items():
        yield f"Detector {name}", f"on the gold sets: {by}"
    scorers = {
        corpus: f"{metrics['scorer']} (model {metrics['model'] or 'none'})"
        for corpus, metrics in inputs.metrics["score_toxicity"].items()
    }
    raters = {
        name: f"{metrics['rater']}, tokens by {metrics['tokenizer']}"
        for stage in ("rate_prompts", "rate_prompt_sets")
        for name, metrics in inputs.metrics[stage].items()
    }
    yield "Toxicity by", _group(scorers)
    yield "Prompts rated by", _group(raters)


def _group(found: Mapping[str, str]) -> str:
    """Each different value with the names that have it."""
    return "; ".join(
        f"{value}: {_join(name for name, own in found.items() if own == value)}"
        for value in dict.fromkeys(found.values())
    )


def _join(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
