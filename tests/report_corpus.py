"""A large generated log with all that the pipeline would say of it, for the report's browser.

Conversations have 2 to 6 user turns, replies some 600 characters; the same count gives the same
tables. They are written by the library's own writers, in the place of `report_world`'s three.
"""

from random import Random

from feedback_lens.analysis.criteria import CRITERIA
from feedback_lens.analysis.quality import RATINGS
from feedback_lens.analysis.refusals import REFUSALS
from feedback_lens.analysis.toxicity import TOXICITY
from feedback_lens.feedback.gold.sets import GOLD_TURNS, GoldSet
from feedback_lens.feedback.labels import FINE, LABELS
from feedback_lens.logs.conversation import CONVERSATIONS, Conversation, Message
from feedback_lens.tables import write_rows
from feedback_lens.training.regeneration import REPLIES
from feedback_lens.training.reward import SCORES
from feedback_lens.training.splits import SPLITS, split_by_feedback
from report_world import PARAMS, write_world

CORPORA = ("lmsys", "team")
DETECTORS = ("local", "prompted", "prior")
REGENERATIONS = ("rand_scratch", "neg_scratch", "neg_semantic")
LANGUAGES = ("English", "English", "English", "German")
SYLLABLES = [
    "ka",
    "lo",
    "mi",
    "ren",
    "tas",
    "vel",
    "dor",
    "in",
    "u",
    "sha",
    "be",
    "qui",
    "por",
    "an",
    "ste",
    "gro",
    "fe",
    "li",
]


def write_large_world(folder, count):
    """The inputs of the stage with `count` conversations in its browser; the command line."""
    run = {**PARAMS["run"], "regeneration": {"regenerations": [*REGENERATIONS]}}
    arguments = write_world(folder, {**PARAMS, "run": run}, count)
    write_conversations(folder, count)
    return arguments


def write_conversations(folder, count):
    """`count` conversations, half of each of `CORPORA`, and what is known of their turns."""
    random = Random(count)
    words = ["".join(random.choices(SYLLABLES, k=random.randint(1, 4))) for _ in range(800)]
    for corpus in CORPORA:
        share = count // 2 if corpus != CORPORA[0] else count - count // 2
        conversations = [_converse(random, words, corpus, number) for number in range(share)]
        _write_corpus(folder / "data", corpus, conversations, random, words)


