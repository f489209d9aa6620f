"""Reward models of the hub's kinds, scored as their cards would."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from feedback_lens.training.model_sources import fetch_model
from feedback_lens.training.reward import as_chat, encode_chat, score_pairs
from reward_models import CONTEXT, build_llama_reward, build_qwen_reward

BUILDERS = {"llama": build_llama_reward, "qwen": build_qwen_reward}
CHATS = [as_chat("Why so?", "word " * n + "end.") for n in (9, 1, 4, 1, 12)]
FAMILIES = tuple(BUILDERS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each model, fetched with the chat template of its own."""
    found = {}
    for name, build in BUILDERS.items():
        source = build(tmp_path_factory.mktemp("source") / name)
        found[name] = tmp_path_factory.mktemp("reward") / name
        fetch_model(str(source), None, "own", found[name])
    return found


def score_as_the_cards_do(folder: Path, chat: list[dict[str, str]]) -> float:
    """The chat as text, less a beginning of text that the tokenizer sets again; one at a time."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = tokenizer.apply_chat_template(chat, tokenize=False)
    if tokenizer.bos_token:
        text = text.removeprefix(tokenizer.bos_token)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    model.config.pad_token_id = None  # then the score is read at the very last token
    with torch.inference_mode():
        return float(model(**tokenizer(text, return_tensors="pt")).logits[0, 0])


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_the_card_s_own_in_any_batch_and_order(folders, family):
    expected = [score_as_the_cards_do(folders[family], chat) for chat in CHATS]
    assert len({round(score, 3) for score in expected}) == 4  # two chats are the same
    for size in (1, 2, 5):
        assert score_pairs(folders[family], CHATS, size, CONTEXT) == pytest.approx(
            expected, abs=1e-5
        )
    turned = score_pairs(folders[family], CHATS[::-1], 2, CONTEXT)
    assert turned[::-1] == pytest.approx(expected, abs=1e-5)


def test_the_beginning_of_text_stands_once(folders):
    tokenizer = AutoTokenizer.from_pretrained(folders["llama"])
    begin = tokenizer.bos_token_id
    assert encode_chat(CHATS[0], tokenizer, CONTEXT).count(begin) == 1
    # the trap that the cards name: the text of the chat tokenized once more
    text = tokenizer.apply_chat_template(CHATS[0], tokenize=False)
    assert tokenizer(text)["input_ids"].count(begin) == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_a_chat_over_the_length_is_scored_by_its_end(folders, family):
    tokenizer = AutoTokenizer.from_pretrained(folders[family])
    long, longer = (as_chat("x " * n, "the very same reply") for n in (90, 99))
    tokens = encode_chat(long, tokenizer, 40)
    whole = tokenizer.apply_chat_template(long, return_dict=True)["input_ids"]
    assert len(whole) > CONTEXT
    assert tokens == whole[-40:]
    assert tokenizer.decode(tokens).rstrip().endswith(("reply<|eot_id|>", "reply<|im_end|>"))
    assert score_pairs(folders[family], [long, longer], 2, 40) == pytest.approx(
        score_pairs(folders[family], [longer, long], 1, 40)
    )


def test_padding_that_ends_a_chat_would_shift_the_score_as_transformers_reads_it(folders):
    # what score_pairs avoids: the model takes the last token that is not padding
    model = AutoModelForSequenceClassification.from_pretrained(folders["llama"]).eval()
    tokenizer = AutoTokenizer.from_pretrained(folders["llama"])
    ids = torch.tensor([encode_chat(CHATS[0], tokenizer, CONTEXT)])
    assert model.config.pad_token_id == ids[0, -1]
    with torch.inference_mode():
        shifted = float(model(input_ids=ids).logits[0, 0])
    (score,) = score_pairs(folders["llama"], CHATS[:1], 1, CONTEXT)
    assert abs(score - shifted) > 1e-3
