import json
import random
from pathlib import Path
from string import ascii_lowercase

import pytest
from click.testing import CliRunner

from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.stages.check_leakage import main
from feedback_lens.tables import read_json, read_rows, write_rows
from feedback_lens.training.leakage import LEAKAGE, Prompt, PromptIndex, count_leakage, find_leakage
from feedback_lens.training.near_duplicates import Likeness, NearTexts
from feedback_lens.training.splits import SPLITS

BENCHMARKS = Path(__file__).parents[1] / "data" / "benchmarks"
LIKENESS = Likeness(similarity=0.7, shingle=6, permutations=128, seed=1)
LONG = "Please write a short story about a lighthouse keeper who finds a letter in a bottle"
ALIKE = LONG.replace("short", "long")


def row(split, name, prompt, user=None, turn=1):
    key = {"split": split, "conversation_id": name, "turn": turn}
    return {**key, "prompt": prompt, "user_id": user}


def find(*rows, **benchmarks):
    return [
        (f["split"], f["conversation_id"], f["other"], f["other_id"], f["kind"])
        for f in find_leakage(rows, benchmarks, LIKENESS)
    ]


def benchmark(folder, *conversations):
    """Questions in WildBench's schema, of user turns each."""
    folder.mkdir()
    tasks = [
        {
            "session_id": f"q{number}",
            "conversation_input": [
                message
                for turn in turns
                for message in (
                    {"role": "user", "content": turn},
                    {"role": "assistant", "content": "a reply"},
                )
            ][:-1],
            "checklist": [],
            "primary_tag": "Editing",
            "secondary_tags": [],
        }
        for number, turns in enumerate(conversations)
    ]
    (folder / "tasks.jsonl").write_text("\n".join(json.dumps(task) for task in tasks))
    return read_questions(folder)


def test_a_conversation_in_two_splits_is_found_from_both():
    assert find(row("neg", "a", "one", "x"), row("pos", "a", "two", "x", turn=3)) == [
        ("neg", "a", "pos", "a", "conversation"),
        ("pos", "a", "neg", "a", "conversation"),
    ]


def test_users_and_prompts_are_those_of_other_conversations():
    rows = [row("neg", "a", LONG, "x"), row("rand", "a", LONG, "x"), row("rand", "b", LONG, "x")]
    assert find(*rows)[:3] == [
        ("neg", "a", "rand", "a", "conversation"),
        ("neg", "a", "rand", "b", "user"),
        ("neg", "a", "rand", "b", "duplicate"),
    ]


def test_an_unknown_user_and_a_blank_prompt_are_shared_with_none():
    assert find(row("neg", "a", " \n"), row("pos", "b", "")) == []


def test_a_row_has_one_match_of_a_kind_in_a_split_however_many_there_are():
    rows = [row("neg", "a", "Continue"), *(row("pos", f"b{n}", " continue") for n in range(5))]
    assert [f for f in find(*rows) if f[0] == "neg"] == [("neg", "a", "pos", "b0", "duplicate")]


def test_a_prompt_alike_is_found_where_none_is_equal():
    own, alike, equal = (
        row("neg", "a", LONG),
        row("pos", "b", ALIKE),
        row("pos", "c", LONG.upper()),
    )
    near = ("neg", "a", "pos", "b", "near_duplicate")
    assert [f for f in find(own, alike) if f[0] == "neg"] == [near]
    same = ("neg", "a", "pos", "c", "duplicate")
    assert [f for f in find(own, alike, equal) if f[0] == "neg"] == [same]


def test_a_question_s_own_turns_and_the_long_ones_of_its_history_are_looked_at(tmp_path):
    questions = benchmark(tmp_path / "b", ["Hello there", "What now?"], [LONG, "Go on", "Thanks"])
    rows = [row("neg", "a", ALIKE), row("neg", "b", "what  NOW?"), row("neg", "c", "a reply")]
    found = list(find_leakage(rows, {"own": questions}, LIKENESS))
    assert [(f["conversation_id"], f["other_id"], f["other_turn"]) for f in found] == [
        ("a", "q1", 1),
        ("b", "q0", 2),
    ]
    # "short" is 5 characters of 83, "long" 4 of 82, both with 5 before in whose shingles they are:
    # 78 - 10 = 68 shingles of 78, and 77 - 9 = 68 of 77, are the same
    assert found[0]["similarity"] == pytest.approx(68 / (78 + 77 - 68))
    assert found[1]["similarity"] == 1.0


