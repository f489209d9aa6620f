import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from feedback_lens.feedback.labels import DESCRIPTIONS
from feedback_lens.report.agreement_tables import list_agreement_tables
from feedback_lens.report.charts import Chart
from feedback_lens.report.detection_charts import list_detection_charts
from feedback_lens.report.detection_tables import list_detection_tables
from feedback_lens.report.feedback_charts import list_feedback_charts
from feedback_lens.report.feedback_tables import list_feedback_tables
from feedback_lens.report.inputs import Inputs
from feedback_lens.report.lineage import list_lineage, open_page
from feedback_lens.report.local_tables import list_local_tables
from feedback_lens.report.prompt_charts import list_prompt_charts
from feedback_lens.report.quality_tables import compare_benchmarks, compare_quality, show_quality
from feedback_lens.report.refusal_tables import list_refusal_tables
from feedback_lens.report.reply_tables import list_reply_tables
from feedback_lens.report.score_charts import draw_losses, draw_scores, draw_win_rates
from feedback_lens.report.score_tables import list_score_tables
from feedback_lens.report.significance_tables import list_significance_tables
from feedback_lens.report.toxicity_tables import show_rank_tests, show_toxicity
from feedback_lens.report.training_set_tables import list_training_set_tables
from feedback_lens.report.training_tables import list_training_tables
from feedback_lens.report.values import Table
from feedback_lens.tables import replaced


@dataclass(frozen=True)
class Section:
    """A part of the page: tables, and the charts below them."""

    title: str
    tables: Sequence[Table]
    charts: Sequence[Chart]


def build_page(inputs: Inputs, conversations: Sequence[Mapping[str, Any]]) -> str:
    """The report as one HTML page that loads nothing; the same inputs give the same bytes.

    `conversations` are as `show_conversation` gives them.
    """
    environment = Environment(
        loader=PackageLoader("feedback_lens", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _read("browser.js")
    return environment.get_template("template.html").render(
        first_line=open_page(inputs),
        lineage=list_lineage(inputs),
        sections=_list_sections(inputs),
        labels=DESCRIPTIONS,
        corpora=list(inputs.axes.corpora),
        conversations=escape_json(conversations),
        style=Markup(_read("style.css")),
        script=Markup(script),
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
    )


def _list_sections(inputs: Inputs) -> list[Section]:
    feedback = [*list_feedback_tables(inputs), *list_agreement_tables(inputs)]
    detectors = [*list_detection_tables(inputs), *list_local_tables(inputs)]
    prompts = [
        show_toxicity(inputs),
        show_quality(inputs),
        show_rank_tests(inputs),
        compare_quality(inputs),
        compare_benchmarks(inputs),
    ]
    replies = [*list_refusal_tables(inputs), *list_reply_tables(inputs)]
    training = [
        *list_training_set_tables(inputs),
        *list_training_tables(inputs),
        *list_significance_tables(inputs),
        *list_score_tables(inputs),
    ]
    return [
        Section("Feedback", feedback, list_feedback_charts(inputs)),
        Section("Detectors", detectors, list_detection_charts(inputs)),
        Section("Prompts", prompts, list_prompt_charts(inputs)),
        Section("Replies", replies, draw_win_rates(inputs)),
        Section("Training", training, [*draw_scores(inputs), *draw_losses(inputs)]),
    ]


def write_page(page: str, path: Path) -> None:
    """Write the page whole or not at all."""
    with replaced(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def escape_json(content: object) -> Markup:
    """JSON to stand inside a script element: no text in it can end the element or open a tag."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _read(name: str) -> str:
    return (files("feedback_lens") / "report" / name).read_text(encoding="utf-8")
