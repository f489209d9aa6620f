from dialogues import dialogue
from feedback_lens.feedback.local.folds import NOTHING_CUT, assign_fold, assign_folds


def test_the_fold_is_that_of_the_first_turn():
    talks = [dialogue(f"c{n}", f"sort {n}", "m", "again") for n in range(9)]
    assert assign_folds(talks, 4, NOTHING_CUT) == {
        f"c{n}": assign_fold(f"sort {n}", 4) for n in range(9)
    }
    assert assign_fold(" sort 1\n", 4) == assign_fold("sort 1", 4)


def test_conversations_that_begin_alike_share_a_fold():
    folds = assign_folds(
        [dialogue(f"c{n}", "hi", "m", f"turn {n}") for n in range(9)], 5, NOTHING_CUT
    )
    assert len(folds) == 9 and len(set(folds.values())) == 1


def test_exchanges_cut_out_of_a_conversation_share_its_fold():
    # ten exchanges of one conversation begin with ten turns
    cut = [dialogue(f"a:{n}", f"turn {n}", "m", f"turn {n + 1}") for n in range(2, 12)]
    assert len({assign_fold(f"turn {n}", 5) for n in range(2, 12)}) > 1
    whole = dialogue("a", "turn 1", "m", "turn 2")
    origins = {talk.conversation_id: "a" for talk in cut}
    found = assign_folds(cut, 5, origins)
    assert found.keys() == {"a", *origins}
    assert len(set(found.values())) == 1
    assert assign_folds([*cut, whole], 5, origins) == assign_folds([whole, *cut], 5, origins)


def test_two_conversations_tied_by_a_third_share_a_fold():
    # b begins as an exchange of a does, c as one of b does
    talks = [
        dialogue("a", "first", "m", "x"),
        dialogue("a:3", "second", "m", "x"),
        dialogue("b", "second", "m", "x"),
        dialogue("b:4", "third", "m", "x"),
        dialogue("c", "third", "m", "x"),
    ]
    origins = {"a:3": "a", "b:4": "b"}
    least = assign_fold("first", 7)
    expected = dict.fromkeys(("a", "a:3", "b", "b:4", "c"), least)
    assert assign_folds(talks, 7, origins) == expected
    assert assign_folds(talks[::-1], 7, origins) == expected


def test_an_id_that_looks_cut_is_an_id_like_any_other():
    # ten conversations of a log whose ids hold a colon and a number
    talks = [dialogue(f"chat:{n}", f"sort {n}", "m", "again") for n in range(10)]
    expected = {f"chat:{n}": assign_fold(f"sort {n}", 5) for n in range(10)}
    assert assign_folds(talks, 5, NOTHING_CUT) == expected
    assert len(set(expected.values())) > 1
