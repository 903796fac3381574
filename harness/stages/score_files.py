"""Every form in which scores leave: as one text, or as files beside each other."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harness.errors import HarnessError
from harness.jobs.publish import publish_text
from harness.results.result_set import shown
from harness.stages.score import ScoreReport
from harness.stages.score_compare import Comparison, may_compare
from harness.stages.score_data import document
from harness.stages.score_page.page import page
from harness.stages.score_table import Table, as_csv, as_latex, as_markdown, make_table
from harness.stages.score_text import comparison_lines, score_lines

_SUFFIXES: Final = {"text": "txt", "json": "json", "markdown": "md", "csv": "csv", "latex": "tex", "html": "html"}
# A log has no width to respect.
_LOG_COLUMNS: Final = 200


def rendered(
    form: str, reports: Mapping[str, ScoreReport], comparison: Comparison | None, *, allow_partial: bool
) -> str:
    """Return the scores of several agents as one text.

    Args:
        form: text, json, markdown, csv, latex or html.
    """
    if form == "json":
        data = document(reports, comparison, allow_partial=allow_partial)
        return json.dumps(data, indent=2, allow_nan=False) + "\n"
    if form == "text":
        return text_of(reports, comparison, allow_partial=allow_partial)
    if form == "html":
        return page(reports, comparison, allow_partial=allow_partial)
    table = make_table(reports, allow_partial=allow_partial)
    if form == "markdown":
        lines = _comparison_lines(reports, comparison, allow_partial=allow_partial)
        return as_markdown(table) + ("\n```text\n" + "\n".join(lines) + "\n```\n" if lines else "")
    return {"csv": as_csv, "latex": as_latex}[form](table)


def save_all(
    folder: Path, reports: Mapping[str, ScoreReport], comparison: Comparison | None, *, allow_partial: bool
) -> list[Path]:
    """Write every form into a folder, each file whole or not at all.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    texts = {
        folder / f"scores.{suffix}": rendered(form, reports, comparison, allow_partial=allow_partial)
        for form, suffix in _SUFFIXES.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    for file in texts:
        if file.is_dir():
            raise HarnessError(
                f"cannot write {file}: found a folder, expected a file or nothing", hint="another --save"
            )
    for file, text in texts.items():
        publish_text(file, text)
    return list(texts)


def text_of(
    reports: Mapping[str, ScoreReport], comparison: Comparison | None, *, allow_partial: bool, width: int = _LOG_COLUMNS
) -> str:
    """Return what the command prints: one agent in full, several as a table with what has to be known to read it.

    Args:
        width: columns for the table.
    """
    lines: list[str] = []
    if len(reports) == 1:
        for report in reports.values():
            lines += score_lines(report, with_means=report.has_headline or allow_partial)
    else:
        table = make_table(reports, allow_partial=allow_partial)
        lines += [_drawn(table, width), *table.notes, *table.sources]
        lines += [
            f"{shown(name)}: {len(report.problems)} problem(s); harness score of its results alone names them"
            for name, report in reports.items()
            if report.problems
        ]
    lines += _comparison_lines(reports, comparison, allow_partial=allow_partial)
    return "\n".join(lines) + "\n"


def _comparison_lines(
    reports: Mapping[str, ScoreReport], comparison: Comparison | None, *, allow_partial: bool
) -> list[str]:
    if comparison is None:
        return []
    if not may_compare(reports, comparison, allow_partial=allow_partial):
        return ["no comparison with an incomplete set; --allow-partial compares the routes that both have"]
    return list(comparison_lines(comparison))


def _drawn(table: Table, width: int) -> str:
    """Return the table in a frame; rich draws it, and takes no cell for markup."""
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable()
    for number, heading in enumerate(table.headings):
        drawn.add_column(heading, justify="right" if number else "left")
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    with console.capture() as caught:
        console.print(drawn)
    return caught.get().rstrip("\n")
