"""What the tables say of the conversations of a page, read row by row, beside what the page finds."""

from feedback_lens.logs.conversation import read_conversations
from feedback_lens.tables import read_rows
from report_corpus import CORPORA, DETECTORS, REGENERATIONS, write_large_world
from report_page import build


def write_facts(folder, count):
    """A page with `count` conversations; and by corpus and id their texts and facts of turns."""
    build(write_large_world(folder, count))
    return folder / "report/index.html", {
        (corpus, c.conversation_id): _read(folder / "data", corpus, c)
        for corpus in CORPORA
        for c in read_conversations(folder / f"data/conversations/{corpus}.parquet")
    }


def _read(data, corpus, conversation, cache={}):  # noqa: B006
    """What the tables say of one conversation, row by row."""

    def rows(name):
        path = data / f"{name}.parquet"
        known = cache.setdefault(path, read_rows(path))
        return [r for r in known if r.get("conversation_id", "").partition(":")[0] == identifier]

    identifier = conversation.conversation_id
    turns = {i: {"user": u, "label": None, "heard": [], "sure": [], "gold": None, "toxicity": None, "splits": []}
             for i, u in enumerate(conversation.user_turns, 1)}  # fmt: skip
    for row in rows(f"labels/{corpus}"):
        turns[row["turn"]]["label"] = row["label"]
        turns[row["turn"]]["heard"].append(row["label"])
        turns[row["turn"]]["sure"].append(row["confidence"])
    for row in rows(f"toxicity/{corpus}"):
        turns[row["turn"]]["toxicity"] = row["toxicity"]
        turns[row["turn"]]["splits"].append(row["split"])
    texts = [identifier, *(m.content for m in conversation.messages)]
    if corpus == CORPORA[0]:
        texts += [
            row["reply"] for name in REGENERATIONS for row in rows(f"replies/{corpus}/{name}")
        ]
        for name in ("lmsys", "sparse"):
            for row in rows(f"gold_sets/{name}/turns"):
                turns[row["turn"]]["gold"] = row["label"]
            for row in (row for d in DETECTORS for row in rows(f"gold_labels/{name}/{d}")):
                turn = int(row["conversation_id"].partition(":")[2] or row["turn"])
                turns[turn]["heard"].append(row["label"])
                turns[turn]["sure"].append(row["confidence"])
    return {"texts": texts, "turns": turns, "language": conversation.language}
