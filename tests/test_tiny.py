import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback_lens.errors import InputError
from feedback_lens.training.tiny import train_base
from feedback_lens.training.tiny_tokenizer import train_tokenizer
from tiny_model import SETTINGS, build_tiny_model, make_conversations

TEXT = st.lists(
    st.one_of(
        st.text(max_size=8), st.sampled_from(["\n", " ", "\n\n", "<|eos|>", "<|assistant|>"])
    ),
    max_size=6,
).map("".join)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(
        [m.content for c in make_conversations(40) for m in c.messages],
        SETTINGS.vocabulary,
        SETTINGS.context,
    )


def render(tokenizer, messages, **options):
    return tokenizer.apply_chat_template(messages, return_dict=True, **options)["input_ids"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(user=TEXT, reply=TEXT)
def test_the_prompt_is_an_exact_token_prefix_of_prompt_and_reply(tokenizer, user, reply):
    prompt = [{"role": "user", "content": user}]
    alone = render(tokenizer, prompt, add_generation_prompt=True)
    whole = render(tokenizer, [*prompt, {"role": "assistant", "content": reply}])
    assert whole[: len(alone)] == alone
    assert whole[-1] == tokenizer.eos_token_id


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(user=TEXT)
def test_user_text_cannot_spell_a_special_token(tokenizer, user):
    tokens = render(tokenizer, [{"role": "user", "content": user}])
    special = set(tokenizer.all_special_ids)
    # <|user|> at the beginning and <|eos|> at the end are the template's own
    assert [token for token in tokens if token in special] == [tokens[0], tokens[-1]]


def test_the_template_is_the_documented_one(tokenizer):
    chat = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|user|>\na<|eos|>\n<|assistant|>\nb<|eos|>\n<|user|>\nc<|eos|>\n<|assistant|>\n"
    )


@given(text=st.text(max_size=30).filter(lambda text: "<|" not in text))
def test_any_text_survives_the_tokenizer(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_same_seed_gives_the_same_bytes_and_training_helps(tmp_path):
    first, second = build_tiny_model(tmp_path / "a"), build_tiny_model(tmp_path / "b")
    assert read_all(first) == read_all(second)
    bits = json.loads((first / "card.json").read_text())["bits_per_character"]
    assert bits["after"] < bits["before"]
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json"} <= set(
        read_all(first)
    )


def test_too_little_text_is_refused(tmp_path):
    with pytest.raises(InputError, match="fewer than the context of 96"):
        train_base(make_conversations(1), "base", SETTINGS, tmp_path / "base")
    assert not (tmp_path / "base").exists()


def read_all(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