def test_a_short_message_of_a_question_s_history_is_shared_with_none(tmp_path):
    told = "Then list the birds that breed there now"  # 40 characters
    questions = benchmark(tmp_path / "b", ["Continue", told, told[1:], "Stop"])
    rows = [row("neg", n, text) for n, text in enumerate(("continue", told, told[1:], "stop"))]
    own = [
        (f["conversation_id"], f["other_turn"])
        for f in find_leakage(rows, {"own": questions}, LIKENESS)
        if f["kind"] == "duplicate"
    ]
    # the history's message of 40 characters, and the question's own turn however short it is
    assert own == [(1, 2), (3, 4)]


def test_a_question_s_id_is_no_conversation(tmp_path):
    questions = benchmark(tmp_path / "b", [LONG])
    assert find(row("neg", "q0", LONG), own=questions) == [("neg", "q0", "own", "q0", "duplicate")]


def fill_template(number):
    rng = random.Random(number)
    words = " ".join("".join(rng.choices(ascii_lowercase, k=7)) for _ in range(11))
    return (
        "You are a text completion model: complete the assistant's answer below and send nothing "
        f"else but the completion, without repeating yourself. user: {words} assistant:"
    )


def test_prompts_of_one_template_are_skipped_without_comparing_each_two():
    texts = [fill_template(number) for number in range(300)]
    near = NearTexts(texts, LIKENESS)
    alike = [near.compare(texts[0], text) for text in texts[1:]]
    candidates = [len(near.rank_candidates(text)) for text in texts]
    assert alike == [None] * 299
    # of the pairs at most 1 in 20; by MinHash's index alone half of them
    assert sum(candidates) / (300 * 299) < 0.05


def test_of_candidates_in_one_place_a_bounded_number_is_compared():
    own, *others = (Prompt(f"c{n}", 1, f"text {n}", f"c{n}", None) for n in range(1001))
    compared = []
    index = PromptIndex(others)
    texts = [other.text for other in others]
    assert list(index.find(own, ["elsewhere", *texts], lambda _, text: compared.append(text))) == []
    assert compared == texts[:200]


def test_counts_are_of_the_split_s_rows():
    rows = [row("neg", "a", LONG, "x"), row("neg", "b", "Go on", "y"), row("neg", "c", "?")]
    rows += [row("pos", "d", ALIKE, "y"), row("pos", "a", "Stop", "x")]
    counts = count_leakage(list(find_leakage(rows, {}, LIKENESS)), rows, ["own"])
    none = {"rows": 0, "share": 0.0}
    third, half = {"rows": 1, "share": 1 / 3}, {"rows": 1, "share": 0.5}
    assert counts["neg"] == {
        "rows": 3,
        "rows_with_user_id": 2,
        "found_in": {
            "pos": {
                "conversation": third,  # a
                "user": third,  # y
                "duplicate": none,
                "near_duplicate": third,  # LONG
            },
            "own": {"duplicate": none, "near_duplicate": none},
        },
    }
    assert counts["pos"]["found_in"]["neg"] == {
        "conversation": half,
        "user": half,
        "duplicate": none,
        "near_duplicate": half,
    }


@pytest.mark.parametrize("name", ["mt_bench", "wildbench"])
def test_a_benchmark_s_prompt_among_a_split_s_is_found_by_the_stage(tmp_path, name):
    planted = read_questions(BENCHMARKS / name)[3]
    rows = [row("rand", "a", planted.turns[0].upper()), row("rand", "b", LONG)]
    write_rows(rows, tmp_path / "s.parquet", SPLITS)
    options = {
        "splits": tmp_path / "s.parquet",
        "questions": BENCHMARKS,
        "leakage": tmp_path / "l.parquet",
        "metrics": tmp_path / "m.json",
        "similarity": 0.7,
        "shingle": 6,
        "permutations": 128,
        "seed": 1,
    }
    line = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    line += ["--benchmarks", "mt_bench", "--benchmarks", "wildbench"]
    assert CliRunner().invoke(main, line, catch_exceptions=False).exit_code == 0
    (found,) = read_rows(tmp_path / "l.parquet")
    assert list(found) == LEAKAGE.names
    assert (found["conversation_id"], found["other"], found["kind"]) == ("a", name, "duplicate")
    assert (found["other_id"], found["similarity"]) == (planted.question_id, 1.0)
    counts = read_json(tmp_path / "m.json")["rand"]["found_in"]
    assert counts[name]["duplicate"] == {"rows": 1, "share": 0.5}
    assert sum(kind["rows"] for other in counts.values() for kind in other.values()) == 1
