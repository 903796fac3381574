"""Several agents on one benchmark as a table: Markdown, CSV and LaTeX of the same cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from harness.metrics import fail2drive
from harness.metrics.bench2drive import AbilityFormula
from harness.results.result_set import shown
from harness.stages.score import ScoreReport
from harness.stages.score_text import change_text, provenance


@dataclass(frozen=True, kw_only=True)
class Table:
    """Headings, one row of text per agent, what has to be known to read them, and what the rows come from."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    sources: tuple[str, ...]


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
    row_of: Callable[[str, ScoreReport, bool], tuple[str, ...]] = _plain_row
    headings: tuple[str, ...] = _PLAIN
    if first.splits is not None:
        notes.append("percentages in brackets: change from Base to Generalization of the rounded values")
        row_of, headings = _fail2drive_row, _FAIL2DRIVE
    elif first.abilities:
        notes.append(f"abilities: mean of the five by the formula of {AbilityFormula.V003}")
        row_of, headings = _bench2drive_row, _BENCH2DRIVE
    return Table(
        headings=headings,
        rows=tuple(row_of(shown(name), each, each.has_headline or allow_partial) for name, each in reports.items()),
        notes=tuple(notes),
        sources=tuple(f"{shown(name)}: {provenance(report)}" for name, report in reports.items()),
    )


_PLAIN: Final = ("agent", "DS", "95 %", "SR", "seeds", "drives")
_BENCH2DRIVE: Final = ("agent", "DS", "95 %", "SR", "efficiency", "comfort", "abilities", "seeds", "drives")
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


def _bench2drive_row(name: str, report: ScoreReport, is_shown: bool) -> tuple[str, ...]:
    plain = _plain_row(name, report, is_shown)
    if not is_shown:
        return (*plain[:4], *["-"] * 3, *_counts(report))
    efficiency = None if report.efficiency is None else report.efficiency.percent
    comfort = None if report.comfort is None else report.comfort.value
    abilities = next(table.mean for table in report.abilities if table.formula is AbilityFormula.V003)
    shares = ("-" if share is None else f"{100.0 * share:.2f}" for share in (comfort, abilities))
    return (*plain[:4], "-" if efficiency is None else f"{efficiency:.2f}", *shares, *_counts(report))


def _fail2drive_row(name: str, report: ScoreReport, is_shown: bool) -> tuple[str, ...]:
    if not is_shown or report.splits is None or report.splits.main is None or report.missing:
        return (name, *["-"] * 6, *_counts(report))
    row = fail2drive.printed_row(report.splits.main)
    return (
        name,
        f"{row.base_driving_score:.1f}",
        f"{row.base_success:.1f}",
        f"{row.base_harmonic_mean:.1f}",
        f"{row.driving_score:.1f} ({change_text(row.driving_score_change)})",
        f"{row.success:.1f} ({change_text(row.success_change)})",
        f"{row.harmonic_mean:.1f} ({change_text(row.harmonic_mean_change)})",
        *_counts(report),
    )


def _counts(report: ScoreReport) -> tuple[str, str]:
    return str(len(report.seeds)), f"{report.scores.found} of {report.scores.expected}"


# --- formats ---------------------------------------------------------------------------------------------------------


def as_markdown(table: Table) -> str:
    """Return a table that GitHub shows."""
    lines = [table.headings, ("---", *["---:"] * (len(table.headings) - 1)), *table.rows]
    cells = [[cell.replace("\\", "\\\\").replace("|", "\\|") for cell in line] for line in lines]
    below = "".join(f"\n{line}\n" for line in ("; ".join(table.notes), *table.sources))
    return "".join(f"| {' | '.join(line)} |\n" for line in cells) + below


def as_csv(table: Table) -> str:
    """Return comma-separated values as RFC 4180 has them, without the notes; a last column has the sources."""
    text = io.StringIO()
    lines = [(*row, source) for row, source in zip(table.rows, table.sources, strict=True)]
    csv.writer(text).writerows([(*table.headings, "source"), *lines])
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
        *(f"% {note}" for note in (*table.notes, *table.sources)),
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
    """Return the paths of each agent: ``NAME=PATH`` names one, paths without a name are one agent named like the first.

    Args:
        exists: whether there is such a path; a file may have an equals sign in its name.
    """
    agents: dict[str, list[str]] = {}
    unnamed: list[str] = []
    for argument in arguments:
        name, sign, path = argument.partition("=")
        if sign and name and not exists(argument):
            agents.setdefault(name, []).append(path)
        else:
            agents[""] = unnamed
            unnamed.append(argument)
    own = _free_name(name_of(unnamed[0]), agents) if unnamed else ""
    return {name or own: paths for name, paths in agents.items()}


def name_of(path: str) -> str:
    """Return what an agent is called whose results lie at a path: its last part without suffixes."""
    last = PurePath(path).name or path
    return last.partition(".")[0] or last


def _free_name(name: str, taken: Collection[str]) -> str:
    return name if name not in taken else _free_name(f"{name}'", taken)
