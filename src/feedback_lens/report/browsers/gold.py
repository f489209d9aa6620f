"""The labels that annotators gave, for the turns of conversations that the page shows."""

from collections.abc import Mapping
from pathlib import Path

from feedback_lens.feedback.gold.sets import name_exchange
from feedback_lens.logs.conversation import read_conversations
from feedback_lens.tables import read_rows

GoldTurns = Mapping[tuple[str, int, str], str]


def read_gold_turns(folder: Path, gold_sets: Mapping[str, str]) -> GoldTurns:
    """The gold label of each annotated turn, by conversation, turn and the user's text.

    The text is part of the key, as two logs may number their conversations alike. Where several
    gold sets hold a turn, the first one speaks. `gold_sets` goes from a name to its setting.

    Raises:
        InputError: a table of a gold set is missing or unreadable, with its name.
    """
    labels: dict[tuple[str, int, str], str] = {}
    for name, setting in gold_sets.items():
        source = read_conversations(folder / name / "conversations.parquet")
        texts = {c.conversation_id: c.user_turns for c in source}
        for row in read_rows(folder / name / "turns.parquet"):
            key = row["conversation_id"], row["turn"]
            identifier, turn = key if setting == "dense" else name_exchange(*key)
            labels.setdefault((*key, texts[identifier][turn - 1]), row["label"])
    return labels
