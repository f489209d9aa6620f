import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from feedback_lens.calls.models import load_tokenizer
from feedback_lens.errors import InputError
from feedback_lens.training.reward import (
    FOLDS,
    as_chat,
    choose_padding,
    group_by_model,
    score_pairs,
    score_replies,
)
from feedback_lens.training.reward_evidence import summarize_held_out
from feedback_lens.training.tiny_reward import (
    Pair,
    RewardSettings,
    choose_fold,
    pair_replies,
    train_reward,
)
from tiny_model import build_tiny_model

PROJECT = Path(__file__).parents[1]
SETTINGS = RewardSettings(epochs=6, batch=4, learning_rate=0.01, max_length=96, folds=3, seed=1)


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


def make_pairs(count: int) -> list[Pair]:
    """The better reply always counts on, the worse one always asks back."""
    return [
        Pair(f"c{n}", f"What comes after {n}?", f"After {n} comes {n + 1}.", f"{n}? What {n}?")
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def reward_model(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reward") / "tiny"
    train_reward(make_pairs(48), base, SETTINGS, folder)
    return folder


def read_models(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_training_ranks_pairs_of_conversations_it_did_not_see(reward_model):
    card = json.loads((reward_model / "card.json").read_text())
    assert (card["pairs"], card["conversations"]) == ({"train": 48, "held_out": 48}, 48)
    assert card["held_out_accuracy"]["after"] > 0.9
    assert card["held_out_low"] > 0.5
    assert card["held_out_p"] < 0.001
    assert card["folds"] == {f"c{n}": choose_fold(f"c{n}", 3) for n in range(48)}


def test_a_fold_is_trained_without_its_own_conversations_and_always_to_the_same_bytes(
    base, tmp_path
):
    settings, pairs = replace(SETTINGS, epochs=1), make_pairs(12)
    # what a fold's own conversations say is nothing to its model: here they say the reverse
    turned = [
        replace(p, chosen=p.rejected, rejected=p.chosen)
        if choose_fold(p.conversation_id, 3) == 0
        else p
        for p in pairs
    ]
    models = []
    for name, members in {"one": pairs, "again": pairs, "turned": turned}.items():
        train_reward(members, base, settings, tmp_path / name)
        models.append(read_models(tmp_path / name))
    assert models[0] == models[1]
    weights = [f"{FOLDS}/{fold}/model.safetensors" for fold in range(3)] + ["model.safetensors"]
    assert [models[0][w] == models[2][w] for w in weights] == [True, False, False, False]


def test_a_conversation_is_scored_by_the_model_that_did_not_see_it(reward_model):
    fold = choose_fold("c1", 3)
    groups = group_by_model(reward_model, ["c1", "unknown", "c1"])
    assert groups == {reward_model / FOLDS / str(fold): [0, 2], reward_model: [1]}
    rows = [sub_conversation("neg", "c1"), sub_conversation("rand", "unknown")]
    scores = score_replies(rows, {}, reward_model, 4, 96)
    chats = [as_chat("question c1", "weak"), as_chat("question unknown", "weak")]
    (unseen,) = score_pairs(reward_model / FOLDS / str(fold), chats[:1], 1, 96)
    (whole,) = score_pairs(reward_model, chats[1:], 1, 96)
    assert [scores[0]["score"], scores[4]["score"]] == pytest.approx([unseen, whole], abs=5.1e-5)
    assert [s["conversation_id"] for s in scores] == ["c1"] * 4 + ["unknown"] * 4


def test_the_evidence_counts_conversations_not_pairs():
    # a: both right, b: one of two, c: wrong, d: right
    found = summarize_held_out(
        ["a", "a", "b", "b", "c", "d"],
        before=[False] * 6,
        after=[True, True, True, False, False, True],
    )
    assert found["held_out_accuracy"] == {"before": 0.0, "after": pytest.approx(4 / 6)}
    assert (found["held_out_right"], found["held_out_wrong"]) == (
        2,
        1,
    )  # a, d; c; b counts for none
    # of 3 coins 2 or 3 heads: (3 + 1) / 8
    assert found["held_out_p"] == pytest.approx(0.5)
    assert 0 < found["held_out_low"] < 4 / 6 < found["held_out_high"] < 1


def test_evidence_of_ties_alone_has_no_chance_to_tell():
    found = summarize_held_out(["a", "a"], before=[True, False], after=[True, False])
    assert (found["held_out_right"], found["held_out_wrong"], found["held_out_p"]) == (0, 0, None)


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
    chats = [as_chat("What comes after 3?", "word " * n) for n in (9, 1)]
    copy = shutil.copytree(reward_model, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    config["pad_token_id"] = config["eos_token_id"]
    (copy / "config.json").write_text(json.dumps(config))
    # as Llama 3's, the tokenizer names no padding: it gets the end token
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    del settings["pad_token"]
    (copy / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer = load_tokenizer(copy)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == config["eos_token_id"]
    assert score_pairs(copy, chats, 2, 96) == pytest.approx(score_pairs(reward_model, chats, 2, 96))


def test_padding_is_a_token_that_stands_in_no_row():
    assert choose_padding([[0, 2], [1, 4]], 6) == 3


def test_a_long_chat_keeps_its_end(reward_model):
    long, longer = (as_chat("x " * n, "the very same reply " * 4) for n in (200, 300))
    assert score_pairs(reward_model, [long], 1, 20) == score_pairs(reward_model, [longer], 1, 20)
    other = as_chat("x " * 200, "a reply of another end " * 4)
    assert score_pairs(reward_model, [long], 1, 20) != score_pairs(reward_model, [other], 1, 20)


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
    for pairs in ([], [Pair("c", "a", "b", "c")] * 2):
        with pytest.raises(InputError, match=rf"{len(pairs)} pairs of {bool(pairs):d} folds leave"):
            train_reward(pairs, base, SETTINGS, tmp_path / "reward")
    assert not (tmp_path / "reward").exists()


def test_a_model_of_several_labels_is_no_reward_model(base, tmp_path):
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
    settings = replace(SETTINGS, max_length=97)
    with pytest.raises(InputError, match="max_length 97 is over"):
        pairs = [Pair(f"c{n}", "a", "b", "c") for n in range(9)]
        train_reward(pairs, base, settings, tmp_path / "reward")


def test_a_model_without_a_score_of_its_own_is_no_reward_model(base, tmp_path):
    folder = shutil.copytree(base, tmp_path / "bare")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "id2label": {"0": "score"}}))
    with pytest.raises(InputError, match=r"score\.weight would be drawn at random"):
        score_pairs(folder, [as_chat("a", "b")], 1, 96)


def test_the_page_on_reward_models_shows_the_sample_s_figures():
    found = json.loads((PROJECT / "metrics/train_reward/tiny.json").read_text())
    accuracy, pairs = found["held_out_accuracy"], found["pairs"]["held_out"]
    page = (PROJECT / "docs/reward_models.md").read_text(encoding="utf-8")
    assert (
        f"| accuracy, {pairs} pairs of {found['conversations']} conversations "
        f"| {accuracy['after']:.2f} ({found['held_out_low']:.2f} to {found['held_out_high']:.2f}; "
        f"{accuracy['before']:.2f} before training) |"
    ) in page
    chance = f"{found['held_out_p']:.0e}".replace("e-0", "e-")
    assert (
        f"{found['held_out_right']} and {found['held_out_wrong']}; by coin tosses p = {chance} |"
    ) in page
