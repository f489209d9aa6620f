import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dialogues import record
from endpoint import environment, serve
from feedback_lens.calls.asking import CHUNK, Assistant
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.request import Delivery, Request, Response, Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError


class Clerk:
    """A sender with an order of its own: of what is under way, the last is answered first."""

    takes_turns = False

    def __init__(self) -> None:
        self.slots, self.at_once = 4, 1
        self.waiting: list[Request] = []
        self.started: list[str] = []
        self.closed = 0
        self.leftovers: list[Delivery] = []
        self.before_collect: Callable[[], None] = lambda: None

    def has_room(self) -> bool:
        return len(self.waiting) < self.slots

    def start(self, request: Request) -> None:
        assert self.has_room()
        self.started.append(text_of(request))
        self.waiting.append(request)

    def collect(self) -> list[Delivery]:
        self.before_collect()
        count = min(self.at_once, len(self.waiting))
        return [self.answer(self.waiting.pop()) for _ in range(count)]

    def finish(self) -> None:
        assert not self.waiting

    def close(self) -> list[Delivery]:
        self.closed += 1
        return self.leftovers

    def answer(self, request: Request) -> Delivery:
        response = Response("answered", f"reply to {text_of(request)}", "m-1", 2, 3)
        return Delivery(request, response, "endpoint", 0.5, 1.5)


def text_of(request: Request) -> str:
    return request.messages[0]["content"]


def ask(text: object, seed: int | None = None) -> Request:
    return ask_user("m", str(text), Sampling(seed=seed))


@pytest.fixture
def clerk() -> Clerk:
    return Clerk()


@pytest.fixture
def assistant(clerk: Clerk, tmp_path: Path) -> Assistant:
    (tmp_path / "recorded").mkdir()
    return employ(clerk, tmp_path)


def employ(clerk: Clerk, folder: Path) -> Assistant:
    store = folder / "store.sqlite"
    return Assistant("m", "label", folder / "recorded", store, lambda request: clerk)


def look(folder: Path) -> set[str]:
    """The texts in the store, as another process sees them."""
    database = sqlite3.connect(folder / "store.sqlite")
    rows = database.execute("SELECT text FROM responses").fetchall()
    database.close()
    return {text for (text,) in rows}


def record_texts(folder: Path, *texts: str) -> None:
    record(folder / "recorded", [(ask(text), f"recorded {text}") for text in texts])


def test_answers_come_in_the_order_in_which_they_arrive(assistant: Assistant) -> None:
    texts = [text_of(request) for request, _ in assistant.stream(map(ask, range(6)))]
    # 4 in flight, the last of them first; 4 takes the place of 3 and 5 of 4
    assert texts == ["3", "4", "5", "2", "1", "0"]


def test_kept_answers_come_at_once_between_the_others(clerk: Clerk, assistant: Assistant) -> None:
    list(assistant.stream([ask("b")]))
    clerk.slots = 1
    answers = [response.text for _, response in assistant.stream(map(ask, "abc"))]
    assert answers == ["reply to b", "reply to a", "reply to c"]
    assert clerk.started == ["b", "a", "c"]


