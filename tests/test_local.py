import json
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.calls import local
from feedback_lens.calls.decoding import GumbelSampler
from feedback_lens.calls.generation import split_text
from feedback_lens.calls.local import LocalSender
from feedback_lens.calls.models import batch_by_length, name_local_model
from feedback_lens.calls.request import Delivery, Request, Response, Sampling, ask_user
from feedback_lens.errors import InputError
from tiny_model import SETTINGS, build_tiny_model

PROMPTS = ["What comes after 3?", "And?", "Tell me what comes after 12.\nAnd then?", "x" * 40, "7"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("base") / "very_tiny")


def ask(folder: Path, sampling: Sampling, prompts: list[str] = PROMPTS) -> dict[str, Response]:
    requests = [ask_user("m", prompt, sampling) for prompt in prompts]
    found = [delivery for batch in answer_in_batches(folder, requests) for delivery in batch]
    assert sorted(d.request.key for d in found) == sorted(request.key for request in requests)
    return {d.request.messages[0]["content"]: d.response for d in found}


def answer_in_batches(folder: Path, requests: list[Request]) -> list[list[Delivery]]:
    """What the sender delivers, driven as the assistant drives it."""
    sender, batches = LocalSender(folder, "test"), []
    for request in requests:
        while not sender.has_room():
            batches.append(sender.collect())
        sender.start(request)
    while found := sender.collect():
        batches.append(found)
    sender.finish()
    assert sender.close() == []
    return [batch for batch in batches if batch]


def texts(answers: dict[str, Response]) -> dict[str, str | None]:
    return {prompt: response.text for prompt, response in answers.items()}


@pytest.mark.parametrize("temperature", [None, 0.0, 0.9])
def test_a_reply_is_the_same_at_any_batch_size(folder, monkeypatch, temperature):
    sampling = Sampling(temperature=temperature, top_p=0.95, max_tokens=20, seed=5)
    monkeypatch.setenv("FEEDBACK_LENS_BATCH", "5")
    together = texts(ask(folder, sampling))
    monkeypatch.setenv("FEEDBACK_LENS_BATCH", "1")
    assert texts(ask(folder, sampling)) == together
    assert texts(ask(folder, sampling, PROMPTS[2:3])) == {PROMPTS[2]: together[PROMPTS[2]]}


def test_a_reply_costs_nothing_and_took_its_share_of_the_batch(folder, monkeypatch):
    monkeypatch.setenv("FEEDBACK_LENS_BATCH", "5")
    requests = [ask_user("m", prompt, Sampling(max_tokens=8)) for prompt in PROMPTS]
    began = time.monotonic()
    [batch] = answer_in_batches(folder, requests)
    took = time.monotonic() - began
    assert {(delivery.provider, delivery.usd) for delivery in batch} == {("local", 0.0)}
    [seconds] = {delivery.seconds for delivery in batch}
    assert 0 < seconds <= took / len(PROMPTS)


def test_requests_are_sorted_by_length_in_windows_and_answered_batch_by_batch(folder, monkeypatch):
    sampling = Sampling(temperature=0.9, max_tokens=8, seed=5)
    whole = ask(folder, sampling, [*PROMPTS, "one more?"])
    monkeypatch.setenv("FEEDBACK_LENS_BATCH", "2")
    monkeypatch.setattr(local, "WINDOW", 3)
    requests = [ask_user("m", prompt, sampling) for prompt in [*PROMPTS, "one more?"]]
    batches = [
        [delivery.request.messages[0]["content"] for delivery in batch]
        for batch in answer_in_batches(folder, requests)
    ]
    # two windows of three prompts, each in batches of two
    assert [len(batch) for batch in batches] == [2, 1, 2, 1]
    assert batches[0][0] == PROMPTS[2]
    assert set(batches[0] + batches[1]) == set(PROMPTS[:3])
    monkeypatch.setenv("FEEDBACK_LENS_BATCH", "16")
    assert texts(ask(folder, sampling, [*PROMPTS, "one more?"])) == texts(whole)


def test_prompts_that_fill_the_context_are_counted_on_stderr(folder, capsys):
    ask(folder, Sampling(max_tokens=10), ["beginning " * 60, "short"])
    assert capsys.readouterr().err == (
        f"test: 1 of 2 prompts fill the model's context of {SETTINGS.context} tokens and may "
        "have lost their beginning\n"
    )


def test_another_seed_gives_another_draw_and_temperature_zero_is_greedy(folder):
    first = texts(ask(folder, Sampling(temperature=1.0, max_tokens=20, seed=1)))
    second = texts(ask(folder, Sampling(temperature=1.0, max_tokens=20, seed=2)))
    greedy = texts(ask(folder, Sampling(max_tokens=20)))
    assert first != second
    assert texts(ask(folder, Sampling(temperature=0.0, max_tokens=20, seed=9))) == greedy


