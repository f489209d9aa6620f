import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from feedback_lens.errors import InputError
from feedback_lens.training.reward import as_chat, choose_padding, score_pairs, score_replies
from feedback_lens.training.tiny_reward import Pair, RewardSettings, pair_replies, train_reward
from tiny_model import build_tiny_model

SETTINGS = RewardSettings(
    epochs=6, batch=4, learning_rate=0.01, max_length=96, held_out_share=0.25, seed=1
)


def sub_conversation(split: str, name: str, next_reply: str = "next") -> dict[str, object]:
    return {
        "split": split,
        "conversation_id": name,
        "turn": 1,
        "prompt": f"question {name}",
        "reply": "weak",
        "feedback": "no",
        "next_reply": next_reply,
        "label": "NEG_3",
    }


def regenerated(name: str, reply: str, outcome: str = "answered") -> dict[str, object]:
    return {"conversation_id": name, "turn": 1, "reply": reply, "outcome": outcome, "model": "m"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("base") / "very_tiny")


@pytest.fixture(scope="module")
def reward_model(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # the better reply always counts on, the worse one always asks back
    pairs = [
        Pair(f"c{n}", f"What comes after {n}?", f"After {n} comes {n + 1}.", f"{n}? What {n}?")
        for n in range(60)
    ]
    folder = tmp_path_factory.mktemp("reward") / "tiny"
    train_reward(pairs, base, SETTINGS, folder)
    return folder


def test_training_ranks_held_out_pairs(reward_model):
    card = json.loads((reward_model / "card.json").read_text())
    assert card["pairs"]["train"] + card["pairs"]["held_out"] == 60
    assert card["held_out_accuracy"]["after"] > 0.9


def test_training_twice_gives_the_same_bytes(base, reward_model, tmp_path):
    pairs = [
        Pair(f"c{n}", f"What comes after {n}?", f"After {n} comes {n + 1}.", f"{n}? What {n}?")
        for n in range(60)
    ]
    train_reward(pairs, base, SETTINGS, tmp_path / "again")
    for path in reward_model.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_a_score_is_the_raw_logit_at_the_end_of_the_chat_whatever_the_batch(reward_model):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    chats = [as_chat("What comes after 3?", "word " * n) for n in (9, 1, 4)]
    tokenizer = AutoTokenizer.from_pretrained(reward_model)
    model = AutoModelForSequenceClassification.from_pretrained(reward_model)
    expected = []
    for chat in chats:
        ids = tokenizer.apply_chat_template(chat, return_tensors="pt", return_dict=True)
        hidden = model.model(**ids).last_hidden_state[0, -1]
        expected.append((hidden @ model.score.weight[0]).item())
    for batch_size in (1, 2, 3):
        found = score_pairs(reward_model, chats, batch_size, 96)
        assert found == pytest.approx(expected, abs=1e-5)


def test_a_pad_token_equal_to_the_end_token_does_not_shift_the_score(reward_model, tmp_path):
    import shutil

    chats = [as_chat("What comes after 3?", "word " * n) for n in (9, 1)]
    copy = shutil.copytree(reward_model, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    config["pad_token_id"] = config["eos_token_id"]
    (copy / "config.json").write_text(json.dumps(config))
    assert score_pairs(copy, chats, 2, 96) == pytest.approx(score_pairs(reward_model, chats, 2, 96))


def test_padding_is_a_token_that_stands_in_no_row():
    assert choose_padding([[0, 2], [1, 4]], 6) == 3


def test_a_long_chat_keeps_its_end(reward_model):
    long, longer = (as_chat("x " * n, "the very same reply " * 4) for n in (200, 300))
    assert score_pairs(reward_model, [long], 1, 20) == score_pairs(reward_model, [longer], 1, 20)


def test_each_candidate_is_scored_with_and_without_the_feedback(reward_model):
    rows = [
        sub_conversation("neg", "a"),
        sub_conversation("pos", "b"),
        sub_conversation("rand", "a"),
    ]
    replies = {
        "neg_scratch": [regenerated("a", "new")],
        "neg_semantic": [regenerated("a", "cut", outcome="cut_off")],
        "rand_scratch": [regenerated("z", "of no row")],
    }
    scores = score_replies(rows, replies, reward_model, 4, 96)
    found = [(s["split"], s["candidate"], s["with_feedback"]) for s in scores]
    names = [("neg", "weak"), ("neg", "weak_next"), ("neg", "scratch")]
    names += [("rand", "weak"), ("rand", "weak_next")]
    assert found == [(*name, shown) for name in names for shown in (False, True)]
    texts = [as_chat("question a", "new"), as_chat("question a\n\nno", "new")]
    assert [s["score"] for s in scores[4:6]] == pytest.approx(
        score_pairs(reward_model, texts, 1, 96), abs=5.1e-5
    )


def test_pairs_are_answered_regenerations_of_negative_rows_over_the_weak_reply():
    rows = [sub_conversation("neg", "a"), sub_conversation("rand", "b")]
    replies = {
        "neg_scratch": [regenerated("a", "new"), regenerated("b", "not a neg row")],
        "neg_semantic": [regenerated("a", "half", outcome="cut_off")],
        "rand_scratch": [regenerated("a", "of another split")],
    }
    assert list(pair_replies(rows, replies)) == [Pair("a", "question a", "new", "weak")]


def test_no_pair_to_train_on_is_named(base, tmp_path):
    with pytest.raises(InputError, match="none of 0 pairs is left"):
        train_reward([], base, SETTINGS, tmp_path / "reward")


def test_a_model_of_several_labels_is_no_reward_model(base, tmp_path):
    import shutil

    from transformers import AutoModelForSequenceClassification

    folder = shutil.copytree(base, tmp_path / "two")
    with torch.random.fork_rng():
        model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2)
    model.save_pretrained(folder)
    with pytest.raises(InputError, match="this one has 2"):
        score_pairs(folder, [as_chat("a", "b")], 1, 96)


def test_a_length_over_the_context_is_refused(base, reward_model, tmp_path):
    chat = as_chat("a", "b")
    with pytest.raises(InputError, match="max_length 97 is over the model's context of 96"):
        score_pairs(reward_model, [chat], 1, 97)
    settings = replace(SETTINGS, max_length=97, held_out_share=0.0)
    with pytest.raises(InputError, match="max_length 97 is over"):
        train_reward([Pair("c", "a", "b", "c")], base, settings, tmp_path / "reward")
