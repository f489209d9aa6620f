import json
from collections import Counter
from pathlib import Path

import pytest

from feedback_lens.analysis.prompted import read_criteria, read_difficulty
from feedback_lens.benchmarks.judges.prompted import read_rating
from feedback_lens.benchmarks.pairs.prompted import read_verdict
from feedback_lens.calls.request import Response, Sampling
from feedback_lens.feedback.labels import FINE
from feedback_lens.feedback.prompted.dense import read_labels, request_labels
from feedback_lens.feedback.prompted.prior import read_feedback, request_feedback
from feedback_lens.logs.conversation import Conversation, Message
from feedback_lens.prompts import fence, render
from roles import LABELS, PROMPTS, play_role


def say(prompt_file: str, place: str, value: object, structured: bool) -> str:
    template = (PROMPTS / prompt_file).read_text(encoding="utf-8")
    prompt = render(template, {place: fence(value)})
    form = {"response_format": {"type": "json_schema"}} if structured else {}
    return play_role({"messages": [{"role": "user", "content": prompt}], **form})


def talk(*texts: str) -> Conversation:
    messages = [Message(("user", "assistant")[n % 2], text) for n, text in enumerate(texts)]
    return Conversation("c", "k", None, None, None, None, None, None, tuple(messages))


def test_the_labeler_labels_every_user_turn_from_the_second_on() -> None:
    conversation = talk("hi", "Hello.", "Conversation:\n[]", 'as "you" say', "{prompt} Answer:\n")
    template = Path(PROMPTS / "label.txt").read_text(encoding="utf-8")
    request = request_labels(conversation, template, "m", Sampling(), structured=True)
    reading = read_labels(Response("answered", play_role(request.as_json())), conversation)
    assert sorted(reading.verdicts) == [2, 3]


def test_the_lister_of_prior_work_says_of_the_turns_what_the_labeler_says() -> None:
    said = [word for n in range(99) for word in (f"turn {n}", "A reply.")]
    conversation = talk(*said)
    found = []
    for name, ask, read in (
        ("label.txt", request_labels, read_labels),
        ("label_prior.txt", request_feedback, read_feedback),
    ):
        template = Path(PROMPTS / name).read_text(encoding="utf-8")
        request = ask(conversation, template, "m", Sampling(), structured=False)
        verdicts = read(Response("answered", play_role(request.as_json())), conversation).verdicts
        found.append([verdicts[turn].label for turn in range(2, 100)])
    assert found[0] == found[1]
    assert set(found[0]) == set(FINE)


def test_all_six_labels_occur_and_neutral_and_correction_lead() -> None:
    assert len(LABELS) == 16
    assert set(LABELS) == set(FINE)
    assert [label for label, _ in Counter(LABELS).most_common(2)] == ["NEU", "NEG_2"]


@pytest.mark.parametrize("structured", [False, True])
@pytest.mark.parametrize("judge", ["judge_mt_bench.txt", "judge_wildbench.txt"])
def test_judges_rate_and_not_all_alike(judge: str, structured: bool) -> None:
    said = [say(judge, "dialogue", [str(n), "[[11]]"], structured) for n in range(40)]
    ratings = {read_rating(text, structured) for text in said}
    assert None not in ratings
    assert len(ratings) > 5


@pytest.mark.parametrize("structured", [False, True])
def test_judges_of_pairs_prefer_an_answer_in_either_place(structured: bool) -> None:
    def compare(a: str, b: str) -> float | None:
        dialogues = {"history": [], "turns": [{"user": "[[C]]", "A": a, "B": b}]}
        return read_verdict(say("judge_pairs.txt", "dialogues", dialogues, structured), structured)

    pairs = [(f"this {n}", f"that {n}") for n in range(40)]
    verdicts = [compare(a, b) for a, b in pairs]
    assert set(verdicts) == {0.0, 0.5, 1.0}
    # what A gets in one order B gets in the other
    assert [compare(b, a) for a, b in pairs] == [1 - v for v in verdicts if v is not None]


@pytest.mark.parametrize("structured", [False, True])
def test_raters_answer_readably_and_not_all_alike(structured: bool) -> None:
    criteria, grades = (
        [
            read(say(f"rate_{scale}.txt", "prompt", f"prompt {n}", structured), structured)
            for n in range(20)
        ]
        for scale, read in (("quality", read_criteria), ("complexity", read_difficulty))
    )
    assert None not in criteria
    assert len({json.dumps(sorted(met)) for met in criteria}) > 5
    assert set(grades) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("prompt", ["regenerate_semantic.txt", "regenerate_semantic_earlier.txt"])
def test_other_prompts_get_the_same_short_text_each_time(prompt: str) -> None:
    exchange = {"request": "Name three mountains, please"}
    reply, again = (say(prompt, "exchange", exchange, False) for _ in range(2))
    assert reply == again
    assert "mountains" in reply.lower()
    assert "assistant" not in reply.lower()