def test_gumbel_noise_draws_from_the_softmax_at_the_temperature():
    # softmax of log p / 1 is p; 4000 draws: 3 standard deviations of .5 are 3*sqrt(.25/4000) = .024
    p = torch.tensor([0.5, 0.3, 0.2])
    requests = [Request("m", (), Sampling(temperature=1.0, seed=n)) for n in range(4000)]
    chosen = GumbelSampler(requests)(torch.empty(0), p.log().expand(4000, 3)).argmax(-1)
    shares = Counter(chosen.tolist())
    assert [shares[token] / 4000 for token in range(3)] == pytest.approx(p.tolist(), abs=0.024)


def test_top_p_keeps_the_fewest_tokens_that_reach_it():
    # 0.5 < 0.7 <= 0.5 + 0.3: tokens 0 and 1 stay; redrawn among them, 0 has 0.5 / 0.8 = 0.625
    p = torch.tensor([0.5, 0.3, 0.2])
    requests = [Request("m", (), Sampling(temperature=1.0, top_p=0.7, seed=n)) for n in range(4000)]
    chosen = GumbelSampler(requests)(torch.empty(0), p.log().expand(4000, 3)).argmax(-1)
    assert set(chosen.tolist()) == {0, 1}
    assert (chosen == 0).float().mean().item() == pytest.approx(0.625, abs=0.023)


def test_a_reply_without_an_end_is_cut_off_at_max_tokens(folder):
    for response in ask(folder, Sampling(max_tokens=3)).values():
        assert (response.outcome, response.completion_tokens) == ("cut_off", 3)
        assert response.served_model == name_local_model(folder)
        assert response.answered_at is not None


def test_a_reply_that_reaches_its_end_token_is_answered(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    first = next(iter(ask(folder, Sampling(max_tokens=1), PROMPTS[:1]).values()))
    config = json.loads((copy / "generation_config.json").read_text())
    from transformers import AutoTokenizer

    token = AutoTokenizer.from_pretrained(folder)(first.text)["input_ids"][0]
    (copy / "generation_config.json").write_text(json.dumps({**config, "eos_token_id": [token, 1]}))
    response = ask(copy, Sampling(max_tokens=20), PROMPTS[:1])[PROMPTS[0]]
    assert (response.outcome, response.completion_tokens) == ("answered", 1)


@pytest.mark.parametrize(
    "own",
    [
        {"repetition_penalty": 1.9},
        {"no_repeat_ngram_size": 1},
        {"do_sample": True, "temperature": 0.6, "top_k": 1},
        {"num_beams": 3},
        {"num_return_sequences": 2},
        {"max_time": 0.0},
    ],
    ids=lambda own: list(own)[-1],
)
def test_the_model_s_own_settings_of_decoding_change_no_reply(folder, tmp_path, own):
    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / "generation_config.json").read_text())
    (copy / "generation_config.json").write_text(json.dumps(config | own))
    for sampling in (Sampling(max_tokens=8), Sampling(1.0, max_tokens=8, seed=3)):
        assert texts(ask(copy, sampling)) == texts(ask(folder, sampling))


# the tiny tokenizer's own end token is 1
@pytest.mark.parametrize(("configured", "end"), [(7, 7), ([7, 8], [7, 8]), (None, 1)])
def test_without_generation_settings_replies_end_by_config_or_else_by_the_tokenizer(
    folder, tmp_path, configured, end
):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "generation_config.json").unlink()
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"eos_token_id": configured}))
    model, _ = local._load(copy)
    assert model.generation_config.eos_token_id == end


def test_a_prompt_over_the_context_loses_its_beginning(folder):
    # context 96, 10 tokens for the reply: 86 are left for the prompt
    answers = ask(folder, Sampling(max_tokens=10), ["beginning " * 60 + "end"])
    assert [response.prompt_tokens for response in answers.values()] == [SETTINGS.context - 10]


def test_max_tokens_that_fill_the_context_are_refused(folder):
    with pytest.raises(InputError, match="max_tokens 96 leaves no room"):
        ask(folder, Sampling(max_tokens=96))


def test_without_max_tokens_a_reply_ends_with_the_context(folder):
    for response in ask(folder, Sampling()).values():
        total = response.prompt_tokens + response.completion_tokens
        assert response.outcome == "answered" or total == SETTINGS.context


