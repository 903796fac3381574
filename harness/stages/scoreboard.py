"""The scoreboard of a run: the same numbers as data, as Markdown and, in the command line, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datatypes.scored_route import ScoredRoute
from harness.jobs.publish import read_json
from harness.metrics import bench2drive
from harness.metrics.route_set import SetScores, score_set
from harness.metrics.rules import RuleVersion
from harness.metrics.success import SuccessRule
from harness.metrics.summary import Scores, Summary, scores_of, summarize
from harness.results.own_result import unit_route

HEADINGS = (
    "route",
    "seed",
    "RC",
    "penalty",
    "DS",
    "infractions",
    "not played",
    "status",
    "wall s",
    "sim/wall",
)
_SHORT = {
    "collisions_layout": "layout",
    "collisions_pedestrian": "pedestrian",
    "collisions_vehicle": "vehicle",
    "red_light": "red light",
    "stop_infraction": "stop",
    "outside_route_lanes": "off lane",
    "min_speed_infractions": "min speed",
    "yield_emergency_vehicle_infractions": "yield",
    "scenario_timeouts": "scenario timeout",
    "route_dev": "deviation",
    "vehicle_blocked": "blocked",
    "route_timeout": "timeout",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One unit on the scoreboard.

    Attributes:
        score: None while the unit has no result.
        reason: why it has none.
        scenarios_not_built: scenario type -> number on this route that this version cannot play.
    """

    route: str
    seed: int
    score: ScoredRoute | None
    reason: str
    scenarios_not_built: Mapping[str, int]
    simulated_per_wall: float
    result: str

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, in the order of `HEADINGS`."""
        skipped = str(sum(self.scenarios_not_built.values()) or "-")
        if self.score is None:
            reason = " ".join(self.reason.split())
            return (self.route, str(self.seed), "-", "-", "-", "-", skipped, f"no result: {reason}", "-", "-")
        counts = [f"{len(texts)} {_SHORT[kind]}" for kind, texts in self.score.messages.items() if texts]
        return (
            self.route,
            str(self.seed),
            f"{self.score.completion_percent:.2f}",
            f"{self.score.penalty:.3f}",
            f"{self.score.driving_score:.2f}",
            ", ".join(counts) or "-",
            skipped,
            self.score.status,
            f"{self.score.duration_wall_s:.1f}",
            f"{self.simulated_per_wall:.1f}",
        )


@dataclass(frozen=True, kw_only=True)
class Bench2DriveNumbers:
    """What the rules of Bench2Drive count beside the driving score: successes, and speed against the traffic's."""

    scores: SetScores
    efficiency: bench2drive.Efficiency


@dataclass(frozen=True, kw_only=True)
class Scoreboard:
    """All rows and the means over them.

    Attributes:
        rule_version: by which the rows were driven and are scored.
        bench2drive: None under other rules.
    """

    bench: str
    set_version: str
    rule_version: str
    agent: str
    run: str
    rows: tuple[Row, ...]
    summary: Summary
    bench2drive: Bench2DriveNumbers | None = None

    @property
    def is_complete(self) -> bool:
        """Every expected drive has a result."""
        return not self.summary.missing

    @property
    def not_built(self) -> dict[str, int]:
        """Scenario types that this version cannot play -> how many of them the routes ask for, over all seeds."""
        total: Counter[str] = Counter()
        for row in self.rows:
            total.update(row.scenarios_not_built)
        return dict(sorted(total.items()))


def build_scoreboard(
    config: Mapping[str, Any],
    run: Path,
    results: Mapping[tuple[str, int], Path | None],
    reasons: Mapping[tuple[str, int], str],
    planned_scenarios: Mapping[str, Mapping[str, int]],
) -> Scoreboard:
    """Read the results of a run.

    Args:
        config: the run's configuration; its routes and seeds are what is expected.
        results: (route, seed) -> result file, None where there is none.
        reasons: why there is none.
        planned_scenarios: route -> scenario types that it asks for.

    Raises:
        HarnessError: a result file cannot be read or is no result.
    """
    content = {key: read_json(path) for key, path in results.items() if path is not None}
    records = {key: unit_route(value, results[key]) for key, value in content.items()}
    summary = summarize(records, config["routes"], config["seeds"])
    rows = []
    for seed in config["seeds"]:
        for route in config["routes"]:
            key = (route, seed)
            extra = content.get(key, {}).get("harness", {})
            path = results.get(key)
            rows.append(
                Row(
                    route=route,
                    seed=seed,
                    score=records.get(key),
                    reason=reasons.get(key, "not driven yet"),
                    scenarios_not_built=extra.get("scenarios_not_built", planned_scenarios.get(route, {})),
                    simulated_per_wall=extra.get("wall", {}).get("simulated_per_wall", 0.0),
                    result="" if path is None else str(path),
                )
            )
    return Scoreboard(
        bench=config["bench"],
        set_version=config["set_version"],
        rule_version=config["rule_version"],
        agent=config["agent"],
        run=str(run),
        rows=tuple(rows),
        summary=summary,
        bench2drive=_bench2drive(config, list(records.values()), summary.expected),
    )


