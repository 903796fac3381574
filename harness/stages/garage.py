"""Result files of Leaderboard 1.0 beside the figures that carla_garage's own parser gives for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from harness.config import SUITES_DIR
from harness.metrics.garage_parser import (
    COMPLETION_LABEL,
    LONGEST6_WEATHERS,
    PENALTY_LABEL,
    SCORE_LABEL,
    TOLERANCES,
    GarageFile,
    GarageSummary,
    PenaltyFits,
    Place,
    is_leaderboard_10,
    penalty_fits,
    summarize,
    tables,
)
from harness.metrics.lead_parser import GroupRow
from harness.results.result_set import FileIdentity, ReadRecord, ResultSet, named
from harness.route_facts import read_route_facts

_SHOWN: Final = 5
_TABLES_SHOWN: Final = ("town", "weather", "daytime", "status")
_OFF_ROAD: Final = "outside_route_lanes"


@dataclass(frozen=True, kw_only=True)
class GarageReport:
    """What the records of Leaderboard 1.0 in a result set give.

    Attributes:
        files: number of files with such records.
        others: counted records of other leaderboards, which are in no figure here.
    """

    summary: GarageSummary
    tables: Mapping[str, tuple[GroupRow, ...]]
    penalties: PenaltyFits
    files: int
    others: int


def garage_report(results: ResultSet, suite: str) -> GarageReport | None:
    """Return the parser's figures over a suite's routes; None if no record is of Leaderboard 1.0.

    Raises:
        RouteError: the suite has no table of routes.
        HarnessError: an off-lane sentence names no metres.
    """
    towns = {xml_id: facts.town for xml_id, facts in read_route_facts(suite, SUITES_DIR).items()}
    inside = [record for record in results.records if record.route.xml_id in towns]
    records = [record for record in inside if is_leaderboard_10(record.route)]
    if not records:
        return None
    routes = [record.route for record in records]
    files = _files(records)
    return GarageReport(
        summary=summarize(files),
        tables=tables(routes, {xml_id: _place(xml_id, town, suite) for xml_id, town in towns.items()}),
        penalties=penalty_fits(routes),
        files=len(files),
        others=len(inside) - len(records),
    )


def _files(records: list[ReadRecord]) -> list[GarageFile]:
    by_file: dict[FileIdentity, list[ReadRecord]] = {}
    for record in records:
        by_file.setdefault(record.file.identity, []).append(record)
    return [
        GarageFile(
            name=group[0].file.name,
            # What a file states is about all its records.
            stated=group[0].file.stated if len(group) == group[0].file.found else {},
            routes=tuple(record.route for record in group),
        )
        for group in by_file.values()
    ]


def _place(xml_id: str, town: str, suite: str) -> Place:
    weather, daytime = LONGEST6_WEATHERS.get(xml_id, ("", "")) if suite == "longest6" else ("", "")
    return Place(town=town, weather=weather, daytime=daytime)


def garage_lines(report: GarageReport) -> Iterator[str]:
    """Return the figures as text."""
    summary = report.summary
    yield f"Leaderboard 1.0, as carla_garage's parser has it: {summary.routes} records in {report.files} files"
    if report.others:
        yield f"  {report.others} records of other leaderboards are in none of these figures"
    yield f"  {_means_text(summary.recombined or summary.means)}{_speed_text(summary)}"
    if summary.recombined is not None and summary.disagreements:
        yield f"  over the records instead of what the files state: {_means_text(summary.means)}"
    rates = {name: rate for name, rate in summary.rates.items() if rate and name != _OFF_ROAD}
    counts = ", ".join(f"{name} {rate:.3f}" for name, rate in rates.items())
    yield f"  per km over {summary.kilometres:.2f} km: {counts or 'nothing'}"
    if (off_road := summary.rates[_OFF_ROAD]) is not None:
        yield f"  off the route's lanes, of the kilometres driven: {off_road:.2f} %"
    yield f"  {_fits_text(report.penalties)}"
    for heading in _TABLES_SHOWN:
        rows = report.tables.get(heading, ())
        if rows:
            yield f"  DS by {heading}: " + ", ".join(
                f"{row.name} {row.figures['DS'].mean:.2f} ({row.routes})" for row in rows
            )
    for disagreement in summary.disagreements[:_SHOWN]:
        yield f"  {disagreement}"
    if len(summary.disagreements) > _SHOWN:
        yield f"  and {len(summary.disagreements) - _SHOWN} more such means; --output json lists all"
    if summary.silent:
        yield f"  no means of its own, so those of the records stand: {named(summary.silent)}"


def garage_data(report: GarageReport) -> dict[str, Any]:
    """Return the figures as part of the ``data`` of a JSON document."""
    summary = report.summary
    return {
        "records": summary.routes,
        "other_records": report.others,
        "figures": dict(summary.rows()),
        "means_of_records": dict(summary.means),
        "tolerances": dict(TOLERANCES),
        "disagreements": [asdict(each) for each in summary.disagreements],
        "files_without_means": list(summary.silent),
        "penalties": asdict(report.penalties),
        "tables": {heading: [asdict(row) for row in rows] for heading, rows in report.tables.items()},
    }


def _means_text(means: Mapping[str, float]) -> str:
    return f"DS {means[SCORE_LABEL]:.2f}, RC {means[COMPLETION_LABEL]:.2f}, IS {means[PENALTY_LABEL]:.3f}"


def _speed_text(summary: GarageSummary) -> str:
    speed = summary.average_speed_kmph
    return "" if speed is None else f", {speed:.1f} km/h"


def _fits_text(fits: PenaltyFits) -> str:
    text = f"{fits.with_stops} of {fits.records} penalties follow from their events by Leaderboard 1.0"
    if fits.without_stops > fits.with_stops:
        text += f", {fits.without_stops} if stop signs cost nothing, as carla_garage drives Longest6"
    return text
