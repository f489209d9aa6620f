import numpy as np
import pytest

from feedback_lens.feedback.local.tokens import MAX_CHARACTERS, load_tokens


def read(text):
    return load_tokens().read([text])[0]


def spell(numbers):
    return {load_tokens().tokenizer.id_to_token(number) for number in numbers}


def test_words_are_read_without_case_and_with_their_neighbors():
    reading = read("Fix THE table")
    fix, the, table = reading.tokens
    assert reading.pairs == {(fix, the), (the, table)}
    assert reading.tokens == read("fix the TABLE").tokens


def test_fillers_and_marks_carry_no_content():
    assert spell(read("Is the table, of you, 17 rows?").content) == {"table", "17", "rows"}


def test_a_vector_is_the_unit_mean_of_its_tokens_vectors():
    sort, table, both = load_tokens().read(["sort", "table", "sort table"])
    mean = (sort.vector + table.vector) / 2
    assert both.vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert float(sort.vector @ sort.vector) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("text", ["", "   ", "\u200b"])
def test_a_text_without_words_is_read_as_nothing(text):
    reading = read(text)
    assert (reading.tokens, reading.content, reading.pairs) == ([], set(), set())
    assert not reading.vector.any()


def test_a_script_without_blanks_has_words_where_they_are_known():
    # the vocabulary is English: of these five it knows 中 and 文
    assert spell(read("请用中文写").content) == {"中", "文"}


def test_only_the_beginning_of_a_text_is_read():
    beginning = "word " * (MAX_CHARACTERS // 5)
    assert read(beginning + "zebra " * 100_000).tokens == read(beginning).tokens


def test_an_unknown_word_has_no_token_to_find():
    with pytest.raises(KeyError, match="clarificationish"):
        load_tokens().find("you clarificationish")
