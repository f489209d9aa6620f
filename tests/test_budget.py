import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoint import Endpoint, environment, serve
from faults import always, first
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.budget import Budget, bound_prompt_tokens, read_cap
from feedback_lens.calls.catalog import ModelFacts, Price
from feedback_lens.calls.request import Delivery, Request, Response, Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError

# dollars per million tokens: 1 of the prompt, 0.5 where it is cached, 2 of the reply
FACTS = ModelFacts("m", Price(1.0, 0.5, 2.0), batch_share=0.5)
CATALOG = "models: {m: {prompt: 1.0, cached_prompt: 0.5, completion: 2.0}}"
# of a request with a prompt of 4 bytes and 16 tokens of frame: (4 + 16) * 1 + 100 * 2 millionths
WORST = 220e-6


def ask(number: int, max_tokens: int | None = 100) -> Request:
    return ask_user("m", f"{number:4}", Sampling(max_tokens=max_tokens))


def answer(prompt_tokens: int | None, completion_tokens: int | None) -> Response:
    return Response("answered", "yes", "m-1", prompt_tokens, completion_tokens)


def test_a_call_is_let_through_only_where_its_worst_case_fits() -> None:
    budget = Budget("label", FACTS, 500e-6, lambda: 0.0)
    # 220 and 440 fit 500, 660 do not
    assert [budget.reserve(ask(number)) for number in range(3)] == [True, True, False]
    # 10 * 1 + 5 * 2 = 20 millionths took the place of 220: 20 + 220 + 220 fit
    assert budget.settle(ask(0), answer(10, 5)) == pytest.approx(20e-6)
    assert budget.reserve(ask(2))
    assert not budget.reserve(ask(3))


def test_a_worst_case_that_just_fits_is_let_through() -> None:
    assert Budget("label", FACTS, WORST, lambda: 0.0).reserve(ask(0))
    assert not Budget("label", FACTS, WORST * 0.999, lambda: 0.0).reserve(ask(0))


def test_what_was_spent_before_counts() -> None:
    assert Budget("label", FACTS, 500e-6, lambda: 279e-6).reserve(ask(0))
    assert not Budget("label", FACTS, 500e-6, lambda: 281e-6).reserve(ask(0))


def test_a_call_without_an_answer_gives_back_what_was_set_aside() -> None:
    budget = Budget("label", FACTS, WORST, lambda: 0.0)
    assert budget.reserve(ask(0))
    assert budget.release(ask(0)) == pytest.approx(WORST)
    assert budget.spent == 0.0
    assert budget.reserve(ask(1))


def test_cached_tokens_cost_less_and_a_batch_its_share() -> None:
    # 6 * 1 + 4 * 0.5 + 5 * 2 = 18 millionths; a batch half of it
    assert Budget("label", FACTS, None, lambda: 0.0).settle(
        ask(0), answer(10, 5), 4
    ) == pytest.approx(18e-6)
    batch = Budget("label", FACTS, WORST / 2, lambda: 0.0, share=0.5)
    assert batch.reserve(ask(0))
    assert batch.settle(ask(0), answer(10, 5), 4) == pytest.approx(9e-6)


def test_no_more_tokens_can_be_cached_than_were_asked() -> None:
    # 10 * 0.5 + 5 * 2 = 15 millionths, and nothing below it
    assert Budget("label", FACTS, None, lambda: 0.0).settle(
        ask(0), answer(10, 5), 99
    ) == pytest.approx(15e-6)


@pytest.mark.parametrize("counted", [(None, None), (10, None), (None, 5)])
def test_without_counts_the_worst_case_counts_against_the_cap(counted: tuple[int, int]) -> None:
    budget = Budget("label", FACTS, 500e-6, lambda: 0.0)
    assert budget.reserve(ask(0))
    assert budget.settle(ask(0), answer(*counted)) == pytest.approx(WORST)
    assert budget.spent == pytest.approx(WORST)


