from collections.abc import Callable
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import click

from feedback_lens.options import Nullable, option
from feedback_lens.tables import read_rows

# how many rows of each split an analysis looks at
rows_option: Callable[[Any], Any] = option("--rows_per_split", type=Nullable(click.IntRange(1)))


def read_first_rows(splits: Path, rows_per_split: int | None) -> list[dict[str, Any]]:
    """The first rows of each split in a splits table, in their order; all where there is no limit.

    They are the rows that a draw of that size gives: a smaller split is a part of a larger one.
    """
    groups = groupby(read_rows(splits), key=itemgetter("split"))
    return [row for _, rows in groups for row in islice(rows, rows_per_split)]
