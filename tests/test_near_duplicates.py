import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_lens.training.near_duplicates import Likeness, NearTexts, normalize

LIKENESS = Likeness(similarity=0.7, shingle=6, permutations=128, seed=1)
WORDS = ["".join(random.Random(n).choices("etaoinshrdlucmfw", k=2 + n % 8)) for n in range(2000)]
SENTENCES = [" ".join(random.Random(n).choices(WORDS, k=45)) for n in range(300)]


def find(index, text):
    """The candidates that are near-duplicates, with their similarity."""
    compared = {other: index.compare(text, other) for other in index.rank_candidates(text)}
    return {other: similarity for other, similarity in compared.items() if similarity}


def test_case_and_blanks_do_not_count():
    assert normalize("  Name\ta FRUIT,\n\nplease ") == "name a fruit, please"
    assert normalize("STRASSE") == normalize("Straße")


def test_similarity_is_of_sets_of_shingles():
    # abcde: abc bcd cde; abcdx: abc bcd cdx; 2 in common of 4
    likeness = Likeness(similarity=0.5, shingle=3, permutations=128, seed=1)
    assert NearTexts([], likeness).compare("abcde", "abcdx") == 0.5
    stricter = Likeness(similarity=0.51, shingle=3, permutations=128, seed=1)
    assert NearTexts([], stricter).compare("abcde", "abcdx") is None
    # a text shorter than a shingle is one of its own
    assert NearTexts([], likeness).compare("ab", "ab") == 1.0
    assert NearTexts([], likeness).compare("ab", "a") is None


@settings(derandomize=True, max_examples=50)  # of 100,000 pairs this alike one or two are missed
@given(st.integers(0, 299), st.sets(st.integers(0, 44), min_size=1, max_size=2))
def test_an_edit_of_a_few_words_is_found(number, places):
    words = SENTENCES[number].split()
    edited = " ".join("edited" if n in places else word for n, word in enumerate(words))
    others = [text for text in SENTENCES[::10] if text != SENTENCES[number]]
    found = find(NearTexts([*others, SENTENCES[number], edited], LIKENESS), edited)
    # of 240 shingles or more, two words take at most 2 * (9 + 5) = 28 away and add 2 * (6 + 5) = 22
    assert list(found) == [SENTENCES[number]]
    assert (240 - 28) / (240 + 22) <= found[SENTENCES[number]] < 1


def test_of_pairs_right_at_the_similarity_nearly_all_are_found():
    # 1,000 texts of 100 characters of their own, each with a part of 70 of them: 70 / 100 = 0.7
    likeness = Likeness(similarity=0.7, shingle=1, permutations=128, seed=1)
    drawn = "".join(map(chr, random.Random(0).sample(range(0x10000, 0x110000), 100_000)))
    whole = [drawn[start : start + 100] for start in range(0, 100_000, 100)]
    parts = [text[15:85] for text in whole]
    index = NearTexts([*whole, *parts], likeness)
    assert index.compare(whole[0], parts[0]) == 0.7
    found = sum(
        part in index.rank_candidates(text) for text, part in zip(whole, parts, strict=True)
    )
    # at most 2 of 100 are missed (1.2 by MinHash's arithmetic)
    assert found >= 980


def test_a_pair_is_compared_once_from_both_sides(monkeypatch):
    calls = []
    intersect = np.intersect1d
    monkeypatch.setattr(np, "intersect1d", lambda *a, **k: calls.append(a) or intersect(*a, **k))
    index = NearTexts([], LIKENESS)
    one, other = SENTENCES[0], f"{SENTENCES[0]} edited"
    assert index.compare(one, other) == index.compare(other, one) > 0.9
    assert len(calls) == 1


def test_unrelated_texts_are_not_found():
    index = NearTexts(SENTENCES, LIKENESS)
    assert [find(index, text) for text in SENTENCES] == [{}] * 300


def test_the_nearest_comes_first():
    words = SENTENCES[0].split()
    edits = [" ".join(["edited"] * n + words[n:]) for n in (4, 1, 2)]
    index = NearTexts([SENTENCES[0], *edits, *SENTENCES[1:]], LIKENESS)
    ranked = index.rank_candidates(SENTENCES[0])
    assert [ranked.index(edits[n]) for n in (1, 2, 0)] == [0, 1, 2]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_gives_the_same_candidates_each_time(seed):
    likeness = Likeness(similarity=0.3, shingle=2, permutations=16, seed=seed)
    one, other = (NearTexts(SENTENCES, likeness) for _ in range(2))
    assert [one.rank_candidates(s) for s in SENTENCES] == [
        other.rank_candidates(s) for s in SENTENCES
    ]
