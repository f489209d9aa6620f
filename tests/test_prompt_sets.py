from dataclasses import replace
from pathlib import Path

from feedback_lens.analysis.prompt_sets import list_benchmark_prompts, list_split_prompts
from feedback_lens.benchmarks.questions import Question, read_questions

BENCHMARKS = Path(__file__).parents[1] / "data" / "benchmarks"
QUESTION = Question("81", "math", ("one", "two"), (), (), (), 0.0)


def test_the_prompts_of_a_splits_table_stand_in_sets_of_its_splits():
    row = {"conversation_id": "a", "turn": 2, "prompt": "u2", "reply": "m2", "label": None}
    # the same sub-conversation may be in two splits, and is rated in both
    assert list_split_prompts({**row, "split": split} for split in ("neg", "rand")) == [
        {"prompt_set": "neg", "prompt_id": "a:2", "text": "u2"},
        {"prompt_set": "rand", "prompt_id": "a:2", "text": "u2"},
    ]


def test_a_question_s_prompt_is_its_history_and_all_its_turns():
    history = ({"role": "user", "content": "u"}, {"role": "assistant", "content": "m"})
    assert list_benchmark_prompts("bench", [QUESTION, replace(QUESTION, history=history)]) == [
        {"prompt_set": "bench", "prompt_id": "81", "text": "one\n\ntwo"},
        {"prompt_set": "bench", "prompt_id": "81", "text": "u\n\nm\n\none\n\ntwo"},
    ]


def test_every_question_of_the_sample_has_one_prompt():
    for name in ("mt_bench", "wildbench"):
        questions = read_questions(BENCHMARKS / name)
        prompts = list_benchmark_prompts(name, questions)
        assert [p["prompt_id"] for p in prompts] == [q.question_id for q in questions]
        assert all(p["text"].endswith(q.turns[-1]) for p, q in zip(prompts, questions, strict=True))


def test_nothing_to_rate_gives_no_prompts():
    assert list_split_prompts([]) == list_benchmark_prompts("bench", []) == []
