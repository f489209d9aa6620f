"""Tokenizers and random models of the three families, with hand-written vocabularies.

Words that are not in a vocabulary fall apart into characters or bytes.
"""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaTokenizer,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2Tokenizer,
)

SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions."
)
CONTEXT = 512
SPECIAL = {"<unk>": 0, "<s>": 1, "</s>": 2}
# SentencePiece writes a blank as ▁
LLAMA_PIECES = ["▁[INST]", "▁[/INST]", "[INST]", "▁USER:", "▁ASSISTANT:", "USER:"]
LLAMA_PIECES += [f"▁{word}" for word in ("why", "so", "And", "Yes", "No", "then", "Be", "brief")]
LLAMA_PIECES += [f"▁{word}" for word in SYSTEM.split()]
# what begins with a blank (Ġ) or a line break (Ċ) first: earlier merges go before later ones
QWEN_PIECES = ["Ġare", "Ġa", "Ġhelpful", "Ġassistant", "Ġso", "Ġthen", "Ġbrief", "ĊĊ"]
QWEN_PIECES += ["system", "user", "assistant", "You", "why", "And", "Yes", "No", "Be"]


def build_mistral(folder: Path) -> Path:
    """As Mistral-7B-v0.1's tokenizer.json: a blank is set before every piece of text."""
    vocabulary, merges = _vocabulary_of_bytes(LLAMA_PIECES)
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    return _write(wrapped, MistralForCausalLM(_shape(MistralConfig, wrapped)), folder)


def build_vicuna(folder: Path) -> Path:
    """As transformers reads Vicuna v1.5's tokenizer.model: a blank before the first piece alone."""
    vocabulary, merges = _vocabulary_of_bytes(LLAMA_PIECES)
    tokenizer = LlamaTokenizer(vocab=vocabulary, merges=merges, legacy=False)
    return _write(tokenizer, LlamaForCausalLM(_shape(LlamaConfig, tokenizer)), folder)


def build_qwen(folder: Path) -> Path:
    """As Qwen1.5-4B: a base whose texts end in <|endoftext|>, with a padding token of its own."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces, merges = _merge(QWEN_PIECES)
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(alphabet + pieces))}
    tokenizer = Qwen2Tokenizer(
        vocab=vocabulary,
        merges=merges,
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    return _write(tokenizer, Qwen2ForCausalLM(_shape(Qwen2Config, tokenizer)), folder)


BUILDERS = {"mistral": build_mistral, "vicuna": build_vicuna, "chatml": build_qwen}


def _vocabulary_of_bytes(words: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    pieces, merges = _merge(words)
    characters = [chr(number) for number in range(32, 127) if chr(number) != " "]
    tokens = [*SPECIAL, *(f"<0x{number:02X}>" for number in range(256)), "▁", *characters, *pieces]
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}, merges


def _merge(words: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The words and their beginnings, joined letter by letter from the left."""
    merges = dict.fromkeys((w[:end], w[end]) for w in words for end in range(1, len(w)))
    return list(dict.fromkeys(a + b for a, b in merges)), list(merges)


def _shape(config_class, tokenizer):
    return config_class(
        vocab_size=len(tokenizer) + 8,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=None,
    )


def _write(tokenizer, model, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert "chat_template" not in settings
    return folder
