from dialogues import dialogue
from feedback_lens.feedback.local.folds import assign_fold, assign_folds, locate_in_log, name_in_log


def test_the_fold_is_that_of_the_first_turn():
    talks = [dialogue(f"c{n}", f"sort {n}", "m", "again") for n in range(9)]
    assert assign_folds(talks, 4) == {f"c{n}": assign_fold(f"sort {n}", 4) for n in range(9)}
    assert assign_fold(" sort 1\n", 4) == assign_fold("sort 1", 4)


def test_conversations_that_begin_alike_share_a_fold():
    folds = assign_folds([dialogue(f"c{n}", "hi", "m", f"turn {n}") for n in range(9)], 5)
    assert len(folds) == 9 and len(set(folds.values())) == 1


def test_exchanges_cut_out_of_a_conversation_share_its_fold():
    # ten exchanges of one conversation begin with ten turns
    cut = [dialogue(f"a:{n}", f"turn {n}", "m", f"turn {n + 1}") for n in range(2, 12)]
    assert len({assign_fold(f"turn {n}", 5) for n in range(2, 12)}) > 1
    whole = dialogue("a", "turn 1", "m", "turn 2")
    assert assign_folds(cut, 5).keys() == {"a"}
    assert assign_folds([*cut, whole], 5) == assign_folds([whole, *cut], 5)


def test_two_conversations_tied_by_a_third_share_a_fold():
    # b begins as an exchange of a does, c as one of b does
    talks = [
        dialogue("a", "first", "m", "x"),
        dialogue("a:3", "second", "m", "x"),
        dialogue("b", "second", "m", "x"),
        dialogue("b:4", "third", "m", "x"),
        dialogue("c", "third", "m", "x"),
    ]
    least = assign_fold("first", 7)
    assert assign_folds(talks, 7) == {"a": least, "b": least, "c": least}
    assert assign_folds(talks[::-1], 7) == {"a": least, "b": least, "c": least}


def test_an_exchange_is_found_in_its_log():
    assert locate_in_log("a:b:7", 2) == ("a:b", 7)
    assert locate_in_log("a", 3) == ("a", 3)
    assert locate_in_log("a:7", 3) == ("a", 3)  # no exchange has a third turn
    assert [name_in_log(name) for name in ("a:7", "a", "a:x")] == ["a", "a", "a:x"]
