import gzip
import hashlib
from importlib.resources import files
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

from feedback_lens.analysis.prompt_sets import read_prompt_set
from feedback_lens.analysis.prompt_tokens import count_tokens, open_tokenizer
from feedback_lens.errors import InputError
from feedback_lens.logs.conversation import Message

MT_BENCH = Path(__file__).parents[2] / "shared" / "real" / "mt_bench" / "question.jsonl"
# of the vocabularies that OpenAI publishes, as tiktoken pins them
VOCABULARIES = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
TURNS = (Message("user", "Hi there"), Message("assistant", "Yes?"), Message("user", "Go on"))


def mean_of_mt_bench(tokenizer, counting):
    if not MT_BENCH.is_file():
        pytest.skip("shared/real is not beside the project: MT-Bench's questions are missing")
    prompts = read_prompt_set("mt_bench", MT_BENCH, "mt_bench")
    counter = open_tokenizer(tokenizer)
    counts = [count_tokens(prompt.messages, counter, counting) for prompt in prompts]
    assert len(counts) == 80
    return sum(counts) / len(counts)


def test_mt_bench_has_the_paper_s_mean_by_its_labeler_s_tokenizer():
    assert mean_of_mt_bench("tiktoken:o200k_base", "dialogue") == 91.55


@pytest.mark.parametrize(
    ("tokenizer", "counting", "mean"),
    [
        ("tiktoken:o200k_base", "texts", 87.4875),
        ("tiktoken:cl100k_base", "texts", 88.55),
        ("tiktoken:cl100k_base", "dialogue", 92.525),
        ("minilm", "texts", 90.75),
        ("words", "texts", 85.325),
    ],
)
def test_mt_bench_has_another_mean_by_other_countings(tokenizer, counting, mean):
    assert mean_of_mt_bench(tokenizer, counting) == mean


@pytest.mark.parametrize("encoding", VOCABULARIES)
def test_the_packaged_vocabularies_are_those_of_openai(encoding):
    packed = files("bpe_openai") / "data" / f"{encoding}.tiktoken.gz"
    content = gzip.decompress(packed.read_bytes())
    assert hashlib.sha256(content).hexdigest() == VOCABULARIES[encoding]


def test_words_and_punctuation_marks_are_counted():
    assert open_tokenizer("words")("Write a Python function, now!") == 7


@pytest.mark.parametrize("name", ["words", "minilm", "tiktoken:o200k_base", "tiktoken:cl100k_base"])
def test_special_tokens_are_neither_added_nor_read_from_the_text(name):
    counter = open_tokenizer(name)
    assert counter("") == 0
    assert counter("hello") == 1
    assert counter("<|endoftext|>") > 1


def test_long_words_and_odd_characters_are_counted_in_time():
    counter = open_tokenizer("tiktoken:o200k_base")
    # one word of 500,000 letters, which a quadratic loop would take minutes over
    assert 0 < counter("a" * 500_000) < 500_000
    assert counter("\u2028\U0001f600") > 0


def test_a_folder_of_a_tokenizer_counts_without_its_limit(tmp_path):
    words = Tokenizer(WordLevel({"one": 0, "two": 1, "?": 2}, unk_token="?"))
    words.pre_tokenizer = Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?", model_max_length=16)
    fast.save_pretrained(tmp_path)
    counter = open_tokenizer(str(tmp_path))
    assert counter("one three " * 5000) == 10_000


def test_the_speakers_of_a_dialogue_are_counted():
    words = open_tokenizer("words")
    # Hi there; Yes ?; Go on
    assert count_tokens(TURNS, words, "texts") == 6
    # User : Hi there; Assistant : Yes ?; User : Go on
    assert count_tokens(TURNS, words, "dialogue") == 12


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gpt2", "'gpt2' is no folder of a tokenizer, and none of words, minilm"),
        ("tiktoken:p50k_base", "encoding 'p50k_base' is unknown; o200k_base and cl100k_base"),
        ("tiktoken", "encoding '' is unknown"),
    ],
)
def test_an_unknown_tokenizer_is_an_error(name, words):
    with pytest.raises(InputError, match=f"rate_prompts.tokenizer: .*{words}"):
        open_tokenizer(name)


def test_a_folder_without_a_tokenizer_is_an_error(tmp_path):
    (tmp_path / "notes.json").write_text("{}")
    with pytest.raises(InputError, match="not the folder of a tokenizer"):
        open_tokenizer(str(tmp_path))


def test_an_unknown_counting_is_an_error():
    with pytest.raises(InputError, match="'turns' is unknown; dialogue and texts are known"):
        count_tokens(TURNS, len, "turns")
