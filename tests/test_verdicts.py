import json
import re

import pytest
from click.testing import CliRunner

from feedback_lens.benchmarks.answering import ANSWERS
from feedback_lens.benchmarks.judges.verdicts import (
    check_verdicts,
    describe_unreadable,
    describe_unreferenced,
)
from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.policy import AskPolicy
from feedback_lens.calls.request import Sampling
from feedback_lens.errors import InputError
from feedback_lens.stages import judge, judge_pairs
from feedback_lens.tables import write_rows
from judged_rows import write_params

READ = {"outcome": "answered", "judgment": "Rating: [[4]]"}
ODD = {"outcome": "unreadable", "judgment": "A fine answer,\n" + 100 * "!"}
CUT = {"outcome": "cut_off", "judgment": None}


def check(folder, method="fastchat", **tables):
    policy = AskPolicy("some-judge", folder, Sampling(0.0, max_tokens=64), 0)
    counted = {name: (rows, {}) for name, rows in tables.items()}
    check_verdicts("judge", "judges.fc", counted, method, folder / "p.txt", policy)


def test_unreadable_verdicts_are_counted_by_outcome_with_the_first_one_s_words():
    assert describe_unreadable([READ, READ]) is None
    # 15 characters of words (the line break is one of them) and 65 signs make 80
    assert describe_unreadable([CUT, READ, ODD, ODD]) == (
        "3 of 4 verdicts unreadable (cut_off 1, unreadable 2), such as "
        f"'A fine answer,\\n{65 * '!'}'"
    )
    assert describe_unreadable([CUT]) == "1 of 1 verdicts unreadable (cut_off 1)"


def test_they_are_told_by_benchmark_and_go_on_where_one_can_be_read(tmp_path, capsys):
    check(tmp_path, mt_bench=[CUT], wildbench=[READ], empty=[])
    told = capsys.readouterr().err
    assert told == "judge: fc, mt_bench: 1 of 1 verdicts unreadable (cut_off 1)\n"


def test_where_none_can_be_read_the_judge_stops_and_says_where_to_look(tmp_path, capsys):
    message = r"judges\.fc: none of 2 verdicts .*p\.txt\), the model \(some-judge\) and judge\.max"
    with pytest.raises(InputError, match=message + r"_tokens \(64\)"):
        check(tmp_path, mt_bench=[ODD], wildbench=[CUT])
    assert len(capsys.readouterr().err.splitlines()) == 2
    with pytest.raises(InputError, match=r"judges\.fc: .* needs reference answers"):
        check(tmp_path, method="reference", mt_bench=[ODD])
    check(tmp_path, mt_bench=[])  # nothing to judge is no fault of the judge's


def test_questions_without_the_reference_that_they_should_have_are_told():
    math, coding, writing = (
        Question(name, (name,), ("u",), (), (), (), 0.0) for name in ("math", "coding", "writing")
    )
    assert describe_unreferenced("mt_bench", [writing]) is None
    line = describe_unreferenced("mt_bench", [writing, coding, math])
    assert re.fullmatch(r"mt_bench: 2 questions of math, .* no reference .* question coding", line)


@pytest.mark.parametrize("stage", [judge, judge_pairs])
def test_the_stages_stop_where_no_verdict_can_be_read(stage, tmp_path):
    """By word overlap without a file of references nothing can be judged."""
    params = write_params(tmp_path, recipes=("kto", "rand_scratch"), seeds=(1,))
    question = tmp_path / "questions" / "mt_bench" / "question.jsonl"
    question.parent.mkdir(parents=True)
    question.write_text(json.dumps({"question_id": "m", "category": "math", "turns": ["u1"]}))
    row = {"question_id": "m", "turn": 1, "answer": "a", "outcome": "answered", "tokens": 1}
    for model in ("base", "lmsys/kto/1", "lmsys/rand_scratch/1"):
        write_rows([row], tmp_path / "answers" / "tiny" / model / "mt_bench.parquet", ANSWERS)
    words = f"""--params {params} --answers {tmp_path}/answers --questions {tmp_path}/questions
        --judge mine --method reference --prompt none --model None --benchmarks mt_bench
        --assistant none --judgments {tmp_path}/out --temperature None --max_tokens 9
        --reasoning_effort None --reasks 0 --no-structured --repetitions 1"""
    pairs = ["--against", "rand_scratch", "--no-both_orders"]
    more = pairs if stage is judge_pairs else []
    result = CliRunner().invoke(stage.main, [*words.split(), *more])
    assert result.exit_code == 1, result.output
    assert "mt_bench: 1 questions of math, reasoning, coding have no reference" in result.output
    assert "verdicts can be read by the method reference; it needs reference" in result.output
    assert not (tmp_path / "out").exists()
