"""All tables of the report, in the order of the page."""

from feedback_lens.report.inputs import Inputs
from feedback_lens.report.tables.agreement import list_agreement_tables
from feedback_lens.report.tables.detection import list_detection_tables
from feedback_lens.report.tables.feedback import list_feedback_tables
from feedback_lens.report.tables.local import list_local_tables
from feedback_lens.report.tables.quality import compare_benchmarks, compare_quality, show_quality
from feedback_lens.report.tables.refusal import list_refusal_tables
from feedback_lens.report.tables.reply import list_reply_tables
from feedback_lens.report.tables.rows import Table
from feedback_lens.report.tables.score import list_score_tables
from feedback_lens.report.tables.significance import list_significance_tables
from feedback_lens.report.tables.toxicity import show_rank_tests, show_toxicity
from feedback_lens.report.tables.training import list_training_tables
from feedback_lens.report.tables.training_set import list_training_set_tables


def list_tables(inputs: Inputs) -> dict[str, list[Table]]:
    """The tables by the section of the page that they stand in."""
    return {
        "Feedback": [*list_feedback_tables(inputs), *list_agreement_tables(inputs)],
        "Detectors": [*list_detection_tables(inputs), *list_local_tables(inputs)],
        "Prompts": [
            show_toxicity(inputs),
            show_quality(inputs),
            show_rank_tests(inputs),
            compare_quality(inputs),
            compare_benchmarks(inputs),
        ],
        "Replies": [*list_refusal_tables(inputs), *list_reply_tables(inputs)],
        "Training": [
            *list_training_set_tables(inputs),
            *list_training_tables(inputs),
            *list_significance_tables(inputs),
            *list_score_tables(inputs),
        ],
    }
