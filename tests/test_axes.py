from pathlib import Path

import pytest
import yaml

from feedback_lens.axes import read_axes
from feedback_lens.errors import InputError

PARAMS = Path(__file__).parents[1] / "params.yaml"


def edit(folder: Path, section: str, value: object) -> Path:
    content = yaml.safe_load(PARAMS.read_text())
    content[section] = value
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_the_axes_are_the_names_of_the_entries_in_their_order(tmp_path: Path) -> None:
    own = {"path": "data/raw/own.jsonl", "format": "messages", "detector": "local"}
    content = yaml.safe_load(PARAMS.read_text())
    axes = read_axes(edit(tmp_path, "corpora", {**content["corpora"], "own": own}))
    assert dict(axes.corpora) == {"lmsys": "prompted", "wildchat": "prompted", "own": "local"}
    assert dict(axes.gold_sets)["sparse"] == "sparse"
    assert axes.seeds == (1, 2)


def test_an_empty_section_has_no_cells(tmp_path: Path) -> None:
    assert read_axes(edit(tmp_path, "gold_sets", {})).gold_sets == {}
    assert read_axes(edit(tmp_path, "gold_sets", None)).gold_sets == {}


def test_a_corpus_without_a_detector_is_named(tmp_path: Path) -> None:
    path = edit(tmp_path, "corpora", {"own": {"path": "x", "format": "messages"}})
    with pytest.raises(InputError, match=r"corpora\.own\.detector is missing"):
        read_axes(path)


@pytest.mark.parametrize("text", ["- 1", "a: [", "\x00"])
def test_a_file_that_is_no_mapping_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"params\.yaml"):
        read_axes(path)