def test_what_the_server_turned_down_costs_nothing() -> None:
    budget = Budget("label", FACTS, 500e-6, lambda: 0.0)
    assert budget.reserve(ask(0))
    assert budget.settle(ask(0), Response("failed", "HTTP 400: too long")) == 0.0
    assert budget.spent == 0.0


def test_a_reply_that_was_filtered_without_counts_may_have_been_billed() -> None:
    budget = Budget("label", FACTS, 500e-6, lambda: 0.0)
    assert budget.reserve(ask(0))
    # a model has written it, other than the words on a prompt that was turned down
    assert budget.settle(ask(0), Response("filtered", "half a reply", "m-1")) == pytest.approx(
        WORST
    )
    assert budget.spent == pytest.approx(WORST)


def test_a_model_without_a_price_costs_nobody_knows_what() -> None:
    unknown = ModelFacts("own-model")
    assert Budget("label", unknown, None, lambda: 0.0).settle(ask(0), answer(10, 5)) is None
    with pytest.raises(InputError, match=r"label: FEEDBACK_LENS_MAX_USD.*'own-model'.*CATALOG"):
        Budget("label", unknown, 5.0, lambda: 0.0)


def test_without_max_tokens_there_is_no_worst_case() -> None:
    with pytest.raises(InputError, match=r"label: .*no bound; set label\.max_tokens in params"):
        Budget("label", FACTS, 5.0, lambda: 0.0).reserve(ask(0, max_tokens=None))
    assert Budget("label", FACTS, None, lambda: 0.0).reserve(ask(0, max_tokens=None))


def test_the_refusal_names_stage_cap_and_what_is_spent() -> None:
    with pytest.raises(InputError) as error:
        Budget("label", FACTS, 2.5, lambda: 2.4999).refuse()
    assert error.value.message == (
        "label: the next call could pass the cap of 2.5 dollars (FEEDBACK_LENS_MAX_USD): "
        "2.4999 are spent; what was answered is kept: raise the cap and run again"
    )


def test_the_bound_of_a_prompt_counts_bytes_frames_and_the_format() -> None:
    messages = ({"role": "system", "content": "é"}, {"role": "user", "content": "👋\ud800"})
    # 2 bytes; 4 bytes and a question mark for half a character; two frames of 16
    assert bound_prompt_tokens(Request("m", messages)) == 2 + 5 + 32
    shaped = Request("m", messages, response_format={"type": "json_object"})
    assert bound_prompt_tokens(shaped) == 39 + len("{'type': 'json_object'}")


@given(
    st.floats(0, 0.002),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 20), st.integers(0, 100)), max_size=60),
)
def test_no_order_of_calls_and_answers_passes_the_cap(
    cap: float, events: list[tuple[int, int, int]]
) -> None:
    budget, under_way, paid = Budget("label", FACTS, cap, lambda: 0.0), [], 0.0
    for number, (event, asked, given_) in enumerate(events):
        if event < 2:
            if budget.reserve(ask(number)):
                under_way.append(ask(number))
        elif under_way:
            request = under_way.pop(event % len(under_way))
            if event == 4:
                budget.release(request)
            else:
                paid += budget.settle(request, answer(asked, given_)) or 0.0
    assert budget.spent == pytest.approx(paid)
    for request in under_way:  # at worst
        paid += budget.settle(request, answer(20, 100)) or 0.0
    assert paid <= cap + 1e-12


