"""NAVSIM's PDM score and extended PDM score, recomputed from the sub-scores of its files.

Source: autonomousvision/navsim ``docs/metrics.md``, ``navsim/planning/simulation/planner/pdm_planner/scoring/`` and
``navsim/planning/script/run_pdm_score*.py`` (branch v1.1 for PDMS, main for EPDMS).

Fields are named as NAVSIM's columns. The human filter of version 2 is in the sub-scores already when they are written,
and the weights that make stage two and the combined score of the two-stage benchmark are in no file: neither is
computed here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import Enum, StrEnum
from typing import Final

#: By how much a score may differ from that of its sub-scores; NAVSIM prints all digits of a double, forks of a float.
TOLERANCE: Final = 1e-6


class Version(StrEnum):
    """What a file holds the sub-scores of; its columns tell."""

    V1 = "v1"
    V2 = "v2"


class Stage(Enum):
    """Which scene a token is: the only one, or one of the two-stage benchmark."""

    ONLY = ""
    ONE = "stage_one"
    TWO = "stage_two"


@dataclass(frozen=True, kw_only=True, slots=True)
class PdmSubscores:
    """Sub-scores of version 1; all 0 to 1.

    Attributes:
        driving_direction_compliance: computed by the tool, without weight.
    """

    no_at_fault_collisions: float
    drivable_area_compliance: float
    ego_progress: float
    time_to_collision_within_bound: float
    comfort: float
    driving_direction_compliance: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtendedSubscores:
    """Sub-scores of version 2; all 0 to 1.

    Attributes:
        two_frame_extended_comfort: compares the plans of two frames; None for a frame that has none before it.
    """

    no_at_fault_collisions: float
    drivable_area_compliance: float
    driving_direction_compliance: float
    traffic_light_compliance: float
    ego_progress: float
    time_to_collision_within_bound: float
    lane_keeping: float
    history_comfort: float
    two_frame_extended_comfort: float | None


Subscores = PdmSubscores | ExtendedSubscores


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredToken:
    """A scene and what the file says of it.

    Attributes:
        stage: None if the agent failed; then nobody writes it.
        subscores: None if the agent failed (``valid`` is false).
        stated: ``score``, 0 to 1; None if the agent failed.
        place: file and line, to show.
    """

    token: str
    stage: Stage | None
    subscores: Subscores | None
    stated: float | None
    place: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Mean:
    """Mean over tokens times 100; None without a token."""

    percent: float | None
    tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Mismatch:
    """A score that does not follow from its sub-scores."""

    token: str
    found: float
    expected: float
    place: str

    def __str__(self) -> str:
        return f"token {self.token}: found score {self.found:.6f}, expected {self.expected:.6f} ({self.place})"


def pdms(s: PdmSubscores) -> float:
    """Return NC DAC (5 EP + 5 TTC + 2 C) / 12, 0 to 1."""
    weighted = 5.0 * s.ego_progress + 5.0 * s.time_to_collision_within_bound + 2.0 * s.comfort
    return s.no_at_fault_collisions * s.drivable_area_compliance * weighted / 12.0


def epdms(s: ExtendedSubscores) -> float:
    """Return NC DAC DDC TLC (5 EP + 5 TTC + 2 LK + 2 HC + 2 EC) / 16, 0 to 1.

    Without extended comfort its weight is left out, so the divisor is 14.
    """
    product = s.no_at_fault_collisions * s.drivable_area_compliance
    product *= s.driving_direction_compliance * s.traffic_light_compliance
    weighted = 5.0 * s.ego_progress + 5.0 * s.time_to_collision_within_bound
    weighted += 2.0 * s.lane_keeping + 2.0 * s.history_comfort
    if s.two_frame_extended_comfort is None:
        return product * weighted / 14.0
    return product * (weighted + 2.0 * s.two_frame_extended_comfort) / 16.0


def score(subscores: Subscores) -> float:
    """Return PDMS or EPDMS, whichever the sub-scores are of."""
    return pdms(subscores) if isinstance(subscores, PdmSubscores) else epdms(subscores)


def subscore_names(version: Version) -> tuple[str, ...]:
    """Return NAVSIM's columns for the sub-scores of a version."""
    return tuple(field.name for field in fields(PdmSubscores if version is Version.V1 else ExtendedSubscores))


def mean_score(tokens: Sequence[ScoredToken]) -> Mean:
    """Return the mean of the recomputed scores over the tokens on which the agent did not fail."""
    return _mean([score(token.subscores) for token in tokens if token.subscores is not None])


def mean_stated(tokens: Sequence[ScoredToken]) -> Mean:
    """Return the mean of the scores that the file states, over the same tokens."""
    return _mean([token.stated for token in tokens if token.stated is not None])


def mean_subscores(tokens: Sequence[ScoredToken], version: Version) -> dict[str, Mean]:
    """Return the mean of every sub-score by its column, over the tokens that have it."""
    return {
        name: _mean(
            [
                value
                for token in tokens
                if token.subscores is not None and (value := getattr(token.subscores, name)) is not None
            ]
        )
        for name in subscore_names(version)
    }


def mismatches(tokens: Sequence[ScoredToken]) -> tuple[Mismatch, ...]:
    """Return the tokens whose score does not follow from their sub-scores, in the order given."""
    found = []
    for token in tokens:
        if token.subscores is None or token.stated is None:
            continue
        expected = score(token.subscores)
        if abs(token.stated - expected) > TOLERANCE:
            found.append(Mismatch(token=token.token, found=token.stated, expected=expected, place=token.place))
    return tuple(found)


def _mean(values: Sequence[float]) -> Mean:
    # The exact sum, so that no order of the tokens changes a digit.
    return Mean(percent=100.0 * math.fsum(values) / len(values) if values else None, tokens=len(values))
