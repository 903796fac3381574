"""The lines and tables that `harness navsim` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness import __version__
from harness.metrics.navsim import TOLERANCE
from harness.results.result_set import named, shown
from harness.stages.navsim import FORMULAS, METRICS, SHORT_NAMES, STATED_STAGES, NavsimReport
from harness.stages.score_data import digest_of
from harness.stages.score_table import Table

_SHOWN = 5


def navsim_lines(report: NavsimReport, *, with_means: bool) -> Iterator[str]:
    """Return a report as text.

    Args:
        with_means: means of an incomplete set are easily mistaken for those of the whole one; say whether to show them.
    """
    yield f"NAVSIM {report.kind}: {METRICS[report.version]} = {FORMULAS[report.version]}"
    stages = f" of stage one and {len(report.stage_two)} of stage two" if report.has_stages else ""
    count = len(report.files)
    files = f"{count} file{'s' if count > 1 else ''}"
    yield f"tokens: {len(report.scored)}{stages}, and {len(report.invalid)} on which the agent failed, in {files}"
    if with_means:
        yield from _means(report)
    else:
        yield "no score of an incomplete set; --allow-partial prints it with its divisor"
    yield from _checks(report)


def _means(report: NavsimReport) -> Iterator[str]:
    stage = "stage one: " if report.has_stages else ""
    yield f"{stage}{METRICS[report.version]} {_text(report.mean.percent)} (100 x mean over {report.mean.tokens} tokens)"
    yield "  " + ", ".join(f"{short} {_text(report.subscores[name].percent)}" for name, short in _columns(report))
    for name, short in _columns(report):
        if (tokens := report.subscores[name].tokens) != report.mean.tokens:
            of = f"{tokens} of {report.mean.tokens} tokens"
            yield f"  {short} over {of}; the others have none, and their divisor is 14"
    if report.mismatches:
        yield f"  by the scores in the files: {_text(report.stated.percent)}"
    if report.has_stages:
        stated = ", ".join(f"{name} {_text(report.stated_stage(row))}" for name, row in STATED_STAGES.items())
        yield f"as stated, not recomputed, since the weights of the scenes are in no file: {stated}"


def _checks(report: NavsimReport) -> Iterator[str]:
    tokens = len(report.scored) + len(report.stage_two)
    fits = tokens - len(report.mismatches)
    yield f"audit: {fits} of {tokens} scores follow from their sub-scores (tolerance {TOLERANCE:g})"
    yield from (f"  {each}" for each in report.mismatches[:_SHOWN])
    if len(report.mismatches) > _SHOWN:
        yield f"  and {len(report.mismatches) - _SHOWN} more; --output json lists all"
    if report.invalid:
        yield f"failed: {named((f'{each.token} ({each.place})' for each in report.invalid), _SHOWN)}"
    if report.cut:
        yield f"problem: no averages below the tokens, so they may be cut: {named(report.cut, _SHOWN)}"
    yield from (f"note: {note}" for note in report.notes[:_SHOWN])


def navsim_table(reports: Mapping[str, NavsimReport], *, allow_partial: bool) -> Table:
    """Return the table of several agents, by name; all reports are of one kind.

    Args:
        allow_partial: show the means of an incomplete agent too, over the tokens on which it did not fail.
    """
    first = next(iter(reports.values()))
    metric = METRICS[first.version]
    headings = ["agent", *([f"{metric} stage one", *STATED_STAGES] if first.has_stages else [metric])]
    headings += [short for _, short in _columns(first)]
    notes = [f"NAVSIM {first.kind}", "100 x mean over the tokens"]
    if first.has_stages:
        notes.append("sub-scores are of stage one; stage two and combined as the files state them")
    rows = tuple(_row(shown(name), report, report.is_complete or allow_partial) for name, report in reports.items())
    sources = tuple(
        f"{shown(name)}: from {len(report.files)} file(s), digest {digest_of(file.sha256 for file in report.files)}, "
        f"carla-harness {__version__}"
        for name, report in reports.items()
    )
    return Table(headings=(*headings, "tokens", "failed"), rows=rows, notes=tuple(notes), sources=sources)


def _row(name: str, report: NavsimReport, is_shown: bool) -> tuple[str, ...]:
    means = [report.mean.percent]
    if report.has_stages:
        means += [report.stated_stage(row) for row in STATED_STAGES.values()]
    means += [report.subscores[column].percent for column, _ in _columns(report)]
    counts = (str(len(report.scored) + len(report.stage_two)), str(len(report.invalid)))
    return (name, *(_text(mean if is_shown else None) for mean in means), *counts)


def _columns(report: NavsimReport) -> list[tuple[str, str]]:
    return [(name, short) for name, short in SHORT_NAMES.items() if name in report.subscores]


def _text(percent: float | None) -> str:
    return "-" if percent is None else f"{percent:.2f}"
