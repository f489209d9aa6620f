import json
from dataclasses import replace

import pytest

from feedback_lens.benchmarks.answering import ANSWERS, answer_questions, describe_cut_offs
from feedback_lens.benchmarks.questions import Question, read_questions
from feedback_lens.calls.asking import Assistant
from feedback_lens.calls.request import Delivery, Response
from feedback_lens.tables import read_rows, write_rows

WRITING = Question("w", ("writing",), ("u1", "u2"), (), (), (), 0.7)
MATH = Question("m", ("math",), ("v1",), (), (), (), 0.0)


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


def test_the_temperatures_are_those_of_the_benchmark(ask, tmp_path):
    # as FastChat samples MT-Bench; 0.7 for a category that it does not know
    wanted = {
        **{"writing": 0.7, "roleplay": 0.7, "extraction": 0.0, "math": 0.0, "coding": 0.0},
        **{"reasoning": 0.0, "stem": 0.1, "humanities": 0.1, "cooking": 0.7},
    }
    rows = [{"question_id": name, "category": name, "turns": [name, "go on"]} for name in wanted]
    (tmp_path / "question.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ask(read_questions(tmp_path), count_messages)
    found = {(r.messages[0]["content"], r.sampling.temperature) for r in ask.sent}
    assert found == set(wanted.items())
    assert len(ask.sent) == 18


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


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (Response("answered", ""), ""),
        (Response("answered", None), ""),  # how some servers send an empty reply
        (Response("cut_off", None), ""),
        (Response("refused", "I would rather not."), "I would rather not."),
        # these words are the server's, and no answer
        (Response("failed", "HTTP 400: maximum context length is 8"), None),
        (Response("filtered", "HTTP 400: content_filter"), None),
    ],
)
def test_an_empty_answer_stays_and_a_server_s_words_are_none(response, answer, ask):
    [first, _] = ask([WRITING], lambda messages: response)
    assert (first["answer"], first["outcome"]) == (answer, response.outcome)
    assert ask.sent[1].messages[1] == {"role": "assistant", "content": answer or ""}


def test_answers_that_reached_the_limit_are_counted(ask):
    def cut_long(messages):
        return Response("cut_off" if messages[-1]["content"] == "u2" else "answered", "yes")

    rows = ask([WRITING, MATH], cut_long)
    line = "mt_bench: 1 of 3 answers reached max_tokens (32) and were cut off"
    assert describe_cut_offs("mt_bench", rows, 32) == line
    assert describe_cut_offs("mt_bench", rows[:2], 32) is None


def test_another_seed_asks_again_and_the_same_seed_does_not(ask):
    for seed in (1, 1, 2):
        ask([MATH], count_messages, seed=seed)
    assert [request.sampling.seed for request in ask.sent] == [1, 2]


def test_no_questions_have_no_answers(ask):
    assert ask([], count_messages) == []
