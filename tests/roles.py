"""What the loopback endpoint says: the roles of the pipeline's prompts, by hashes of their text."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

PROMPTS = Path(__file__).parents[1] / "prompts"
# by the first hex digit of the hash; NEU and NEG_2 lead, as in real logs
LABELS = 6 * ("NEU",) + 4 * ("NEG_2",) + ("NEG_1", "NEG_1", "NEG_3", "NEG_4", "NEG_4", "POS")
CATEGORIES = {"NEG_1": "UR1", "NEG_2": "UR2", "NEG_3": "UR3", "NEG_4": "UR4", "POS": "UR5"}
_WORD = re.compile(r"[^\W\d_]{4,}")
_PLACE = re.compile(r"\{(?:conversation|dialogues?|prompt|exchange)\}")


def play_role(body: Mapping[str, Any]) -> str:
    """The reply to a request of the pipeline, plausible, and the same for the same messages.

    Labels for the labeling prompt, ratings for those of judge and rater, verdicts for that of pairs,
    else a short text. Where the request has a response format, all but texts are the JSON objects
    of the pipeline's.
    """
    prompt = str(body["messages"][-1]["content"])
    as_object = body.get("response_format") is not None
    for name, answer in _ROLES.items():
        before, after = read_frame(name)
        if prompt.startswith(before) and prompt.endswith(after):
            return answer(prompt[len(before) : len(prompt) - len(after)], as_object)
    return write_text(prompt)


@cache
def read_frame(name: str) -> tuple[str, str]:
    """The text before and after the place of a prompt file."""
    before, after = _PLACE.split((PROMPTS / name).read_text(encoding="utf-8"))
    return before, after


def label_turns(conversation: str, as_object: bool) -> str:
    """One label for every user turn from turn 2 on; always as an object."""
    turns = json.loads(conversation)
    labels = [
        {"turn": turn["turn"], "label": LABELS[digest(turn["user"])[0] % 16]}
        for turn in turns
        if turn["turn"] >= 2
    ]
    return json.dumps({"labels": labels})


def list_feedback(conversation: str, as_object: bool) -> str:
    """What the labels of the turns are in prior work's categories, with the turns' words."""
    turns = json.loads(conversation)[1:]
    labeled = [(LABELS[digest(turn["user"])[0] % 16], turn["user"]) for turn in turns]
    entries = [
        {"category": CATEGORIES[label], "text": text} for label, text in labeled if label != "NEU"
    ]
    return json.dumps({"feedback": entries})


def judge_answer(dialogue: str, as_object: bool) -> str:
    """A rating from 1 to 10."""
    judgment, rating = "The answer was weighed.", digest(dialogue)[0] % 10 + 1
    if as_object:
        return json.dumps({"judgment": judgment, "rating": rating})
    return f"{judgment}\nRating: [[{rating}]]"


def compare_answers(dialogues: str, as_object: bool) -> str:
    """A verdict: A, B or a tie, by the answers and not by their places."""
    judgment, turns = "The two were compared.", json.loads(dialogues)["turns"]
    a, b = (digest("\n".join(turn[side] for turn in turns))[0] % 4 for side in "AB")
    verdict = "A" if a > b else "B" if b > a else "C"
    if as_object:
        return json.dumps({"judgment": judgment, "verdict": verdict})
    return f"{judgment}\nVerdict: [[{verdict}]]"


def rate_quality(prompt: str, as_object: bool) -> str:
    """Some of the criteria 1 to 7, on the last line."""
    bits = digest(prompt)[0]
    met = [number for number in range(1, 8) if bits >> number & 1]
    return json.dumps({"criteria": met}) if as_object else f"Weighed.\n{met}"


def rate_complexity(prompt: str, as_object: bool) -> str:
    """A grade from 1 to 5."""
    grade = digest(prompt)[0] % 5 + 1
    return json.dumps({"difficulty": grade}) if as_object else f"[[{grade}]]"


def write_text(prompt: str) -> str:
    """A sentence or two of up to 12 of the prompt's words, ordered by hash."""
    words = sorted(set(_WORD.findall(prompt.lower())), key=digest)[:12]
    if not words:
        return "Could you tell me more about what you need?"
    half = (len(words) + 1) // 2
    sentences = [" ".join(words[:half]), " ".join(words[half:])]
    return " ".join(f"{sentence.capitalize()}." for sentence in sentences if sentence)


def digest(text: str) -> bytes:
    """SHA-256 of a text, whatever it holds."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


_ROLES: dict[str, Callable[[str, bool], str]] = {
    "label.txt": label_turns,
    "label_prior.txt": list_feedback,
    "judge_mt_bench.txt": judge_answer,
    "judge_wildbench.txt": judge_answer,
    "judge_pairs.txt": compare_answers,
    "rate_quality.txt": rate_quality,
    "rate_complexity.txt": rate_complexity,
    "regenerate_semantic.txt": lambda exchange, as_object: write_text(exchange),
    "regenerate_semantic_earlier.txt": lambda exchange, as_object: write_text(exchange),
}
