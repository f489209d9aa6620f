"""The conversations that the page shows, with all that the pipeline found out about them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from feedback_lens.analysis.criteria import CRITERIA
from feedback_lens.axes import Axes
from feedback_lens.feedback.labels import DESCRIPTIONS
from feedback_lens.logs.conversation import Conversation, read_conversations
from feedback_lens.report.browsers.differences import list_edits
from feedback_lens.report.browsers.findings import Findings, Row, list_met, read_findings
from feedback_lens.report.browsers.gold import Annotation, Annotations, read_annotations


def read_shown(axes: Axes, data: Path, limit: int) -> list[dict[str, Any]]:
    """The first `limit` conversations of each corpus as `show_conversation` gives them.

    Raises:
        InputError: a table of a corpus or gold set is missing or unreadable, with its name.
    """
    shown = []
    for corpus, detector in axes.corpora.items():
        source = read_conversations(data / f"conversations/{corpus}.parquet")
        conversations = list(islice(source, limit))
        identifiers = {conversation.conversation_id for conversation in conversations}
        findings = read_findings(axes, data, corpus, identifiers)
        annotations = read_annotations(axes, data, identifiers)
        shown += [show_conversation(c, detector, findings, annotations) for c in conversations]
    return shown


def pack_shown(axes: Axes, shown: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The browser's data: `conversations`, each corpus' own of `detectors`, and words for both."""
    return {
        "detectors": dict(axes.corpora),
        "criteria": [name.replace("_", " ") for name in CRITERIA],
        "labels": DESCRIPTIONS,
        "conversations": list(shown),
    }


def show_conversation(
    conversation: Conversation, detector: str, findings: Findings, annotations: Annotations
) -> dict[str, Any]:
    """One conversation for the browser: `id`, `corpus`, `turns`; `model`, `language` and `time`.

    What is not known is left out. A turn has `user` and, where there is such a thing: `reply`;
    `label` and `confidence` of the corpus' own `detector`, `outcome` where that gave no label;
    `gold`, the label that annotators gave, of `gold_set`, with what detectors `said` there
    ([detector, label, confidence, outcome], cut off after the last that is known; the own detector
    only where it said something else); `splits` that drew it as their prompt; `toxicity`, or the
    outcome of asking for it; `rating` (numbers of the criteria that are `met`, `difficulty`,
    `tokens`); `refusal` (whether the reply's cluster refuses, whether a phrase of its opening
    does); regenerated `replies` (`edits` of `list_edits`, none where there is no text, `whole`
    where they compare nothing); `scores` (split -> candidate -> reward without, with feedback).
    """
    own = {
        "id": conversation.conversation_id,
        "corpus": conversation.corpus,
        "model": conversation.model,
        "language": conversation.language,
        "time": conversation.timestamp,
    }
    turns = [
        _keep_known(turn) for turn in _show_turns(conversation, detector, findings, annotations)
    ]
    return {**_keep_known(own), "turns": turns}


def _show_turns(
    conversation: Conversation, detector: str, findings: Findings, annotations: Annotations
) -> Iterator[dict[str, Any]]:
    replies = conversation.replies
    for turn, user in enumerate(conversation.user_turns, start=1):
        key = conversation.conversation_id, turn
        reply = replies[turn - 1] if turn <= len(replies) else None
        label = findings.labels.get(key, {})
        yield {
            "user": user,
            "reply": reply,
            "label": label.get("label"),
            "confidence": label.get("confidence"),
            "outcome": None if label.get("label") else label.get("outcome"),
            **_show_annotation(annotations.get((*key, user)), detector, label),
            "splits": findings.splits.get(key),
            "toxicity": _show_toxicity(findings.toxicity.get(key)),
            "rating": _show_rating(findings.ratings.get(key)),
            "refusal": _show_refusal(findings.refusals.get(key)),
            "replies": [_show_reply(row, reply or "") for row in findings.replies.get(key, [])],
            "scores": findings.scores.get(key),
        }


def _show_annotation(annotation: Annotation | None, detector: str, label: Row) -> dict[str, Any]:
    if annotation is None:
        return {}
    own = _list_said(detector, label) if label else None
    said = [_list_said(name, row) for name, row in annotation.said.items()]
    return {
        "gold": annotation.gold,
        "gold_set": annotation.gold_set,
        "said": [verdict for verdict in said if verdict != own],
    }


def _list_said(detector: str, row: Row) -> list[Any]:
    verdict = [detector, row["label"], row["confidence"], None if row["label"] else row["outcome"]]
    while verdict[-1] is None:
        verdict.pop()
    return verdict


def _show_toxicity(row: Row | None) -> float | str | None:
    if row is None:
        return None
    return str(row["outcome"]) if row["toxicity"] is None else round(row["toxicity"], 4)


def _show_rating(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    facts = {"difficulty": row["difficulty"], "tokens": row["tokens"]}
    return {"met": list_met(row), **facts}


def _show_refusal(row: Row | None) -> list[bool] | None:
    return None if row is None else [row["refusal"], row["lexical_refusal"]]


def _show_reply(row: Row, original: str) -> dict[str, Any]:
    facts = {name: row[name] for name in ("name", "model", "outcome")}
    if row["reply"] is None:
        return facts
    edits, compared = list_edits(original, row["reply"])
    return {**facts, "edits": edits, **({} if compared else {"whole": True})}


def _keep_known(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that say something: what is null or empty is left out, and the page grows less."""
    return {name: value for name, value in facts.items() if value not in (None, [], {})}