@pytest.mark.parametrize("slots", [1, 4, 10_000])
@pytest.mark.parametrize("between", [0, 2, CHUNK + 5], ids=["at_once", "in_a_chunk", "chunks"])
def test_a_request_that_is_asked_twice_is_sent_once_and_served_twice(
    between: int, slots: int, clerk: Clerk, assistant: Assistant, tmp_path: Path
) -> None:
    clerk.slots, clerk.at_once = slots, max(1, slots // 2)
    requests = [ask("twice"), *map(ask, range(between)), ask("twice"), ask("last"), ask("twice")]
    record_texts(tmp_path, "never asked", *map(str, range(3, between)))
    answers = list(assistant.stream(iter(requests)))
    assert sorted(text_of(request) for request, _ in answers) == sorted(map(text_of, requests))
    assert {response.text for request, response in answers if request == requests[0]} == {
        "reply to twice"
    }
    # all but the first three in between are recorded
    assert sorted(clerk.started) == [*"012"[:between], "last", "twice"]


def test_a_request_answered_while_its_chunk_is_served_is_not_asked_again(
    clerk: Clerk, assistant: Assistant
) -> None:
    # "a" is answered when "b" needs its place, long after both were looked up
    clerk.slots = 1
    answers = [text_of(request) for request, _ in assistant.stream(map(ask, "abaab"))]
    assert answers == ["a", "a", "a", "b", "b"]
    assert clerk.started == ["a", "b"]


def test_requests_are_drawn_as_they_are_needed(clerk: Clerk, assistant: Assistant) -> None:
    drawn = 0
    clerk.at_once = 3

    def draw() -> Iterator[Request]:
        nonlocal drawn
        for number in range(3 * CHUNK):
            drawn += 1
            yield ask(number)

    for served, _ in enumerate(assistant.stream(draw())):
        # a chunk that is looked up, and what is in flight
        assert drawn <= served + CHUNK + clerk.slots
    assert drawn == len(clerk.started) == 3 * CHUNK


def test_an_answer_is_durable_before_it_is_handed_on(assistant: Assistant, tmp_path: Path) -> None:
    for _, response in assistant.stream(map(ask, range(20))):
        assert response.text in look(tmp_path)


def test_an_answer_is_kept_before_the_model_is_asked_more(
    clerk: Clerk, assistant: Assistant, tmp_path: Path
) -> None:
    def check() -> None:
        answered = set(clerk.started) - set(map(text_of, clerk.waiting))
        assert look(tmp_path) == {f"reply to {text}" for text in answered}

    clerk.before_collect = check
    assert len(list(assistant.stream(map(ask, range(20))))) == 20


@pytest.mark.parametrize("how", ["break", "exception", "close"])
def test_who_stops_early_loses_nothing_that_had_arrived(
    how: str, clerk: Clerk, assistant: Assistant, tmp_path: Path
) -> None:
    clerk.leftovers = [clerk.answer(ask("late"))]

    def consume() -> None:
        for request, _ in (stream := assistant.stream(map(ask, ["late", *range(20)]))):
            if how == "exception" and text_of(request) == "5":
                raise RuntimeError("the consumer's own")
            if how != "exception" and text_of(request) == "5":
                break
        stream.close()

    if how == "exception":
        with pytest.raises(RuntimeError):
            consume()
    else:
        consume()
    # 4 in flight, the last first: 2, 3, 4, 5 were answered and 0 and 1 were not
    assert look(tmp_path) == {"reply to late", *(f"reply to {number}" for number in (2, 3, 4, 5))}
    assert clerk.closed == 1
    clerk.leftovers, clerk.started, clerk.waiting = [], [], []
    assert len(assistant.ask([ask("late"), *map(ask, range(6))])) == 7
    assert clerk.started == ["0", "1"]


def test_what_the_endpoint_had_sent_is_kept_when_the_consumer_stops(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve() as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        for served, (_, response) in enumerate(
            open_assistant("label", "m", tmp_path).stream(map(ask, range(40)))
        ):
            assert response.text in look(tmp_path)
            if served == 10:
                break
        store = ResponseStore(tmp_path / "store.sqlite")
        kept = len(list(store.rows()))
        store.close()
        # all but those that were in flight
        assert 11 <= kept <= sum(server.answered.values()) <= kept + 4
        list(open_assistant("label", "m", tmp_path).stream(map(ask, range(40))))
        assert sum(server.answered.values()) <= 40 + 4


def test_of_two_processes_that_ask_at_once_the_first_answer_counts(
    clerk: Clerk, assistant: Assistant, tmp_path: Path
) -> None:
    def be_first() -> None:
        other = ResponseStore(tmp_path / "store.sqlite")
        first = Delivery(ask("a"), Response("answered", "first"), "endpoint")
        other.keep([first], "label")
        other.close()

    clerk.before_collect = be_first
    answers = {
        text_of(request): response.text for request, response in assistant.stream(map(ask, "abab"))
    }
    assert answers == {"a": "first", "b": "reply to b"}


def test_the_snapshot_is_read_before_anything_is_sent(
    clerk: Clerk, assistant: Assistant, tmp_path: Path
) -> None:
    record_texts(tmp_path, "a", "b", "not asked")
    answers = [response.text for response in assistant.ask([ask("a"), ask("c"), ask("b")])]
    assert answers == ["recorded a", "reply to c", "recorded b"]
    assert clerk.started == ["c"]
    # of a sequence just what is asked is taken into the store
    assert look(tmp_path) == set(answers)


@pytest.mark.parametrize("kind", [list, iter], ids=["sequence", "stream"])
def test_where_all_is_kept_no_sender_is_opened(
    kind: Callable[[list[Request]], list[Request]], tmp_path: Path
) -> None:
    (tmp_path / "recorded").mkdir()
    record_texts(tmp_path, *map(str, range(CHUNK + 5)))

    def refuse(request: Request) -> Clerk:
        raise AssertionError("nothing is missing")

    store = tmp_path / "store.sqlite"
    assistant = Assistant("m", "label", tmp_path / "recorded", store, refuse)
    requests = [ask(number) for number in range(CHUNK + 5)]
    assert len(list(assistant.stream(kind(requests)))) == CHUNK + 5
    assert list(assistant.stream(iter([]))) == assistant.ask([]) == []


def damage(folder: Path, request: Request) -> Path:
    shard = folder / "recorded" / f"replies-{request.key[0]}.parquet"
    shard.write_bytes(shard.read_bytes()[:-20])
    return shard


def test_a_damaged_shard_is_named_once_and_the_others_are_read(
    clerk: Clerk, assistant: Assistant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [str(number) for number in range(60)]
    record_texts(tmp_path, *texts)
    shard = damage(tmp_path, ask("0"))
    whole = [text for text in texts if ask(text).key[0] != ask("0").key[0]]
    missing = ask("never recorded", seed=1)
    assert len(assistant.ask([ask(text) for text in whole])) == len(whole)
    for _ in range(2):
        # what is missing may lie in the shard, and would be paid for again
        with pytest.raises(InputError) as error:
            assistant.ask([ask("0"), *map(ask, whole), missing])
        assert error.value.message.startswith(f"label: replies are missing, and {shard}: cannot be")
        assert error.value.message.endswith("mend it, or delete it to do so")
    assert capsys.readouterr().err.count(f"label: skipped {shard}: cannot be read") == 1
    assert clerk.started == []
    shard.unlink()
    mended = employ(clerk, tmp_path)
    assert len(mended.ask([ask("0"), missing])) == 2
    assert clerk.started == ["0", "never recorded"]


def test_a_sender_that_fails_ends_the_stream_and_is_closed(
    clerk: Clerk, assistant: Assistant, tmp_path: Path
) -> None:
    def fail() -> None:
        if len(clerk.waiting) == 1:
            raise InputError("label: no more")

    clerk.before_collect = fail
    with pytest.raises(InputError, match="no more"):
        assistant.ask(list(map(ask, range(6))))
    assert len(look(tmp_path)) == 5
    assert clerk.closed == 1


def test_a_sender_that_loses_a_request_without_a_word_is_a_bug_that_shows(
    clerk: Clerk, assistant: Assistant
) -> None:
    def lose() -> None:
        clerk.waiting = [request for request in clerk.waiting if text_of(request) != "2"]

    clerk.before_collect = lose
    with pytest.raises(AssertionError):
        list(assistant.stream(map(ask, range(4))))


def test_the_progress_is_of_the_stage_and_silent_where_nothing_is_sent(
    clerk: Clerk, assistant: Assistant, capsys: pytest.CaptureFixture[str]
) -> None:
    assistant.ask(list(map(ask, range(3))))
    assert "label: 100%" in capsys.readouterr().err
    assistant.ask(list(map(ask, range(3))))
    assert capsys.readouterr().err == ""