def _bench2drive(config: Mapping[str, Any], routes: Sequence[ScoredRoute], expected: int) -> Bench2DriveNumbers | None:
    if config["rule_version"] != RuleVersion.BENCH2DRIVE:
        return None
    return Bench2DriveNumbers(
        scores=score_set(routes, expected, SuccessRule.B2D),
        efficiency=bench2drive.efficiency([(route.route_id, bench2drive.speed_entries(route)) for route in routes]),
    )


def as_data(board: Scoreboard) -> dict[str, Any]:
    """Return the scoreboard, JSON ready; ``mean`` is the official one, a missing drive counts as zero."""
    summary = board.summary
    data = {
        "bench": board.bench,
        "set_version": board.set_version,
        "rule_version": board.rule_version,
        "agent": board.agent,
        "run": board.run,
        "routes": [_row_data(row) for row in board.rows],
        "mean": _score_data(summary.official),
        "mean_over_available": _score_data(summary.available),
        "seed_std": _score_data(summary.seed_std),
        "seed_means": [{"seed": s.seed, "found": s.found, **_score_data(s.scores)} for s in summary.seeds],
        "expected": summary.expected,
        "found": summary.found,
        "missing": [{"route": route, "seed": seed} for route, seed in summary.missing],
        "crashed": summary.crashed,
        "scenarios_not_built": board.not_built,
    }
    if (own := board.bench2drive) is not None:
        data["success_rate"] = own.scores.success_rate
        data["success_rule"] = own.scores.rule.value
        data["efficiency"] = {"percent": own.efficiency.percent, "routes": own.efficiency.routes}
    return data


def _row_data(row: Row) -> dict[str, Any]:
    data: dict[str, Any] = {"route": row.route, "seed": row.seed}
    if row.score is None:
        return {**data, "status": "no result", "reason": row.reason, "scores": None}
    return {
        **data,
        "status": row.score.status,
        "scores": _score_data(scores_of(row.score)),
        "infractions": {kind: len(texts) for kind, texts in row.score.messages.items()},
        "scenarios_not_built": dict(row.scenarios_not_built),
        "route_length_m": row.score.length_m,
        "duration_sim_s": row.score.duration_sim_s,
        "wall_s": row.score.duration_wall_s,
        "simulated_per_wall": row.simulated_per_wall,
        "result": row.result,
    }


def _score_data(scores: Scores | None) -> dict[str, float]:
    if scores is None:
        return {}
    return {
        "score_route": round(scores.route_completion, 6),
        "score_penalty": round(scores.infraction_penalty, 6),
        "score_composed": round(scores.driving_score, 6),
    }


def mean_lines(board: Scoreboard) -> list[str]:
    """Return the sentences below the table: means with their denominators, spread, what was not played."""
    summary = board.summary
    lines = [
        f"mean over {summary.expected} drives (missing = 0): {_score_text(summary.official)}"
        f"; found {summary.found}, missing {len(summary.missing)}, crashed {summary.crashed}"
    ]
    if summary.missing and summary.available is not None:
        lines.append(f"mean over the {summary.found} drives found: {_score_text(summary.available)}")
    if summary.seed_std is not None:
        lines.append(
            f"spread over {len(summary.seeds)} seeds (sample standard deviation of the means): "
            f"DS {summary.seed_std.driving_score:.2f}, RC {summary.seed_std.route_completion:.2f}"
        )
    if board.bench2drive is not None:
        lines += _bench2drive_lines(board.bench2drive)
    if board.not_built:
        listed = ", ".join(f"{count} {kind}" for kind, count in board.not_built.items())
        lines.append(f"scenarios not built in this version and therefore not played: {listed}")
    return lines


def _bench2drive_lines(numbers: Bench2DriveNumbers) -> list[str]:
    scores, efficiency = numbers.scores, numbers.efficiency
    share = f"{100.0 * scores.success_rate:.2f} %"
    lines = [f"success rate by rule {scores.rule}: {share} ({scores.successes} of {scores.expected} drives)"]
    if efficiency.percent is not None:
        lines.append(
            f"driving efficiency (mean speed in percent of the traffic's): {efficiency.percent:.2f} "
            f"over {efficiency.routes} drives"
        )
    return lines


def _score_text(scores: Scores) -> str:
    return f"DS {scores.driving_score:.2f}, RC {scores.route_completion:.2f}, penalty {scores.infraction_penalty:.3f}"


def title(board: Scoreboard) -> str:
    """Return the headline: agent, suite with edition, rule version."""
    return f"{board.agent} on {board.bench} ({board.set_version}), scored by {board.rule_version}"


def as_markdown(board: Scoreboard) -> str:
    """Return the scoreboard as a Markdown document."""
    rows = [row.cells() for row in board.rows]
    widths = [max(len(cell) for cell in column) for column in zip(HEADINGS, *rows, strict=True)]
    lines = [f"# {title(board)}", "", _markdown_row(HEADINGS, widths), _markdown_row(["-" * w for w in widths], widths)]
    lines += [_markdown_row(row, widths) for row in rows]
    lines += ["", *(f"- {line}" for line in mean_lines(board)), ""]
    return "\n".join(lines)


def _markdown_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.replace("|", "\\|").ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
