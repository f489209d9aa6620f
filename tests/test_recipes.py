import pytest

from feedback_lens.errors import InputError
from feedback_lens.tables import read_rows, write_rows
from feedback_lens.training.recipes import TRAINING_SET, assemble, choose_held_out_rows


def split_row(split, name, turn, reply="m"):
    prompt = f"prompt {name}{turn}"
    return {"split": split, "conversation_id": name, "turn": turn, "prompt": prompt, "reply": reply}


def reply_row(name, turn, reply, outcome="answered"):
    return {"conversation_id": name, "turn": turn, "reply": reply, "outcome": outcome, "model": "x"}


SPLITS = [
    split_row("neg", "a", 1, "bad"),
    split_row("neg", "b", 2, " \n"),
    split_row("pos", "a", 3, "good"),
    split_row("rand", "a", 2),
    split_row("rand", "c", 1),
]
REPLIES = {
    "rand_scratch": [reply_row("a", 2, "new a"), reply_row("c", 1, "new c", "cut_off")],
    "neg_semantic": [reply_row("b", 2, "better b"), reply_row("a", 1, None, "refused")],
}


def recipe(name, share=0.0):
    return assemble(name, SPLITS, REPLIES, share)


def test_a_regeneration_is_imitated_where_it_is_whole():
    assert recipe("rand_scratch") == [
        {
            "conversation_id": "a",
            "turn": 2,
            "prompt": [{"role": "user", "content": "prompt a2"}],
            "completion": [{"role": "assistant", "content": "new a"}],
            "desirable": None,
            "held_out": False,
        }
    ]
    (row,) = recipe("neg_semantic")
    assert row["prompt"][0]["content"] == "prompt b2"
    assert row["completion"][0]["content"] == "better b"


def test_kto_contrasts_the_log_s_own_replies():
    # the blank reply to b is no example; rand is no part of it
    rows = recipe("kto")
    assert [(r["conversation_id"], r["turn"], r["desirable"]) for r in rows] == [
        ("a", 1, False),
        ("a", 3, True),
    ]
    assert [r["completion"][0]["content"] for r in rows] == ["bad", "good"]


def test_an_unknown_recipe_is_an_error():
    with pytest.raises(InputError, match="'dpo' is unknown; kto, rand_scratch, neg_semantic are"):
        recipe("dpo")


def test_all_rows_of_a_conversation_are_on_one_side():
    assert [row["held_out"] for row in recipe("kto", 1.0)] == [True, True]
    assert [row["held_out"] for row in recipe("kto", 0.0)] == [False, False]


def test_the_only_desirable_conversation_is_not_held_out():
    rows = [{"conversation_id": str(n), "desirable": n == 7} for n in range(9)]
    held_out = choose_held_out_rows(rows, 0.25)
    assert "7" not in held_out  # a quarter of 1, rounded, is 0
    assert len(held_out) == 2  # of 8


def test_rows_have_the_columns_of_the_table(tmp_path):
    for name in ("kto", "rand_scratch"):
        write_rows(recipe(name), tmp_path / "t.parquet", TRAINING_SET)
        assert read_rows(tmp_path / "t.parquet") == recipe(name)
