"""A small pipeline's outputs for the report, made by the library's own functions.

Corpus `lmsys` is analyzed and trained on, `team` is only analyzed. Gold set `lmsys` is dense,
`sparse` holds one turn with the exchange before it.
"""

from pathlib import Path

import numpy as np
import yaml

from feedback_lens.analysis.comparison import compare_replies
from feedback_lens.analysis.plots import write_points
from feedback_lens.benchmarks.cells import UNTRAINED, Cells
from feedback_lens.benchmarks.statistics import compare_recipes
from feedback_lens.benchmarks.summary import summarize
from feedback_lens.benchmarks.training_summary import summarize_training
from feedback_lens.feedback.local.calibration import ABSTENTION_POINTS, CALIBRATION_POINTS
from feedback_lens.feedback.local.crossvalidation import (
    OutOfFold,
    Probabilities,
    draw_abstention,
    draw_calibration,
    evaluate_out_of_fold,
)
from feedback_lens.logs.conversation import Conversation, Message
from feedback_lens.tables import write_json, write_rows
from feedback_lens.training.regeneration import REPLIES
from feedback_lens.training.reward import SCORES
from feedback_lens.training.splits import split_by_feedback
from judgments import judged
from report_analyses import write_analyses, write_labels, write_prompt_sets
from report_gold import write_gold_sets

PUBLISHED = Path(__file__).parents[1] / "data" / "paper_reported.yaml"
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">\u2028"
LABELED = {("c1", 2): "NEG_2", ("c1", 3): "NEU", ("c2", 2): "POS", ("c3", 2): None}
GOLD = {("c1", 2): "NEG_2", ("c1", 3): "NEG_1", ("c2", 2): "POS", ("c3", 2): "NEU"}
IDS = ("c1", "c2", "c3")
PREFLIGHT = ("rows", "held_out_rows", "truncated_rows", "dropped_rows")
CELLS = Cells(
    ("mt_bench", "wildbench"),
    ("reference",),
    ("tiny",),
    ("lmsys",),
    ("rand_scratch", "kto"),
    (1, 2),
)
PARAMS = {
    "corpora": {"lmsys": {"detector": "prompted"}, "team": {"detector": "keywords"}},
    "gold_sets": {"lmsys": {"setting": "dense"}, "sparse": {"setting": "sparse"}},
    "prompt_sets": {"mt_bench": {}, "team_prompts": {}},
    "run": {
        "profile": "sample",
        "detection": {"detectors": ["local", "prompted", "prior"]},
        "regeneration": {"regenerations": ["neg_scratch"]},
        "models": {
            "bases": list(CELLS.bases),
            "corpora": list(CELLS.corpora),
            "recipes": list(CELLS.recipes),
            "seeds": list(CELLS.seeds),
        },
        "evaluation": {"benchmarks": list(CELLS.benchmarks)},
        "judging": {"judges": list(CELLS.judges)},
    },
}


def write_world(folder, params=PARAMS):
    """Write all inputs of the stage below `folder` and return its command line."""
    conversations = _converse_all("lmsys", HOSTILE)
    labels = [{turn: label for (c, turn), label in LABELED.items() if c == known} for known in IDS]
    splits = split_by_feedback(
        zip(conversations, labels, strict=True), {"neg": 5, "pos": 5, "rand": 5}, salt="a"
    )
    write_labels(folder, "lmsys", conversations, LABELED, "claude")
    write_labels(folder, "team", _converse_all("team", "Hello"), LABELED, None)
    for corpus in params["corpora"]:
        write_analyses(folder, corpus, splits, HOSTILE)
    write_prompt_sets(folder, *params["prompt_sets"])
    write_gold_sets(folder, conversations, GOLD, LABELED)
    _write_training(folder, splits)
    _write_detector(folder)
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    options = {
        "params": folder / "params.yaml",
        "metrics": folder / "metrics",
        "plots": folder / "plots",
        "published": PUBLISHED,
        "data": folder / "data",
        "report": folder / "report/index.html",
        "conversations": 10,
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
    return Conversation(
        identifier, corpus, "vicuna", "English", None, None, False, False, tuple(messages)
    )


def _write_training(folder, splits):
    scores = list(_score(splits))
    _write_replies(folder / "data", scores)
    judgments = _judge()
    metrics = {
        "compare_replies/lmsys": compare_replies(scores, 50, 1),
        "training": summarize_training(_train()),
        "train_reward/tiny": {
            "pairs": {"train": 3, "held_out": 1},
            "held_out_accuracy": {"before": 0.25, "after": 1.0},
            "train_accuracy": 1.0,
        },
        "summary": summarize(judgments, CELLS),
        "significance": compare_recipes(judgments, CELLS, "rand_scratch", 50, 1),
    }
    for name, content in metrics.items():
        write_json(content, folder / f"metrics/{name}.json")


def _score(splits):
    for row in splits:
        for candidate, score in {"weak": 1.0, "weak_next": 2.0, "scratch": 3.0}.items():
            for with_feedback in (False, True):
                yield {
                    **{name: row[name] for name in ("split", "conversation_id", "turn")},
                    "candidate": candidate,
                    "with_feedback": with_feedback,
                    "score": score - 2.5 * with_feedback * (candidate == "scratch"),
                }


def _write_replies(folder, scores):
    reply = {"reply": f"better {HOSTILE}", "outcome": "answered", "model": "claude"}
    replies = [{"conversation_id": "c1", "turn": 1, **reply}]
    write_rows(replies, folder / "replies/lmsys/neg_scratch.parquet", REPLIES)
    write_rows(scores, folder / "scores/lmsys.parquet", SCORES)


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


def _train():
    return {
        model: {
            "method": "kto" if model.recipe == "kto" else "sft",
            "preflight": dict.fromkeys(PREFLIGHT, 4) | {"held_out_rows": 2},
            "held_out_loss": {"before": 5.0, "after": 4.0 + 0.5 * model.seed},
            "held_out_reward_margin": -0.1 * model.seed if model.recipe == "kto" else None,
        }
        for model in CELLS.models()
        if model.recipe != UNTRAINED
    }


def _judge():
    tables = {
        model: judged(4, 6, None, 8, 5, 4 + (model.seed or 0) + len(model.recipe) % 4)
        for model in CELLS.models()
    }
    return {(benchmark, "reference"): tables for benchmark in CELLS.benchmarks}
