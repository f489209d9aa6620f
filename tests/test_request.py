import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.calls.request import (
    Request,
    Sampling,
    ask_user,
    count_outcomes,
)

# surrogates and control characters too, which the default alphabet leaves out
HOSTILE = st.text(st.characters() | st.characters(categories=["Cs", "Cc", "Cf"]), max_size=40)
PINNED = Request(
    model="gpt-4o-mini",
    messages=(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Grüße 👋"},
    ),
    sampling=Sampling(temperature=0.0, max_tokens=64, seed=7),
    response_format={"type": "json_object"},
)


def test_the_key_of_a_request_never_changes() -> None:
    # a change here would have every reply that was ever paid for asked again
    assert PINNED.canonical == (
        r'{"messages":[{"content":"Be brief.","role":"system"},'
        r'{"content":"Gr\u00fc\u00dfe \ud83d\udc4b","role":"user"}],'
        r'"model":"gpt-4o-mini","response_format":{"type":"json_object"},'
        r'"sampling":{"max_tokens":64,"seed":7,"temperature":0.0}}'
    )
    # sha256sum of those bytes
    assert PINNED.key == "16a0be9b9a4b7ef6386fa4b77d09144564cb35f7d8d9f6886cad4f5173d9e8c9"


def test_zero_and_zero_point_zero_are_one_temperature() -> None:
    whole, decimal = Sampling(temperature=0, top_p=1), Sampling(temperature=0.0, top_p=1.0)
    assert ask_user("m", "hi", whole).key == ask_user("m", "hi", decimal).key


def test_what_is_not_set_is_absent() -> None:
    request = ask_user("m", "hi", Sampling())
    assert request.canonical == (
        '{"messages":[{"content":"hi","role":"user"}],"model":"m","sampling":{}}'
    )


def test_a_setting_of_zero_is_set() -> None:
    assert Sampling(temperature=0.0, seed=0).as_json() == {"temperature": 0.0, "seed": 0}


def test_log_probabilities_are_part_of_the_key_only_where_they_are_asked_for() -> None:
    plain, asking = Sampling(seed=7), Sampling(seed=7, logprobs=True)
    assert asking.as_json() == {"seed": 7, "logprobs": True}
    for sampling in (replace(plain, logprobs=None), replace(plain, logprobs=False)):
        assert ask_user("m", "hi", sampling).key == ask_user("m", "hi", plain).key
    assert ask_user("m", "hi", asking).key != ask_user("m", "hi", plain).key


def test_every_part_of_the_content_changes_the_key() -> None:
    variants = [
        PINNED,
        replace(PINNED, model="gpt-4o"),
        replace(PINNED, messages=PINNED.messages[1:]),
        replace(PINNED, messages=PINNED.messages[::-1]),
        replace(PINNED, sampling=replace(PINNED.sampling, seed=8)),
        replace(PINNED, sampling=replace(PINNED.sampling, top_p=0.9)),
        replace(PINNED, sampling=replace(PINNED.sampling, logprobs=True)),
        replace(PINNED, response_format=None),
        replace(PINNED, sample=1),
        replace(PINNED, sample=2),
    ]
    assert len({request.key for request in variants}) == len(variants)


def test_the_first_sample_has_the_key_of_the_plain_request() -> None:
    assert replace(PINNED, sample=0).key == PINNED.key


def test_the_order_of_the_fields_of_a_message_does_not_matter() -> None:
    one, other = {"role": "user", "content": "hi"}, {"content": "hi", "role": "user"}
    assert Request("m", (one,)).key == Request("m", (other,)).key


@given(HOSTILE, HOSTILE)
def test_no_text_breaks_the_key_and_no_two_texts_share_one(text: str, other: str) -> None:
    request = ask_user("m", text, Sampling())
    assert len(request.key) == 64
    read = json.loads(request.canonical)["messages"][0]["content"]
    # JSON joins a lone high and a lone low surrogate side by side into the character they spell
    assert read == text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert (request.key == ask_user("m", other, Sampling()).key) == (text == other)


def test_outcomes_are_counted_with_zeros() -> None:
    assert count_outcomes(["answered", "refused", "answered"]) == {
        "answered": 2,
        "refused": 1,
        "cut_off": 0,
        "filtered": 0,
        "unreadable": 0,
        "failed": 0,
    }
