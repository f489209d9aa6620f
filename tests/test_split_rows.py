import pytest

from feedback_lens.analysis.split_rows import read_first_rows
from feedback_lens.tables import write_rows
from feedback_lens.training.splits import SPLITS

NAMES = ("neg", "neg", "neg", "pos", "rand", "rand")


@pytest.mark.parametrize(
    ("limit", "turns"),
    [(1, [0, 3, 4]), (2, [0, 1, 3, 4, 5]), (1000, [*range(6)]), (None, [*range(6)])],
)
def test_the_first_rows_of_each_split_are_read(tmp_path, limit, turns):
    path = tmp_path / "splits.parquet"
    rows = [
        {**dict.fromkeys(SPLITS.names), "split": name, "turn": turn}
        for turn, name in enumerate(NAMES)
    ]
    write_rows(rows, path, SPLITS)
    assert [row["turn"] for row in read_first_rows(path, limit)] == turns
