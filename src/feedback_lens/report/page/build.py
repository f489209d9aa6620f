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

from feedback_lens.errors import InputError
from feedback_lens.feedback.labels import DESCRIPTIONS
from feedback_lens.report.browsers.answers import explain_absence
from feedback_lens.report.browsers.conversations import pack_shown
from feedback_lens.report.header import Commit, describe_run
from feedback_lens.report.inputs import Inputs
from feedback_lens.report.lineage import COMMAND, list_lineage, open_page
from feedback_lens.report.plots.bundle import bundle_vega
from feedback_lens.report.plots.figures import Figure, list_figures, pack_plots
from feedback_lens.report.tables.listing import list_tables
from feedback_lens.report.tables.overview import show_claims, survey
from feedback_lens.report.tables.rows import Table
from feedback_lens.tables import replaced

STYLES = (
    "style.css",
    "navigation.css",
    "header.css",
    "claims.css",
    "plots.css",
    "conversations.css",
    "answers.css",
    "lineage.css",
)
# parts that hold text of logs or models, with the scripts that need it: they can be left out
PRIVATE = {
    "conversations": ("log.js", "filters.js", "texts.js", "turns.js", "conversations.js"),
    "answers": ("answers_scores.js", "answers_view.js", "answers_lists.js", "answers.js"),
}
PUBLIC = ("shared.js", "navigation.js", "header.js", "claims.js", "plots.js")
SCRIPTS = (*PUBLIC, *PRIVATE["conversations"], *PRIVATE["answers"])


@dataclass(frozen=True)
class Script:
    """A script of the page, which the page's policy lets run by its hash alone."""

    text: Markup

    @property
    def hash(self) -> str:
        """The SHA-256 of the text, in base64."""
        return b64encode(sha256(self.text.encode()).digest()).decode()


@dataclass(frozen=True)
class Section:
    """A part of the page: plots, and the tables below them."""

    title: str
    tables: Sequence[Table]
    plots: Sequence[Figure]


def build_page(
    inputs: Inputs,
    conversations: Sequence[Mapping[str, Any]] | None = None,
    answers: Mapping[str, Any] | None = None,
    commit: Commit | None = None,
) -> str:
    """The report as one HTML page that loads nothing; the same inputs give the same bytes.

    `conversations` are as `show_conversation` gives them, `answers` as `read_shown_answers`. A part
    that holds text of logs or models and is not given is left out, and the page says so. `commit`
    is that of a copy to show others.
    """
    no_answers = None if answers is None else explain_absence(inputs.axes, answers)
    log = None if conversations is None else pack_shown(inputs.axes, conversations)
    private = {"conversations": log, "answers": None if no_answers else answers}
    shown = {name: content for name, content in private.items() if content is not None}
    unused = {name for part, names in PRIVATE.items() if part not in shown for name in names}
    scripts = [name for name in SCRIPTS if name not in unused]
    environment = Environment(
        loader=PackageLoader("feedback_lens.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = _list_sections(inputs)
    overview = survey([table for section in sections for table in section.tables])
    return environment.get_template("template.html").render(
        first_line=open_page(inputs),
        header=describe_run(inputs, commit),
        lineage=list_lineage(inputs),
        lineage_command=COMMAND,
        sections=sections,
        overview=overview,
        labels=DESCRIPTIONS,
        corpora=list(inputs.axes.corpora),
        shown=None if conversations is None else len(conversations),
        answers=answers,
        no_answers=no_answers,
        data={
            "claims": escape_json(show_claims(overview)),
            "plots": escape_json(pack_plots(inputs.plots)),
        }
        | {name: escape_json(content) for name, content in shown.items()},
        styles=[Markup(_read(name)) for name in STYLES],
        scripts=[Script(Markup(text)) for text in (bundle_vega(), *map(_read, scripts))],
    )


def _list_sections(inputs: Inputs) -> list[Section]:
    tables = list_tables(inputs)
    figures = list_figures(inputs.plots, inputs.axes)
    return [Section(title, tables.get(title, []), found) for title, found in figures.items()]


def write_page(page: str, path: Path) -> None:
    """Write the page whole or not at all."""
    with replaced(path) as temporary:
        # a lone surrogate cannot be written as UTF-8; a question mark stands for it
        temporary.write_text(page, encoding="utf-8", errors="replace", newline="\n")


def escape_json(content: object) -> Markup:
    """JSON to stand inside a script element: no text in it can end the element or open a tag.

    Raises:
        InputError: a number is NaN or infinite, which JSON has not.
    """
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        raise InputError(
            "the page cannot hold NaN or infinity: look for it in metrics/, plots/ and the tables "
            "of data/, and run the stage that wrote it again (`dvc repro --force --single-item`)"
        ) from None
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _read(name: str) -> str:
    return (files("feedback_lens.report") / "page" / name).read_text(encoding="utf-8")
