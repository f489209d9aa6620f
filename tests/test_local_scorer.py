import csv
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from feedback_lens.errors import InputError
from feedback_lens.feedback.local.embedding import embed
from feedback_lens.moderation import local
from feedback_lens.moderation.asking import score_texts
from feedback_lens.moderation.local import ToxicityHead, build_local, read_examples

EXAMPLES = Path(__file__).parents[1] / "data" / "toxicity_examples.csv"
CLEAR = [("you stupid idiot, shut up", True), ("thank you, that is perfect", False)]
TODAY = date(2026, 11, 23)


def write_examples(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module", autouse=True)
def embedded_once():
    """Embedding takes most of the time, and the heads of all folds are fitted on the same texts."""
    texts = [text for text, _ in read_examples(EXAMPLES)]
    known = dict(zip(texts, embed(texts, "test"), strict=True))

    def look_up(texts, purpose):
        missing = [text for text in texts if text not in known]
        found = known | dict(zip(missing, embed(missing, purpose), strict=True))
        return np.array([found[text] for text in texts])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "embed", look_up)
        yield


@pytest.fixture(scope="module")
def head():
    return ToxicityHead(read_examples(EXAMPLES), 16.0)


def test_the_examples_are_english_messages_of_both_kinds_and_none_stands_twice():
    with EXAMPLES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["text"].lower() for row in rows}) == len(rows) > 400
    assert 100 < sum(row["toxic"] == "1" for row in rows) < len(rows) / 2


def test_on_messages_that_it_has_not_seen_the_head_tells_rude_ones_far_better_than_chance():
    examples = read_examples(EXAMPLES)
    folds = np.arange(len(examples)) % 5
    scores = np.zeros(len(examples))
    for fold in range(5):
        kept = [example for example, f in zip(examples, folds, strict=True) if f != fold]
        left = [text for (text, _), f in zip(examples, folds, strict=True) if f == fold]
        scores[folds == fold] = ToxicityHead(kept, 16.0).score(left)
    toxic = np.array([toxic for _, toxic in examples])
    # docs/toxicity.md has the figures; a word list reaches 0.67
    assert roc_auc_score(toxic, scores) > 0.9
    assert (scores[~toxic] > 0.5).mean() < 0.08
    assert (scores[toxic] > 0.5).mean() > 0.7


def test_a_score_does_not_depend_on_the_other_texts(head):
    alone = head.score(["what a useless machine"])
    among = head.score(["hello", "what a useless machine", "x " * 900])
    assert among[1] == pytest.approx(alone[0], abs=1e-5)


def test_an_insult_at_the_end_of_a_long_text_counts(head):
    calm = "Please sum up this report of the city council on its budget. " * 20
    quiet, loud = head.score([calm, f"{calm} and do it right this time, you stupid useless idiot"])
    assert loud > quiet


def test_scores_are_kept_under_a_name_of_the_examples(tmp_path):
    lines = ["text,toxic", "you fool,1", "thanks,0"]
    first = build_local(write_examples(tmp_path / "a.csv", lines), 1.0)
    same = build_local(write_examples(tmp_path / "b.csv", lines), 1)
    others = build_local(write_examples(tmp_path / "c.csv", [*lines, "hello,0"]), 1.0)
    smoother = build_local(tmp_path / "a.csv", 0.5)
    assert first.model == same.model
    assert first.model.startswith("local:minilm_toxicity@")
    assert len({first.model, others.model, smoother.model}) == 3


def test_it_scores_through_the_store_without_network_and_fits_only_where_a_score_is_missing(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("FEEDBACK_LENS_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")
    monkeypatch.setattr(local, "BATCH", 2)
    lines = ["text,toxic", *(f'"{text}",{int(toxic)}' for text, toxic in CLEAR)]
    scorer = build_local(write_examples(tmp_path / "e.csv", lines), 16.0)
    texts = ["you stupid idiot", "thank you", "you stupid idiot", "perfect"]
    verdicts, tally = score_texts(texts, scorer, tmp_path, "score_toxicity", TODAY)
    (rude, _), (kind, _), (again, _), _ = verdicts
    assert rude == again > kind
    assert [outcome for _, outcome in verdicts] == ["answered"] * 4
    assert tally["calls"] == 3

    def refuse(*_):
        raise AssertionError("fitted although every score is kept")

    monkeypatch.setattr(local, "ToxicityHead", refuse)
    assert score_texts(texts, scorer, tmp_path, "score_toxicity", TODAY)[0] == verdicts


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["text,label", "a,1"], r"the columns are \['text', 'label'\]; text,toxic are wanted"),
        (["text,toxic", "a,1", "b,yes"], "line 3: a text, then 0 or 1 is wanted"),
        (["text,toxic", "a,1", "b"], "line 3"),
        (["text,toxic", ",1"], "line 2"),
        (["text,toxic", "a,1", " \t,0"], "line 3: a text, then 0 or 1 is wanted"),
        (
            ["text,toxic", "a,1", "b,0", "a ,0"],
            "line 4: toxic is 0, and 1 for the same text in line 2; keep one of the two",
        ),
        (["text,toxic", "a,1", "b,1"], "toxic examples .1. and others .0. are wanted, both"),
        ([""], r"the columns are \[\]; text,toxic"),
    ],
)
def test_examples_that_cannot_be_used_name_file_and_line(tmp_path, lines, words):
    with pytest.raises(InputError, match=words) as caught:
        read_examples(write_examples(tmp_path / "e.csv", lines))
    assert "e.csv" in str(caught.value)


def test_examples_that_a_spreadsheet_program_saved_are_read(tmp_path):
    path = tmp_path / "e.csv"
    path.write_bytes("text,toxic\r\nyou fool,1\r\nthanks,0\r\n".encode("utf-8-sig"))
    assert read_examples(path) == [("you fool", True), ("thanks", False)]


def test_examples_that_are_missing_are_an_error(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: cannot be read"):
        read_examples(tmp_path / "none.csv")
