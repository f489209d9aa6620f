"""Runs a cell's own command without asking its model: what it would ask, request by request."""

import contextlib
import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from feedback_lens.calls.planning import Demand, Planned, planning
from feedback_lens.calls.request import Request
from feedback_lens.planning.pipeline import Cell


@dataclass
class NewDemand(Demand):
    """A demand that leaves out the requests that another cell has asked for before (`asked`)."""

    asked: set[str] = field(default_factory=set)

    def add(self, request: Request) -> None:
        """Count a request that would be sent, unless it would be answered by then."""
        if request.key not in self.asked:
            self.asked.add(request.key)
            super().add(request)


def rehearse(cell: Cell, purpose: str, model: str, asked: set[str]) -> Mapping[str, Demand]:
    """What a cell asks of each model now, in the folder that is the current one.

    `purpose` and `model` are those of its calls; keys of requests that would be sent are added to
    `asked`. Outs go to a temporary folder, and no model is asked.

    Raises:
        click.ClickException: what the stage itself says where it cannot run.
    """
    with (
        planning() as tally,
        tempfile.TemporaryDirectory() as folder,
        # its words are for its run
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(Planned),
    ):
        tally.demands[purpose, model] = NewDemand(asked=asked)
        cell.command.main(_move_outs(cell, Path(folder)), cell.name, standalone_mode=False)
    demands = {name: demand for (_, name), demand in tally.demands.items()}
    # a local model goes by a name of its content
    return {name: d for name, d in demands.items() if d.kept or d.calls or len(demands) == 1}


def _move_outs(cell: Cell, folder: Path) -> list[str]:
    return [str(folder / word) if word in cell.outs else word for word in cell.arguments]
