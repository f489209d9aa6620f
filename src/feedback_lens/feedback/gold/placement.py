"""Where items of a list stand in another list of the same order, as far as that is certain."""

from collections.abc import Sequence

Lengths = list[list[int]]


def place_in_order(items: Sequence[str], line: Sequence[str]) -> dict[int, int]:
    """The position in `line` of each item, by the item's index, in the order of the items.

    Both lists keep their order. An item is placed where every longest common subsequence of the
    two gives it the same position; one that another could stand for, or that some of them leave
    out, is not. Takes time and memory of the product of the two lengths.
    """
    before = _count_common(items, line)
    after = _count_common(items[::-1], line[::-1])
    longest = before[-1][-1]

    def behind(i: int, j: int) -> int:
        return after[len(items) - i][len(line) - j]

    places = {}
    for i, item in enumerate(items):
        dispensable = any(before[i][j] + behind(i + 1, j) == longest for j in range(len(line) + 1))
        found = [
            j
            for j, other in enumerate(line)
            if item == other and before[i][j] + 1 + behind(i + 1, j + 1) == longest
        ]
        if len(found) == 1 and not dispensable:
            places[i] = found[0]
    return places


def _count_common(first: Sequence[str], second: Sequence[str]) -> Lengths:
    """Length of the longest common subsequence of the first i and the first j items, at [i][j]."""
    lengths = [[0] * (len(second) + 1)]
    for one in first:
        above, row = lengths[-1], [0]
        for j, other in enumerate(second):
            row.append(above[j] + 1 if one == other else max(above[j + 1], row[j]))
        lengths.append(row)
    return lengths
