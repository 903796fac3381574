"""Several agents on one benchmark as a table: Markdown, CSV and LaTeX of the same cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.metrics import fail2drive
from harness.stages.score import ScoreReport


@dataclass(frozen=True, kw_only=True)
class Table:
    """Headings, one row of text per agent, and what has to be known to read them."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def make_table(reports: Mapping[str, ScoreReport], *, allow_partial: bool = False) -> Table:
    """Return the table of several agents, by name; all reports are of one benchmark.

    Args:
        allow_partial: show the scores of an incomplete set too, its missing routes counted as zero. Fail2Drive's
            means are over the drives there are, so that an incomplete set never has scores there.
    """
    first = next(iter(reports.values()))
    notes = [
        f"{first.suite.title} ({first.suite.set_version}), success by rule {first.rule.value}",
        "missing routes count as zero" if allow_partial else "no scores where drives are missing",
    ]
    if first.splits is not None:
        notes.append("percentages in brackets: change from Base to Generalization of the rounded values")
        rows = tuple(_fail2drive_row(name, report) for name, report in reports.items())
        return Table(headings=_FAIL2DRIVE, rows=rows, notes=tuple(notes))
    rows = tuple(_plain_row(name, report, report.is_complete or allow_partial) for name, report in reports.items())
    return Table(headings=_PLAIN, rows=rows, notes=tuple(notes))


_PLAIN: Final = ("agent", "DS", "95 %", "SR", "seeds", "drives")
_FAIL2DRIVE: Final = ("agent", "Base DS", "Base SR", "Base HM", "DS", "SR", "HM", "seeds", "drives")


def _plain_row(name: str, report: ScoreReport, is_shown: bool) -> tuple[str, ...]:
    if not is_shown:
        return (name, *["-"] * 3, *_counts(report))
    return (
        name,
        f"{report.scores.driving_score:.2f}",
        f"{report.interval.low:.1f} to {report.interval.high:.1f}",
        f"{100.0 * report.scores.success_rate:.2f}",
        *_counts(report),
    )


def _fail2drive_row(name: str, report: ScoreReport) -> tuple[str, ...]:
    if report.splits is None or report.splits.main is None or report.missing:
        return (name, *["-"] * 6, *_counts(report))
    row = fail2drive.printed_row(report.splits.main)
    return (
        name,
        f"{row.base_driving_score:.1f}",
        f"{row.base_success:.1f}",
        f"{row.base_harmonic_mean:.1f}",
        f"{row.driving_score:.1f} ({row.driving_score_change:+.1f} %)",
        f"{row.success:.1f} ({row.success_change:+.1f} %)",
        f"{row.harmonic_mean:.1f} ({row.harmonic_mean_change:+.1f} %)",
        *_counts(report),
    )


def _counts(report: ScoreReport) -> tuple[str, str]:
    return str(len(report.seeds)), f"{report.scores.found} of {report.scores.expected}"


# --- formats ---------------------------------------------------------------------------------------------------------


def as_markdown(table: Table) -> str:
    """Return a table that GitHub shows."""
    lines = [table.headings, ("---", *["---:"] * (len(table.headings) - 1)), *table.rows]
    cells = [[cell.replace("\\", "\\\\").replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells) + f"\n{'; '.join(table.notes)}\n"


def as_csv(table: Table) -> str:
    """Return comma-separated values as RFC 4180 has them, without the notes."""
    text = io.StringIO()
    csv.writer(text).writerows([table.headings, *table.rows])
    return text.getvalue()


def as_latex(table: Table) -> str:
    """Return a table for the package booktabs."""
    rows = [" & ".join(map(_latex_text, line)) + r" \\" for line in (table.headings, *table.rows)]
    lines = [
        f"\\begin{{tabular}}{{l{'r' * (len(table.headings) - 1)}}}",
        r"\toprule",
        rows[0],
        r"\midrule",
        *rows[1:],
        r"\bottomrule",
        r"\end{tabular}",
        *(f"% {note}" for note in table.notes),
    ]
    return "\n".join(lines) + "\n"


_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(char, char) for char in text)


FORMATS: Final[Mapping[str, Callable[[Table], str]]] = {"markdown": as_markdown, "csv": as_csv, "latex": as_latex}


def split_agents(arguments: Sequence[str], exists: Callable[[str], bool]) -> dict[str, list[str]]:
    """Return the paths of each agent: ``NAME=PATH`` names one, a path that is there has no name.

    Args:
        exists: whether there is such a path; a file may have an equals sign in its name.
    """
    agents: dict[str, list[str]] = {}
    for argument in arguments:
        name, sign, path = argument.partition("=")
        is_named = bool(sign and name) and not exists(argument)
        agents.setdefault(name if is_named else "", []).append(path if is_named else argument)
    return agents
