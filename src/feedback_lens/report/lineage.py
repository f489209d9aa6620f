"""What the numbers on the page come from."""

from collections.abc import Iterable

from feedback_lens.report.inputs import Inputs

SAMPLE = (
    "Sample profile: hand-written logs and stand-in models. "
    "The scores below say nothing about the paper."
)


def open_page(inputs: Inputs) -> str:
    """The page's first line."""
    if inputs.run.profile == "sample":
        return SAMPLE
    return f"Profile {inputs.run.profile}: what was run, beside what the paper reports."


def list_lineage(inputs: Inputs) -> list[tuple[str, str]]:
    """Pairs of a name and what stands behind it: corpora, detectors, models, judges, seeds."""
    run = inputs.run
    return [
        *((f"Corpus {corpus}", _describe_corpus(inputs, corpus)) for corpus in run.corpora),
        ("Detector used", f"{run.detector} (model {inputs.labeler})"),
        *(
            ("Detector beside it", f"{name} (model {inputs.labelers[name]})")
            for name in run.other_detectors
        ),
        ("Gold sets", _join(run.gold_sets)),
        *((f"Replies {name}", f"written by {model}") for name, model in inputs.writers.items()),
        ("Base models", _join(run.bases)),
        ("Recipes", _join(run.recipes)),
        ("Seeds", _join(str(seed) for seed in run.seeds)),
        ("Benchmarks", _join(run.benchmarks)),
        ("Judges", _join(run.judges)),
    ]


def _describe_corpus(inputs: Inputs, corpus: str) -> str:
    counts, splits = inputs.metrics["ingest"][corpus], inputs.metrics["split"][corpus]
    drawn = _join(f"{name} {split['rows']}" for name, split in splits.items())
    return (
        f"{counts['rows']} rows read, {counts['kept']} conversations kept "
        f"({counts['kept_user_turns']} user turns); drawn: {drawn or 'none'}"
    )


def _join(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
