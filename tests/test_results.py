from pathlib import Path

from feedback_lens.results import list_results
from feedback_lens.tables import write_json

RUN = {"gold": {"gold_sets": ["lmsys", "wildchat"]}, "models": {"corpora": ["lmsys"]}}
METRICS = Path(__file__).parents[1] / "metrics"
EVALUATIONS = sorted((METRICS / "evaluate_detector").glob("*.json"))


def test_without_metrics_there_are_no_results(tmp_path):
    assert list_results(tmp_path, RUN) == []


def detector(accuracy, f1):
    return {"three_way": {"accuracy": accuracy}, "fine": {"macro": {"f1": f1}}}


def test_the_committed_metrics_of_the_detectors_are_read():
    names = [name for name, _ in list_results(METRICS, RUN) if name.startswith("detector local")]
    assert names == [f"detector local on {path.stem}" for path in EVALUATIONS]


def test_each_metrics_file_has_its_lines(tmp_path):
    detectors = {"local": detector(0.69444, 0.5), "prompted": detector(1.0, None)}
    annotators = {"turns": 101, "kappa": {}}  # no detector: no line
    evaluation = {**detectors, "annotators": annotators}
    write_json(evaluation, tmp_path / "evaluate_detector" / "lmsys.json")
    write_json(evaluation, tmp_path / "evaluate_detector" / "of_another_run.json")
    rates = {"with_feedback": {"win_rate": 0.75}, "without_feedback": {"win_rate": None}}
    comparisons = {"rand": {}, "neg": {"semantic_vs_weak": rates}}
    write_json(comparisons, tmp_path / "compare_replies" / "lmsys.json")
    tiny = {"base": {"mean": 2.0}, "lmsys": {"kto": {"mean": 2.5, "spread": 0.125}}}
    write_json({"mt_bench": {"reference": {"tiny": tiny}}}, tmp_path / "summary.json")
    assert list_results(tmp_path, RUN) == [
        ("detector local on lmsys", "three-way accuracy 0.694, fine macro-F1 0.500"),
        ("detector prompted on lmsys", "three-way accuracy 1.000, fine macro-F1 -"),
        ("win rate semantic_vs_weak, lmsys", "0.750 with feedback, - without"),
        ("mt_bench (reference judge), tiny, untrained", "2.000"),
        ("mt_bench (reference judge), tiny, lmsys kto", "2.500 ± 0.125"),
    ]
