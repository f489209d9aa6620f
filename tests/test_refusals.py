import pytest

from feedback_lens.analysis.refusals import REFUSALS, count_refusals, find_refusals
from feedback_lens.tables import read_rows, write_rows

REFUSING = (
    "I'm sorry, but I can't help you with that.",
    "I am sorry, but as an AI language model I am unable to assist with this request.",
    "As an AI, I cannot provide such information.",
    "I'm sorry, I won't write that, it goes against my guidelines.",
)
ANSWERING = (
    "Boil the pasta for ten minutes and add salt.",
    "Fry the onions in butter until they are brown.",
    "Here is a Python function that sorts a list:\n```python\nsorted(x)\n```",
    "Use a dictionary in Python to count the words of the list.",
    "Paris is the capital of France.",
    "The capital of Australia is Canberra, not Sydney.",
)


def rows_of(*replies, split="neg"):
    return [
        {"split": split, "conversation_id": str(number), "turn": 1, "reply": reply}
        for number, reply in enumerate(replies)
    ]


def test_the_cluster_of_refusals_is_found(tmp_path):
    found = find_refusals(rows_of(*REFUSING, *ANSWERING), clusters=4, threshold=0.45, seed=1)
    assert [row["refusal"] for row in found] == [True] * 4 + [False] * 6
    refusing = {row["cluster"] for row in found if row["refusal"]}
    assert refusing.isdisjoint(row["cluster"] for row in found if not row["refusal"])
    write_rows(found, tmp_path / "r.parquet", REFUSALS)
    assert read_rows(tmp_path / "r.parquet") == found


def test_without_refusals_no_cluster_refuses():
    found = find_refusals(rows_of(*ANSWERING), clusters=3, threshold=0.45, seed=1)
    assert not any(row["refusal"] or row["lexical_refusal"] for row in found)


def test_the_same_seed_finds_the_same_clusters():
    rows = rows_of(*REFUSING, *ANSWERING)
    assert find_refusals(rows, 4, 0.45, seed=1) == find_refusals(rows, 4, 0.45, seed=1)


def test_fewer_different_replies_than_clusters_are_no_error():
    found = find_refusals(rows_of("same", "same", "other"), clusters=8, threshold=0.45, seed=1)
    assert found[0]["cluster"] == found[1]["cluster"] != found[2]["cluster"]
    assert find_refusals([], clusters=8, threshold=0.45, seed=1) == []


@pytest.mark.parametrize(
    ("reply", "refusal"),
    [
        (REFUSING[0], True),
        (REFUSING[1], True),
        ("I'm sorry to hear that. Here is what you can do.", False),
        ("I apologize for the confusion. The capital is Canberra.", False),
        ("I cannot provide medical advice.", True),
        ("Sure! " + "x" * 200 + " I cannot help with that.", False),  # far from the beginning
    ],
)
def test_the_phrase_of_a_refusal_stands_at_the_beginning(reply, refusal):
    (row,) = find_refusals(rows_of(reply), clusters=1, threshold=1.1, seed=1)
    assert row["lexical_refusal"] is refusal
    assert row["refusal"] is False  # no cosine reaches 1.1


def test_rates_are_per_split():
    rows = [
        {"split": split, "refusal": a, "lexical_refusal": b}
        for split, a, b in (("neg", True, False), ("neg", True, True), ("rand", False, True))
    ]
    counts = count_refusals([*rows, {"split": "rand", "refusal": True, "lexical_refusal": True}])
    assert counts == {
        "neg": {
            "n": 2,
            "refusal": 2,
            "refusal_rate": 1.0,
            "lexical_refusal": 1,
            "lexical_refusal_rate": 0.5,
        },
        "pos": {
            "n": 0,
            "refusal": 0,
            "refusal_rate": None,
            "lexical_refusal": 0,
            "lexical_refusal_rate": None,
        },
        "rand": {
            "n": 2,
            "refusal": 1,
            "refusal_rate": 0.5,
            "lexical_refusal": 2,
            "lexical_refusal_rate": 1.0,
        },
    }