def generate_by_hand(folder: Path, prompt: str, steps: int) -> tuple[list[int], list[float]]:
    """Greedy tokens and their log-probabilities, each by a forward pass over all before it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    message = [{"role": "user", "content": prompt}]
    tokens = tokenizer.apply_chat_template(message, add_generation_prompt=True, return_dict=True)
    tokens, start, values = tokens["input_ids"], len(tokens["input_ids"]), []
    for _ in range(steps):
        with torch.inference_mode():
            logits = model(torch.tensor([tokens])).logits[0, -1]
        tokens = [*tokens, int(logits.argmax())]
        values.append(float(logits.log_softmax(-1)[tokens[-1]]))
    return tokens[start:], values


def test_log_probabilities_are_those_of_the_model_itself(folder, monkeypatch):
    monkeypatch.setenv("FEEDBACK_LENS_BATCH", "5")
    answers = ask(folder, Sampling(max_tokens=12, logprobs=True))
    for prompt in PROMPTS[:2]:
        response = answers[prompt]
        assert "".join(token for token, _ in response.logprobs) == response.text
        tokens, values = generate_by_hand(folder, prompt, response.completion_tokens)
        found = [value for _, value in response.logprobs]
        # the tokens that spell the text: all but those of an end, which come last
        assert len(tokens) - 1 <= len(found) <= len(tokens)
        assert found == pytest.approx(values[: len(found)], abs=1e-4)


def test_log_probabilities_change_neither_text_nor_batch(folder, monkeypatch):
    sampling = Sampling(temperature=0.9, max_tokens=12, seed=5, logprobs=True)
    monkeypatch.setenv("FEEDBACK_LENS_BATCH", "5")
    together = ask(folder, sampling)
    monkeypatch.setenv("FEEDBACK_LENS_BATCH", "1")
    alone = ask(folder, sampling)
    for prompt, response in together.items():
        assert "".join(token for token, _ in response.logprobs) == response.text
        assert response.text == alone[prompt].text
        assert [value for _, value in response.logprobs] == pytest.approx(
            [value for _, value in alone[prompt].logprobs], abs=1e-4
        )


def test_a_batch_may_hold_requests_that_do_not_ask_for_log_probabilities(folder):
    plain = ask_user("m", PROMPTS[0], Sampling(max_tokens=4))
    asking = ask_user("m", PROMPTS[0], Sampling(max_tokens=4, logprobs=True))
    [batch] = answer_in_batches(folder, [plain, asking])
    found = {delivery.request.key: delivery.response for delivery in batch}
    assert found[plain.key].logprobs is None
    assert found[asking.key].logprobs is not None
    # greedy: the same reply
    assert found[plain.key].text == found[asking.key].text


def test_at_another_temperature_they_stay_those_of_temperature_one():
    # two tokens of 0.8 and 0.2; at temperature 0.01 the first is certain, yet it has ln 0.8
    p = torch.tensor([[0.8, 0.2]])
    sampler = GumbelSampler([Request("m", (), Sampling(0.01, seed=1, logprobs=True))])
    assert sampler(torch.empty(0), p.log()).argmax(-1).tolist() == [0]
    assert sampler.steps[0].tolist() == pytest.approx([-0.2231436])


def test_the_nucleus_does_not_change_them_either():
    # of 0.5, 0.3 and 0.2 the first two stay; they keep ln 0.5 and ln 0.3
    p = torch.tensor([0.5, 0.3, 0.2])
    sampling = [Sampling(1.0, 0.7, seed=n, logprobs=True) for n in range(50)]
    sampler = GumbelSampler([Request("m", (), one) for one in sampling])
    chosen = sampler(torch.empty(0), p.log().expand(50, 3)).argmax(-1)
    assert sampler.steps[0].tolist() == pytest.approx(p.log()[chosen].tolist())
    assert set(chosen.tolist()) == {0, 1}


class ByteTokenizer:
    """Each byte is a token; 256 ends a reply, and what is no character yet is U+FFFD."""

    def decode(self, tokens, skip_special_tokens):
        raw = bytes(token for token in tokens if token < 256 or not skip_special_tokens)
        return raw.decode("utf-8", "replace")


@given(
    st.text(st.characters(exclude_characters="\ufffd", exclude_categories=["Cs"]), max_size=8),
    st.integers(0, 3),
)
def test_a_reply_is_split_at_its_tokens(text, lost):
    raw = list(text.encode())
    raw = raw[: len(raw) - lost]
    reply = bytes(raw).decode("utf-8", "replace")
    split = split_text([*raw, 256], reply, ByteTokenizer())
    assert "".join(split) == reply
    assert len(split) == len(raw) + 1
    if raw == list(text.encode()):
        # a character stands with its last byte
        ends = [len(text[: at + 1].encode()) - 1 for at in range(len(text))]
        assert [split[end] for end in ends] == list(text)


def test_the_name_follows_the_weights_and_nothing_else(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / folder.name)
    (copy / "card.json").write_text("{}")
    assert name_local_model(copy) == name_local_model(folder)
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert name_local_model(copy) != name_local_model(folder)


def test_mistakes_are_named(folder, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"config\.json is missing"):
        name_local_model(tmp_path)
    monkeypatch.setenv("FEEDBACK_LENS_BATCH", "many")
    with pytest.raises(InputError, match="FEEDBACK_LENS_BATCH='many'"):
        ask(folder, Sampling(max_tokens=2))


def test_batches_hold_rows_of_like_length_longest_first():
    assert batch_by_length([3, 9, 1, 7, 9], 2) == [[1, 4], [3, 0], [2]]
