"""A small pipeline's outputs for the report, made by the library's own functions.

Corpus `lmsys` is analyzed and trained on, `team` is only analyzed. Gold set `lmsys` is dense,
`sparse` holds one turn with the exchange before it.
"""

from pathlib import Path

import numpy as np
import yaml

from feedback_lens.analysis.plots import write_points
from feedback_lens.feedback.local.calibration import ABSTENTION_POINTS, CALIBRATION_POINTS
from feedback_lens.feedback.local.crossvalidation import (
    OutOfFold,
    Probabilities,
    draw_abstention,
    draw_calibration,
    evaluate_out_of_fold,
)
from feedback_lens.logs.conversation import Conversation, Message
from feedback_lens.params import read_axes
from feedback_lens.tables import write_json
from feedback_lens.training.splits import split_by_feedback
from judged_rows import NO_MODELS, judge_entry
from report_analyses import write_analyses, write_labels, write_prompt_sets
from report_gold import write_gold_sets
from report_training import write_training

PUBLISHED = Path(__file__).parents[1] / "data" / "paper_reported.yaml"
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">\u2028"
LABELED = {("c1", 2): "NEG_2", ("c1", 3): "NEU", ("c2", 2): "POS", ("c3", 2): None}
GOLD = {("c1", 2): "NEG_2", ("c1", 3): "NEG_1", ("c2", 2): "POS", ("c3", 2): "NEU"}
IDS = ("c1", "c2", "c3")
# when conversations of lmsys began; those of team have no timestamps
BEGUN = {"c1": "2026-03-02T10:00:00+00:00", "c2": "2026-01-31T23:59:59+00:00"}
CATALOG = """
models:
  claude: {prompt: 1, completion: 2, shutdown: 2999-01-01, substitute: claude-next}
  gpt-4: {shutdown: 2001-02-03}
  gpt-4o-mini: {prompt: 1, completion: 2}
"""
PARAMS = {
    "corpora": {"lmsys": {"detector": "prompted"}, "team": {"detector": "keywords"}},
    "gold_sets": {"lmsys": {"setting": "dense"}, "sparse": {"setting": "sparse"}},
    "prompt_sets": {"mt_bench": {}, "team_prompts": {}},
    "run": {
        "profile": "sample",
        "detection": {"detectors": ["local", "prompted", "prior"]},
        "regeneration": {"regenerations": ["neg_scratch", "rand_scratch"]},
        "models": {
            "bases": ["tiny"],
            "corpora": ["lmsys"],
            "recipes": ["rand_scratch", "kto"],
            "seeds": [1, 2],
        },
        "further_models": NO_MODELS,
        "untrained": {"bases": ["tiny"]},
        "evaluation": {"benchmarks": ["mt_bench", "wildbench"]},
    },
    "judges": {
        "reference": judge_entry("mt_bench", "wildbench"),
        "wild": judge_entry("wildbench", recipes=["kto"]),
    },
    "pair_judges": {"order": {"benchmarks": ["mt_bench"], "against": "rand_scratch"}},
}


def write_world(folder, params=PARAMS, shown=10):
    """Write all inputs of the stage below `folder`; its command line, `shown` conversations a corpus."""
    conversations = _converse_all("lmsys", HOSTILE)
    labels = [{turn: label for (c, turn), label in LABELED.items() if c == known} for known in IDS]
    splits = split_by_feedback(
        zip(conversations, labels, strict=True), {"neg": 5, "pos": 5, "rand": 5}, "a", False, 0
    )
    write_labels(folder, "lmsys", conversations, LABELED, "claude")
    write_labels(folder, "team", _converse_all("team", "Hello"), LABELED, None)
    for corpus in params["corpora"]:
        write_analyses(folder, corpus, splits, HOSTILE)
    write_prompt_sets(folder, *params["prompt_sets"])
    write_gold_sets(folder, conversations, GOLD, LABELED)
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    (folder / "catalog.yaml").write_text(CATALOG, encoding="utf-8")
    write_training(folder, splits, read_axes(folder / "params.yaml"), f"better {HOSTILE}")
    _write_detector(folder)
    options = {
        "params": folder / "params.yaml",
        "reward_model": "tiny",
        "metrics": folder / "metrics",
        "plots": folder / "plots",
        "published": PUBLISHED,
        "data": folder / "data",
        "catalog": folder / "catalog.yaml",
        "benchmarks": folder / "benchmarks",
        "report": folder / "report/index.html",
        "conversations": shown,
        "questions": 10,
    }
    return [part for name, value in options.items() for part in (f"--{name}", str(value))]


def _converse_all(corpus, opening):
    """Conversations of 3, 2 and 2 user turns, of one numbering in all corpora."""
    return [
        _converse(corpus, identifier, turns, first)
        for identifier, turns, first in zip(IDS, (3, 2, 2), (opening, "Hi", "Hi"), strict=True)
    ]


def _converse(corpus, identifier, turns, opening):
    messages = [
        Message(role, f"{role} {turn} of {identifier} in {corpus}")
        for turn in range(1, turns + 1)
        for role in ("user", "assistant")
    ]
    messages[0] = Message("user", opening)
    begun = BEGUN.get(identifier) if corpus == "lmsys" else None
    return Conversation(
        identifier, corpus, "vicuna", "English", None, begun, False, False, tuple(messages)
    )


def _write_detector(folder):
    found = _predict()
    write_json(evaluate_out_of_fold(found, 2, 50, 1), folder / "metrics/fit_detector.json")
    write_points(draw_calibration(found, 2), folder / "plots/calibration.csv", CALIBRATION_POINTS)
    write_points(draw_abstention(found), folder / "plots/abstention.csv", ABSTENTION_POINTS)


def _predict():
    """Of four turns the local detector knows all, the embeddings miss the first."""
    classes = ("NEG_1", "NEG_2", "NEU", "POS")
    actual = list(GOLD.values())
    right = 0.7 * np.eye(4)[[classes.index(label) for label in actual]] + 0.075
    wrong = right.copy()
    wrong[0] = right[1]
    local = Probabilities(classes, right, 0.5 * right + 0.125, 0.5)
    minilm = Probabilities(classes, wrong, wrong, 1.0)
    labels = {
        "local": local.labels,
        "minilm": minilm.labels,
        "keywords": ["NEG_1", "NEG_1", "POS", "NEU"],
        "majority": ["NEG_2"] * 4,
    }
    return OutOfFold(list(GOLD), actual, {"local": local, "minilm": minilm}, labels)
