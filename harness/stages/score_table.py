"""Several agents on one benchmark as a table: Markdown, CSV and LaTeX of the same cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from harness.metrics import fail2drive
from harness.metrics.bench2drive import ABILITIES, AbilityFormula
from harness.results.result_set import shown
from harness.stages.score import ScoreReport
from harness.stages.score_text import change_text, provenance


@dataclass(frozen=True, kw_only=True)
class Table:
    """Headings, one row of text per agent, what has to be known to read them, and what the rows come from.

    Attributes:
        context: what holds for all rows, as columns for who reads the table by a program.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    sources: tuple[str, ...]
    context: Mapping[str, str] = field(default_factory=dict)


def make_table(reports: Mapping[str, ScoreReport], *, allow_partial: bool = False) -> Table:
    """Return the table of several agents, by name; all reports are of one benchmark.

    Args:
        allow_partial: show the means of an incomplete set too.
    """
    first = next(iter(reports.values()))
    notes = [f"{first.title}, success by rule {first.rule.value}", _note_on_gaps(reports, allow_partial)]
    columns: Mapping[str, Callable[[ScoreReport], str]] = _PLAIN
    if first.splits is not None:
        notes.append("percentages in brackets: change from Base to Generalization of the rounded values")
        columns = _FAIL2DRIVE
    elif first.abilities:
        notes.append(f"abilities by the formula of {AbilityFormula.V003}, over the routes found")
        columns = _BENCH2DRIVE
    is_shown = {name: report.has_headline or allow_partial for name, report in reports.items()}
    return Table(
        headings=("agent", *(heading.replace("SR", f"SR ({first.rule.value})") for heading in columns), *_COUNTS),
        rows=tuple(
            (
                name,
                *(cell(report) if is_shown[name] else "-" for cell in columns.values()),
                *(count(report) for count in _COUNTS.values()),
            )
            for name, report in reports.items()
        ),
        notes=tuple(notes),
        sources=tuple(f"{name}: {provenance(report)}; {_audited(report)}" for name, report in reports.items()),
        context={"benchmark": first.suite.name, "set": first.suite.set_version, "rules": first.suite.rule_version},
    )


def _note_on_gaps(reports: Mapping[str, ScoreReport], allow_partial: bool) -> str:
    if all(report.has_headline for report in reports.values()):
        return "no drive is missing"
    if not allow_partial:
        return "no means where drives are missing, could not be set up or follow other rules"
    return "missing drives are zeros in DS and SR, and left out of every other mean and of Base and Gen"


def _audited(report: ScoreReport) -> str:
    fits = len(report.audit.audits) - len(report.audit.mismatches(report.rule_version))
    return f"{fits} of {len(report.audit.audits)} penalties follow from their events"


def _number(value: float | None, scale: float = 1.0) -> str:
    return "-" if value is None else f"{scale * value:.2f}"


def _interval(report: ScoreReport) -> str:
    return f"{report.interval.low:.1f} to {report.interval.high:.1f}"


def _normalised(report: ScoreReport) -> str:
    return "-" if isinstance(report.parser, str) else f"{report.parser.normalised_driving_score:.2f}"


def _comfort(report: ScoreReport) -> str:
    if report.comfort is None or report.comfort.value is None:
        return "-"
    part = (
        "" if report.comfort.routes == report.scores.found else f" ({report.comfort.routes} of {report.scores.found})"
    )
    return f"{100.0 * report.comfort.value:.2f}{part}"


def _ability(name: str) -> Callable[[ScoreReport], str]:
    def cell(report: ScoreReport) -> str:
        table = next(table for table in report.abilities if table.formula is AbilityFormula.V003)
        return _number(table.mean if name == "mean" else table.values[name], 100.0)

    return cell


def _of_row(cell: Callable[[fail2drive.PrintedRow], str]) -> Callable[[ScoreReport], str]:
    def of_report(report: ScoreReport) -> str:
        main = None if report.splits is None else report.splits.main
        return "-" if main is None else cell(fail2drive.printed_row(main))

    return of_report


_MEANS: Final[Mapping[str, Callable[[ScoreReport], str]]] = {
    "DS": lambda report: _number(report.scores.driving_score),
    "95 %": _interval,
    "spread": lambda report: _number(report.deviation),
    "SR": lambda report: _number(report.scores.success_rate, 100.0),
}
_PLAIN: Final[Mapping[str, Callable[[ScoreReport], str]]] = {
    **_MEANS,
    "RC found": lambda report: _number(report.completion_percent),
    "DS found": lambda report: _number(report.scores.available_driving_score),
    "normalised DS": _normalised,
}
_BENCH2DRIVE: Final[Mapping[str, Callable[[ScoreReport], str]]] = {
    **_MEANS,
    "efficiency": lambda report: _number(None if report.efficiency is None else report.efficiency.percent),
    "comfort": _comfort,
    **{name.replace("_", " "): _ability(name) for name in ABILITIES},
    "mean ability": _ability("mean"),
}
_FAIL2DRIVE: Final[Mapping[str, Callable[[ScoreReport], str]]] = {
    "Base DS": _of_row(lambda row: f"{row.base_driving_score:.1f}"),
    "Base SR": _of_row(lambda row: f"{row.base_success:.1f}"),
    "Base HM": _of_row(lambda row: f"{row.base_harmonic_mean:.1f}"),
    "Gen DS": _of_row(lambda row: f"{row.driving_score:.1f} ({change_text(row.driving_score_change)})"),
    "Gen SR": _of_row(lambda row: f"{row.success:.1f} ({change_text(row.success_change)})"),
    "Gen HM": _of_row(lambda row: f"{row.harmonic_mean:.1f} ({change_text(row.harmonic_mean_change)})"),
}
_COUNTS: Final[Mapping[str, Callable[[ScoreReport], str]]] = {
    "seeds": lambda report: str(len(report.seeds)),
    "drives": lambda report: f"{report.scores.found} of {report.scores.expected}",
    "crashed": lambda report: str(report.crashed),
    "retried": lambda report: str(report.retried),
}


