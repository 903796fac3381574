"""Scores the CSV files of NAVSIM: every token anew from its sub-scores, beside what the files say of themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from harness.errors import ConfigError
from harness.metrics.navsim import (
    TOLERANCE,
    Mean,
    Mismatch,
    ScoredToken,
    Stage,
    Version,
    mean_score,
    mean_stated,
    mean_subscores,
    mismatches,
)
from harness.results.navsim_files import NavsimFile, kind_text, read_navsim
from harness.results.result_set import shown

#: What the score of a version is called, and how it is made.
METRICS: Final[Mapping[Version, str]] = {Version.V1: "PDMS", Version.V2: "EPDMS"}
FORMULAS: Final[Mapping[Version, str]] = {
    Version.V1: "NC DAC (5 EP + 5 TTC + 2 C) / 12",
    Version.V2: "NC DAC DDC TLC (5 EP + 5 TTC + 2 LK + 2 HC + 2 EC) / 16",
}
#: Sub-scores as papers call them, in the order of their tables.
SHORT_NAMES: Final[Mapping[str, str]] = {
    "no_at_fault_collisions": "NC",
    "drivable_area_compliance": "DAC",
    "driving_direction_compliance": "DDC",
    "traffic_light_compliance": "TLC",
    "ego_progress": "EP",
    "time_to_collision_within_bound": "TTC",
    "lane_keeping": "LK",
    "history_comfort": "HC",
    "two_frame_extended_comfort": "EC",
    "comfort": "C",
}
#: Rows of the two-stage benchmark that cannot be recomputed, by what they are called.
STATED_STAGES: Final[Mapping[str, str]] = {
    "stage two": "extended_pdm_score_stage_two",
    "combined": "extended_pdm_score_combined",
}


@dataclass(frozen=True, kw_only=True)
class NavsimReport:
    """What the files of one agent give.

    Attributes:
        scored: tokens that the headline is about: all, or those of stage one; the agent did not fail on them.
        stage_two: the other tokens of the two-stage benchmark.
        invalid: tokens on which the agent failed.
        mean: of the recomputed scores of `scored`.
        stated: of their scores in the files.
        subscores: of `scored`, by column.
        mismatches: scores that do not follow from their sub-scores, of both stages.
        notes: what was left out, and averages that do not follow from their rows.
    """

    files: tuple[NavsimFile, ...]
    scored: tuple[ScoredToken, ...]
    stage_two: tuple[ScoredToken, ...]
    invalid: tuple[ScoredToken, ...]
    mean: Mean
    stated: Mean
    subscores: Mapping[str, Mean]
    mismatches: tuple[Mismatch, ...]
    notes: tuple[str, ...]

    @property
    def version(self) -> Version:
        """NAVSIM's version; all files have the same."""
        return self.files[0].version

    @property
    def has_stages(self) -> bool:
        """Whether this is the two-stage benchmark."""
        return self.files[0].has_stages

    @property
    def kind(self) -> str:
        """Version and stages, as people say it."""
        return kind_text(self.files[0])

    @cached_property
    def cut(self) -> tuple[str, ...]:
        """Files without the averages that NAVSIM writes below the tokens; they may be cut."""
        return tuple(file.name for file in self.files if not file.summaries)

    @property
    def is_complete(self) -> bool:
        """The agent failed on no token, and every file has its end."""
        return not self.invalid and not self.cut

    def stated_stage(self, row: str) -> float | None:
        """Return a row of averages times 100; None without it, or if several files have one of their own."""
        values = [value for file in self.files if (value := file.summaries.get(row)) is not None]
        return 100.0 * values[0] if len(values) == 1 else None


def score_navsim(paths: Sequence[Path]) -> NavsimReport:
    """Read and score the files of one agent.

    Raises:
        ConfigError: see `harness.results.navsim_files.read_navsim`.
    """
    files, notes = read_navsim(paths)
    tokens = [token for file in files for token in file.tokens]
    first = Stage.ONE if files[0].has_stages else Stage.ONLY
    scored = tuple(token for token in tokens if token.stage is first)
    return NavsimReport(
        files=files,
        scored=scored,
        stage_two=tuple(token for token in tokens if token.stage is Stage.TWO),
        invalid=tuple(token for token in tokens if token.subscores is None),
        mean=mean_score(scored),
        stated=mean_stated(scored),
        subscores=mean_subscores(scored, files[0].version),
        mismatches=mismatches(tokens),
        notes=(*map(str, notes), *(note for file in files for note in _average_notes(file, first))),
    )


def check_comparable(reports: Mapping[str, NavsimReport]) -> None:
    """Check that agents were scored alike.

    Raises:
        ConfigError: they are of different versions, or of one and of two stages.
    """
    kinds = {report.kind: name for name, report in reports.items()}
    if len(kinds) > 1:
        found = " and ".join(f"{shown(name)} of NAVSIM {kind}" for kind, name in kinds.items())
        raise ConfigError(f"found {found}, expected one kind in a table", hint="harness navsim once for each")


def _average_notes(file: NavsimFile, first: Stage) -> list[str]:
    """Compare the averages that a file states with those of its rows; stage two cannot be."""
    mean = mean_stated([token for token in file.tokens if token.stage is first]).percent
    notes = []
    for row, value in file.summaries.items():
        if row in STATED_STAGES.values() or value is None or mean is None:
            continue
        if abs(100.0 * value - mean) > 100.0 * TOLERANCE:
            notes.append(f"{file.name}: row {row} states {100.0 * value:.4f}, its tokens give {mean:.4f}")
    return notes


def navsim_data(report: NavsimReport, *, with_means: bool) -> dict[str, Any]:
    """Return a report as the ``data`` of a JSON document; means are times 100, single scores 0 to 1.

    Args:
        with_means: else the means are null.
    """
    data: dict[str, Any] = {
        "version": report.version.value,
        "metric": METRICS[report.version],
        "stages": 2 if report.has_stages else 1,
        "score": report.mean.percent if with_means else None,
        "stated_score": report.stated.percent if with_means else None,
        "tokens": report.mean.tokens,
        "invalid": [token.token for token in report.invalid],
        "subscores": {
            name: {"mean": mean.percent if with_means else None, "tokens": mean.tokens}
            for name, mean in report.subscores.items()
        },
        "tolerance": TOLERANCE,
        "mismatches": [
            {"token": each.token, "found": each.found, "expected": each.expected, "place": each.place}
            for each in report.mismatches
        ],
        "files_without_averages": list(report.cut),
        "notes": list(report.notes),
        "files": [
            {"file": file.name, "sha256": file.sha256, "tokens": len(file.tokens), "averages": dict(file.summaries)}
            for file in report.files
        ],
    }
    if report.has_stages:
        data["stage_two_tokens"] = len(report.stage_two)
        data["stated_stages"] = {
            name.replace(" ", "_"): report.stated_stage(row) if with_means else None
            for name, row in STATED_STAGES.items()
        }
    return data
