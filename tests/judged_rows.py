"""Judgments by hand beyond those of `judgments`, and the parameters that say which are read."""

import yaml

from feedback_lens.benchmarks.judges.judging import JUDGMENTS
from feedback_lens.params import read_axes
from feedback_lens.tables import write_rows
from judgments import judged

NO_MODELS = {"bases": [], "corpora": [], "recipes": [], "seeds": []}


def redrawn(repetition, *scores):
    """The same judgments as `judged` gives, as a later draw."""
    return [{**row, "repetition": repetition} for row in judged(*scores)]


def task(name, score, *categories, **answer):
    """A judgment of an answer to a WildBench task; `answer` replaces what is known of it."""
    row = judged(score)[0]
    return {**row, "question_id": name, "categories": list(categories), **answer}


def write_table(folder, models, judge="reference", benchmark="mt_bench"):
    rows = [{**model._asdict(), **row} for model, rows in models.items() for row in rows]
    write_rows(rows, folder / judge / f"{benchmark}.parquet", JUDGMENTS)


def judge_entry(*benchmarks, **axes):
    return {"benchmarks": list(benchmarks), "bases": [], "corpora": [], "recipes": [], **axes}


def write_params(folder, recipes=("kto",), seeds=(1, 2), further=NO_MODELS, judges=None):
    """A params.yaml of what `read_axes` reads: base tiny, corpus lmsys, both benchmarks."""
    models = {"bases": ["tiny"], "corpora": ["lmsys"]}
    run = {
        "profile": "sample",
        "detection": {"detectors": []},
        "regeneration": {"regenerations": ["rand_scratch", "neg_scratch"]},
        "models": {**models, "recipes": list(recipes), "seeds": list(seeds)},
        "further_models": further,
        "untrained": {"bases": list(dict.fromkeys(["tiny", *further["bases"]]))},
        "evaluation": {"benchmarks": ["mt_bench", "wildbench"]},
    }
    judges = {"reference": judge_entry("mt_bench")} if judges is None else judges
    sections = ("corpora", "gold_sets", "prompt_sets", "pair_judges")
    content = {**{section: {} for section in sections}, "judges": judges, "run": run}
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def make_axes(folder, **params):
    return read_axes(write_params(folder, **params))