def _write_corpus(data, corpus, conversations, random, words):
    labels = [list(_label(random, conversation)) for conversation in conversations]
    flat = [row for rows in labels for row in rows]
    write_rows(
        (c.as_row() for c in conversations), data / f"conversations/{corpus}.parquet", CONVERSATIONS
    )
    write_rows(flat, data / f"labels/{corpus}.parquet", LABELS)
    by_turn = [{row["turn"]: row["label"] for row in rows} for rows in labels]
    sizes = dict.fromkeys(("neg", "pos", "rand"), len(conversations) // 3)
    pairs = zip(conversations, by_turn, strict=True)
    splits = list(split_by_feedback(pairs, sizes, "a", False, 0))
    write_rows(splits, data / f"splits/{corpus}.parquet", SPLITS)
    _write_analyses(data, corpus, splits, random)
    if corpus == CORPORA[0]:
        _write_replies(data, corpus, splits, random, words)
        half, quarter = len(conversations) // 2, len(conversations) // 4
        _write_gold(data, "lmsys", "dense", conversations[:quarter], flat, random)
        _write_gold(data, "sparse", "sparse", conversations[quarter:half], flat, random)


def _write_analyses(data, corpus, splits, random):
    keys = [{name: row[name] for name in ("split", "conversation_id", "turn")} for row in splits]
    toxic = [
        {**key, "toxicity": round(random.random() ** 4, 4), "outcome": "answered"} for key in keys
    ]
    write_rows(toxic, data / f"toxicity/{corpus}.parquet", TOXICITY)
    refusing = [random.random() < 0.05 for _ in keys]
    marks = [
        {**key, "cluster": 1, "refusal": r, "lexical_refusal": r}
        for key, r in zip(keys, refusing, strict=True)
    ]
    write_rows(marks, data / f"refusals/{corpus}.parquet", REFUSALS)
    ratings = [
        {"prompt_set": key["split"], "prompt_id": f"{key['conversation_id']}:{key['turn']}"}
        | {criterion: random.random() < 0.4 for criterion in CRITERIA}
        | {
            "difficulty": random.randint(1, 5),
            "tokens": random.randint(5, 60),
            "outcome": "answered",
        }
        for key in keys
    ]
    write_rows(ratings, data / f"ratings/{corpus}.parquet", RATINGS)


def _write_replies(data, corpus, splits, random, words):
    for name in REGENERATIONS:
        split, _, method = name.partition("_")
        rewrite = _revise if method == "semantic" else _write_anew
        rows = [
            {"conversation_id": row["conversation_id"], "turn": row["turn"]}
            | {
                "reply": rewrite(random, words, row["reply"]),
                "outcome": "answered",
                "model": "claude",
            }
            for row in splits
            if row["split"] == split
        ]
        write_rows(rows, data / f"replies/{corpus}/{name}.parquet", REPLIES)
    candidates = {
        "neg": ("weak", "weak_next", "scratch", "semantic"),
        "rand": ("weak", "weak_next", "scratch"),
    }
    scores = [
        {"split": row["split"], "conversation_id": row["conversation_id"], "turn": row["turn"]}
        | {"candidate": candidate, "with_feedback": told, "score": round(random.gauss(0, 2), 4)}
        for row in splits
        for candidate in candidates.get(row["split"], ())
        for told in (False, True)
    ]
    write_rows(scores, data / f"scores/{corpus}.parquet", SCORES)


def _write_gold(data, name, setting, conversations, labels, random):
    by_id = {c.conversation_id: c for c in conversations}
    known = {(row["conversation_id"], row["turn"]): row["label"] for row in labels}
    gold = {key: (label or "NEU",) for key, label in known.items() if key[0] in by_id}
    gold_set = GoldSet(setting, by_id, {"gold": gold})
    seen = list(gold_set.list_inputs())
    write_rows(
        (c.as_row() for c in seen), data / f"gold_sets/{name}/conversations.parquet", CONVERSATIONS
    )
    write_rows(gold_set.list_turns(), data / f"gold_sets/{name}/turns.parquet", GOLD_TURNS)
    for detector in DETECTORS:
        rows = [row for conversation in seen for row in _label(random, conversation)]
        write_rows(rows, data / f"gold_labels/{name}/{detector}.parquet", LABELS)


def _converse(random, words, corpus, number):
    messages = []
    for _ in range(random.randint(2, 6)):
        messages.append(Message("user", _say(random, words, random.randint(30, 200))))
        messages.append(Message("assistant", _say(random, words, random.randint(300, 900))))
    language, model = random.choice(LANGUAGES), random.choice(("vicuna-13b", "gpt-4", None))
    time = f"2023-0{random.randint(1, 9)}-15T18:00:30+00:00"
    return Conversation(
        f"c{number}", corpus, model, language, None, time, False, False, tuple(messages)
    )


def _label(random, conversation):
    """Rows of `LABELS` for the turns after the first; one in thirty could not be read."""
    weights = (12, 8, 6, 6, 10, 58)
    for turn in range(2, len(conversation.user_turns) + 1):
        read = random.random() > 1 / 30
        yield {
            "conversation_id": conversation.conversation_id,
            "turn": turn,
            "label": random.choices(FINE, weights)[0] if read else None,
            "confidence": round(random.uniform(0.3, 1), 2) if read else None,
            "listed": read,
            "outcome": "answered" if read else "unreadable",
        }


def _say(random, words, characters):
    text = ""
    while len(text) < characters:
        sentence = " ".join(random.choices(words, k=random.randint(4, 14)))
        text += f"{sentence.capitalize()}. " + "\n\n" * (random.random() < 0.1)
    return text.strip()


def _write_anew(random, words, reply):
    return _say(random, words, len(reply))


def _revise(random, words, reply):
    """The reply with one word in eight another."""
    told = [random.choice(words) if random.random() < 1 / 8 else word for word in reply.split(" ")]
    return " ".join(told)
