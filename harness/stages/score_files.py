"""Every form in which scores leave: as one text, or as files beside each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harness.jobs.publish import publish_text
from harness.stages.score import ScoreReport
from harness.stages.score_compare import Comparison
from harness.stages.score_data import document
from harness.stages.score_page.page import page
from harness.stages.score_table import as_csv, as_latex, as_markdown, make_table
from harness.stages.score_text import comparison_lines, score_lines

_SUFFIXES: Final = {"text": "txt", "json": "json", "markdown": "md", "csv": "csv", "latex": "tex", "html": "html"}


def rendered(
    form: str, reports: Mapping[str, ScoreReport], comparison: Comparison | None, *, allow_partial: bool
) -> str:
    """Return the scores of several agents as one text.

    Args:
        form: text, json, markdown, csv, latex or html.
    """
    if form == "json":
        return json.dumps(document(reports, comparison), indent=2, allow_nan=False) + "\n"
    if form == "text":
        return _text(reports, comparison, allow_partial=allow_partial)
    if form == "html":
        return page(reports, comparison, allow_partial=allow_partial)
    table = make_table(reports, allow_partial=allow_partial)
    return {"markdown": as_markdown, "csv": as_csv, "latex": as_latex}[form](table)


def save_all(
    folder: Path, reports: Mapping[str, ScoreReport], comparison: Comparison | None, *, allow_partial: bool
) -> list[Path]:
    """Write every form into a folder, each file whole or not at all.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for form, suffix in _SUFFIXES.items():
        file = folder / f"scores.{suffix}"
        publish_text(file, rendered(form, reports, comparison, allow_partial=allow_partial))
        files.append(file)
    return files


def _text(reports: Mapping[str, ScoreReport], comparison: Comparison | None, *, allow_partial: bool) -> str:
    lines: list[str] = []
    for name, report in reports.items():
        lines += [f"{name}:"] if len(reports) > 1 else []
        lines += [*score_lines(report, with_means=report.has_headline or allow_partial), ""]
    if comparison is not None:
        lines += comparison_lines(comparison)
    return "\n".join(lines).rstrip("\n") + "\n"
