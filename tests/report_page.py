"""Building the report's page, and reading it as a person would."""

import json
import re
from pathlib import Path

from click.testing import CliRunner

from feedback_lens.stages.report import main

CHIP = r' <span class="cause">.*?</span>'
MARKUP = r"</?span[^>]*>"


def read_metrics(world, name):
    return json.loads((world[0] / "metrics" / f"{name}.json").read_text())


def section_of(page, anchor):
    return re.search(rf'id="{anchor}">(.*?)</section>', page, re.DOTALL)[1]


def rows_of(page, anchor):
    """The rows of one table by name, each a list of its lines: (label, cell, cell, ...)."""
    rows = {}
    for body in re.findall(r"<tbody>(.*?)</tbody>", section_of(page, anchor), re.DOTALL):
        name = re.sub(CHIP, "", re.search(r"<th[^>]*>(.*?)</th>", body)[1])
        lines = re.findall(r"<tr class=.*?</tr>", body, re.DOTALL)
        rows[name] = [
            tuple(re.sub(MARKUP, "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", line))
            for line in lines
        ]
    return rows


def lines_of(page, anchor):
    """The lines of all rows of one table."""
    return [line for lines in rows_of(page, anchor).values() for line in lines]


def conversations_of(page):
    return data_of(page, "conversations")["conversations"]


def data_of(page, name):
    """A piece of the page's data."""
    return json.loads(re.search(rf'id="{name}-data">(.*?)</script>', page, re.DOTALL)[1])


def build(arguments):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return Path(arguments[arguments.index("--report") + 1]).read_text("utf-8")
