"""A packaged scorer that runs anywhere: a linear head on sentence embeddings.

It is a stand-in for Perspective, and no copy of it: it learns what is rude from some hundred
hand-written messages (data/toxicity_examples.csv), in English. docs/toxicity.md says how good.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from feedback_lens.calls.completion import now
from feedback_lens.calls.request import Delivery, Request, Response
from feedback_lens.errors import InputError
from feedback_lens.feedback.local.embedding import MAX_TOKENS, WEIGHTS_SHA256, embed
from feedback_lens.moderation.scorer import Scorer

COLUMNS = ["text", "toxic"]
# characters of a text's beginning and of its end; the embedding sees no more of either
WINDOW = 500
# texts that are scored, and kept, at once
BATCH = 256

Example = tuple[str, bool]


def build_local(examples: Path, regularization: float) -> Scorer:
    """The scorer that is fitted on a CSV of examples (`text,toxic`; toxic is 0 or 1).

    `regularization` is C of the logistic regression. The scorer's scores are kept under a name of
    its content: other examples, another name.

    Raises:
        InputError: the examples are missing, malformed, or all alike.
    """
    rows = read_examples(examples)
    content = [rows, float(regularization), WEIGHTS_SHA256, MAX_TOKENS, WINDOW]
    digest = hashlib.sha256(json.dumps(content).encode("ascii")).hexdigest()
    return Scorer(
        name="local",
        model=f"local:minilm_toxicity@{digest[:16]}",
        question={"type": "toxicity"},
        read=lambda reply: reply["toxicity"],
        open_sender=lambda purpose: LocalScorerSender(purpose, ToxicityHead(rows, regularization)),
        find_obstacle=lambda: None,
    )


def read_examples(path: Path) -> list[Example]:
    """The examples of a CSV file.

    Raises:
        InputError: it is missing or malformed, a text is toxic and is not, or all are alike.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); `text,toxic` lines are wanted"
        ) from None
    if reader.fieldnames != COLUMNS:
        raise InputError(f"{path}: the columns are {reader.fieldnames}; text,toxic are wanted")
    _check_rows(rows, path)
    examples = [(row["text"], row["toxic"] == "1") for _, row in rows]
    if len({toxic for _, toxic in examples}) < 2:
        raise InputError(f"{path}: toxic examples (1) and others (0) are wanted, both")
    return examples


def _check_rows(rows: Iterable[tuple[int, Mapping[str, str]]], path: Path) -> None:
    seen: dict[str, tuple[int, str]] = {}
    for line, row in rows:
        if not row["text"].strip() or row["toxic"] not in ("0", "1"):
            raise InputError(f"{path}: line {line}: a text, then 0 or 1 is wanted, found {row}")
        first, toxic = seen.setdefault(row["text"].strip(), (line, row["toxic"]))
        if toxic != row["toxic"]:
            raise InputError(
                f"{path}: line {line}: toxic is {row['toxic']}, and {toxic} for the same text in "
                f"line {first}; keep one of the two"
            )


class ToxicityHead:
    """Logistic regression on embeddings."""

    def __init__(self, examples: Sequence[Example], regularization: float) -> None:
        from sklearn.linear_model import LogisticRegression

        self._model = LogisticRegression(C=regularization, max_iter=1000)
        texts = [text for text, _ in examples]
        self._model.fit(embed(texts, "score_toxicity"), [toxic for _, toxic in examples])

    def score(self, texts: Sequence[str]) -> list[float]:
        """The toxicity of each text, 0 to 1, to six decimals: of its beginning or its end."""
        # of a short text both are the same, and embedded once
        pieces = [text[:WINDOW] for text in texts] + [text[-WINDOW:] for text in texts]
        scores = self._model.predict_proba(embed(pieces, "score_toxicity"))[:, 1]
        highest = scores.reshape(2, len(texts)).max(axis=0)
        return [round(float(score), 6) for score in highest]


class LocalScorerSender:
    """Scores in process, so many texts at once."""

    takes_turns = True

    def __init__(self, purpose: str, head: ToxicityHead) -> None:
        self._purpose, self._head = purpose, head
        self._waiting: list[Request] = []

    def has_room(self) -> bool:
        """Whether one more text can be taken."""
        return len(self._waiting) < BATCH

    def start(self, request: Request) -> None:
        """Take a text."""
        self._waiting.append(request)

    def collect(self) -> list[Delivery]:
        """The scores of the texts that were taken."""
        requests, self._waiting = self._waiting, []
        scores = self._head.score([r.messages[0]["content"] for r in requests]) if requests else []
        return [
            Delivery(request, self._respond(request, score), "local", 0.0)
            for request, score in zip(requests, scores, strict=True)
        ]

    def finish(self) -> None:
        """Every text got its score."""

    def close(self) -> list[Delivery]:
        """Nothing is under way between two batches."""
        return []

    def _respond(self, request: Request, score: float) -> Response:
        text = json.dumps({"toxicity": score})
        return Response("answered", text, request.model, answered_at=now())