# --- formats ---------------------------------------------------------------------------------------------------------


def as_markdown(table: Table) -> str:
    """Return a table that GitHub shows, and below it a list of what has to be known and of the sources."""
    cells = [[_markdown_text(cell) for cell in line] for line in (table.headings, *table.rows)]
    cells.insert(1, ["---", *["---:"] * (len(table.headings) - 1)])
    below = "".join(f"- {_markdown_item(line)}\n" for line in ("; ".join(table.notes), *table.sources))
    return "".join(f"| {' | '.join(line)} |\n" for line in cells) + f"\n{below}"


# Within a word an underscore is one.
_MARKDOWN: Final = re.compile(r"[\\`*\[\]<>&~|$]|(?<![^\W_])_|_(?![^\W_])")
_MARKDOWN_BLOCK: Final = re.compile(r"[-+#=]|(?<=[0-9])[.)]")


def _markdown_text(text: str) -> str:
    return _MARKDOWN.sub(r"\\\g<0>", _one_line(text))


def _markdown_item(text: str) -> str:
    """Return the text of a list's item, which begins no heading, list or block of its own."""
    plain = _markdown_text(text).strip()
    number = len(plain) - len(plain.lstrip("0123456789"))
    block = _MARKDOWN_BLOCK.match(plain, number)
    return f"{plain[:number]}\\{plain[number:]}" if block else plain


def as_csv(table: Table) -> str:
    """Return comma-separated values as RFC 4180 has them, without the notes; a last column has the sources.

    An apostrophe stands in front of a text that a spreadsheet would take for a formula; numbers have none.
    """
    text = io.StringIO()
    context = tuple(table.context.values())
    lines = [(*row, *context, source) for row, source in zip(table.rows, table.sources, strict=True)]
    headings = (*table.headings, *table.context, "source")
    csv.writer(text).writerows(map(_csv_cell, line) for line in [headings, *lines])
    return text.getvalue()


_FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")
_UNIT: Final = r"%|[A-Za-z]{1,4}(/[A-Za-z]{1,4})?"
_PLAIN_CELL: Final = re.compile(rf"-|[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?( ?({_UNIT}))?")


def _csv_cell(cell: str) -> str:
    is_formula = cell.startswith(_FORMULA_SIGNS) and not _PLAIN_CELL.fullmatch(cell)
    return f"'{cell}" if is_formula else cell


def as_latex(table: Table) -> str:
    """Return a table for the package booktabs."""
    rows = [_latex_row(line) for line in (table.headings, *table.rows)]
    lines = [
        f"\\begin{{tabular}}{{l{'r' * (len(table.headings) - 1)}}}",
        r"\toprule",
        rows[0],
        r"\midrule",
        *rows[1:],
        r"\bottomrule",
        r"\end{tabular}",
        *(f"% {_one_line(note)}" for note in (*table.notes, *table.sources)),
    ]
    return "\n".join(lines) + "\n"


_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    # Set as they are, the older font encoding prints other characters for these.
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}


def _latex_row(cells: Sequence[str]) -> str:
    row = " & ".join(map(_latex_text, cells)) + r" \\"
    # The end of the row above, or a rule, would take what follows for its argument.
    return f"{{}}{row}" if row.lstrip().startswith(("[", "*")) else row


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(char, char) for char in _one_line(text))


def _one_line(text: str) -> str:
    """Return a text with every character escaped that may end a line, whatever reads it."""
    return shown(text, max(len(text), 1))


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
            agents.setdefault(shown(name), []).append(path)
        else:
            agents[""] = unnamed
            unnamed.append(argument)
    own = _free_name(name_of(unnamed[0]), agents) if unnamed else ""
    return {name or own: paths for name, paths in agents.items()}


def name_of(path: str) -> str:
    """Return what an agent is called whose results lie at a path: its last part without suffixes."""
    last = PurePath(path).name or path
    return shown(last.partition(".")[0] or last)


def _free_name(name: str, taken: Collection[str]) -> str:
    return name if name not in taken else _free_name(f"{name}'", taken)
