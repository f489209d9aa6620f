"""What the analyses of a corpus write, for the report's tests."""

import pandas as pd

from feedback_lens.analysis.counts import (
    DISTRIBUTION_POINTS,
    LABEL_POINTS,
    count_feedback,
    distribute_labels,
    list_label_shares,
)
from feedback_lens.analysis.criteria import CRITERIA
from feedback_lens.analysis.plots import write_points
from feedback_lens.analysis.quality import RATINGS
from feedback_lens.analysis.quality_summary import (
    CRITERION_POINTS,
    QUALITY_POINTS,
    compare_splits,
    list_criteria,
    list_met,
    summarize_quality,
)
from feedback_lens.analysis.refusal_rates import RATE_POINTS, count_refusals, list_rates
from feedback_lens.analysis.refusals import REFUSAL_CLUSTERS, REFUSALS
from feedback_lens.analysis.toxicity import PLOT_COLUMNS, TOXICITY, list_points
from feedback_lens.analysis.toxicity_summary import summarize_toxicity
from feedback_lens.feedback.labels import LABELS
from feedback_lens.logs.conversation import CONVERSATIONS
from feedback_lens.tables import write_json, write_rows
from feedback_lens.training.splits import SPLITS, count_splits

RATING = {"rater": "rules", "tokenizer": "words", "counting": "texts"}


def write_labels(folder, corpus, conversations, labeled, model):
    """The conversations, their labels, and what is counted of both."""
    rows = (conversation.as_row() for conversation in conversations)
    write_rows(rows, folder / f"data/conversations/{corpus}.parquet", CONVERSATIONS)
    labels = [
        {"conversation_id": c, "turn": turn, "label": label, "confidence": 0.9, "listed": True}
        | {"outcome": "answered" if label else "unreadable"}
        for (c, turn), label in labeled.items()
    ]
    write_rows(labels, folder / f"data/labels/{corpus}.parquet", LABELS)
    write_json({"model": model, "answered": 3}, folder / f"data/labels/{corpus}.json")
    counts = {"rows": 5, "kept": 3, "kept_user_turns": 7, "rejected": {"redacted": 2}}
    write_json(counts, folder / f"metrics/ingest/{corpus}.json")
    write_counts(folder, labels, "", corpus)


def write_counts(folder, labels, kind, name):
    """The counts of labels; `kind` is `_gold` for those of people."""
    frame = pd.DataFrame(labels)
    write_json(count_feedback(frame), folder / f"metrics/count_feedback{kind}/{name}.json")
    plot = folder / f"plots/turn_distribution{kind}/{name}.csv"
    write_points(distribute_labels(frame), plot, DISTRIBUTION_POINTS)
    plot = folder / f"plots/label_distribution{kind}/{name}.csv"
    write_points(list_label_shares(frame), plot, LABEL_POINTS)


def write_analyses(folder, corpus, splits, text):
    """The splits and all that is said of them; the clusters' replies hold the text."""
    write_rows(splits, folder / f"data/splits/{corpus}.parquet", SPLITS)
    write_json(count_splits(splits), folder / f"metrics/split/{corpus}.json")
    _write_toxicity(folder, corpus, splits)
    _write_refusals(folder, corpus, splits, text)
    _write_ratings(folder, corpus, splits)


def _write_toxicity(folder, corpus, splits):
    rows = [{**_key(row), "toxicity": 0.1 * row["turn"], "outcome": "answered"} for row in splits]
    write_rows(rows, folder / f"data/toxicity/{corpus}.parquet", TOXICITY)
    more = {"conversation_id": "more"}
    rows += [
        {"split": "neg", **more, "turn": number, "toxicity": 0.9 + number / 100}
        for number in range(7)
    ]
    rows.append({"split": "pos", **more, "turn": 7, "toxicity": None})
    summary = summarize_toxicity(rows, 50, 1)
    metrics = {"scorer": "local", "model": "lexicon", **summary}
    write_json(metrics, folder / f"metrics/score_toxicity/{corpus}.json")
    write_points(list_points(rows), folder / f"plots/toxicity/{corpus}.csv", PLOT_COLUMNS)


def _write_refusals(folder, corpus, splits, text):
    marks = {"cluster": 0, "refusal": False, "lexical_refusal": True}
    rows = [{**_key(row), **marks} for row in splits]
    write_rows(rows, folder / f"data/refusals/{corpus}.parquet", REFUSALS)
    cluster = {"cluster": 0, "replies": len(rows), "score": 0.25, "refusal": False}
    cluster |= {"lexical_share": 1.0, "conversation_id": "c1", "turn": 1}
    clusters = [
        {**cluster, "rank": rank, "reply": f"{name} {text}"}
        for rank, name in enumerate(("nearest", "second"), start=1)
    ]
    path = folder / f"data/refusals/{corpus}_clusters.parquet"
    write_rows(clusters, path, REFUSAL_CLUSTERS)
    metrics = count_refusals(rows)
    write_json(metrics, folder / f"metrics/find_refusals/{corpus}.json")
    write_points(list_rates(metrics), folder / f"plots/refusals/{corpus}.csv", RATE_POINTS)


def _write_ratings(folder, corpus, splits):
    rows = [
        _rate(row["split"], row["turn"]) | {"prompt_id": f"{row['conversation_id']}:{row['turn']}"}
        for row in splits
    ]
    write_rows(rows, folder / f"data/ratings/{corpus}.parquet", RATINGS)
    tests = compare_splits(rows, 50, 1)
    summary = summarize_quality(rows, 50, 1)
    metrics = {**RATING, **summary, "rank_tests": tests}
    write_json(metrics, folder / f"metrics/rate_prompts/{corpus}.json")
    criteria = folder / f"plots/criteria/{corpus}.csv"
    write_points(list_criteria(summary), criteria, CRITERION_POINTS)
    write_points(list_met(rows), folder / f"plots/quality/{corpus}.csv", QUALITY_POINTS)


def write_prompt_sets(folder, *names):
    """Sets of two prompts of 12 and 14 tokens."""
    for name in names:
        rows = [_rate(name, length) for length in (1, 2)]
        metrics = {**RATING, **summarize_quality(rows, 50, 1)}
        write_json(metrics, folder / f"metrics/rate_prompt_sets/{name}.json")


def _rate(name, number):
    met = {criterion: place % 2 == 0 for place, criterion in enumerate(CRITERIA)}
    rated = {"prompt_set": name, **met, "difficulty": 3, "tokens": 10 + 2 * number}
    return {**rated, "outcome": "answered"}


def _key(row):
    return {name: row[name] for name in ("split", "conversation_id", "turn")}
