"""What data/sample, data/gold and data/benchmarks promise: the sample shows what real logs hold."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from feedback_lens.benchmarks.questions import GROUPS, REFERENCED, TEMPERATURES, read_questions
from feedback_lens.feedback.gold.annotators import read_gold
from feedback_lens.feedback.gold.reading import read_gold_set
from feedback_lens.feedback.labels import FINE, NEGATIVE
from feedback_lens.logs.ingest import Filters, Ingest
from feedback_lens.logs.rawfiles import read_raw_rows
from feedback_lens.logs.samples import read_samples

ROOT = Path(__file__).parents[1]
SAMPLE, GOLD, BENCHMARKS = (ROOT / "data" / name for name in ("sample", "gold", "benchmarks"))
CORPORA = ("lmsys", "wildchat")
PUBLISHED = GOLD / "multiturn_feedback.jsonl"
each_corpus = pytest.mark.parametrize("corpus", CORPORA)


def ingest(corpus, **others):
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["ingest"]
    filters = Filters(**{**parameters, "languages": tuple(parameters["languages"]), **others})
    result = Ingest(read_raw_rows(SAMPLE / f"{corpus}.jsonl"), corpus, corpus, filters)
    return list(result), result


def samples(corpus):
    return [c for c in read_samples(SAMPLE) if c.corpus == corpus]


@each_corpus
def test_at_least_60_conversations_of_2_to_8_user_turns_are_kept(corpus):
    conversations, result = ingest(corpus)
    assert result.kept >= 60
    lengths = Counter(len(conversation.user_turns) for conversation in conversations)
    assert set(lengths) == set(range(2, 9))


@each_corpus
def test_the_metrics_in_git_are_those_of_the_sample(corpus):
    committed = json.loads((ROOT / "metrics" / "ingest" / f"{corpus}.json").read_text())
    assert ingest(corpus)[1].counts() == committed


@each_corpus
def test_the_dirt_of_real_logs_is_there(corpus):
    reasons = set(ingest(corpus)[1].counts()["rejected"])
    assert reasons >= {
        "duplicate_first_turn",
        "duplicate_id",
        "empty_user_turn",
        "missing_role",
        "other_language",
        "redacted",
        "roles_do_not_alternate",
        "too_few_user_turns",
    }
    text = (SAMPLE / f"{corpus}.jsonl").read_text(encoding="utf-8")
    assert "\u2028" in text
    rows = [row for _, row in read_raw_rows(SAMPLE / f"{corpus}.jsonl") if row]
    assert any(c and c[-1].get("role") == "system" for c in (r["conversation"] for r in rows))
    assert any(conversation.toxic for conversation in samples(corpus))


def test_broken_lines_and_rows_without_messages_are_there():
    reasons = {r for corpus in CORPORA for r in ingest(corpus)[1].counts()["rejected"]}
    assert reasons >= {"not_a_json_object", "no_messages"}


def later_turns(conversations):
    return {
        (conversation.conversation_id, turn)
        for conversation in conversations
        for turn in range(2, len(conversation.user_turns) + 1)
    }


@each_corpus
def test_every_turn_from_2_on_of_what_is_kept_in_any_language_has_gold(corpus):
    kept, _ = ingest(corpus, languages=())
    gold = set(read_gold(GOLD / corpus / "gold.csv"))
    assert later_turns(kept) <= gold <= later_turns(samples(corpus))


@each_corpus
def test_every_turn_from_2_on_of_every_well_formed_conversation_has_gold(corpus):
    assert set(read_gold(GOLD / corpus / "gold.csv")) == later_turns(samples(corpus))


@each_corpus
def test_all_labels_and_dual_labels_are_there(corpus):
    gold = read_gold(GOLD / corpus / "gold.csv")
    assert {label for labels in gold.values() for label in labels} == set(FINE)
    dual = [labels for labels in gold.values() if len(labels) > 1]
    assert dual
    assert all(set(labels) <= set(NEGATIVE) for labels in dual)


@each_corpus
def test_a_second_annotator_labeled_about_a_half_and_did_not_copy(corpus):
    first, second = (read_gold(GOLD / corpus / f"{name}.csv") for name in ("gold", "second"))
    assert set(second) < set(first)
    conversations = {name for name, _ in second}
    # whole conversations
    assert {key for key in first if key[0] in conversations} == set(second)
    assert 0.4 <= len(conversations) / len({name for name, _ in first}) <= 0.6
    agreed = sum(first[key] == second[key] for key in second) / len(second)
    assert 0.5 < agreed < 1


def read_published(setting):
    return read_gold_set(PUBLISHED, "multiturn_feedback", PUBLISHED, setting, None, "published")


def test_every_turn_of_the_sparse_set_is_placed_and_has_feedback():
    gold_set, counts = read_published("sparse")
    # one text has a blank at its end, one user says the same twice
    assert counts["alignment"]["placed_by_text"] == counts["turns"] == 26
    assert counts["conversations"] == 20
    labels = [row["label"] for row in gold_set.list_turns()]
    assert set(labels) == set(FINE) - {"NEU"}
    twice = Counter(c.user_turns[1] for c in gold_set.list_inputs())
    assert twice["no, try again"] == 2


# conversations of the dense set, by what is wrong with their labels
TRAPS = {
    "two turns in the middle are skipped": "3a0ee01243a5fe40a3aeaf0bb3099603",
    "the last entry stands twice": "9bfc5c448da5aa8b59e43f3ab44090cc",
    "a lone blank entry for three turns": "6bfb5b45bef8e3d2273194fd6136204c",
    "a text ends in blanks and a newline": "c261766458a8d3bfd03e67ff5cb8c0d0",
    "none": "c9dd0f93c3a557ad3bf1e0830c735a99",
    "none again": "8b9564a3f9ddc3ced96c44e0ee50626d",
}
EXPECTED = {
    "two turns in the middle are skipped": {2: "NEG_2", 5: "NEG_4"},
    "the last entry stands twice": {2: "NEU", 3: "NEU", 4: "NEG_3"},
    "a lone blank entry for three turns": {},
    "a text ends in blanks and a newline": {2: "NEG_2", 3: "NEU", 4: "NEG_1"},
    "none": {2: "NEG_4", 3: "NEU"},
    "none again": {2: "NEG_1", 3: "NEG_2", 4: "NEU", 5: "POS"},
}


@pytest.mark.parametrize("trap", TRAPS)
def test_the_traps_of_the_published_dense_set_are_there_and_handled(trap):
    rows = [row for _, row in read_raw_rows(PUBLISHED) if row["eval_type"] == "dense"]
    row = next(row for row in rows if row["conversation_id"] == TRAPS[trap])
    users = [m["content"] for m in row["conversation"] if m["role"] == "user"]
    signs = {
        "two turns in the middle are skipped": len(row["user_feedback_text"]) == len(users) - 3,
        "the last entry stands twice": row["user_feedback_text"][-2:] == [users[-1]] * 2,
        "a lone blank entry for three turns": row["user_feedback_text"] == [""] and len(users) == 4,
        "a text ends in blanks and a newline": any(
            text not in users and text.endswith("\n") for text in row["user_feedback_text"]
        ),
    }
    whole = len(row["user_feedback_text"]) == len(users) - 1
    assert signs.get(trap, whole)
    found = read_published("dense")[0].list_turns()
    labels = {
        turn["turn"]: turn["label"] for turn in found if turn["conversation_id"] == TRAPS[trap]
    }
    assert labels == EXPECTED[trap]


def test_every_gold_set_of_the_parameters_can_be_read():
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for name, entry in parameters["gold_sets"].items():
        path, labels = ROOT / entry["path"], ROOT / entry["labels"]
        source = entry.get("source")
        _, counts = read_gold_set(path, entry["format"], labels, entry["setting"], source, name)
        assert counts["turns"] == counts["annotators"]["gold"]["turns"] > 0


def test_the_sample_names_no_person_and_no_address():
    for corpus in CORPORA:
        for conversation in samples(corpus):
            text = " ".join(message.content for message in conversation.messages)
            found = re.findall(r"[\w.]+@([\w-]+\.[\w.]+)", text)
            assert all("example" in domain for domain in found), found


def test_mt_bench_questions_have_two_turns_and_references_where_they_are_judged_by_them():
    questions = read_questions(BENCHMARKS / "mt_bench")
    assert {question.categories[0] for question in questions} == set(TEMPERATURES)
    assert len({question.question_id for question in questions}) == len(questions)
    for question in questions:
        assert len(question.turns) == 2
        # all have references: the judge of the sample, `reference`, compares with them
        assert len(question.references) == 2
        assert all(text.strip() for text in (*question.turns, *question.references))
    assert set(REFERENCED) <= {question.categories[0] for question in questions}


def test_wildbench_tasks_have_checklists_and_references():
    tasks = read_questions(BENCHMARKS / "wildbench")
    assert len({task.question_id for task in tasks}) == len(tasks) >= 10
    for task in tasks:
        assert len(task.checklist) >= 3
        assert len(task.references) == len(task.turns) == 1
    assert any(task.history for task in tasks)
    assert {name for task in tasks for name in task.categories} == set(GROUPS.values())
