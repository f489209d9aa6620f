"""A small pipeline's outputs for the report, made by the library's own functions."""

from pathlib import Path

import pandas as pd

from feedback_lens.analysis.comparison import compare_replies
from feedback_lens.analysis.counts import DISTRIBUTION_POINTS, count_feedback, distribute_labels
from feedback_lens.analysis.plots import write_points
from feedback_lens.analysis.quality import CRITERIA, summarize_quality
from feedback_lens.analysis.refusals import count_refusals
from feedback_lens.analysis.toxicity import summarize_toxicity
from feedback_lens.benchmarks.cells import UNTRAINED, Cells
from feedback_lens.benchmarks.statistics import compare_recipes
from feedback_lens.benchmarks.summary import summarize
from feedback_lens.benchmarks.training_summary import summarize_training
from feedback_lens.feedback.detector_evaluation import (
    CONFUSION_POINTS,
    evaluate_detectors,
    list_confusions,
)
from feedback_lens.feedback.evaluation import evaluate_labels
from feedback_lens.feedback.labels import LABELS
from feedback_lens.logs.conversation import CONVERSATIONS, Conversation, Message
from feedback_lens.tables import write_json, write_rows
from feedback_lens.training.regeneration import REPLIES
from feedback_lens.training.reward import SCORES
from feedback_lens.training.splits import SPLITS, count_splits, split_by_feedback
from judgments import judged

PUBLISHED = Path(__file__).parents[1] / "data" / "paper_reported.yaml"
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">\u2028"
LABELED = {("c1", 2): "NEG_2", ("c1", 3): "NEU", ("c2", 2): "POS", ("c3", 2): None}
GOLD = {("c1", 2): "NEG_2", ("c1", 3): "NEG_1", ("c2", 2): "POS", ("c3", 2): "NEU"}
ACTUAL = list(GOLD.values())
PREFLIGHT = ("rows", "held_out_rows", "truncated_rows", "dropped_rows")
CELLS = Cells(
    ("mt_bench", "wildbench"),
    ("reference",),
    ("tiny",),
    ("lmsys",),
    ("rand_scratch", "kto"),
    (1, 2),
)


def write_world(folder):
    """Write all inputs of the stage below `folder` and return its command line."""
    conversations = [_converse("c1", 3, HOSTILE), _converse("c2", 2), _converse("c3", 2)]
    splits = split_by_feedback(
        conversations, LABELED, sizes={"neg": 5, "pos": 5, "rand": 5}, salt="a"
    )
    scores = list(_score(splits))
    _write_tables(folder / "data", conversations, splits, scores)
    _write_metrics(folder / "metrics", splits, scores)
    write_points(
        distribute_labels(_frame()),
        folder / "plots/turn_distribution/lmsys.csv",
        DISTRIBUTION_POINTS,
    )
    write_points(
        list_confusions(GOLD, {"prompted": LABELED}),
        folder / "plots/confusion/lmsys.csv",
        CONFUSION_POINTS,
    )
    return _list_options(folder)


def _list_options(folder):
    options = {
        "metrics": folder / "metrics",
        "plots": folder / "plots",
        "published": PUBLISHED,
        "conversations_folder": folder / "data/conversations",
        **{name: folder / "data" / name for name in ("labels", "splits", "replies", "scores")},
        "report": folder / "report/index.html",
        "profile": "sample",
        "detector": "prompted",
        "bases": "tiny",
        "corpora": "lmsys",
        "detectors": "prompted",
        "regenerations": "neg_scratch",
        "judges": "reference",
        "gold_sets": "lmsys",
        "conversations": 10,
    }
    axes = {"recipes": CELLS.recipes, "seeds": CELLS.seeds, "benchmarks": CELLS.benchmarks}
    several = [(name, value) for name, values in axes.items() for value in values]
    return [
        part for name, value in [*options.items(), *several] for part in (f"--{name}", str(value))
    ]


def _converse(identifier, turns, opening="Hello"):
    messages = [
        Message(role, f"{role} {turn} of {identifier}")
        for turn in range(1, turns + 1)
        for role in ("user", "assistant")
    ]
    messages[0] = Message("user", opening)
    return Conversation(
        identifier, "lmsys", "vicuna", "English", None, None, False, False, tuple(messages)
    )


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


def _write_tables(folder, conversations, splits, scores):
    write_rows(
        (c.as_row() for c in conversations), folder / "conversations/lmsys.parquet", CONVERSATIONS
    )
    labels = [
        {"conversation_id": c, "turn": turn, "label": label, "confidence": 0.9}
        | {"outcome": "answered" if label else "unreadable"}
        for (c, turn), label in LABELED.items()
    ]
    write_rows(labels, folder / "labels/lmsys/prompted.parquet", LABELS)
    write_json({"model": "claude", "answered": 3}, folder / "labels/lmsys/prompted.json")
    write_rows(splits, folder / "splits/lmsys.parquet", SPLITS)
    reply = {"reply": f"better {HOSTILE}", "outcome": "answered", "model": "claude"}
    replies = [{"conversation_id": "c1", "turn": 1, **reply}]
    write_rows(replies, folder / "replies/lmsys/neg_scratch.parquet", REPLIES)
    write_rows(scores, folder / "scores/lmsys.parquet", SCORES)


def _write_metrics(folder, splits, scores):
    toxicity = [{"split": row["split"], "toxicity": 0.1 * row["turn"]} for row in splits]
    refusals = [
        {"split": row["split"], "refusal": False, "lexical_refusal": True} for row in splits
    ]
    judgments = _judge()
    metrics = {
        "ingest/lmsys": {"rows": 5, "kept": 3, "kept_user_turns": 7, "rejected": {"redacted": 2}},
        "split/lmsys": count_splits(splits),
        "count_feedback/lmsys": count_feedback(_frame()),
        "evaluate_detector/lmsys": evaluate_detectors(GOLD, GOLD, {"prompted": LABELED}, 50, 1),
        "score_toxicity/lmsys": {"scorer": "lexicon", **summarize_toxicity(toxicity)},
        "find_refusals/lmsys": count_refusals(refusals),
        "rate_prompts/lmsys": {"rater": "rules", **_rate("neg", "pos", "rand")},
        "rate_prompts/benchmarks": {"rater": "rules", **_rate("mt_bench", "wildbench")},
        "compare_replies/lmsys": compare_replies(scores, 50, 1),
        "fit_detector": {
            "local": evaluate_labels(ACTUAL, ACTUAL),
            "keywords": evaluate_labels(ACTUAL, ["NEG_1", "NEG_1", "POS", "NEU"]),
            "majority": evaluate_labels(ACTUAL, ["NEG_2"] * 4),
        },
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
        write_json(content, folder / f"{name}.json")


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


def _rate(*sets):
    row = {**{name: index % 2 == 0 for index, name in enumerate(CRITERIA)}, "difficulty": 3}
    return summarize_quality({"prompt_set": name, **row, "tokens": 12} for name in sets)


def _frame():
    return pd.DataFrame(
        [
            {"conversation_id": c, "turn": turn, "label": label}
            for (c, turn), label in LABELED.items()
        ]
    )
