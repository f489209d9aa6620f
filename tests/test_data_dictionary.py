import re
from pathlib import Path

import pyarrow as pa
import pytest

from feedback_lens.analysis.quality import RATINGS
from feedback_lens.analysis.refusals import REFUSAL_CLUSTERS, REFUSALS
from feedback_lens.analysis.toxicity import TOXICITY
from feedback_lens.benchmarks.answering import ANSWERS
from feedback_lens.benchmarks.judges.judging import JUDGMENTS
from feedback_lens.benchmarks.pairs.pairing import PAIR_JUDGMENTS
from feedback_lens.calls.request import OUTCOMES
from feedback_lens.calls.store import SNAPSHOT
from feedback_lens.feedback.gold.sets import GOLD_LABELS, GOLD_TURNS
from feedback_lens.feedback.labels import FINE, LABELS
from feedback_lens.logs.conversation import CONVERSATIONS
from feedback_lens.logs.ingest import REJECTS
from feedback_lens.training.leakage import LEAKAGE
from feedback_lens.training.recipes import TRAINING_SET
from feedback_lens.training.regeneration import REPLIES
from feedback_lens.training.reward import SCORES
from feedback_lens.training.splits import SPLITS

DICTIONARY = Path(__file__).parents[1] / "data" / "README.md"
TABLES = {
    "conversations": CONVERSATIONS,
    "rejects": REJECTS,
    "gold_labels": GOLD_LABELS,
    "gold_turns": GOLD_TURNS,
    "labels": LABELS,
    "splits": SPLITS,
    "leakage": LEAKAGE,
    "toxicity": TOXICITY,
    "refusals": REFUSALS,
    "refusal_clusters": REFUSAL_CLUSTERS,
    "ratings": RATINGS,
    "replies": REPLIES,
    "scores": SCORES,
    "training_set": TRAINING_SET,
    "answers": ANSWERS,
    "judgments": JUDGMENTS,
    "pair_judgments": PAIR_JUDGMENTS,
    "snapshot": SNAPSHOT,
}


def documented_columns(table: str) -> list[str]:
    section = DICTIONARY.read_text().split(f"\n### {table}\n")[1].split("\n### ")[0]
    section = section.split("\n## ")[0]
    return re.findall(r"^\| (\w+) \|", section, re.MULTILINE)[1:]  # the first is the header


@pytest.mark.parametrize("table", TABLES)
def test_the_dictionary_lists_the_columns_of_each_table_in_order(table: str) -> None:
    schema: pa.Schema = TABLES[table]
    assert documented_columns(table) == schema.names


def test_the_dictionary_describes_no_table_that_does_not_exist() -> None:
    assert re.findall(r"^### (\w+)$", DICTIONARY.read_text(), re.MULTILINE) == list(TABLES)


def test_the_dictionary_lists_every_label_and_outcome() -> None:
    text = DICTIONARY.read_text()
    assert all(f"\n| {word} |" in text for word in (*FINE, *OUTCOMES))


def test_the_dictionary_lists_every_reason_for_a_rejected_row() -> None:
    source = Path(__file__).parents[1] / "src/feedback_lens/logs"
    text = "".join((source / name).read_text() for name in ("formats.py", "ingest.py"))
    checks = text.split("checks = {")[1].split("}")[0]
    reasons = {*re.findall(r'MalformedRow\("(\w+)"\)', text), *re.findall(r'"(\w+)": ', checks)}
    assert len(reasons) > 15
    assert {reason for reason in reasons if f"`{reason}`" not in DICTIONARY.read_text()} == set()
