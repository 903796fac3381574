"""Target speed by the Intelligent Driver Model, for each thing one can have to stop or slow down for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

HORIZON_S = 0.05
ACCELERATION_MPS2 = 24.0
DECELERATION_SLOW_MPS2 = 8.7
DECELERATION_FAST_MPS2 = 3.72
SLOW_UP_TO_MPS = 6.02
LEAST_GAP_M = 0.1
LEAST_DESIRED_MPS = 1e-3
MOST_STEPS = 64


class Cause(StrEnum):
    """What the ego follows or stops for."""

    LEADING_VEHICLE = "leading_vehicle"
    BICYCLE = "bicycle"
    PEDESTRIAN = "pedestrian"
    LIGHT = "light"
    STOP_SIGN = "stop_sign"
    TWO_WAY_WAIT = "two_way_wait"


@dataclass(frozen=True, kw_only=True)
class CauseParameters:
    """How to keep off one kind of cause.

    Attributes:
        least_gap_m: distance that remains at standstill.
        headway_s: extra distance per speed.
        lead_length_share: how much of the lead's full length lies within the measured distance.
        ego_half_length_share: the same for half the ego's length.
        extra_length_m: fixed part of the measured distance that cannot be driven.
        does_lead_move: False where the cause counts as standing whatever it does.
    """

    least_gap_m: float
    headway_s: float
    lead_length_share: float = 0.0
    ego_half_length_share: float = 0.0
    extra_length_m: float = 0.0
    does_lead_move: bool = False


CAUSES: Mapping[Cause, CauseParameters] = MappingProxyType(
    {
        Cause.LEADING_VEHICLE: CauseParameters(
            least_gap_m=4.0, headway_s=0.25, lead_length_share=1.0, does_lead_move=True
        ),
        Cause.BICYCLE: CauseParameters(least_gap_m=6.0, headway_s=0.5, lead_length_share=1.0, does_lead_move=True),
        Cause.PEDESTRIAN: CauseParameters(
            least_gap_m=4.5, headway_s=0.125, ego_half_length_share=1.0, extra_length_m=0.5
        ),
        Cause.LIGHT: CauseParameters(least_gap_m=3.0, headway_s=0.5),
        Cause.STOP_SIGN: CauseParameters(least_gap_m=2.0, headway_s=0.5),
        Cause.TWO_WAY_WAIT: CauseParameters(least_gap_m=2.0, headway_s=0.1, ego_half_length_share=1.0),
    }
)


def cause_target_speed(
    cause: Cause,
    *,
    speed_mps: float,
    desired_speed_mps: float,
    distance_m: float,
    lead_speed_mps: float = 0.0,
    lead_length_m: float = 0.0,
    ego_length_m: float = 0.0,
) -> float:
    """Return the speed to aim for because of a cause [m/s].

    Args:
        cause: row of the parameter table.
        distance_m: between centres for a vehicle, cyclist or pedestrian; to the stopping point otherwise.
        lead_speed_mps: ignored for causes that count as standing.
        lead_length_m: full length of the lead.
        ego_length_m: full length of the ego.
    """
    row = CAUSES[cause]
    length_m = (
        row.lead_length_share * lead_length_m + row.ego_half_length_share * ego_length_m / 2.0 + row.extra_length_m
    )
    return target_speed(
        speed_mps=speed_mps,
        desired_speed_mps=desired_speed_mps,
        gap_m=distance_m - length_m,
        lead_speed_mps=lead_speed_mps if row.does_lead_move else 0.0,
        least_gap_m=row.least_gap_m,
        headway_s=row.headway_s,
    )


def target_speed(
    *,
    speed_mps: float,
    desired_speed_mps: float,
    gap_m: float,
    lead_speed_mps: float,
    least_gap_m: float,
    headway_s: float,
) -> float:
    """Integrate the Intelligent Driver Model over 0.05 s and return the speed reached, not below 0 [m/s].

        dv/dt = a (1 - (v / v0)^4 - (s* / s)^2),   s* = s0 + v T + v (v - v_lead) / (2 sqrt(a b))
        s     = max(0.1, gap + v_lead t - x),      dx/dt = v

    Fixed steps of the classical Runge-Kutta method, as many as the stiffness at the start asks for.

    Args:
        speed_mps: v.
        desired_speed_mps: v0; below 1 mm/s it means stop.
        gap_m: free distance to the lead; may be negative.
        lead_speed_mps: v_lead.
        least_gap_m: s0.
        headway_s: T.

    Source: Treiber, Hennecke and Helbing, Congested traffic states in empirical observations and microscopic
        simulations, Phys. Rev. E 62, 2000; a and b as in PDM-Lite.
    """
    if desired_speed_mps < LEAST_DESIRED_MPS:
        return 0.0
    deceleration_mps2 = DECELERATION_SLOW_MPS2 if speed_mps <= SLOW_UP_TO_MPS else DECELERATION_FAST_MPS2
    closing_scale = 2.0 * math.sqrt(ACCELERATION_MPS2 * deceleration_mps2)

    def acceleration(t: float, x: float, v: float) -> float:
        v = max(v, 0.0)
        gap = max(LEAST_GAP_M, gap_m + t * lead_speed_mps - x)
        wanted = (least_gap_m + v * headway_s + v * (v - lead_speed_mps) / closing_scale) / gap
        share = v / desired_speed_mps
        return ACCELERATION_MPS2 * (1.0 - share * share * share * share - wanted * wanted)

    stiffness_hz = _stiffness_hz(
        speed_mps, desired_speed_mps, max(LEAST_GAP_M, gap_m), lead_speed_mps, least_gap_m, headway_s, closing_scale
    )
    steps = min(MOST_STEPS, 1 + math.ceil(HORIZON_S * stiffness_hz))
    h = HORIZON_S / steps
    t, x, v = 0.0, 0.0, speed_mps
    for _ in range(steps):
        k1 = acceleration(t, x, v)
        k2 = acceleration(t + h / 2.0, x + h / 2.0 * v, v + h / 2.0 * k1)
        k3 = acceleration(t + h / 2.0, x + h / 2.0 * (v + h / 2.0 * k1), v + h / 2.0 * k2)
        k4 = acceleration(t + h, x + h * (v + h / 2.0 * k2), v + h * k3)
        x += h * (v + h / 6.0 * (k1 + k2 + k3))
        v += h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        t += h
        if v <= 0.0:
            return 0.0
    return v


def _stiffness_hz(v: float, v0: float, gap: float, v_lead: float, s0: float, headway: float, scale: float) -> float:
    """Return how fast a small change of speed would fade at the start [1/s]."""
    wanted = s0 + v * headway + v * (v - v_lead) / scale
    slope = headway + (2.0 * v - v_lead) / scale
    free = 4.0 * (v / v0) ** 3 / v0
    return ACCELERATION_MPS2 * (free + abs(2.0 * wanted * slope) / (gap * gap))
