"""Gold sets, and what detectors say of them, for the report's tests."""

from feedback_lens.analysis.plots import write_points
from feedback_lens.feedback.detector_evaluation import (
    CONFUSION_POINTS,
    evaluate_detectors,
    list_confusions,
)
from feedback_lens.feedback.gold.sets import GOLD_TURNS, GoldSet
from feedback_lens.feedback.label_sets import LabelSets, Prediction
from feedback_lens.feedback.labels import LABELS
from feedback_lens.logs.conversation import CONVERSATIONS
from feedback_lens.tables import write_json, write_rows
from report_analyses import write_counts

DETECTORS = {"local": "detector", "prompted": "claude", "prior": "claude"}


def write_gold_sets(folder, conversations, gold, labeled):
    """`lmsys` holds all gold, by two annotators who agree; `sparse` turn 3 of c1 alone."""
    by_id = {conversation.conversation_id: conversation for conversation in conversations}
    labels = {key: (label,) for key, label in gold.items()}
    dense = GoldSet("dense", by_id, {"gold": labels, "kim": labels})
    _write_gold_set(folder, "lmsys", dense, labeled)
    one = {("c1", 3): labels["c1", 3]}
    cut = {("c1:3", 2): labeled["c1", 3]}
    _write_gold_set(folder, "sparse", GoldSet("sparse", {"c1": by_id["c1"]}, {"gold": one}), cut)
    _write_evaluation(
        folder, "lmsys", LabelSets({"gold": gold, "kim": gold}, _predict(labeled), {})
    )
    sets = LabelSets({"gold": {("c1:3", 2): gold["c1", 3]}}, _predict(cut), {"c1:3": "c1"})
    _write_evaluation(folder, "sparse", sets)


def _write_gold_set(folder, name, gold_set, labeled):
    place = folder / "data/gold_sets" / name
    rows = (conversation.as_row() for conversation in gold_set.list_inputs())
    write_rows(rows, place / "conversations.parquet", CONVERSATIONS)
    turns = list(gold_set.list_turns())
    write_rows(turns, place / "turns.parquet", GOLD_TURNS)
    write_json(gold_set.count(), folder / f"metrics/read_gold/{name}.json")
    write_counts(folder, turns, "_gold", name)
    said = [
        {"conversation_id": c, "turn": turn, "label": label, "confidence": None, "listed": True}
        | {"outcome": "answered" if label else "unreadable"}
        for (c, turn), label in labeled.items()
    ]
    for detector, model in DETECTORS.items():
        write_rows(said, folder / f"data/gold_labels/{name}/{detector}.parquet", LABELS)
        write_json({"model": model}, folder / f"data/gold_labels/{name}/{detector}.json")


def _write_evaluation(folder, name, sets):
    write_json(evaluate_detectors(sets, 50, 1), folder / f"metrics/evaluate_detector/{name}.json")
    write_points(list_confusions(sets), folder / f"plots/confusion/{name}.csv", CONFUSION_POINTS)


def _predict(labeled):
    """Each detector labels alike, but `prior` lists no more than it finds feedback in."""
    outcome = {None: "unreadable"}
    listed = {
        key: Prediction(label, True, outcome.get(label, "answered"))
        for key, label in labeled.items()
    }
    found = {key: p._replace(listed=p.label not in (None, "NEU")) for key, p in listed.items()}
    return {"local": listed, "prompted": listed, "prior": found}
