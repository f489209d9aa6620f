from dataclasses import replace
from pathlib import Path

from feedback_lens.axes import ModelGroup
from feedback_lens.params import read_axes
from feedback_lens.results import list_results
from feedback_lens.tables import write_json

PROJECT = Path(__file__).parents[1]
METRICS = PROJECT / "metrics"
AXES = read_axes(PROJECT / "params.yaml")
RUN = replace(
    AXES,
    corpora={"lmsys": "prompted"},
    gold_sets={"lmsys": "dense"},
    detectors=("local", "prompted"),
    groups=(ModelGroup(("tiny",), ("lmsys",), ("kto",), (1, 2)),),
)
EVALUATIONS = sorted((METRICS / "evaluate_detector").glob("*.json"))


def test_without_metrics_there_are_no_results(tmp_path):
    assert list_results(tmp_path, RUN) == []


def detector(accuracy, f1):
    return {"three_way": {"accuracy": accuracy}, "fine": {"macro": {"f1": f1}}}


def test_the_committed_metrics_of_the_detectors_are_read():
    names = [name for name, _ in list_results(METRICS, AXES) if name.startswith("detector local")]
    assert sorted(names) == [f"detector local on {path.stem}" for path in EVALUATIONS]


def test_each_metrics_file_has_its_lines(tmp_path):
    detectors = {"local": detector(0.69444, 0.5), "prompted": detector(1.0, None)}
    # an agreement is no detector, and no line
    evaluation = {**detectors, "agreement": {"gold_vs_second": {"turns": 101}}}
    write_json(evaluation, tmp_path / "evaluate_detector" / "lmsys.json")
    write_json(evaluation, tmp_path / "evaluate_detector" / "of_another_run.json")
    labels = {"NEG_1": 0.25, "POS": 0.125, "NEU": 0.5}
    by_label = {name: {"share": share} for name, share in labels.items()}
    write_json({"turns": 8, "by_label": by_label}, tmp_path / "count_feedback" / "lmsys.json")
    rates = {"with_feedback": {"win_rate": 0.75}, "without_feedback": {"win_rate": None}}
    comparisons = {"rand": {}, "neg": {"semantic_vs_weak": rates}}
    write_json(comparisons, tmp_path / "compare_replies" / "lmsys.json")
    tiny = {"base": {"mean": 2.0}, "lmsys": {"kto": {"mean": 2.5, "spread": 0.125}}}
    # a judge of the recipes alone has no score of the untrained base
    wild = {"tiny": {"lmsys": {"kto": {"mean": -12.5, "spread": None}}}}
    summary = {"mt_bench": {"reference": {"tiny": tiny}}, "wildbench": {"wild": wild}}
    write_json(summary, tmp_path / "summary.json")
    assert list_results(tmp_path, RUN) == [
        (
            "feedback in lmsys, as the prompted detector finds it",
            "0.500 of 8 user turns; praise 0.125",
        ),
        ("detector local on lmsys", "three-way accuracy 0.694, fine macro-F1 0.500"),
        ("detector prompted on lmsys", "three-way accuracy 1.000, fine macro-F1 -"),
        ("win rate semantic_vs_weak, lmsys", "0.750 with feedback, - without"),
        ("mt_bench (reference judge), tiny, untrained", "2.000"),
        ("mt_bench (reference judge), tiny, lmsys kto", "2.500 ± 0.125"),
        ("wildbench (wild judge), tiny, lmsys kto", "-12.500 ± -"),
    ]
