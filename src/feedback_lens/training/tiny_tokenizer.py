"""The tokenizer of the sample's tiny models, with a chat template in the manner of ChatML."""

from collections.abc import Sequence
from typing import Any

SPECIAL = ("<|pad|>", "<|eos|>", "<|user|>", "<|assistant|>")
# a reply starts behind a token that never merges with it, so a prompt is an exact token prefix of
# prompt and reply; user text cannot spell a special token
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if not loop.first %}{{ '\\n' }}{% endif %}"
    "{{ '<|assistant|>' if message['role'] == 'assistant' else '<|user|>' }}{{ '\\n' }}"
    "{{ message['content'] | replace('<|', '< |') }}<|eos|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\n<|assistant|>\\n' }}{% endif %}"
)


def train_tokenizer(texts: Sequence[str], vocabulary: int, context: int) -> Any:
    """A byte-level BPE tokenizer of at most `vocabulary` tokens with the chat template.

    A line break never merges with the text behind it.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex("\n"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|eos|>",
        additional_special_tokens=["<|user|>", "<|assistant|>"],
        chat_template=CHAT_TEMPLATE,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
