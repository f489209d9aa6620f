from dataclasses import replace

import pytest

from feedback_lens.benchmarks.answering import ANSWERS, answer_questions
from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.asking import Assistant
from feedback_lens.calls.request import Delivery, Response
from feedback_lens.tables import read_rows, write_rows

WRITING = Question("w", "writing", ("u1", "u2"), (), (), (), 0.7)
MATH = Question("m", "math", ("v1",), (), (), (), 0.0)


class Player:
    """A sender that answers by a function of the messages, the last request first."""

    takes_turns = False

    def __init__(self, reply, sent):
        self.reply, self.sent, self.waiting = reply, sent, []

    def has_room(self):
        return True

    def start(self, request):
        self.sent.append(request)
        self.waiting.append(request)

    def collect(self):
        # answers may arrive in any order
        waiting, self.waiting = self.waiting[::-1], []
        return [Delivery(request, self.reply(request.messages), "local") for request in waiting]

    def finish(self):
        pass

    def close(self):
        return []


@pytest.fixture
def ask(tmp_path):
    """Answers questions with a model that a function of the messages plays; `ask.sent` is seen."""

    def run(questions, reply, max_tokens=32, seed=1):
        def open_sender(request):
            return Player(reply, run.sent)

        assistant = Assistant("tiny", "answer", tmp_path, tmp_path / "store.sqlite", open_sender)
        return answer_questions(questions, assistant, max_tokens, seed)

    run.sent = []
    return run


def count_messages(messages):
    return Response("answered", f"{messages[-1]['content']}!", completion_tokens=len(messages))


def test_the_second_turn_sees_the_first_answer(ask):
    rows = ask([WRITING], count_messages)
    assert [(row["turn"], row["answer"]) for row in rows] == [(1, "u1!"), (2, "u2!")]
    assert ask.sent[1].messages == (
        {"role": "user", "content": "u1"},
        {"role": "assistant", "content": "u1!"},
        {"role": "user", "content": "u2"},
    )


def test_every_turn_of_every_question_is_answered(ask, tmp_path):
    rows = ask([WRITING, MATH], count_messages)
    keys = [(row["question_id"], row["turn"], row["answer"]) for row in rows]
    assert keys == [("w", 1, "u1!"), ("m", 1, "v1!"), ("w", 2, "u2!")]
    # tokens as the model counted them: here the messages that it saw
    assert [row["tokens"] for row in rows] == [1, 1, 3]
    write_rows(rows, tmp_path / "a.parquet", ANSWERS)
    assert read_rows(tmp_path / "a.parquet") == rows


def test_each_question_has_the_temperature_of_its_category(ask):
    ask([WRITING, MATH], count_messages, max_tokens=7, seed=5)
    settings = {r.messages[0]["content"]: r.sampling for r in ask.sent}
    assert {name: s.temperature for name, s in settings.items()} == {"u1": 0.7, "v1": 0.0}
    assert {(r.model, r.sampling.max_tokens, r.sampling.seed) for r in ask.sent} == {("tiny", 7, 5)}


def test_the_history_of_a_task_comes_first(ask):
    history = ({"role": "user", "content": "h1"}, {"role": "assistant", "content": "h2"})
    ask([replace(MATH, history=history)], count_messages)
    assert ask.sent[0].messages == (*history, {"role": "user", "content": "v1"})


def test_an_answer_that_fails_is_named_and_the_next_turn_goes_on(ask):
    def refuse_first(messages):
        return Response("refused", None) if len(messages) == 1 else Response("cut_off", "yes")

    rows = ask([WRITING], refuse_first)
    assert [(row["answer"], row["outcome"], row["tokens"]) for row in rows] == [
        (None, "refused", None),
        ("yes", "cut_off", None),
    ]
    assert ask.sent[1].messages[1] == {"role": "assistant", "content": ""}


def test_another_seed_asks_again_and_the_same_seed_does_not(ask):
    for seed in (1, 1, 2):
        ask([MATH], count_messages, seed=seed)
    assert [request.sampling.seed for request in ask.sent] == [1, 2]


def test_no_questions_have_no_answers(ask):
    assert ask([], count_messages) == []
