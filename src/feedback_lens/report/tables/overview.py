"""The head of the report: what each table and figure of the paper says, and how ours compares."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from feedback_lens.report.tables.claims import COLUMNS, Tally, add, list_claims, show_claim, tally
from feedback_lens.report.tables.rows import Table

CLAIMS = {
    "Table 1": "Users give feedback often, in WildChat more than in LMSYS",
    "Table 2": "A prompt finds feedback, the paper's more accurately than prior work's",
    "Table 3": "LMSYS: regenerated replies beat the original; feedback as context does not help",
    "Table 4": "Training on replies that use feedback helps on MT-Bench, not on WildBench",
    "Table 6": "Feedback or none, sparse set: both prompts",
    "Table 7": "Feedback or none, dense set: both prompts",
    "Table 8": "Three-way detection, sparse set: prior work's prompt",
    "Table 9": "Three-way detection, sparse set: the paper's prompt",
    "Table 10": "Three-way detection, dense set: prior work's prompt",
    "Table 11": "Three-way detection, dense set: the paper's prompt",
    "Table 12": "LMSYS: prompts that drew feedback are worse than random ones; WildChat: not so",
    "Table 13": "WildChat: the same; and the model's own next reply beats its first more often",
    "Table 14": "The scores of Table 4 for a newer base, Qwen1.5-4B, on MT-Bench",
    "Table 15": "WildBench's questions are longer and more complex than MT-Bench's",
    "Table 16": "Two judges give other scores to the same models, in the same order",
    "Table 17": "Against the reference recipe: significant on MT-Bench, mixed on WildBench",
    "Figure 2": "Feedback is common in later turns",
    "Figure 3": "Prompts that drew positive feedback are slightly more toxic",
    "Figure 4": "LMSYS: prompts that drew feedback are slightly worse than random ones",
    "Figure 6": "How often annotators found each kind of feedback",
    "Kappa": "Two annotators agree on what is feedback, and of which kind",
    "Refusals": "Few replies refuse, whatever the feedback",
}


@dataclass(frozen=True)
class Entry:
    """A table or figure of the paper: what it says, and how many of its cells are as ours."""

    table: Table
    says: str
    tally: Tally


@dataclass(frozen=True)
class Overview:
    """All tables and figures of the paper in its order, and their sum."""

    entries: tuple[Entry, ...]
    total: Tally

    def find(self, table: Table) -> Tally | None:
        """The tally of a table; null where it is not in the paper."""
        return next((entry.tally for entry in self.entries if entry.table is table), None)


def survey(tables: Sequence[Table]) -> Overview:
    """The tables that are in the paper, by `CLAIMS`.

    Raises:
        KeyError: a table or figure of the paper is not among them.
    """
    named = {table.name: table for table in tables}
    found = [(named[name], says, tally(named[name])) for name, says in CLAIMS.items()]
    entries = [Entry(table, says, counted) for table, says, counted in found if counted]
    return Overview(tuple(entries), add([entry.tally for entry in entries]))


def show_claims(overview: Overview) -> dict[str, Any]:
    """All claims as the page holds them: the names of the `columns`, and `rows` of those."""
    tables = [entry.table for entry in overview.entries]
    rows = [show_claim(table, claim) for table in tables for claim in list_claims(table)]
    return {"columns": COLUMNS, "rows": rows}
