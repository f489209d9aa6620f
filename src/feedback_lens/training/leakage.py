"""What the splits share with one another and with the benchmarks: conversations, users, prompts."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa

from feedback_lens.benchmarks.questions import Question
from feedback_lens.training.near_duplicates import Likeness, NearTexts, normalize

LEAKAGE = pa.schema(
    [
        ("split", pa.string()),
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("other", pa.string()),
        ("other_id", pa.string()),
        ("other_turn", pa.int32()),
        ("kind", pa.string()),
        ("similarity", pa.float64()),
    ]
)
PROMPT_KINDS = ("duplicate", "near_duplicate")
SPLIT_KINDS = ("conversation", "user", *PROMPT_KINDS)
# candidates of a prompt to compare in one place, the likeliest first: bounds those of one template
_COMPARED = 200
# normalized characters from which on a message of a question's history counts: `continue`, `make it
# shorter` and their like are typed in any conversation and tell nothing of the question
_HISTORY = 40


Rows = Sequence[Mapping[str, Any]]
Compare = Callable[[str, str], float | None]


class Prompt(NamedTuple):
    """A user turn, its text normalized; a benchmark's has neither conversation nor user."""

    identifier: str
    turn: int
    text: str
    conversation: str | None
    user: str | None


class Match(NamedTuple):
    """What a prompt has in common with one elsewhere."""

    kind: str
    prompt: Prompt
    similarity: float | None


class PromptIndex:
    """The prompts of one split or benchmark, by what they may share with another's."""

    def __init__(self, prompts: Iterable[Prompt]) -> None:
        self._conversations: defaultdict[str, list[Prompt]] = defaultdict(list)
        self._users: defaultdict[str, list[Prompt]] = defaultdict(list)
        self._texts: defaultdict[str, list[Prompt]] = defaultdict(list)
        for prompt in prompts:
            for index, key in (
                (self._conversations, prompt.conversation),
                (self._users, prompt.user),
                (self._texts, prompt.text),
            ):
                if key:  # a blank prompt is equal to none
                    index[key].append(prompt)

    def find(self, prompt: Prompt, candidates: Sequence[str], compare: Compare) -> Iterator[Match]:
        """The matches of another place's prompt, at most one of a kind."""
        for found in self._conversations.get(prompt.conversation or "", ())[:1]:
            yield Match("conversation", found, None)
        if same := _pick_other(self._users.get(prompt.user or "", ()), prompt):
            yield Match("user", same, None)
        if equal := _pick_other(self._texts.get(prompt.text, ()), prompt):
            yield Match("duplicate", equal, 1.0)
        elif near := self._find_near(prompt, candidates, compare):
            yield near

    def _find_near(
        self, prompt: Prompt, candidates: Sequence[str], compare: Compare
    ) -> Match | None:
        others = (
            (text, _pick_other(self._texts[text], prompt))
            for text in candidates
            if text in self._texts
        )
        here = ((text, found) for text, found in others if found)
        for text, found in islice(here, _COMPARED):
            if (similarity := compare(prompt.text, text)) is not None:
                return Match("near_duplicate", found, similarity)
        return None


def _pick_other(found: Iterable[Prompt], prompt: Prompt) -> Prompt | None:
    """The first that is not of the prompt's own conversation."""
    return next((p for p in found if p.conversation != prompt.conversation), None)


def find_leakage(
    rows: Rows, benchmarks: Mapping[str, Sequence[Question]], likeness: Likeness
) -> Iterator[dict[str, Any]]:
    """What of each split stands in the other splits and the benchmarks too (rows of `LEAKAGE`).

    `conversation`: the same conversation. Of other conversations, `user`: one of the same user;
    `duplicate`: a prompt that is equal but for case and blanks; `near_duplicate`: where none is
    equal, one alike. A row has at most one match in another place and kind, since a prompt that
    thousands have typed would make millions of pairs. Of a benchmark's question its own turns are
    looked at, and those user messages of its history that are 40 characters or longer (a training
    row is not left out for a "Continue"); of a sub-conversation u_i alone, not what stands in
    `earlier`. Of near prompts in one place the 200 likeliest are compared.

    WildBench's tasks come from WildChat but carry no id of its conversations or users: only their
    prompts can tell.

    Args:
        rows: of `SPLITS`, of one corpus.
        benchmarks: questions by benchmark.
        likeness: when two prompts are near-duplicates.
    """
    splits = _read_splits(rows)
    places = splits | {name: list(_list_turns(questions)) for name, questions in benchmarks.items()}
    near = NearTexts((p.text for prompts in places.values() for p in prompts), likeness)
    indexes = {name: PromptIndex(prompts) for name, prompts in places.items()}
    for split, prompts in splits.items():
        others = {name: index for name, index in indexes.items() if name != split}
        for prompt in prompts:
            candidates = near.rank_candidates(prompt.text)
            for other, index in others.items():
                for match in index.find(prompt, candidates, near.compare):
                    yield _describe(split, prompt, other, match)


def _read_splits(rows: Rows) -> dict[str, list[Prompt]]:
    splits: dict[str, list[Prompt]] = {}
    for row in rows:
        name, text = row["conversation_id"], normalize(row["prompt"])
        prompt = Prompt(name, row["turn"], text, name, row["user_id"])
        splits.setdefault(row["split"], []).append(prompt)
    return splits


def _list_turns(questions: Iterable[Question]) -> Iterator[Prompt]:
    for question in questions:
        history = [normalize(m["content"]) for m in question.history if m["role"] == "user"]
        texts = (*history, *map(normalize, question.turns))
        for turn, text in enumerate(texts, start=1):
            if turn > len(history) or len(text) >= _HISTORY:
                yield Prompt(question.question_id, turn, text, None, None)


def _describe(split: str, prompt: Prompt, other: str, match: Match) -> dict[str, Any]:
    return {
        "split": split,
        "conversation_id": prompt.identifier,
        "turn": prompt.turn,
        "other": other,
        "other_id": match.prompt.identifier,
        "other_turn": match.prompt.turn,
        "kind": match.kind,
        "similarity": match.similarity,
    }


def count_leakage(leakage: Rows, rows: Rows, benchmarks: Iterable[str]) -> dict[str, Any]:
    """By split: its rows, those whose user is known, and by other place and kind those found there.

    `share` is of the split's rows; of a row's kinds each counts.
    """
    sizes = Counter(row["split"] for row in rows)
    known = Counter(row["split"] for row in rows if row["user_id"] is not None)
    found = Counter((row["split"], row["other"], row["kind"]) for row in leakage)
    kinds = dict.fromkeys(sizes, SPLIT_KINDS) | dict.fromkeys(benchmarks, PROMPT_KINDS)

    def count(split: str, other: str, kind: str) -> dict[str, float]:
        number = found[split, other, kind]
        return {"rows": number, "share": number / sizes[split]}

    return {
        split: {
            "rows": size,
            "rows_with_user_id": known[split],
            "found_in": {
                other: {kind: count(split, other, kind) for kind in of_other}
                for other, of_other in kinds.items()
                if other != split
            },
        }
        for split, size in sizes.items()
    }