@pytest.mark.parametrize(
    ("setting", "caps"),
    [
        ("", {"label": None}),
        ("20", {"label": 20.0, "judge": 20.0}),
        ("label=20,judge=50", {"label": 20.0, "judge": 50.0, "rate_prompts": None}),
        (" label = 0 , 1.5", {"label": 0.0, "judge": 1.5}),
    ],
)
def test_caps_are_for_every_stage_or_by_stage(
    setting: str, caps: dict[str, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_MAX_USD", setting)
    assert {stage: read_cap(stage) for stage in caps} == caps


@pytest.mark.parametrize(
    "setting", ["much", "label=", "judge=-1", "nan", "inf", "20 dollars", "1,"]
)
def test_a_cap_that_is_none_is_named_to_every_stage(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_MAX_USD", setting)
    with pytest.raises(InputError, match=f"FEEDBACK_LENS_MAX_USD='{setting}': give dollars"):
        read_cap("label")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(CATALOG)
    with serve() as server:
        monkeypatch.setenv("FEEDBACK_LENS_CATALOG", str(catalog))
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        yield server


def ask_all(folder: Path, purpose: str = "label", count: int = 100) -> None:
    open_assistant(purpose, "m", folder).ask([ask(number) for number in range(count)])


def ledger(folder: Path) -> list[tuple[str, str, str, int, float | None]]:
    store = ResponseStore(folder / "store.sqlite")
    rows = [row[:5] for row in store.spending()]
    store.close()
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_the_ledger_never_passes_the_cap_whatever_replies_cost(
    seed: int, server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = random.Random(seed)
    server.reply = lambda body: "word " * lengths.randint(0, 100)
    cap = 0.003
    monkeypatch.setenv("FEEDBACK_LENS_MAX_USD", str(cap))
    with pytest.raises(InputError, match=r"label: .*the cap of 0\.003 dollars"):
        ask_all(tmp_path)
    [(_, _, _, answers, usd)] = ledger(tmp_path)
    # the last one was refused with nothing else under way: less than its worst case was left
    assert cap - WORST < usd <= cap
    # refused before the call: nothing was sent in vain
    assert answers == len(server.received) < 100
    # the run goes on from there under a higher cap, which counts what was spent before
    monkeypatch.setenv("FEEDBACK_LENS_MAX_USD", str(cap + WORST))
    with pytest.raises(InputError, match=r"the cap of 0\.00322 dollars"):
        ask_all(tmp_path)
    assert ledger(tmp_path)[0][3] > answers
    assert ledger(tmp_path)[0][4] <= cap + WORST


def test_a_cap_under_the_first_call_sends_nothing(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_MAX_USD", "0")
    with pytest.raises(InputError, match=r"the cap of 0 dollars .*: 0\.0000 are spent"):
        ask_all(tmp_path)
    assert server.received == []


def test_a_stage_pays_from_its_own_cap(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_MAX_USD", "label=0.001")
    store = ResponseStore(tmp_path / "store.sqlite")
    store.keep([Delivery(ask(-1), answer(1, 1), "endpoint", 0.01, 1.0)], "judge")
    store.close()
    ask_all(tmp_path, "label", 3)
    ask_all(tmp_path, "judge", 100)
    assert [row[:1] + row[3:4] for row in ledger(tmp_path)] == [("judge", 98), ("label", 3)]


def test_replies_without_counts_reach_the_cap_by_their_worst_case(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.plan = always("no_usage")
    monkeypatch.setenv("FEEDBACK_LENS_MAX_USD", "0.001")
    with pytest.raises(InputError, match="cap"):
        ask_all(tmp_path)
    # 4 * 220 = 880 of 1000 millionths
    assert len(server.received) == 4


def test_a_budget_that_waits_for_answers_goes_on_when_they_fail(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # there is room for one call at a time; the first has no answer, and costs nothing
    monkeypatch.setenv("FEEDBACK_LENS_MAX_USD", str(WORST * 1.2))
    server.plan = first(1, "broken")
    with pytest.raises(InputError, match="label: 1 requests got no answer"):
        ask_all(tmp_path, count=3)
    assert ledger(tmp_path)[0][3] == 2


def test_a_capped_run_of_a_model_without_a_price_sends_nothing(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_MAX_USD", "label=5")
    request = ask_user("own-model", "hi", Sampling(max_tokens=5))
    with pytest.raises(InputError, match=r"the price of model 'own-model' is not known"):
        open_assistant("label", "own-model", tmp_path).ask([request])
    assert server.received == []
    open_assistant("judge", "own-model", tmp_path).ask([request])
    assert ledger(tmp_path) == [("judge", "own-model", "endpoint", 1, None)]
