"""NAVSIM's PDM score and extended PDM score from given sub-scores.

Source: autonomousvision/navsim ``docs/metrics.md`` and
``navsim/planning/simulation/planner/pdm_planner/scoring/`` (branch v1.1 for PDMS, main for EPDMS), and its
``scene_aggregator.py`` for the two stages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from harness.errors import HarnessError

#: Variance of the Gaussian that weighs second-stage scenes [m^2].
SIGMA_SQUARED_M2: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class PdmSubscores:
    """Sub-scores of version 1; all 0 to 1.

    Attributes:
        driving_direction: computed by the tool, without weight.
    """

    no_at_fault_collisions: float
    drivable_area: float
    ego_progress: float
    time_to_collision: float
    comfort: float
    driving_direction: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ExtendedSubscores:
    """Sub-scores of version 2; all 0 to 1.

    Attributes:
        extended_comfort: compares the plans of two frames, so the tool fills it in after the rest.
    """

    no_at_fault_collisions: float
    drivable_area: float
    driving_direction: float
    traffic_light: float
    ego_progress: float
    time_to_collision: float
    lane_keeping: float
    history_comfort: float
    extended_comfort: float


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """A second-stage scene.

    Attributes:
        score: 0 to 1.
        distance_m: from where the first stage ended to where this scene starts.
    """

    score: float
    distance_m: float


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One first-stage scene with the scenes that follow it."""

    score: float
    follow_ups: tuple[FollowUp, ...]


@dataclass(frozen=True, kw_only=True)
class Token:
    """One scene of the benchmark: the frame itself and the one before it."""

    name: str
    now: Frame
    previous: Frame


@dataclass(frozen=True, kw_only=True)
class TableValue:
    """Mean over valid tokens times 100.

    Attributes:
        percent: None without a valid token.
        tokens: valid ones; the divisor.
        invalid: tokens on which the agent failed, left out.
    """

    percent: float | None
    tokens: int
    invalid: int


@dataclass(frozen=True, kw_only=True)
class TwoStageScores:
    """Scores of the two-stage benchmark; each mean is over tokens, and over both frames of a token."""

    stage_one: TableValue
    stage_two: TableValue
    combined: TableValue


def pdms(s: PdmSubscores) -> float:
    """Return NC DAC (5 EP + 5 TTC + 2 C) / 12, 0 to 1."""
    weighted = 5.0 * s.ego_progress + 5.0 * s.time_to_collision + 2.0 * s.comfort
    return s.no_at_fault_collisions * s.drivable_area * weighted / 12.0


def epdms(s: ExtendedSubscores) -> float:
    """Return NC DAC DDC TLC (5 EP + 5 TTC + 2 LK + 2 HC + 2 EC) / 16, 0 to 1."""
    product = s.no_at_fault_collisions * s.drivable_area * s.driving_direction * s.traffic_light
    comfort = 2.0 * s.lane_keeping + 2.0 * s.history_comfort + 2.0 * s.extended_comfort
    return product * (5.0 * s.ego_progress + 5.0 * s.time_to_collision + comfort) / 16.0


def forgive_like_human(agent: ExtendedSubscores, human: ExtendedSubscores) -> ExtendedSubscores:
    """Return the agent's sub-scores with 1 wherever the human driver had 0; for original scenes only."""
    return ExtendedSubscores(
        **{
            field.name: 1.0 if getattr(human, field.name) == 0.0 else getattr(agent, field.name)
            for field in fields(ExtendedSubscores)
        }
    )


def table_value(scores: Sequence[float | None]) -> TableValue:
    """Return the value of a table.

    Args:
        scores: 0 to 1 per token; None where the agent failed (``valid`` is false).
    """
    valid = [score for score in scores if score is not None]
    percent = 100.0 * sum(valid) / len(valid) if valid else None
    return TableValue(percent=percent, tokens=len(valid), invalid=len(scores) - len(valid))


def follow_up_weights(distances_m: Sequence[float], sigma_squared_m2: float = SIGMA_SQUARED_M2) -> tuple[float, ...]:
    """Return exp(-d^2 / (2 sigma^2)) for each distance, divided by their sum.

    Distances are taken relative to the smallest one, which changes no weight and keeps far scenes from all being 0.
    """
    nearest = min(distances_m)
    raw = [math.exp(-(d * d - nearest * nearest) / (2.0 * sigma_squared_m2)) for d in distances_m]
    return tuple(weight / sum(raw) for weight in raw)


def two_stage(tokens: Sequence[Token], invalid: int = 0) -> TwoStageScores:
    """Return stage one, stage two and both combined.

        frame = stage one * sum of weight * stage two        token = mean of the frame and the one before it

    Args:
        invalid: tokens on which the agent failed; they are in no mean.

    Raises:
        HarnessError: a frame has no scene that follows it.
    """
    pairs = [(token, tuple(_second(token, frame) for frame in (token.now, token.previous))) for token in tokens]
    first = [(token.now.score + token.previous.score) / 2.0 for token in tokens]
    second = [(now + previous) / 2.0 for _, (now, previous) in pairs]
    combined = [(t.now.score * now + t.previous.score * previous) / 2.0 for t, (now, previous) in pairs]
    failed = [None] * invalid
    return TwoStageScores(
        stage_one=table_value([*first, *failed]),
        stage_two=table_value([*second, *failed]),
        combined=table_value([*combined, *failed]),
    )


def _second(token: Token, frame: Frame) -> float:
    if not frame.follow_ups:
        raise HarnessError(f"token {token.name}: found no second-stage scene, expected at least one")
    weights = follow_up_weights([scene.distance_m for scene in frame.follow_ups])
    return sum(weight * scene.score for weight, scene in zip(weights, frame.follow_ups, strict=True))
