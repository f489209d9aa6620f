import csv
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from dialogues import dialogue
from feedback_lens.feedback.gold.sets import GOLD_LABELS
from feedback_lens.feedback.local.detector import load_detector
from feedback_lens.logs.conversation import CONVERSATIONS
from feedback_lens.stages.fit_detector import main
from feedback_lens.tables import write_rows

TURNS = ("thanks, perfect", "that is wrong", "great, thank you", "this does not work")
OUTS = (
    "metrics.json",
    "calibration.csv",
    "abstention.csv",
    "model/heads.npz",
    "model/detector.json",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    content = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    content["gold_sets"] = {"small": {"setting": "dense"}}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    talks = [dialogue(f"c{n}", f"sort {n}", "m", TURNS[n % 4]) for n in range(12)]
    labels = [
        {
            "annotator": "gold",
            "conversation_id": f"c{n}",
            "turn": 2,
            "labels": [("POS", "NEG_3")[n % 2]],
            "label": ("POS", "NEG_3")[n % 2],
            "log_conversation_id": f"c{n}",
        }
        for n in range(12)
    ]
    write_rows(
        (t.as_row() for t in talks), folder / "gold/small/conversations.parquet", CONVERSATIONS
    )
    write_rows(labels, folder / "gold/small/labels.parquet", GOLD_LABELS)
    return folder


def run(world: Path, out: str, gold_set: str = "small"):
    folder = world / out
    arguments = [
        *("--gold_sets_folder", world / "gold", "--gold_sets", gold_set),
        *("--params", world / "params.yaml"),
        *("--detector", folder / "model", "--metrics", folder / "metrics.json"),
        *("--calibration", folder / "calibration.csv", "--abstention", folder / "abstention.csv"),
        *("--folds", 3, "--regularization", 1.0, "--bins", 5, "--resamples", 50, "--seed", 1),
    ]
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_stage_writes_a_detector_its_metrics_and_plots(world):
    assert run(world, "a").exit_code == 0
    metrics = json.loads((world / "a/metrics.json").read_text())
    assert metrics["local"]["turns"] == 12
    assert metrics["differences"].keys() == {"local_minus_minilm", "local_minus_keywords"}
    for name in ("calibration", "abstention"):
        with (world / "a" / f"{name}.csv").open() as file:
            assert {row["detector"] for row in csv.DictReader(file)} >= {"local", "minilm"}
    assert load_detector(world / "a/model").heads.classes == ("NEG_3", "POS")


def test_the_same_gold_gives_the_same_bytes(world):
    for out in ("b", "c"):
        assert run(world, out).exit_code == 0
    for name in OUTS:
        assert (world / "b" / name).read_bytes() == (world / "c" / name).read_bytes()


def test_an_unknown_gold_set_stops_the_stage(world):
    result = run(world, "d", "large")
    assert result.exit_code == 1
    assert "fit_detector.gold_sets: 'large' is no gold set" in result.output
    assert not (world / "d").exists()
