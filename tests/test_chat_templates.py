from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2.exceptions import TemplateError

from chat_tokenizers import BUILDERS, CONTEXT, SYSTEM
from feedback_lens.calls.models import load_tokenizer
from feedback_lens.training import model_sources
from feedback_lens.training.model_sources import fetch_model
from feedback_lens.training.preflight import encode_example, show_mask
from feedback_lens.training.trainers import build_kto_trainer, build_sft_trainer
from training_rows import SETTINGS

ASKED = [{"role": "user", "content": "why so"}]
ANSWERED = [*ASKED, {"role": "assistant", "content": "Yes then"}]
ASKED_TWICE = [*ANSWERED, {"role": "user", "content": "And then"}]
TWO_TURNS = [*ASKED_TWICE, {"role": "assistant", "content": "No"}]
DIRECTED = [{"role": "system", "content": "Be brief"}, *ANSWERED]

# written by hand, one token a word; Ċ is a line break, ▁ and Ġ are blanks
VICUNA = "<s> " + " ".join(f"▁{word}" for word in SYSTEM.split())
QWEN = "<|im_start|> system Ċ You Ġare Ġa Ġhelpful Ġassistant <|im_end|> Ċ"
PROMPTS = {
    "mistral": "<s> ▁[INST] ▁why ▁so ▁[/INST]",
    "vicuna": f"{VICUNA} ▁USER: ▁why ▁so ▁ASSISTANT:",
    "chatml": f"{QWEN} <|im_start|> user Ċ why Ġso <|im_end|> Ċ <|im_start|> assistant Ċ",
}
REPLIES = {
    "mistral": "▁Yes ▁then </s>",
    "vicuna": "▁Yes ▁then </s>",
    "chatml": "Yes Ġthen <|im_end|> Ċ",
}
SECOND_PROMPTS = {
    "mistral": "▁[INST] ▁And ▁then ▁[/INST]",
    "vicuna": "USER: ▁And ▁then ▁ASSISTANT:",
    "chatml": "<|im_start|> user Ċ And Ġthen <|im_end|> Ċ <|im_start|> assistant Ċ",
}
SECOND_REPLIES = {"mistral": "▁No </s>", "vicuna": "▁No </s>", "chatml": "No <|im_end|> Ċ"}
DIRECTED_PROMPTS = {
    # the line breaks are bytes to this vocabulary
    "mistral": "<s> ▁[INST] ▁Be ▁brief <0x0A> <0x0A> w h y ▁so ▁[/INST]",
    "vicuna": "<s> ▁Be ▁brief ▁USER: ▁why ▁so ▁ASSISTANT:",
    "chatml": "<|im_start|> system Ċ Be Ġbrief <|im_end|> Ċ" + PROMPTS["chatml"].removeprefix(QWEN),
}
FAMILIES = tuple(BUILDERS)
CHAT_TEMPLATES = Path(model_sources.__file__).parent / "chat_templates"
ENDS = {"mistral": "</s>", "vicuna": "</s>", "chatml": "<|im_end|>"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A base of each family, fetched with its chat template."""
    found = {}
    for name, build in BUILDERS.items():
        source = build(tmp_path_factory.mktemp("source") / name)
        found[name] = tmp_path_factory.mktemp("base") / name
        fetch_model(str(source), None, name, found[name])
    return found


@pytest.fixture(scope="module")
def tokenizers(folders: dict[str, Path]) -> dict[str, Any]:
    return {name: load_tokenizer(folder) for name, folder in folders.items()}


def render(tokenizer, messages, asks=False):
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=asks, return_dict=True)
    return ids["input_ids"]


def words(tokenizer, messages, asks=False):
    return tokenizer.convert_ids_to_tokens(render(tokenizer, messages, asks))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tokens_are_those_written_by_hand(tokenizers, family):
    tokenizer = tokenizers[family]
    first, reply = PROMPTS[family].split(), REPLIES[family].split()
    second, other = SECOND_PROMPTS[family].split(), SECOND_REPLIES[family].split()
    assert words(tokenizer, ASKED, asks=True) == first
    assert words(tokenizer, ANSWERED) == first + reply
    assert words(tokenizer, ASKED_TWICE, asks=True) == first + reply + second
    assert words(tokenizer, TWO_TURNS) == first + reply + second + other


@pytest.mark.parametrize("family", FAMILIES)
def test_a_system_message_takes_the_place_that_the_family_gives_it(tokenizers, family):
    expected = DIRECTED_PROMPTS[family].split()
    assert words(tokenizers[family], DIRECTED[:2], asks=True) == expected
    assert words(tokenizers[family], DIRECTED) == expected + REPLIES[family].split()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("messages", "prompts", "reply"),
    [
        (ANSWERED, [PROMPTS], REPLIES),
        (TWO_TURNS, [PROMPTS, REPLIES, SECOND_PROMPTS], SECOND_REPLIES),
    ],
)
def test_the_loss_is_on_the_reply_and_its_end_alone_and_trl_agrees(
    folders, tokenizers, tmp_path, family, messages, prompts, reply
):
    tokenizer = tokenizers[family]
    row = {"prompt": messages[:-1], "completion": messages[-1:], "desirable": None}
    example = encode_example(row, tokenizer, CONTEXT)
    expected = " ".join(part[family] for part in prompts).split()
    assert tokenizer.convert_ids_to_tokens(example.prompt) == expected
    assert tokenizer.convert_ids_to_tokens(example.completion) == reply[family].split()
    lengths = replace(SETTINGS, max_length=CONTEXT)
    trainer = build_sft_trainer([row], folders[family], tokenizer, 1, lengths, tmp_path)
    (trained,) = trainer.train_dataset
    assert trained["input_ids"] == example.prompt + example.completion
    assert trained["labels"] == [-100] * len(example.prompt) + example.completion


@pytest.mark.parametrize("family", FAMILIES)
def test_kto_parts_prompt_and_reply_at_the_same_token(folders, tokenizers, tmp_path, family):
    tokenizer = tokenizers[family]
    rows = [
        {"prompt": ASKED, "completion": ANSWERED[1:], "desirable": True},
        {"prompt": ASKED_TWICE, "completion": TWO_TURNS[3:], "desirable": False},
    ]
    lengths = replace(SETTINGS, max_length=CONTEXT)
    trainer = build_kto_trainer(rows, folders[family], tokenizer, 1, lengths, tmp_path)
    examples = [encode_example(row, tokenizer, CONTEXT) for row in rows]
    found = {r["label"]: (r["prompt_ids"], r["completion_ids"]) for r in trainer.train_dataset}
    assert found == {e.desirable: (e.prompt, e.completion) for e in examples}


def test_the_mask_shows_what_is_trained(tokenizers):
    row = {"prompt": ASKED, "completion": ANSWERED[1:], "desirable": None}
    shown = show_mask(encode_example(row, tokenizers["mistral"], CONTEXT), tokenizers["mistral"])
    assert shown.endswith("[INST] why so [/INST]]Yes then</s>")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_that_fills_the_length_leaves_no_reply_to_train_on(tokenizers, family):
    row = {"prompt": ASKED, "completion": ANSWERED[1:], "desirable": None}
    length = len(PROMPTS[family].split())
    assert encode_example(row, tokenizers[family], length).completion == []
    cut = encode_example(row, tokenizers[family], length + 1)
    assert (len(cut.completion), cut.cut) == (1, True)


TEXT = st.lists(
    st.one_of(
        st.text(max_size=6),
        st.sampled_from(["\n", " ", "\n\n", "</s>", "<s>", "<|im_end|>", "[/INST]", "USER:", ":"]),
    ),
    max_size=6,
).map("".join)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(user=TEXT, reply=TEXT)
@pytest.mark.parametrize("family", FAMILIES)
def test_any_prompt_is_an_exact_token_prefix_and_no_text_spells_a_special_token(
    tokenizers, family, user, reply
):
    tokenizer = tokenizers[family]
    messages = [{"role": "user", "content": user}, {"role": "assistant", "content": reply}]
    alone, whole = render(tokenizer, messages[:1], asks=True), render(tokenizer, messages)
    assert whole[: len(alone)] == alone
    end = tokenizer.convert_tokens_to_ids(ENDS[family])
    assert end in whole[len(alone) :]
    plain = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "x"}]
    special = {i for i in tokenizer.all_special_ids if i != tokenizer.unk_token_id}
    found = [token for token in whole if token in special]
    assert found == [token for token in render(tokenizer, plain) if token in special]


def test_a_blank_behind_assistant_would_not_be_a_prefix(tokenizers):
    tokenizer = tokenizers["vicuna"]
    whole = render(tokenizer, ANSWERED)
    text = tokenizer.apply_chat_template(ASKED, add_generation_prompt=True, tokenize=False)
    exact = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert whole[: len(exact)] == exact
    with_blank = tokenizer(text + " ", add_special_tokens=False)["input_ids"]
    assert whole[: len(with_blank)] != with_blank


def test_line_breaks_at_a_reply_s_beginning_do_not_join_those_of_the_prompt(tokenizers):
    tokenizer = tokenizers["chatml"]
    broken = [*ASKED, {"role": "assistant", "content": "\n\nYes then"}]
    assert words(tokenizer, broken) == words(tokenizer, ANSWERED)
    # as the template of the model's own would have it: one token of both line breaks
    assert tokenizer.tokenize("assistant\n\n") == ["assistant", "ĊĊ"]


def test_a_reply_ends_where_generation_stops(folders, tokenizers):
    from transformers import GenerationConfig

    for family, end in ENDS.items():
        stops = GenerationConfig.from_pretrained(folders[family]).eos_token_id
        ids = stops if isinstance(stops, list) else [stops]
        assert tokenizers[family].eos_token == end
        assert tokenizers[family].convert_tokens_to_ids(end) in ids
    # and what ended a text before ends one still
    assert ids == tokenizers["chatml"].convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])


@pytest.mark.parametrize("family", FAMILIES)
def test_trl_has_no_template_of_its_own_for_a_loss_on_all_replies(tokenizers, family):
    # why training sets are prompt and completion, which any template serves
    from trl.chat_template_utils import get_training_chat_template

    with pytest.raises(ValueError, match="not training-compatible"):
        get_training_chat_template(tokenizers[family])


def test_a_role_that_a_family_does_not_know_is_refused(tokenizers):
    with pytest.raises(TemplateError, match=r"mistral.jinja knows the roles"):
        render(tokenizers["mistral"], [{"role": "tool", "content": "x"}])
    with pytest.raises(TemplateError, match="a system message that comes first"):
        render(tokenizers["vicuna"], [*ASKED, {"role": "system", "content": "Be brief"}])


def test_vicuna_s_tokens_are_those_of_fastchat_s_text_by_sentencepiece(tmp_path):
    library = pytest.importorskip("sentencepiece", reason="Vicuna's tokenizer.model needs it")
    from transformers import LlamaTokenizer

    (tmp_path / "text").write_text(f"{SYSTEM} USER: why so ASSISTANT: Yes then\n" * 50)
    library.SentencePieceTrainer.train(
        input=str(tmp_path / "text"),
        model_prefix=str(tmp_path / "tokenizer"),
        vocab_size=420,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    tokenizer = LlamaTokenizer.from_pretrained(tmp_path, legacy=False)
    tokenizer.chat_template = (CHAT_TEMPLATES / "vicuna.jinja").read_text()
    pieces = library.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    # behind the <s> that its tokenizer sets
    text = f"{SYSTEM} USER: why so ASSISTANT: Yes then"
    assert render(tokenizer, ANSWERED) == [1, *pieces.encode(text), 2]
