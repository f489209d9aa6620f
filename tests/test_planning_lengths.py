import json
import re
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from feedback_lens.planning.lengths import JUDGED, STAND_INS, Length, stand_in

PROJECT = Path(__file__).parents[1]
REAL = PROJECT.parent / "shared/real"


def test_a_stand_in_is_the_mean_over_the_calls() -> None:
    # (30 x 200 + 10 x 845) / 40, and 311 of both
    kinds = {"regenerate scratch": 30, "regenerate semantic": 10}
    assert stand_in(kinds) == Length(361.25, 311)
    assert stand_in({**kinds, "judge of own": 1}) is None
    assert stand_in({}) is None


def test_the_prompts_of_our_own_count_by_their_characters() -> None:
    def tokens(*names: str) -> float:
        return fmean(len((PROJECT / f"prompts/{name}.txt").read_text()) / 4 for name in names)

    # with what the messages in them count, and within the placeholder's own characters
    assert STAND_INS["regenerate semantic"].prompt - 711 == pytest.approx(
        tokens("regenerate_semantic"), abs=3
    )
    assert STAND_INS["rate_prompts"].prompt - 200 == pytest.approx(
        tokens("rate_quality", "rate_complexity"), abs=3
    )
    assert STAND_INS["label"].prompt - 4 * 511 == pytest.approx(tokens("label"), abs=3)


def test_the_page_on_cost_shows_every_stand_in() -> None:
    page = (PROJECT / "docs/cost.md").read_text()
    shown = re.findall(r"^\| `(\w+)`[^|]*\| ([\d, ]+) \| ([\d, ]+) \|", page, re.MULTILINE)
    found = {
        (stage, number)
        for stage, *columns in shown
        for column in columns
        for number in re.findall(r"\d[\d,]*\d", column)
    }
    assert found == {
        (kind.split()[0], f"{tokens:,}")
        for kind, length in STAND_INS.items()
        for tokens in (length.prompt, length.reply)
    }


def read_lines(name: str) -> list[dict[str, Any]]:
    path = REAL / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def test_ratings_of_mt_bench_are_as_long_as_the_published_ones() -> None:
    rows = read_lines("mt_bench/judgments_gpt-4_single.jsonl")
    prompt, reply = (fmean(len(row[name]) for row in rows) for name in ("user_prompt", "judgment"))
    assert JUDGED["mt_bench"] == Length(round(prompt / 4), round(reply / 4))


def test_verdicts_of_wildbench_are_as_long_as_the_published_ones() -> None:
    models = ("gemma-2b-it", "gpt-3.5-turbo-0125")
    usage = [row["usage"] for name in models for row in read_lines(f"wildbench/{name}.judge.jsonl")]
    prompt, reply = (
        fmean(use[f"{name}_tokens"] for use in usage) for name in ("prompt", "completion")
    )
    assert (len(usage), JUDGED["wildbench"]) == (2044, Length(round(prompt), round(reply)))
